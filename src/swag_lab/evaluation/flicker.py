"""How much painted videos flicker, on clips whose motion is known.

    python -m swag_lab.evaluation.flicker great-wave painting.jpg --photo photo.jpg

Each style paints each clip, with several shares of the last result blended in, of which 0 is frame
by frame. Flicker is the root of the mean square between a result and the one before, moved along by
the known motion, over the pixels that both show (Lai et al., "Learning blind video temporal
consistency", ECCV 2018, without their estimate of the motion). Blur lowers it, too: sharpness, the
mean absolute Laplacian of the results, is given beside it. Both are ratios to frame by frame.
"""

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from jaxtyping import Bool, Float

from swag.errors import SettingsError, SwagError
from swag.image import read
from swag.video.coherence import Flow, Frame, Painted, follow, warp
from swag.video.styles import VideoStyle, frame_painter

FRAMES = 16
GRAIN = 2.0
"""Deviation of the noise, of 255, that a camera adds to each pixel of the clip of a photo."""

Places = Float[np.ndarray, "h w 2"]
Values = Float[np.ndarray, "h w 3"]


@dataclass(frozen=True, eq=False)
class ClipFrame:
    """A frame, the flow of its pixels to the frame before, and which of them that one shows."""

    frame: Frame
    back: Flow
    visible_before: Bool[np.ndarray, "h w"]


@dataclass(frozen=True)
class Steadiness:
    """Flicker and sharpness of a painted clip."""

    flicker: float
    sharpness: float


def grid(side: int) -> Places:
    """The coordinates, (x, y), of each pixel of a square frame."""
    points: Places = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=2).astype(float)
    return points


def moving_disc(side: int, frames: int = FRAMES) -> Iterator[ClipFrame]:
    """A patterned disc before a patterned ground, each with a motion of its own; no noise.

    The patterns are sums of waves, so that motions of fractions of a pixel are exact.
    """
    random = np.random.default_rng(0)
    ground, disc = _waves(random, side), _waves(random, side)
    speeds = {"ground": np.array([1.3, 0.4]), "disc": np.array([-0.9, -1.7])}
    places, center, radius = grid(side), np.array([0.6, 0.7]) * side, 0.22 * side

    def in_disc(time: float, positions: Places) -> Bool[np.ndarray, "h w"]:
        offsets = positions - center - time * speeds["disc"]
        inside: Bool[np.ndarray, "h w"] = (offsets**2).sum(2) < radius**2
        return inside

    for time in range(frames):
        inside = in_disc(time, places)
        background = ground(places - time * speeds["ground"])
        foreground = 1 - disc(places - time * speeds["disc"])
        frame = np.where(inside[:, :, None], foreground, background)
        back = -np.where(inside[:, :, None], speeds["disc"], speeds["ground"])
        visible_before = in_disc(time - 1, places + back) == inside
        yield ClipFrame(
            _frame(frame), back.astype(np.float32), visible_before & _within(places + back, side)
        )


def panned_photo(path: Path, side: int, frames: int = FRAMES) -> Iterator[ClipFrame]:
    """A photo as a hand-held camera pans and zooms over it, with grain."""
    random = np.random.default_rng(0)
    photo = (read(path, size=2 * side).array()[:, :, :3] * 255).astype(np.float32)
    shake = np.cumsum(random.normal(0, 0.6, (frames, 2)), axis=0)
    places, middle = grid(side), np.array([photo.shape[1], photo.shape[0]]) / 2 - side / 2

    def view(time: int) -> tuple[float, Float[np.ndarray, "2"]]:
        """Scale and offset of the view: place x shows scale * x + offset of the photo."""
        shift = np.array([1.6, -0.7]) * (time - frames / 2) + shake[time]
        return 0.9 + 0.004 * time, middle + shift

    for time in range(frames):
        scale, offset = view(time)
        coordinates = (scale * places + offset).astype(np.float32)
        frame = cv2.remap(photo, coordinates, None, cv2.INTER_CUBIC)
        grain = random.normal(0, GRAIN, frame.shape)
        old_scale, old_offset = view(max(0, time - 1))
        back = (scale * places + offset - old_offset) / old_scale - places
        yield ClipFrame(
            _frame((frame + grain) / 255), back.astype(np.float32), _within(places + back, side)
        )


