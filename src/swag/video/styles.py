"""Painters of frames: the network of one painting, or that of all paintings with statistics."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn

from swag.colors import with_colors_of
from swag.config import settings
from swag.errors import SettingsError
from swag.image import check_visible, filled, read, resize
from swag.instant import bundled, read_style
from swag.instant.style_file import is_trained
from swag.run import device_of
from swag.types import Image, OwnImage, Size, StrPath
from swag.video.coherence import Painted


@dataclass(frozen=True)
class VideoStyle:
    """How the frames of a video are painted.

    Args:
        strength: for a painting alone, from 0, the frames as they are, to 1. None: 0.5.
        colors: style, or content: light and shade as painted, colors of the frames.
        steadiness: weight of the last result in the next, from 0, frame by frame, to 1.
        device: auto, cpu, cuda, cuda:1 or mps.

    Raises:
        SettingsError: a value is out of range.
    """

    strength: float | None = None
    colors: str = "style"
    steadiness: float = 0.8
    device: str = "auto"

    def __post_init__(self) -> None:
        """See `Raises`."""
        if self.colors not in ("style", "content"):
            raise SettingsError(f"colors = {self.colors!r}: expected style or content")
        if not 0 <= self.steadiness <= 1:
            raise SettingsError(f"steadiness = {self.steadiness}: expected a number from 0 to 1")


@dataclass(frozen=True, eq=False)
class FramePainter:
    """Paints frames, each as a photo of this (height, width).

    `digest` is a SHA-256 of the network and of all else that determines the style.
    """

    paint: Callable[[Image], OwnImage]
    size: Size
    colors: str
    device: torch.device
    digest: str

    def __call__(
        self, frame: UInt8[np.ndarray, "_h _w 3"]
    ) -> tuple[UInt8[np.ndarray, "h w 3"], Float32[np.ndarray, "h w 3"]]:
        """The frame in the size of the result, and the painted frame."""
        photo = torch.from_numpy(frame).permute(2, 0, 1)[None].float() / 255
        photo = resize(photo, self.size).clamp(0, 1)
        painted = self.paint(photo.to(self.device)).cpu().clamp(0, 1)
        if self.colors == "content":
            painted = with_colors_of(painted, photo, "oklab").clamp(0, 1)
        resized = frame if frame.shape[:2] == self.size else _rows(photo * 255).round()
        return resized.astype(np.uint8, copy=False), _rows(painted)


def frame_painter(style: StrPath, size: Size, look: VideoStyle) -> FramePainter:
    """The painter of a style: `great-wave`, a .safetensors file, or a painting.

    The statistics of a painting are taken once, at the long side of the result, as a run of
    method instant takes them.

    Raises:
        WeightsError, ImageError: the file is damaged, or is neither a style nor a picture.
        SettingsError: strength is given for a trained style, or out of range, or a painting is
            transparent everywhere.
    """
    device = device_of(look.device)
    if is_trained(style):
        trained = read_style(style).to(device)
        if look.strength is not None:
            raise SettingsError(
                f"{style} was trained at a strength; leave --strength out, or give a painting"
            )
        digest = digest_of(trained.network)
        return FramePainter(trained.paint, size, look.colors, device=device, digest=digest)
    overrides: dict[str, Any] = {} if look.strength is None else {"strength": look.strength}
    chosen = settings("default", "instant", size=max(size), **overrides)
    painting = filled(read(style, size=chosen.size_without_photo()))
    check_visible("style", painting)
    painter = bundled().to(device)
    mask = None if painting.alpha is None else painting.alpha[None].to(device)
    painting_style = painter.describe(painting.batch.to(device), mask)
    digest = digest_of(painter.network, repr(chosen.strength).encode(), painting.batch)

    def paint(photo: Image) -> OwnImage:
        return painter.paint(photo, [painting_style], strength=chosen.strength)

    return FramePainter(paint, size, look.colors, device=device, digest=digest)


def digest_of(network: nn.Module, *more: bytes | Tensor) -> str:
    """SHA-256 of the tensors of a network and of more bytes or tensors, in hexadecimal."""
    digest = hashlib.sha256()
    for part in (*network.state_dict().values(), *more):
        digest.update(part if isinstance(part, bytes) else part.cpu().contiguous().numpy().data)
    return digest.hexdigest()


def _rows(batch: OwnImage) -> Painted:
    """A batch of one picture as an array (height, width, 3)."""
    array: Painted = np.ascontiguousarray(batch[0].permute(1, 2, 0).numpy())
    return array
