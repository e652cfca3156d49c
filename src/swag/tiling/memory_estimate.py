"""How much memory a pass takes, how much there is, and what running out of it looks like."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from math import sqrt
from pathlib import Path

import torch
from torch import Tensor

from swag.allocation import idle_memory
from swag.errors import ResourceError
from swag.tiling.receptive_field import ReceptiveField
from swag.types import Extract, OwnImage

WORKSPACE = 2.5
"""Memory of an evaluation over what the pass keeps: gradients, losses, and room to work."""

SMALL_TILE = 512
"""Side in pixels below which a processor computes a tile less well."""

TRIED = 128
"""Side of the picture on which memory is measured, and by how much another one is longer."""

_WORDS = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED", "bad_alloc")
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def bytes_per_pixel(extract: Extract, layers: Sequence[str], like: OwnImage) -> float:
    """Memory of loss and gradient for each pixel of the picture.

    What a pass keeps for its way back, each tensor once, times 2.5; measured as the difference
    of two small pictures. `like` is any picture, for its precision and device.
    """
    small, large = (_kept(extract, layers, like, rows) for rows in (TRIED, 2 * TRIED))
    return WORKSPACE * (large - small) / TRIED**2


def _kept(extract: Extract, layers: Sequence[str], like: Tensor, rows: int) -> int:
    """Bytes of all tensors that a pass keeps, weights among them."""
    kept: dict[int, Tensor] = {}

    def note(tensor: Tensor) -> None:
        kept[tensor.untyped_storage().data_ptr()] = tensor  # alive: no address is used twice

    picture = like.new_full((1, 3, rows, TRIED), 0.5).requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(note, lambda x: x):
        maps = extract(picture, layers)
    for tensor in maps.values():
        note(tensor)
    size = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
    # The graph holds the hook, which holds the tensors, which hold the graph, where no collector
    # of garbage sees it.
    kept.clear()
    return size


def largest_side(receptive_field: ReceptiveField, per_pixel: float, budget: float) -> int:
    """The side of the largest square tile whose crop fits; at least one step of the network."""
    crop = sqrt(budget / per_pixel)
    step = max(receptive_field.step(axis) for axis in (0, 1))
    side = crop - max(sum(receptive_field.halo(axis)) for axis in (0, 1))
    return max(step, int(side) // step * step)


def ample_side(receptive_field: ReceptiveField) -> int:
    """The side from which on larger tiles gain little: the halo is a fifth of them, or less."""
    halo = max(sum(receptive_field.halo(axis)) for axis in (0, 1))
    step = max(receptive_field.step(axis) for axis in (0, 1))
    return max(SMALL_TILE, 10 * halo) // step * step


def free_memory(device: torch.device) -> float:
    """Bytes that a run may still take on a device."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        idle = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
        return float(free + idle)
    if device.type == "mps":
        return float(torch.mps.recommended_max_memory() - torch.mps.driver_allocated_memory())
    return min(_of_machine(), _of_container(), _of_process()) + idle_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch has no type of error for this on a processor."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(word in str(error) for word in _WORDS)


@contextmanager
def enough_memory(what: str, advice: str) -> Iterator[None]:
    """Inside, memory that runs out is a ResourceError that says for what, and gives advice."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(f"there is not enough memory for {what}; {advice}") from error


def _of_machine() -> float:
    """What Linux says is available; elsewhere half of what there is."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":") for line in lines)
        return 1024.0 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_container() -> float:
    """What is left of a control group's limit."""
    for limit, used in _CGROUPS:
        try:
            return float(Path(limit).read_text()) - float(Path(used).read_text())
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return float("inf")


def _of_process() -> float:
    """What is left of a limit on the addresses of this process (ulimit -v)."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        used = pages * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return float("inf")
    return float("inf") if limit == resource.RLIM_INFINITY else float(limit - used)
