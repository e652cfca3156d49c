"""Temporal coherence: each result is blended with the one before, warped along the motion.

Dense optical flow (DIS: Kroeger et al., "Fast optical flow using dense inverse search", ECCV 2016)
finds where each pixel was in the frame before. A pixel is blended as far as it is certain to show
the same thing:

- Followed there and back it must end where it began, or it was hidden before (Sundaram, Brox and
  Keutzer, ECCV 2010, with their constants; for style transfer Ruder, Dosovitskiy and Brox, 2016).
- The warped frame before must look like the present one at the pixel; after a cut it does not.
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
"""A painted frame before it is blended: sRGB in [0, 1]."""

Flow = Float32[np.ndarray, "h w 2"]
"""The displacement of each pixel, (x, y) in pixels, to its place in another frame."""

Certainty = Float32[np.ndarray, "h w"]
"""How certain each pixel is to continue one of the frame before, in [0, 1]."""

LIKE = 20.0
"""Deviation between frames, of 255, at which certainty has fallen to exp(-1/2)."""


@dataclass(frozen=True, eq=False)
class StyledFrame:
    """A frame and the result that was shown for it: all that the next frame needs."""

    frame: Frame
    result: Float16[np.ndarray, "h w 3"]


def follow(
    last: StyledFrame | None, frame: Frame, painted: Painted, *, share: float
) -> StyledFrame:
    """Blend a painted frame with the last result, which has a weight of `share` times certainty.

    Results are both shown and stored in half precision, so that an interrupted run goes on with the
    same numbers.
    """
    if last is None or share == 0:
        return StyledFrame(frame, painted.astype(np.float16))
    backward, forward = flow(frame, last.frame), flow(last.frame, frame)
    confidence = certainty(frame, warp(last.frame, backward), backward, forward)[:, :, None]
    warped = warp(last.result.astype(np.float32), backward)
    result = painted + share * confidence * (warped - painted)
    return StyledFrame(frame, result.clip(0, 1).astype(np.float16))


def flow(start: Frame, end: Frame) -> Flow:
    """The optical flow from frame `start` to frame `end`."""
    gray = [cv2.cvtColor(frame, cv2.COLOR_RGB2GRAY) for frame in (start, end)]
    # A new object each time: a small frame changes its scales for all later frames.
    search = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    displacements: Flow = search.calc(gray[0], gray[1], None)
    return displacements


def warp(values: Any, backward: Flow) -> Any:
    """Warp values (h, w, ...) of a frame: each pixel takes the value at its place along `backward`.

    With the Lanczos kernel: values that are warped in every frame blur with a linear kernel and
    ring with a cubic one. Beyond the border its pixels are repeated.
    """
    places = backward + _grid(*backward.shape[:2])
    return cv2.remap(values, places, None, cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)


def certainty(frame: Frame, warped: Frame, backward: Flow, forward: Flow) -> Certainty:
    """How certain each pixel is to continue one of the frame before, `warped` to it."""
    round_trip = _square(backward + warp(forward, backward))
    visible = round_trip < 0.01 * (_square(backward) + _square(warp(forward, backward))) + 0.5
    places = backward + _grid(*backward.shape[:2])
    limit = np.array([backward.shape[1] - 1, backward.shape[0] - 1], np.float32)
    inside = ((places >= 0) & (places <= limit)).all(2)
    difference = _square(frame.astype(np.float32) - warped.astype(np.float32)) / 3
    difference = cv2.GaussianBlur(difference, (5, 5), 1.0)  # noise of single pixels says little
    similarity = np.exp(-difference / (2 * LIKE**2))
    certain: Certainty = (similarity * (visible & inside)).astype(np.float32)
    return certain


def _square(vectors: Float[np.ndarray, "h w c"]) -> Certainty:
    squares: Certainty = np.einsum("hwc,hwc->hw", vectors, vectors)
    return squares


@cache
def _grid(height: int, width: int) -> Flow:
    """The coordinates, (x, y), of each pixel."""
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    return np.stack([columns, rows], axis=2)
