"""The pictures of a run, read once at the size of its result."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor

from swag.backbones.weights import parse_weights as parse_weights
from swag.config import LARGEST_SIZE, ORIGINAL, SMALLEST_SIZE, Settings
from swag.errors import SettingsError
from swag.image import Picture, Source, check_visible, filled, read_hashed, resize, size_in_file
from swag.run.masks import as_mask, check_shape
from swag.run.provenance import Task

MOST_STYLES = 64
"""Styles of one picture at most: their hashes have to fit into its file."""


@dataclass(frozen=True)
class Inputs:
    """The pictures of a run; masks and maps are gray or colored pictures of any size.

    `hashes` are SHA-256, by the name of the input: of the file if there is one, else of the
    pixels as they were read.
    """

    photo: Picture | None
    paintings: tuple[Picture, ...]
    initial: Picture | None
    content_mask: Picture | None
    style_masks: tuple[Picture, ...]
    content_map: Picture | None
    hashes: dict[str, str]

    @property
    def canvas(self) -> Picture:
        """The picture whose shape the result has."""
        return self.paintings[0] if self.photo is None else self.photo

    def calibration_images(self, weights: str) -> Tensor | None:
        """The pictures that `weights` depend on: all for `+calibrated`, the canvas for `greedy`."""
        spec = parse_weights(weights)
        if spec.calibrated:
            return self._all_pictures()
        return self.canvas.batch if spec.draws > 1 else None

    def _all_pictures(self) -> Tensor:
        """The photo and the paintings as one batch, of the canvas's size."""
        batches = [self.canvas.batch]
        batches += [p.batch for p in (self.photo, *self.paintings) if p and p is not self.canvas]
        rows, columns = batches[0].shape[-2:]
        return torch.cat([resize(batch, (rows, columns)) for batch in batches])


def read_inputs(  # noqa: PLR0913 - every picture that a run can have
    settings: Settings,
    task: Task,
    content: Source | None,
    style: Source | Sequence[Source] | None,
    *,
    initial: Source | None = None,
    content_mask: Source | None = None,
    style_mask: Source | Sequence[Source] | None = None,
    content_map: Source | None = None,
    max_pixels: int | None = None,
) -> Inputs:
    """Read the pictures of a run.

    Raises:
        SettingsError: a picture that the task needs is missing, or masks without their match.
        ImageError: a picture cannot be read.
    """
    if (task != "texture" and content is None) or (task != "reconstruct" and style is None):
        raise SettingsError(
            f"{task} needs a {'style' if style is None else 'content'} picture; give one"
        )
    styles, style_masks = listed(style), listed(style_mask)
    if style is not None and not styles:
        raise SettingsError(f"{task} was given an empty list of styles; expected one or more")
    _check_masks(len(styles), len(style_masks), content_mask is not None)
    size = (settings.size, settings.size) if settings.square else settings.size
    enlarged = round(settings.size * settings.style_scale)
    style_size = (enlarged, enlarged) if settings.square else enlarged
    hashes: dict[str, str] = {}

    def picture(name: str, source: Source, size: int | tuple[int, int] | None = None) -> Picture:
        loaded, hashes[name] = read_hashed(source, size=size, max_pixels=max_pixels)
        check_visible(name, loaded)
        return filled(loaded)

    def mask(name: str, source: Source) -> Picture:
        loaded, hashes[name] = read_hashed(source, max_pixels=max_pixels)
        return as_mask(loaded)

    inputs = Inputs(
        photo=None if content is None else picture("content", content, size),
        paintings=tuple(picture(name, x, style_size) for name, x in _numbered("style", styles)),
        initial=None if initial is None else picture("initial", initial),
        content_mask=None if content_mask is None else mask("content_mask", content_mask),
        style_masks=tuple(mask(name, x) for name, x in _numbered("style_mask", style_masks)),
        content_map=None if content_map is None else mask("content_map", content_map),
        hashes=hashes,
    )
    if not settings.square:
        _check_shapes(inputs)
    return inputs


def at_own_size(
    settings: Settings,
    content: Source | None,
    style: Source | Sequence[Source] | None,
    max_pixels: int | None = None,
) -> Settings:
    """The settings with the long side of the photo, or of the style alone, for size "original".

    Raises:
        ImageError: the picture cannot be read.
        SettingsError: its long side is out of the range of sizes.
    """
    sources = listed(style) if content is None else [content]
    if settings.size != ORIGINAL or not sources:
        return settings
    side = max(size_in_file(sources[0], max_pixels=max_pixels))
    if not SMALLEST_SIZE <= side <= LARGEST_SIZE:
        raise SettingsError(
            f"size = original means {side} pixels for this picture; expected {SMALLEST_SIZE} to "
            f"{LARGEST_SIZE}: give a size in pixels"
        )
    return settings.model_copy(update={"size": side})


def listed(sources: Source | Sequence[Source] | None) -> list[Source]:
    """One picture or several, as a list; bytes and arrays are sequences, too, but one picture."""
    if isinstance(sources, list | tuple):
        return list(sources)
    return [] if sources is None else [cast(Source, sources)]


def _check_shapes(inputs: Inputs) -> None:
    for name, mask in (
        ("the content mask", inputs.content_mask),
        ("the content map", inputs.content_map),
    ):
        if mask is not None:
            check_shape(name, mask, "its picture", inputs.canvas)
    for number, (mask, painting) in enumerate(
        zip(inputs.style_masks, inputs.paintings, strict=True) if inputs.style_masks else (), 1
    ):
        check_shape(f"style mask {number}", mask, f"style {number}", painting)


def _check_masks(styles: int, style_masks: int, content_mask: bool) -> None:
    if styles > MOST_STYLES:
        raise SettingsError(f"{styles} styles were given; expected at most {MOST_STYLES}")
    if style_masks and not content_mask:
        raise SettingsError(
            "a style mask was given without a content mask; give both, with the same regions"
        )
    if style_masks and style_masks != styles:
        raise SettingsError(
            f"{styles} styles and {style_masks} style masks were given; expected one mask for each "
            "style"
        )
    if content_mask and not style_masks and styles > 2:
        raise SettingsError(
            f"{styles} styles share a content mask; expected a style mask for each, or at most "
            "two styles: the first where the mask is white, the second where it is black"
        )


def _numbered(name: str, sources: Sequence[Source]) -> list[tuple[str, Source]]:
    return [(f"{name} {i}" if i > 1 else name, source) for i, source in enumerate(sources, start=1)]
