"""Frames as videos: segments that stand alone, and a file of them with its sound.

Each segment is encoded on its own, from a key frame on, and none has frames that refer to later
ones: packets of segments that follow one another are a video. What is written depends on the frames
alone: encoders use one thread, and files hold no random numbers and no time.
"""

import heapq
import io
import os
from collections.abc import Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import av
import numpy as np
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from jaxtyping import Float16

from swag.errors import ResourceError, VideoError
from swag.files import open_temporary, write_atomically
from swag.messages import one_line
from swag.types import Size
from swag.video.reading import Video, errors_of_ffmpeg
from swag.video.sound import Packets, sound_tracks

BITEXACT = {"fflags": "+bitexact"}

THREADS = 1
"""Threads of an encoder and of conversions; another number gives other bits."""

UNSPECIFIED, BT709 = 2, 1
"""Values of primaries, transfer and matrix, by their numbers in H.273."""

H264 = ("libx264", {"crf": "18", "preset": "medium", "bf": "0"})
VP9 = ("libvpx-vp9", {"crf": "24", "b": "0", "cpu-used": "4"})


@dataclass(frozen=True)
class VideoFormat:
    """An output format: FFmpeg's name of the container, and the codecs of pictures and sound.

    `sound` encodes the tracks that the container cannot hold as they are.
    """

    container: str
    codec: tuple[str, dict[str, str]]
    sound: str


FORMATS = {
    ".mp4": VideoFormat("mp4", H264, "aac"),
    ".m4v": VideoFormat("mp4", H264, "aac"),
    ".mov": VideoFormat("mov", H264, "aac"),
    ".mkv": VideoFormat("matroska", H264, "aac"),
    ".webm": VideoFormat("webm", VP9, "libopus"),
}
"""The output formats by the extension of the name."""


def video_format(path: Path) -> VideoFormat:
    """The format that the extension stands for. VideoError if there is none."""
    form = FORMATS.get(path.suffix.lower())
    if form is None:
        raise VideoError(
            f"cannot write {str(path)!r}: expected a name that ends in {', '.join(FORMATS)}"
        )
    return form


def check_place(path: Path, *, overwrite: bool) -> None:
    """Check, before any work, that a file can be written. VideoError if it cannot."""
    video_format(path)
    if path.exists() and not (overwrite and path.is_file()):
        advice = "choose another name, or allow overwriting it (--overwrite)"
        raise VideoError(
            f"{str(path)!r} exists{'' if path.is_file() else ' and is no file'}; {advice}"
        )
    try:
        descriptor, temporary = open_temporary(path)
        os.close(descriptor)
        os.unlink(temporary)
    except OSError as error:
        raise VideoError(f"cannot write {str(path)!r}: {error.strerror}") from error


class SegmentEncoder:
    """Encodes frames of some (height, width) as a segment."""

    def __init__(self, video: Video, form: VideoFormat, size: Size, *, frames: int) -> None:
        self.video = video
        self.file = io.BytesIO()
        self.container = av.open(self.file, "w", format="nut", options=BITEXACT)
        self.stream = _video_stream(self.container, video, form, size=size, frames=frames)

    def add(self, result: Float16[np.ndarray, "h w 3"], time: int, duration: int) -> None:
        """Encode an upright result; time and duration are in units of the clock's time base."""
        pixels = (result.astype(np.float32) * 255).round().astype(np.uint8)
        turned = np.ascontiguousarray(np.rot90(pixels, -self.video.turns))
        frame = VideoFrame.from_ndarray(turned, format="rgb24").reformat(
            format="yuv420p",
            dst_colorspace="ITU709",
            src_color_range="JPEG",
            dst_color_range="MPEG",
            threads=THREADS,
        )
        frame.pts, frame.duration, frame.time_base = time, duration, self.video.clock.time_base
        self.container.mux(self.stream.encode(frame))

    def finish(self) -> bytes:
        """The bytes of the complete segment."""
        self.container.mux(self.stream.encode(None))
        self.close()
        return self.file.getvalue()

    def close(self) -> None:
        """Release the encoder, its threads and its memory."""
        self.container.close()


def _video_stream(
    container: OutputContainer, video: Video, form: VideoFormat, *, size: Size, frames: int
) -> VideoStream:
    """Add a stream of results to a container: the same for a segment and for the file."""
    codec, options = form.codec
    stream = container.add_stream(codec, rate=video.clock.rate, options=options)
    assert isinstance(stream, VideoStream)
    sideways = video.turns % 2 == 1
    stream.height, stream.width = reversed(size) if sideways else size
    stream.pix_fmt = "yuv420p"
    context = stream.codec_context
    stream.time_base = context.time_base = video.clock.time_base
    context.gop_size, context.thread_count = frames, THREADS
    context.sample_aspect_ratio = video.pixel_aspect
    context.colorspace, context.color_range = BT709, 1
    context.color_primaries = BT709 if video.primaries == UNSPECIFIED else video.primaries
    context.color_trc = BT709 if video.transfer == UNSPECIFIED else video.transfer
    if video.matrix is not None:
        stream.set_display_matrix(video.matrix)
    return stream


def join(
    path: Path,
    segments: Sequence[Path],
    video: Video,
    *,
    size: Size,
    frames: int,
    overwrite: bool,
    comment: str = "",
) -> None:
    """Write segments of `frames` frames as one file, whole or not at all, with the video's sound.

    Raises:
        VideoError: the file exists and is not to be replaced, or FFmpeg cannot write it.
        ResourceError: the disk is full.
    """
    form = video_format(path)

    def write(file: IO[bytes]) -> None:
        with ExitStack() as stack:
            container = av.open(file, "w", format=form.container, options=BITEXACT)
            stack.enter_context(closing(container))
            if comment:
                container.metadata["comment"] = comment
            stream = _video_stream(container, video, form, size=size, frames=frames)
            tracks = [_packets(segments, stream), *sound_tracks(video, container, form.sound)]
            for packet in heapq.merge(*tracks, key=lambda p: (p.dts or 0) * (p.time_base or 1)):
                container.mux(packet)

    try:
        with errors_of_ffmpeg(repr(str(path)), "written"):
            write_atomically(path, write, replace=overwrite)
    except FileExistsError as error:
        raise VideoError(
            f"{str(path)!r} exists; choose another name, or say --overwrite"
        ) from error
    except OSError as error:
        raise ResourceError(f"cannot write {str(path)!r}: {one_line(error)}") from error


def _packets(segments: Sequence[Path], stream: VideoStream) -> Packets:
    """The packets of all segments in turn, assigned to a stream."""
    for path in segments:
        with open(path, "rb") as file, closing(av.open(file, "r", format="nut")) as container:
            for packet in container.demux(video=0):
                if packet.size:
                    packet.dts = packet.pts  # no frame refers to a later one
                    packet.stream = stream
                    yield packet
