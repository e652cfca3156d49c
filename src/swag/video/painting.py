"""Paint a video into a file: frame after frame, segment after segment.

Complete segments are kept: an interrupted run continues after the last one, from the state stored
with it, and writes the same file as an uninterrupted run.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import cv2

from swag.errors import VideoError
from swag.files import check_name, claim
from swag.image import MAX_PIXELS, fitted
from swag.run.provenance import versions
from swag.tiling import explain_out_of_memory
from swag.types import Size, StrPath
from swag.video.coherence import follow
from swag.video.reading import SMALLEST, Video, errors_of_ffmpeg, frames, survey
from swag.video.segments import Parts
from swag.video.styles import FramePainter, VideoStyle, frame_painter
from swag.video.writing import SegmentEncoder, VideoFormat, check_place, join, video_format

SEGMENT = 48
"""Frames of a segment: the most that an interruption can cost."""


@dataclass(frozen=True)
class VideoProgress:
    """Frames done, and about how many the video has; `finished` when the result is written."""

    done: int
    frames: int
    finished: bool = False


def paint_video(  # noqa: PLR0913 - what a run takes
    source: StrPath,
    style: StrPath,
    out: StrPath,
    *,
    size: int | None = None,
    look: VideoStyle | None = None,
    max_pixels: int = MAX_PIXELS,
    metadata: bool = True,
    overwrite: bool = False,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[VideoProgress]:
    """Paint a video in a style; yields its progress after each frame and at the end.

    Complete segments are kept beside `out`, in `out`.parts; the same call continues from them, and
    removes them when the video is written.

    Args:
        source: a video in any container and codec that FFmpeg reads.
        style: `great-wave`, a .safetensors file of `swag train-style`, or a painting.
        out: .mp4, .m4v, .mov, .mkv (H.264) or .webm (VP9).
        size: long side of the result in pixels; None: the video's own.
        look: how frames are painted.
        max_pixels: of a frame.
        metadata: whether the file says, in its comment, how it was made.
        overwrite: whether a file at `out`, or parts of another video, may be replaced.
        should_stop: called after each frame; if it returns True, the run ends there.

    Raises:
        VideoError: the file is no video, is damaged or has frames that are too large, or `out`
            cannot be written.
        ImageError, WeightsError: the style cannot be read.
        SettingsError: a setting is out of range.
        CheckpointError: the parts are of another video.
        ResourceError: no memory, a full disk, or another process at work on `out`.
    """
    video_style, path = look or VideoStyle(), Path(out)
    check_name(path, ".parts")
    check_place(path, overwrite=overwrite)
    video = survey(Path(source), most_pixels=max_pixels)
    painter = frame_painter(style, result_size(video, size), video_style)
    job = _job(video, painter, video_style, path)
    parts = parts_of(path)

    def progress() -> Iterator[VideoProgress]:
        with claim(path):
            parts.begin(job, overwrite=overwrite)
            steadiness = video_style.steadiness
            for done in _paint(video, painter, video_format(path), parts, steadiness=steadiness):
                yield VideoProgress(done, max(done, video.frames))
                if should_stop():
                    return
            join(
                path,
                parts.segments,
                video,
                size=painter.size,
                frames=SEGMENT,
                overwrite=overwrite,
                comment=json.dumps({"swag": job}, sort_keys=True) if metadata else "",
            )
            parts.clear()
        yield VideoProgress(video.frames, video.frames, finished=True)

    return progress()


def parts_of(out: Path) -> Parts:
    """The segments of a video, which are kept beside it until it is written."""
    return Parts(out.with_name(out.name + ".parts"))


def _paint(
    video: Video, painter: FramePainter, form: VideoFormat, parts: Parts, *, steadiness: float
) -> Iterator[int]:
    """Paint the frames that no segment holds yet; yields the number of frames done."""
    done, last = len(parts.segments) * SEGMENT, parts.last_frame()
    rows, columns = painter.size
    description = f"frames of {columns} x {rows} pixels"
    encoder: SegmentEncoder | None = None
    try:
        for timed in frames(video, first=done):
            with explain_out_of_memory(description, "give a smaller --size or another --device"):
                resized, painted = painter(timed.frame)
                last = follow(last, resized, painted, share=steadiness)
            with errors_of_ffmpeg(video.name, "encoded"):
                encoder = encoder or SegmentEncoder(video, form, painter.size, frames=SEGMENT)
                encoder.add(last.result, timed.time, timed.duration)
                done += 1
                if done % SEGMENT == 0:
                    parts.keep(encoder.finish(), last)
                    encoder = None
            yield done
        if encoder is not None and last is not None:
            with errors_of_ffmpeg(video.name, "encoded"):
                parts.keep(encoder.finish(), last)
                encoder = None
    finally:
        if encoder is not None:  # its threads and memory do not wait for Python to collect it
            encoder.close()


def _job(video: Video, painter: FramePainter, look: VideoStyle, path: Path) -> dict[str, Any]:
    """All that the bytes of a painted video depend on."""
    return {
        "video": video.digest,
        "style": painter.digest,
        "size": list(painter.size),
        "colors": look.colors,
        "steadiness": look.steadiness,
        "format": path.suffix.lower(),
        "device": painter.device.type,
        "versions": {**versions(), "av": av.__version__, "opencv": cv2.__version__},
    }


def result_size(video: Video, size: int | None) -> Size:
    """Even height and width of an upright result: the video's own, or with a long side of `size`.

    Raises:
        VideoError: it would be too small, or too large.
    """
    sides = (video.height // 2 * 2, video.width // 2 * 2)
    height, width = reversed(sides) if video.turns % 2 else sides
    if size is None:
        return height, width
    rows, columns = (side // 2 * 2 for side in fitted(height, width, size))
    if min(rows, columns) < SMALLEST:
        raise VideoError(
            f"a long side of {size} pixels makes frames of {columns} x {rows}; expected sides of "
            f"at least {SMALLEST}: give a larger --size"
        )
    if rows * columns > MAX_PIXELS:
        raise VideoError(
            f"a long side of {size} pixels makes frames of {columns} x {rows}, more than "
            f"{MAX_PIXELS} pixels: give a smaller --size"
        )
    return rows, columns
