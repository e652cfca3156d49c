"""What a run returns: an update after each step, and a result at the end."""

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from swag.backbones import weights
from swag.config import Settings
from swag.errors import ImageError
from swag.image import Picture, encoded, write
from swag.modes import own_modes
from swag.optimize import State
from swag.run import checkpoint
from swag.run.provenance import PictureProvenance, Provenance, Task, metadata_texts
from swag.types import Precision

__all__ = ["Result", "Task", "Update"]

GENERATED = "compositeWithTrainedAlgorithmicMedia"
"""IPTC's digital source type of what a network makes of somebody's pictures."""

MOST_NAMES = 1000
"""Bound of the numbers that are tried in names for a picture whose own name is taken."""


def early_end(scale: int, scales: int, step: int, steps: int) -> str:
    """Why a scale has fewer steps than asked for; `step` counts the steps of the whole run."""
    return f"scale {scale + 1} of {scales} ended at step {step} of {steps}: none lowered the loss"


def calibration_advice(spec: str) -> str:
    """Advice for uncalibrated random weights, whose activations grow or fade; '' for others."""
    parsed = weights.parse_weights(spec)
    if parsed.scheme is None or parsed.calibrated:
        return ""
    scheme = "torchvision" if parsed.scheme == "greedy" else parsed.scheme  # greedy takes none
    return f"; or, if there is batch norm, the weights random:{scheme}+calibrated"


def _brief_losses(losses: Mapping[str, float]) -> str:
    return ", ".join(f"{name} {value:.4g}" for name, value in losses.items())


def renamed_warning(requested: Path, path: Path) -> str:
    """The warning about a picture that was saved under another name."""
    return f"another program wrote {requested} meanwhile, which stays; this picture is {path}"


@dataclass(frozen=True, repr=False)
class Update:
    """A run after a step; `losses` are the weighted terms.

    `index` counts the steps from 0 over all scales, up to `steps` - 1; `size` is (height, width)
    in pixels. `state` is the optimizer's live state at this scale: save or copy it before the next
    step. `decode` maps the optimizer's variables to a picture. `start` is the first picture of
    this scale, if targets depend on it. `fallbacks` name each departure from the settings, as for
    lack of memory. `precision` is the precision of the network passes behind `losses`, which are
    themselves computed in float32 or float64.
    """

    index: int
    steps: int
    scale: int
    scales: int
    size: tuple[int, int]
    pixels: Tensor
    alpha: Tensor | None
    losses: dict[str, float]
    seconds: float
    settings: Settings
    state: State
    finish: Callable[[Tensor], Tensor] | None = None
    decode: Callable[[Tensor], Tensor] | None = None
    provenance: Provenance | None = None
    start: Tensor | None = None
    fallbacks: tuple[str, ...] = ()
    precision: Precision = "float32"

    @property
    @own_modes()
    def image(self) -> Picture:
        """The present picture in [0, 1], with the alpha of the content."""
        pixels = self.pixels.detach().clamp(0, 1).float().cpu()
        if self.finish is not None:
            pixels = self.finish(pixels).clamp(0, 1)
        return Picture(pixels[0], self.alpha)

    @property
    @own_modes()
    def best(self) -> Picture:
        """The picture with the lowest loss at this scale, to keep if the run ends here.

        If iterates are averaged or jittered, this is `image`.
        """
        best = self.state.best
        jittered = self.settings.jitter or self.settings.jitter_scale
        if best is None or self.decode is None or self.settings.average or jittered:
            return self.image
        return replace(self, pixels=self.decode(best)).image

    @property
    def last(self) -> bool:
        """Whether all steps of the settings are done."""
        return self.index + 1 >= self.steps

    @property
    def trace_entry(self) -> dict[str, Any]:
        """This step as an entry of a trace, in plain values."""
        return {
            "step": self.index,
            "scale": self.scale,
            "size": list(self.size),
            "seconds": round(self.seconds, 3),
            "precision": self.precision,
            "losses": self.losses,
        }

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.image._repr_png_()

    def __repr__(self) -> str:
        step = f"step {self.index + 1} of {self.steps}"
        return f"Update({step}, {self.size[1]} x {self.size[0]}, {_brief_losses(self.losses)})"

    def save_checkpoint(self, path: str | os.PathLike[str]) -> None:
        """Write a checkpoint from which `resume=path` continues, whole or not at all.

        CheckpointError if the file cannot be written.
        """
        checkpoint.save_checkpoint(path, self)

    def result(self, trace: list[dict[str, Any]], *, finished: bool = True) -> "Result":
        """This picture as the result of a run, or the best one if the run did not finish.

        A finished run that made fewer steps than asked for says so among its `fallbacks`.
        """
        fallbacks = self.fallbacks
        if finished and not self.last:
            fallbacks += (early_end(self.scale, self.scales, self.index + 1, self.steps),)
        made = None
        if self.provenance is not None:
            made = PictureProvenance.of(
                self.provenance,
                step=self.index + 1,
                finished=finished,
                losses=self.losses,
                fallbacks=fallbacks,
            )
        image = self.image if finished else self.best
        return Result(
            image=image,
            losses=self.losses,
            settings=self.settings,
            trace=trace,
            made=made,
            fallbacks=fallbacks,
        )


