"""Whole tasks: stylise a photo, synthesise a texture, reconstruct a content.

Settings and pictures in, a stream of updates out; whoever reads the stream may stop, show, save.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, cast

import torch
from torch import Tensor

from swag import backbones
from swag.config import Settings, settings
from swag.errors import SettingsError
from swag.image import Picture, Source, fitted, read, resize, write
from swag.losses import get as get_loss
from swag.objective import Objective, Term
from swag.optimize import Adam, Lbfgs, Method, State, TorchLbfgs, optimize
from swag.schedule import plan
from swag.smoothing import parse as parse_smoothing

Task = Literal["stylize", "texture", "reconstruct"]


@dataclass(frozen=True)
class Update:
    """What a run has come to after a step; `losses` are the weighted terms.

    `index` counts from 0 over all scales, of `steps`; `size` is (height, width) in pixels.
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

    @property
    def image(self) -> Picture:
        """The picture as it is now, in [0, 1], with the alpha of the content."""
        return Picture(self.pixels[0].detach().clamp(0, 1).float().cpu(), self.alpha)


@dataclass(frozen=True)
class Result:
    """A finished picture, its last losses, and all that is needed to make it again."""

    image: Picture
    losses: dict[str, float]
    settings: Settings
    trace: list[dict[str, Any]]

    @property
    def config(self) -> dict[str, Any]:
        """The settings as plain values."""
        return self.settings.model_dump(mode="json")

    def save(self, path: str | os.PathLike[str], *, bits: int = 8, overwrite: bool = False) -> None:
        """Write the picture with its settings in it. ImageError: see `swag.image.write`."""
        metadata = {"swag": json.dumps(self.config, sort_keys=True)}
        write(path, self.image, bits=bits, metadata=metadata, overwrite=overwrite)


def stylize(content: Source, style: Source | Sequence[Source], **overrides: Any) -> Result:
    """A picture with the content of one and the style of others; settings as `swag.config`'s."""
    return finish(iterate(content, style, **overrides))


def texture(style: Source | Sequence[Source], **overrides: Any) -> Result:
    """A texture from noise: the style alone (Gatys et al., NIPS 2015)."""
    return finish(iterate(None, style, task="texture", **overrides))


def reconstruct(content: Source, **overrides: Any) -> Result:
    """A content from noise: what of a photo the layers keep (Mahendran and Vedaldi 2015)."""
    return finish(iterate(content, None, task="reconstruct", **overrides))


def finish(updates: Iterator[Update]) -> Result:
    """Run to the end and keep the last picture and a line of numbers for each step."""
    trace = []
    last = None
    for last in updates:
        trace.append(
            {"step": last.index, "size": list(last.size), "seconds": last.seconds, **last.losses}
        )
    if last is None:
        raise SettingsError("the run made no step; give more steps or another start")
    return Result(last.image, last.losses, last.settings, trace)


def iterate(
    content: Source | None,
    style: Source | Sequence[Source] | None,
    *,
    task: Task = "stylize",
    backbone: str | backbones.Backbone | None = None,
    initial: Source | None = None,
    **overrides: Any,
) -> Iterator[Update]:
    """Yield an `Update` after each step; everything is checked before the first is asked for.

    `backbone` is a name, or a network from `swag.backbones.create`, which is then used as it is.
    `initial` is a picture to begin with, stretched to the size of the result, instead of `start`.

    Raises:
        SwagError: a setting, a picture, a backbone or its weights.
    """
    given = backbone if isinstance(backbone, backbones.Backbone) else None
    if backbone is not None:
        overrides["backbone"] = backbone if isinstance(backbone, str) else backbone.name
    chosen = settings(**overrides)
    if task != "stylize" and "start" not in overrides:
        chosen = chosen.model_copy(update={"start": "noise"})
    if (task != "texture" and content is None) or (task != "reconstruct" and style is None):
        raise SettingsError(
            f"{task} was given no {'style' if style is None else 'content'} picture"
        )
    size = (chosen.size, chosen.size) if chosen.square else chosen.size
    photo = None if content is None else read(content, size=size)
    paintings = [read(source, size=size) for source in _listed(style)]
    begin = None if initial is None else read(initial)
    device = device_of(chosen.device)
    network = given or backbones.create(
        chosen.backbone,
        weights=chosen.weights,
        seed=chosen.seed,
        edits=chosen.edits,
        calibrate_on=_side_by_side([photo, *paintings]),
    )
    network.to(device)
    return _Run(chosen, task, network, photo, paintings, device, begin).updates()


def _listed(style: Source | Sequence[Source] | None) -> list[Source]:
    """One style or several, as a list; bytes and arrays are sequences, too, but one picture."""
    if isinstance(style, list | tuple):
        return list(style)
    return [] if style is None else [cast(Source, style)]


def _side_by_side(pictures: Sequence[Picture | None]) -> Tensor:
    """Pictures as one batch of the first one's size: what batch norm is calibrated on."""
    batches = [picture.batch for picture in pictures if picture is not None]
    size = (batches[0].shape[-2], batches[0].shape[-1])
    return torch.cat([resize(batch, size) for batch in batches])


