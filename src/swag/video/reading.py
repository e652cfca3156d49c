"""Videos as frames: what a file declares is checked before anything is decoded.

The file is opened here, and FFmpeg gets its bytes alone: no file name is ever taken as an address,
and a playlist opens no other file. Whatever FFmpeg cannot do is a VideoError of one line.
"""

import hashlib
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, NoReturn

import av
import numpy as np
from av.container import InputContainer
from av.filter import Graph
from av.sidedata.sidedata import Type as SideDataType
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from swag.errors import ResourceError, VideoError
from swag.image import MAX_PIXELS
from swag.image.color_space import HDR
from swag.image.source import label, open_path
from swag.messages import one_line
from swag.video.clock import Clock
from swag.video.coherence import Frame

SMALLEST = 16
"""Least side in pixels: smaller frames show neither motion that can be found nor style."""

SLACK, SHORT = 0.01, Fraction(1, 5)
"""Share of the declared length, and seconds besides, that may be missing: headers are inexact."""

SIDE_DATA_TYPES = 64
"""More than the types of side data of frames in FFmpeg, whose numbers begin at 0: about 30."""


@dataclass(frozen=True)
class Video:
    """A video file: its frames as they are stored, and how they are to be shown.

    `frames` is the number of packets, for nearly all formats that of frames. `matrix` is the
    display matrix, 9 numbers in fixed point, and `turns` the quarter turns to the left that make a
    frame upright.
    """

    path: Path
    digest: str
    width: int
    height: int
    frames: int
    clock: Clock
    matrix: tuple[int, ...] | None
    turns: int
    pixel_aspect: Fraction
    primaries: int
    transfer: int
    most_pixels: int

    @property
    def name(self) -> str:
        """The name of the file in messages."""
        return label(self.path)


@dataclass(frozen=True, eq=False)
class Timed:
    """An upright frame with its time and duration, in units of the clock's time base."""

    frame: Frame
    time: int
    duration: int


@contextmanager
def errors_of_ffmpeg(name: str, doing: str = "read") -> Iterator[None]:
    """Turn FFmpeg's errors about a file into a VideoError, or a ResourceError, of one line.

    FFmpeg's errors share a base class, but some are also an OSError or an EOFError, which the
    command line would take for the user's mistake.
    """
    try:
        yield
    except MemoryError as error:
        raise ResourceError(f"there is no memory left; {name} cannot be {doing}") from error
    except (av.FFmpegError, av.codec.codec.UnknownCodecError) as error:
        reason = one_line(getattr(error, "strerror", None) or error)
        if doing != "read":
            raise VideoError(f"{name} cannot be {doing}: {reason}") from error
        raise VideoError(
            f"{name} is not a video, or is damaged or cut off ({reason}); if players show it, "
            "try to repair it with `ffmpeg -i VIDEO -c copy REPAIRED.mkv`"
        ) from error


@contextmanager
def opened(path: Path, *, most_pixels: int = MAX_PIXELS) -> Iterator[InputContainer]:
    """Open a file that FFmpeg may read, and no other; decoders refuse frames of more pixels.

    Raises:
        ImageError: the path does not exist, or is no file.
        VideoError: the file is no video, or is damaged, which may show only inside the context.
    """
    options = {"max_pixels": str(most_pixels)}

    def refuse(*_: Any, **__: Any) -> NoReturn:
        raise VideoError(f"{label(path)} is a list of other files, which are not opened; give one")

    with open_path(path) as file, errors_of_ffmpeg(label(path)):
        container = av.open(file, "r", io_open=refuse, metadata_errors="replace", options=options)
        with closing(container):
            yield container


def survey(path: Path, *, most_pixels: int = MAX_PIXELS) -> Video:
    """Describe a video: read the whole file, and decode its first frame.

    Raises:
        ImageError: there is no such file.
        VideoError: the file has no video, or is a picture, damaged or cut off, or frames are too
            large or small.
    """
    name = label(path)
    with opened(path, most_pixels=most_pixels) as container:
        stream = picture_stream(container, name)
        _check_size(stream, name, most_pixels)
        times = _times(container, stream, name)
        if len(times) == 1 and _is_still(stream):
            raise VideoError(f"{name} is a picture, not a video; paint it with `swag stylize`")
        declared = (stream.average_rate, stream.guessed_rate, stream.base_rate)
        rates = [rate for rate in declared if rate] or [Fraction(25)]
        clock = Clock.of(times, stream.time_base or 1 / rates[0], _start(container), rates)
    with open_path(path) as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    with opened(path, most_pixels=most_pixels) as container:
        stream = picture_stream(container, name)
        first = next(decode_frames(container, stream), None)
        if first is None:
            raise VideoError(f"{name} has no frames; expected a video with at least one")
        _check_frame(first, name, most_pixels)
        matrix = _display_matrix(first)
        if first.color_trc in HDR:
            warnings.warn(
                f"{name}: its colors are declared as {HDR[first.color_trc]}; they are painted as "
                "they are stored, in 8 bits",
                stacklevel=2,
            )
        return Video(
            path=path,
            digest=digest,
            width=first.width,
            height=first.height,
            frames=len(times),
            clock=clock,
            matrix=matrix,
            turns=0 if matrix is None else round(first.rotation / 90) % 4,
            pixel_aspect=stream.sample_aspect_ratio or Fraction(1),
            primaries=first.color_primaries,
            transfer=first.color_trc,
            most_pixels=most_pixels,
        )