def steadiness(clip: Sequence[ClipFrame], painted: Sequence[Painted], share: float) -> Steadiness:
    """Flicker and sharpness of the painted frames of a clip, blended with this share."""
    errors, sharp, last = [], [], None
    for step, picture in zip(clip, painted, strict=True):
        current = follow(last, step.frame, picture, share=share)
        result = current.result.astype(np.float32)
        if last is not None:
            error = result - warp(last.result.astype(np.float32), step.back)
            errors.append(float((error[step.visible_before] ** 2).mean()))
        sharp.append(float(np.abs(cv2.Laplacian(result, cv2.CV_32F)).mean()))
        last = current
    return Steadiness(float(np.sqrt(np.mean(errors))), float(np.mean(sharp[len(sharp) // 2 :])))


def _waves(random: np.random.Generator, side: int, count: int = 60) -> Callable[[Places], Values]:
    """A colored pattern about [0, 1], of waves from the frame's size down to six pixels."""
    lengths = np.geomspace(6, side, count)
    angles, phases = random.uniform(0, 2 * np.pi, (2, count))
    vectors = 2 * np.pi / lengths * np.array([np.cos(angles), np.sin(angles)])
    colors = random.normal(0, 1, (count, 3)) * lengths[:, None] ** 0.5

    def pattern(places: Places) -> Values:
        values = np.cos(places @ vectors + phases) @ colors
        colored: Values = 0.5 + 0.25 * values / np.sqrt((colors**2).sum(0) / 2)
        return colored

    return pattern


def _within(places: Places, side: int) -> Bool[np.ndarray, "h w"]:
    return np.asarray(((places >= 0) & (places <= side - 1)).all(2))


def _frame(values: Values) -> Frame:
    frame: Frame = (values.clip(0, 1) * 255).round().astype(np.uint8)
    return frame


def _paint_clip(clip: Sequence[ClipFrame], style: str, side: int) -> list[Painted]:
    painter = frame_painter(style, (side, side), VideoStyle())
    return [painter(step.frame)[1] for step in clip]


def _check_options(size: int, frames: int, shares: Sequence[float]) -> None:
    """SettingsError unless there are frames to compare, which motion can be found in."""
    if size < 32 or frames < 2 or not all(0 <= share <= 1 for share in shares):
        raise SettingsError(
            f"size = {size}, frames = {frames}, shares = {', '.join(map(str, shares))}: expected "
            "32 pixels or more, two frames or more, and shares from 0 to 1"
        )


def main() -> None:
    """Print a table of ratios, a row for each style and clip."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("styles", nargs="+", help="names, .safetensors files or paintings")
    parser.add_argument("--photo", type=Path, required=True)
    parser.add_argument("--size", type=int, default=256)
    parser.add_argument("--frames", type=int, default=FRAMES)
    parser.add_argument("--shares", type=float, nargs="+", default=[0.6, 0.7, 0.8, 0.9])
    options = parser.parse_args()
    _check_options(options.size, options.frames, options.shares)
    clips = {
        "disc": list(moving_disc(options.size, options.frames)),
        "photo": list(panned_photo(options.photo, options.size, options.frames)),
    }
    print("| style | clip | frame by frame |", *(f"{s:g} |" for s in options.shares))
    print("|---|---|--:|" + "--:|" * len(options.shares))
    for style in options.styles:
        for name, clip in clips.items():
            painted = _paint_clip(clip, style, options.size)
            base = steadiness(clip, painted, 0.0)
            print(f"| {Path(style).stem} | {name} | {base.flicker:.4f} |", end="")
            for share in options.shares:
                blended = steadiness(clip, painted, share)
                flicker = blended.flicker / base.flicker
                print(f" {flicker:.2f} ({blended.sharpness / base.sharpness:.2f}) |", end="")
            print(flush=True)


if __name__ == "__main__":
    try:
        main()
    except SwagError as error:
        raise SystemExit(f"flicker: {error}") from error
