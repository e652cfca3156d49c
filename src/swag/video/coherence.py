"""Frames that follow one another: each result is blended with the one before, moved along.

Where a pixel was in the frame before is told by dense optical flow (DIS: Kroeger et al., "Fast
optical flow using dense inverse search", ECCV 2016). A pixel is blended as far as it is certain to
be the same thing:

- There and back again it must end where it began, or it was hidden before (Sundaram, Brox and
  Keutzer, ECCV 2010, with their constants; for style transfer Ruder, Dosovitskiy and Brox, 2016).
- The frame before, moved along, must look like the present one there, which a cut does not.
"""

from dataclasses import dataclass
from functools import cache
from typing import Any

import cv2
import numpy as np
from jaxtyping import Float, Float16, Float32, UInt8

Frame = UInt8[np.ndarray, "h w 3"]
"""A frame: sRGB in 0 to 255."""

Painted = Float32[np.ndarray, "h w 3"]
"""What a frame becomes, before it is blended: sRGB in [0, 1]."""

Flow = Float32[np.ndarray, "h w 2"]
"""For each pixel the way, (x, y) in pixels, to where it is in another frame."""

Certainty = Float32[np.ndarray, "h w"]
"""How certain each pixel is to be that of the frame before, in [0, 1]."""

LIKE = 20.0
"""Of 255: the deviation between frames at which certainty has fallen to exp(-1/2)."""


@dataclass(frozen=True, eq=False)
class Shown:
    """A frame, and the result that was shown for it: all that the next one needs."""

    frame: Frame
    result: Float16[np.ndarray, "h w 3"]


def follow(last: Shown | None, frame: Frame, painted: Painted, *, share: float) -> Shown:
    """The result for a frame: `share` of the last result where it goes on, the rest as painted.

    Half precision is what is shown and what is kept, so that a run that was interrupted goes on
    with the same numbers.
    """
    if last is None or share == 0:
        return Shown(frame, painted.astype(np.float16))
    back, forth = flow(frame, last.frame), flow(last.frame, frame)
    certain = certainty(frame, moved(last.frame, back), back, forth)[:, :, None]
    before = moved(last.result.astype(np.float32), back)
    result = painted + share * certain * (before - painted)
    return Shown(frame, result.clip(0, 1).astype(np.float16))


def flow(start: Frame, end: Frame) -> Flow:
    """Where each pixel of a frame is in another one."""
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (start, end)]
    # A new one each time: small frames change its scales for all that come after them.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    found: Flow = search.calc(gray[0], gray[1], None)
    return found


def moved(values: Any, back: Flow) -> Any:
    """Values (h, w, ...) of one frame, fetched to where another frame has them.

    By the kernel of Lanczos: what is moved once a frame grows soft with a linear one, and rings
    with a cubic one. Beyond the border its pixels are repeated.
    """
    places = back + _grid(*back.shape[:2])
    return cv2.remap(values, places, None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)


def certainty(frame: Frame, before: Frame, back: Flow, forth: Flow) -> Certainty:
    """How certain each pixel is to be that of the frame before, moved along by `back`."""
    round_trip = _square(back + moved(forth, back))
    seen = round_trip < 0.01 * (_square(back) + _square(moved(forth, back))) + 0.5
    places = back + _grid(*back.shape[:2])
    limit = np.array([back.shape[1] - 1, back.shape[0] - 1], np.float32)
    inside = ((places >= 0) & (places <= limit)).all(2)
    apart = _square(frame.astype(np.float32) - before.astype(np.float32)) / 3
    apart = cv2.GaussianBlur(apart, (5, 5), 1.0)  # noise of single pixels says little
    alike = np.exp(-apart / (2 * LIKE**2))
    found: Certainty = (alike * (seen & inside)).astype(np.float32)
    return found


def _square(vectors: Float[np.ndarray, "h w c"]) -> Certainty:
    lengths: Certainty = np.einsum("hwc,hwc->hw", vectors, vectors)
    return lengths


@cache
def _grid(height: int, width: int) -> Flow:
    """The place, (x, y), of each pixel."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([columns, rows], axis=2)