def picture_stream(container: InputContainer, name: str) -> VideoStream:
    """The first stream of moving pictures, not album covers. VideoError if there is none."""
    for stream in sorted(container.streams.video, key=_is_still):
        if not stream.disposition & Disposition.attached_pic and stream.codec_context is not None:
            stream.thread_type = "AUTO"
            return stream
    kinds = sorted({stream.type for stream in container.streams})
    raise VideoError(
        f"{name} has no video that can be decoded; "
        f"{'it holds ' + ', '.join(kinds) if kinds else 'nothing is in it'}"
    )


def decode_frames(container: InputContainer, stream: VideoStream) -> Iterator[VideoFrame]:
    """All frames in the order in which they are shown."""
    for packet in container.demux(stream):
        yield from stream.decode(packet)


def frames(video: Video, *, first: int = 0) -> Iterator[Timed]:
    """The frames from number `first` on, upright, and of even sides.

    Earlier frames are decoded, too, and left out: no container can be trusted to find a frame. An
    odd last row or column is left out, since videos store colors of squares of 2 x 2 pixels.

    Raises:
        VideoError: the file is damaged.
    """
    width, height = video.width // 2 * 2, video.height // 2 * 2
    clock, last = video.clock, None
    with opened(video.path, most_pixels=video.most_pixels) as container:
        stream = picture_stream(container, video.name)
        for number, frame in enumerate(decode_frames(container, stream)):
            time = clock.time(frame.pts, number)
            last = time if last is None else max(time, last + 1)
            if number < first:
                continue
            # Later frames of another size are resized to that of the first.
            pixels = frame.to_ndarray(
                width=video.width,
                height=video.height,
                format="rgb24",
                src_colorspace=_color_matrix(frame),
                threads=1,
            )[:height, :width]
            upright = np.ascontiguousarray(np.rot90(pixels, video.turns))
            duration = round((frame.duration or 0) * clock.source_unit / clock.time_base)
            yield Timed(upright, last, clock.step if clock.even or not duration else duration)


def _color_matrix(frame: VideoFrame) -> str:
    """The name of the matrix from YUV to RGB; if undeclared by the size, as in players."""
    if frame.colorspace == 7:
        return "SMPTE240M"
    if frame.colorspace in (5, 6):
        return "ITU601"
    declared = frame.colorspace not in (0, 2)
    return "ITU709" if declared or frame.height >= 720 else "ITU601"


def _check_size(stream: VideoStream, name: str, most_pixels: int) -> None:
    width, height = stream.codec_context.width, stream.codec_context.height
    if width * height > most_pixels:
        raise VideoError(
            f"{name} has frames of {width} x {height} pixels, more than its limit of "
            f"{most_pixels}; make them smaller, or give a higher --max-pixels"
        )


def _check_frame(frame: VideoFrame, name: str, most_pixels: int) -> None:
    if min(frame.width, frame.height) < SMALLEST or frame.width * frame.height > most_pixels:
        raise VideoError(
            f"{name} has frames of {frame.width} x {frame.height} pixels; expected sides of at "
            f"least {SMALLEST}, and {most_pixels} pixels at most"
        )


def _is_still(stream: VideoStream) -> bool:
    """Whether a stream is a picture: FFmpeg gives those of AVIF files no duration."""
    kind = stream.container.format.name
    of_avif = stream.frames == 1 and stream.duration is None
    return of_avif or kind == "image2" or kind.endswith("_pipe")


def _times(container: InputContainer, stream: VideoStream, name: str) -> list[int | None]:
    """The times of all packets of a stream. VideoError if the file ends before its declared end."""
    times, end = [], Fraction(0)
    for packet in container.demux():
        if packet.stream is stream and packet.size:
            times.append(packet.pts)
        if packet.pts is not None and packet.time_base is not None:
            end = max(end, (packet.pts + (packet.duration or 0)) * packet.time_base)
    if not times:
        raise VideoError(f"{name} has no frames; expected a video with at least one")
    declared = Fraction(container.duration or 0, av.time_base)
    duration = end - _start(container)
    frames_missing = len(times) < (1 - SLACK) * stream.frames - 2
    if frames_missing or duration < (1 - SLACK) * declared - SHORT:
        counts = f"{len(times)} of {stream.frames} frames"
        seconds = f"{float(duration):.1f} of {float(declared):.1f} seconds"
        raise VideoError(
            f"{name} is cut off: {counts if frames_missing else seconds} are there; copy it "
            "again, or keep the rest with `ffmpeg -i VIDEO -c copy SHORTER.mkv`"
        )
    return times


def _start(container: InputContainer) -> Fraction:
    """The time, in seconds, at which a file begins."""
    return Fraction(container.start_time or 0, av.time_base)


def _display_matrix(frame: VideoFrame) -> tuple[int, ...] | None:
    """The display matrix of a frame, if it has one.

    FFmpeg first removes all other side data: PyAV 18 frees the metadata of an ICC profile twice,
    which ends the process, and refuses frames with types that it does not know, as that of Exif.
    """
    graph = Graph()
    source = graph.add_buffer(
        width=frame.width, height=frame.height, format=frame.format, time_base=Fraction(1)
    )
    others = set(range(SIDE_DATA_TYPES)).difference([SideDataType.DISPLAYMATRIX.value])
    removals = [graph.add("sidedata", f"mode=delete:type={n}") for n in others]
    graph.link_nodes(source, *removals, graph.add("buffersink")).configure()
    graph.vpush(frame)
    side_data: Any = graph.vpull().side_data
    if not side_data:
        return None
    return tuple(np.frombuffer(bytes(side_data[0])[:36], np.int32).tolist())
