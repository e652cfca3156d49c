"""Which families of timm's networks can be read: one network of each, with random weights.

    python -m swag_lab.evaluation.timm_families [FAMILY ...]

A family is a module of timm. Its smallest network is made, its layers are found, and pictures of
three sizes are read with their gradient. A network that takes one size of picture is read at that.
"""

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from swag import backbones
from swag.errors import SwagError
from swag.features import trial_picture

SIZES = ((256, 192), (320, 272), (500, 333))
"""Rows and columns."""

SMALL = (
    *("test_", "nano", "atto", "femto", "pico", "xxs", "xxt", "xx_small", "_xs", "x_small", "tiny"),
    *("_t0", "mini", "small", "_s0", "_b0", "_m0", "_s", "_t", "18", "_0"),
)
"""Parts of names of small networks, from the smallest."""


@dataclass(frozen=True)
class FamilyResult:
    """The outcome for a family's network: the number of sizes read, or why none is."""

    family: str
    network: str
    layers: tuple[str, ...] = ()
    sizes: int = 0
    reason: str = ""

    @property
    def is_read(self) -> bool:
        """Whether pictures of any size are read."""
        return not self.reason


def families() -> dict[str, str]:
    """The smallest network of each module of timm that has any, by the module's name."""
    from timm.models import list_models, list_modules

    names_of = {family: list_models(module=family) for family in sorted(list_modules())}
    return {
        family: next((name for part in SMALL for name in names if part in name), names[0])
        for family, names in names_of.items()
        if names
    }


def try_family(family: str, network: str) -> FamilyResult:
    """Read pictures through a network. Only a SwagError becomes a reason; others are raised."""
    try:
        backbone = backbones.create(f"timm/{network}", weights="random")
        sizes = sum(_is_read(backbone, size) for size in SIZES)
        if not sizes:
            fixed = trial_picture(backbone.module, backbone.prepare).shape[-2:]
            _read(backbone, (fixed[0], fixed[1]))
    except SwagError as error:
        return FamilyResult(family, network, reason=str(error))
    return FamilyResult(family, network, backbone.style_layers, sizes)


def _is_read(backbone: backbones.Backbone, size: tuple[int, int]) -> bool:
    try:
        _read(backbone, size)
    except SwagError:
        return False
    return True


def _read(backbone: backbones.Backbone, size: tuple[int, int]) -> None:
    """Read a picture with its gradient; AssertionError if there is none."""
    generator = torch.Generator().manual_seed(0)
    picture = torch.rand(1, 3, *size, generator=generator).requires_grad_()
    maps = backbone(picture)
    loss = torch.stack([features.square().mean() for features in maps.values()]).sum()
    (gradient,) = torch.autograd.grad(loss, picture)
    assert gradient.isfinite().all() and gradient.abs().sum() > 0


def _rows(chosen: list[str]) -> Iterator[tuple[FamilyResult, float]]:
    for family, network in families().items():
        if not chosen or family in chosen:
            began = time.perf_counter()
            yield try_family(family, network), time.perf_counter() - began


def main() -> None:
    """Print a line for each family, and how many are read."""
    results = []
    for result, seconds in _rows(sys.argv[1:]):
        results.append(result)
        note = result.reason or f"{result.sizes} of {len(SIZES)} sizes: {' '.join(result.layers)}"
        print(f"{result.family:28} {result.network:34} {seconds:5.1f} s  {note}", flush=True)
    count = sum(result.is_read for result in results)
    any_size = sum(result.sizes == len(SIZES) for result in results)
    print(f"{count} of {len(results)} families are read, {any_size} of them at any size tried")


if __name__ == "__main__":
    main()
