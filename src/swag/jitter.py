"""Jitter: the picture is shifted and scaled a little at random at each step.

    loss = Jittered(objective, seed=0, shift=8, scale=0.05)
    loss.at(7)(picture)                               the loss of the picture as moved in step 7
    jittered(picture, seed=0, step=7, shift=8)        the picture as step 7 shows it

Mordvintsev, Pezzotti, Schubert and Olah, "Differentiable image parameterizations", Distill 2018,
and their program Lucid: a detail that pleases the network in one position only is not found. It
makes the loss random, so it is for methods without a line search. Targets stay as they are, so that
a content loss blurs the picture by the size of the shifts.
"""

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import affine_grid, grid_sample

from swag.errors import SettingsError
from swag.types import Image


def jittered(image: Image, *, seed: int, step: int, shift: int = 0, scale: float = 0.0) -> Image:
    """The picture shifted, and scaled about its center, both at random.

    Shifts are whole pixels, each of -shift ... shift alike, down and across; factors of size are
    uniform in 1 - scale ... 1 + scale. Beyond an edge the picture is mirrored. All
    pictures of a batch move alike, as `seed` and `step` alone determine. The size stays; gradients
    flow through.
    Departures from Lucid: nothing is turned, the content of the frame is scaled, not the frame,
    and factors are not from a list. Between pixels the interpolation is bilinear, as Lucid's.

    Raises SettingsError for a range below 0, or a scale of 1 or more.
    """
    _check(shift, scale)
    if not (shift or scale):
        return image
    generator = random.Random(f"{seed}/{step}")  # a string is hashed: neighbors are unrelated
    down, across = generator.randint(-shift, shift), generator.randint(-shift, shift)
    factor = 1 + generator.uniform(-scale, scale)
    height, width = image.shape[-2:]
    # Where each pixel comes from; both sides run from -1 to 1.
    affine = image.new_tensor(
        [[1 / factor, 0, 2 * across / width], [0, 1 / factor, 2 * down / height]]
    )
    grid = affine_grid(affine.expand(image.shape[0], 2, 3), list(image.shape), align_corners=False)
    return grid_sample(image, grid, padding_mode="reflection", align_corners=False)


@dataclass(frozen=True)
class Jittered:
    """A loss of the jittered picture, which each step jitters differently."""

    loss: Callable[[Tensor], Mapping[str, Tensor]]
    seed: int
    shift: int = 0
    scale: float = 0.0

    def __post_init__(self) -> None:
        _check(self.shift, self.scale)

    def at(self, step: int) -> Callable[[Tensor], dict[str, Tensor]]:
        """The loss at a step, which jitters every picture alike."""
        return lambda image: dict(
            self.loss(
                jittered(image, seed=self.seed, step=step, shift=self.shift, scale=self.scale)
            )
        )


def _check(shift: int, scale: float) -> None:
    if not (shift >= 0 and 0 <= scale < 1):
        raise SettingsError(
            f"jitter has shift {shift} and scale {scale}; give pixels of at least 0, and a share "
            "from 0 to below 1."
        )