def device_of(name: str) -> torch.device:
    """The device of this name; `auto` is CUDA, else Metal, else the processor.

    Raises:
        SettingsError: no such device here.
    """
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
        if torch.backends.mps.is_available():
            name = "mps"
    try:
        return torch.empty(0, device=name).device
    except (RuntimeError, AssertionError) as error:
        raise SettingsError(f"device {name!r} is not there; use auto, cpu, cuda or mps") from error


@dataclass(frozen=True)
class _Run:
    """One task on one network: the pictures at full size, made smaller for each scale."""

    settings: Settings
    task: Task
    network: backbones.Backbone
    photo: Picture | None
    paintings: list[Picture]
    device: torch.device
    initial: Picture | None = None

    def updates(self) -> Iterator[Update]:
        scales = plan(self.settings.size, self.settings.steps, self.settings.scales)
        method, state, done, began = self._method(), None, 0, time.perf_counter()
        canvas = self.photo or self.paintings[0]
        for number, scale in enumerate(scales):
            size = self._size(canvas, scale.size)
            state = self._start(size) if state is None else _enlarged(state, size, method)
            objective = self._objective(size, scale.size, state.image)
            state = replace(state, step=0)
            for step in optimize(
                state, objective, method, steps=scale.steps, average=self.settings.average
            ):
                state = step.state
                yield Update(
                    done + step.index, self.settings.steps, number, len(scales), size, step.image,
                    None if self.photo is None or number + 1 < len(scales) else self.photo.alpha,
                    step.losses, time.perf_counter() - began, self.settings,
                )  # fmt: skip
            done += scale.steps

    def _size(self, picture: Picture, long_side: int) -> tuple[int, int]:
        width, height = picture.size
        return fitted(height, width, long_side)

    def _at(self, picture: Picture, size: tuple[int, int]) -> Tensor:
        return resize(picture.batch, size).clamp(0, 1).to(self.device)

    def _start(self, size: tuple[int, int]) -> State:
        if self.initial is not None:
            return State(self._at(self.initial, size))
        if self.settings.start == "content" and self.photo is not None:
            return State(self._at(self.photo, size))
        if self.settings.start == "style" and self.paintings:
            return State(self._at(self.paintings[0], size))
        random = torch.Generator().manual_seed(self.settings.seed)
        noise = torch.rand(1, 3, *size, generator=random).to(self.device)
        of = self.paintings[0] if self.paintings else self.photo
        if of is None:
            return State(noise)
        # Noise around the mean colour: the mean is what deep layers see least of.
        return State(of.batch.mean((2, 3), keepdim=True).to(self.device) + 0.2 * (noise - 0.5))

    def _objective(self, size: tuple[int, int], long_side: int, start: Tensor) -> Objective:
        photo = None if self.photo is None else self._at(self.photo, size)
        styles = [self._at(p, self._size(p, long_side)) for p in self.paintings]
        terms = self._style_terms(styles, start if photo is None else photo)
        if photo is not None and self.task != "texture":
            terms.append(self._content_term(photo, resize(styles[0], size) if styles else start))
        fitted_to = styles[0] if styles else start if photo is None else photo
        return Objective.of(
            self.network.extract,
            [term for term in terms if term.weight > 0],
            start=start,
            style=fitted_to,
            penalties={
                "total_variation": self.settings.total_variation,
                "pixel_range": self.settings.pixel_range * (1 if self._relative else 0),
            },
        )

    @property
    def _relative(self) -> bool:
        return self.settings.normalisation not in ("paper", "released-code")

    def _style_terms(self, styles: list[Tensor], other: Tensor) -> list[Term]:
        weight, _ = self.settings.weights_of_terms
        layers = self.settings.style_layers or dict.fromkeys(self.network.style_layers, 1.0)
        return [
            Term(
                "style" if len(styles) == 1 else f"style {i + 1}",
                get_loss(self.settings.style_loss), layers, style,
                parse_smoothing(self.settings.smoothing), weight / len(styles),
                self.settings.normalisation, other,
            )
            for i, style in enumerate(styles)
        ]  # fmt: skip

    def _content_term(self, photo: Tensor, other: Tensor) -> Term:
        _, weight = self.settings.weights_of_terms
        layers = self.settings.content_layers or dict.fromkeys(self.network.content_layers, 1.0)
        smoothing = self.settings.smoothing if self.settings.smooth_content else "none"
        # A photo's error against itself is no unit, so `initial` is the span for the content.
        normalisation = self.settings.normalisation
        return Term(
            "content", get_loss("content"), layers, photo, parse_smoothing(smoothing), weight,
            "span" if normalisation == "initial" else normalisation, other,
        )  # fmt: skip

    def _method(self) -> Method:
        if self.settings.optimizer == "adam":
            return Adam() if self.settings.rate is None else Adam(rate=self.settings.rate)
        return TorchLbfgs() if self.settings.optimizer == "torch-lbfgs" else Lbfgs()


def _enlarged(state: State, size: tuple[int, int], method: Method) -> State:
    """The state at the next scale: the latest picture, and what the method can still use."""
    before = state.image.shape[-2] * state.image.shape[-1]
    pixels = size[0] * size[1] / before
    return State(
        resize(state.image, size).clamp(0, 1),
        memory=method.resized(state.memory, lambda x: resize(x, size), pixels),
    )
