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
"""Ratio of an evaluation's memory, with gradients, losses and workspace, to what its pass saves."""

SMALL_TILE = 512
"""Side in pixels below which a processor is less efficient at a tile."""

TRIED = 128
"""Side of the first picture on which memory is measured; a second is longer by as much."""

_MESSAGES = ("out of memory", "allocate memory", "not enough memory", "ALLOC_FAILED", "bad_alloc")
_CGROUPS = (
    ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current"),
    ("/sys/fs/cgroup/memory/memory.limit_in_bytes", "/sys/fs/cgroup/memory/memory.usage_in_bytes"),
)


def bytes_per_pixel(extract: Extract, layers: Sequence[str], like: OwnImage) -> float:
    """Bytes that loss and gradient take for each pixel of the picture.

    2.5 times what a pass saves for backward, each tensor once; measured as the difference of two
    small pictures. `like` is any picture, for its precision and device.
    """
    small, large = (_kept(extract, layers, like, rows) for rows in (TRIED, 2 * TRIED))
    return WORKSPACE * (large - small) / TRIED**2


def _kept(extract: Extract, layers: Sequence[str], like: Tensor, rows: int) -> int:
    """Bytes of all tensors that a pass saves for backward or returns, weights among them."""
    saved: dict[int, Tensor] = {}

    def save(tensor: Tensor) -> None:
        saved[tensor.untyped_storage().data_ptr()] = tensor  # alive: no address is used twice

    picture = like.new_full((1, 3, rows, TRIED), 0.5).requires_grad_()
    with torch.enable_grad(), torch.autograd.graph.saved_tensors_hooks(save, lambda x: x):
        maps = extract(picture, layers)
    for tensor in maps.values():
        save(tensor)
    total = sum(tensor.untyped_storage().nbytes() for tensor in saved.values())
    # A cycle that the garbage collector does not see: the graph holds the hook, the hook the
    # tensors, and these the graph.
    saved.clear()
    return total


def largest_side(receptive_field: ReceptiveField, per_pixel: float, budget: float) -> int:
    """The side of the largest square tile whose crop fits; at least one step of the network."""
    crop = sqrt(budget / per_pixel)
    step = max(receptive_field.step(axis) for axis in (0, 1))
    side = crop - max(sum(receptive_field.halo(axis)) for axis in (0, 1))
    return max(step, int(side) // step * step)


def ample_side(receptive_field: ReceptiveField) -> int:
    """The side above which larger tiles gain little: their halo is a fifth of them, or less."""
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
    return min(_machine_memory(), _container_memory(), _process_memory()) + idle_memory()


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory ran out; torch has no type of error for this on a processor."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and any(message in str(error) for message in _MESSAGES)


@contextmanager
def explain_out_of_memory(workload: str, advice: str) -> Iterator[None]:
    """If memory runs out inside, raise a ResourceError that names `workload` and gives `advice`."""
    try:
        yield
    except Exception as error:
        if not is_out_of_memory(error):
            raise
        raise ResourceError(f"there is not enough memory for {workload}; {advice}") from error


def _machine_memory() -> float:
    """Bytes that Linux says are available; on other systems, half of the machine's memory."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        fields = dict(line.split(":") for line in lines)
        return 1024.0 * int(fields["MemAvailable"].split()[0])
    except (OSError, KeyError, ValueError):
        return 0.5 * os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _container_memory() -> float:
    """Bytes left of the limit of a control group; infinite without a limit."""
    for limit, used in _CGROUPS:
        try:
            return float(Path(limit).read_text()) - float(Path(used).read_text())
        except (OSError, ValueError):  # no such group, or "max"
            continue
    return float("inf")


def _process_memory() -> float:
    """Bytes left of the limit on this process's address space (ulimit -v); infinite if none."""
    try:
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0])
        used = pages * os.sysconf("SC_PAGE_SIZE")
    except (ImportError, OSError, ValueError):
        return float("inf")
    return float("inf") if limit == resource.RLIM_INFINITY else float(limit - used)