@dataclass(frozen=True, repr=False)
class Result:
    """A finished picture, its last losses, and what `like` needs to make the picture again.

    A notebook shows the picture.
    """

    image: Picture
    losses: dict[str, float]
    settings: Settings
    trace: list[dict[str, Any]]
    made: PictureProvenance | None = None
    fallbacks: tuple[str, ...] = ()

    def pil(self) -> Image.Image:
        """The picture as one of Pillow's, with 8 bits; see `swag.image.Picture`."""
        return self.image.pil()

    def array(self) -> NDArray[np.float32]:
        """The picture as an array (height, width, 3 or 4) in [0, 1]."""
        return self.image.array()

    def _repr_png_(self) -> bytes:
        """What a notebook shows."""
        return self.image._repr_png_()

    def __repr__(self) -> str:
        width, height = self.image.size
        return f"Result({width} x {height}, {len(self.trace)} steps, {_brief_losses(self.losses)})"

    @property
    def config(self) -> dict[str, Any]:
        """The settings as plain values."""
        return self.settings.model_dump(mode="json")

    def save(
        self,
        path: str | os.PathLike[str],
        *,
        bits: int = 8,
        overwrite: bool = False,
        metadata: bool = True,
    ) -> None:
        """Write the picture, with settings, hashes and losses in its metadata if `metadata`.

        ImageError: see `swag.image.write`.
        """
        write(path, self.image, bits=bits, overwrite=overwrite, **self._metadata(metadata))

    def encoded(
        self, name: str | os.PathLike[str] = "a.png", *, bits: int = 8, metadata: bool = True
    ) -> bytes:
        """The file that `save` would write under this name, whose extension is the format.

        ImageError: see `swag.image.write`.
        """
        return encoded(name, self.image, bits=bits, **self._metadata(metadata))

    def _metadata(self, metadata: bool) -> dict[str, Any]:
        """How the picture was made, as keywords of `swag.image.write`."""
        if not metadata:
            return {}
        texts = metadata_texts(self.settings, self.made, self.image.size)
        return {"metadata": texts, "source_type": GENERATED}

    def keep(
        self,
        path: str | os.PathLike[str],
        *,
        bits: int = 8,
        overwrite: bool = False,
        metadata: bool = True,
    ) -> Path:
        """Save the picture, under the next free name if the name is taken and not to be replaced.

        Returns the path of the picture. ImageError as for `save`.
        """
        wanted = Path(path)
        numbered = (wanted.with_stem(f"{wanted.stem}-{number}") for number in range(2, MOST_NAMES))
        for name in chain([wanted], numbered):
            try:
                self.save(name, bits=bits, overwrite=overwrite, metadata=metadata)
            except ImageError:
                if overwrite or not name.exists():
                    raise
            else:
                return name
        raise ImageError(f"{wanted} and all names up to {name} are taken; choose another")
