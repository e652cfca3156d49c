"""Videos that tests make: a moving picture with a tone, and files that no camera has written."""

import io
import struct
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.stream import AudioStream
from av.video.stream import VideoStream
from PIL import ExifTags, Image, ImageCms

RATE = 10
LEFT = (0, -65536, 0, 65536, 0, 0, 0, 0, 1 << 30)
"""The display matrix of a quarter turn to the left."""


def picture(number: int, width: int = 64, height: int = 48) -> np.ndarray:
    """Colored bars that move by a pixel a frame, darker downwards: each way up is another."""
    x = np.arange(width)[None, :, None] - number
    y = np.arange(height)[:, None, None] / height
    bars = 0.5 + 0.4 * np.cos(x / 8 + np.array([0.0, 1.0, 2.0]))
    return (255 * bars * (1 - 0.7 * y)).astype(np.uint8)


def clip(
    path: Path,
    *,
    seconds: float = 3,
    size: tuple[int, int] = (64, 48),
    rate: Fraction | int = RATE,
    codec: str = "libx264",
    sound: str | None = "aac",
    matrix: Sequence[int] | None = None,
    times: Callable[[int], int] = lambda number: number,
) -> Path:
    """Write a clip of (width, height); `times` are in frames of the rate."""
    with av.open(path, "w") as container:
        video = container.add_stream(codec, rate=rate)
        assert isinstance(video, VideoStream)
        video.width, video.height = size
        video.pix_fmt = "yuv420p" if codec != "gif" else "rgb8"
        if matrix is not None:
            video.set_display_matrix(matrix)
        tone = container.add_stream(sound, rate=48_000, layout="mono") if sound else None
        for number in range(round(seconds * rate)):
            frame = av.VideoFrame.from_ndarray(picture(number, *size), format="rgb24")
            frame.pts, frame.time_base = times(number), 1 / Fraction(rate)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if isinstance(tone, AudioStream):
            _play(container, tone, seconds)
    return path


def motion_jpeg(path: Path, orientation: int) -> Path:
    """A Motion JPEG video whose frames have Exif with an orientation, and an ICC profile."""
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    with av.open(path, "w") as container:
        video = container.add_stream("mjpeg", rate=RATE)
        assert isinstance(video, VideoStream)
        video.width, video.height, video.pix_fmt = 64, 48, "yuvj420p"
        for number in range(3):
            file = io.BytesIO()
            Image.fromarray(picture(number)).save(file, "jpeg", exif=exif, icc_profile=profile)
            packet = av.Packet(file.getvalue())
            packet.stream, packet.time_base = video, Fraction(1, RATE)
            packet.pts = packet.dts = number
            container.mux(packet)
    return path


def _play(container: av.container.OutputContainer, tone: AudioStream, seconds: float) -> None:
    for first in range(0, round(48_000 * seconds), 960):
        wave = np.sin(0.06 * np.arange(first, first + 960))[None].astype(np.float32)
        sound = av.AudioFrame.from_ndarray(wave, format="fltp", layout="mono")
        sound.sample_rate, sound.pts, sound.time_base = 48_000, first, Fraction(1, 48_000)
        container.mux(tone.encode(sound))
    container.mux(tone.encode(None))


def shown(path: Path) -> list[np.ndarray]:
    """The frames of a video as they are stored, by the matrix that the file declares."""
    with av.open(path) as container:
        return [
            frame.to_ndarray(
                format="rgb24", src_colorspace="ITU709" if frame.colorspace == 1 else "ITU601"
            )
            for frame in container.decode(video=0)
        ]


def times_of(path: Path) -> list[float]:
    """When frames are shown, in seconds."""
    with av.open(path) as container:
        return [frame.time for frame in container.decode(video=0)]


def sound_of(path: Path) -> list[bytes]:
    """The packets of the first track of sound."""
    with av.open(path) as container:
        return [bytes(packet) for packet in container.demux(audio=0) if packet.size]


def avi(
    width: int, height: int, *, frames: int = 2, code: bytes = b"DIB ", data: bytes = bytes(64)
) -> bytes:
    """An AVI whose header declares what it likes."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return name + struct.pack("<I", len(body)) + body + b"\0" * (len(body) % 2)

    stored = code if code != b"DIB " else bytes(4)
    head = struct.pack("<14I", 33_333, 0, 0, 0, frames, 0, 1, 0, width, height, 0, 0, 0, 0)
    stream = b"vids" + code + struct.pack("<IHHIIIIIIII4h", *[0] * 4, 1, 30, 0, frames, *[0] * 7)
    form = struct.pack("<IiiHH4sIiiII", 40, width, height, 1, 24, stored, *[0] * 5)
    streams = chunk(b"LIST", b"strl" + chunk(b"strh", stream) + chunk(b"strf", form))
    header = chunk(b"LIST", b"hdrl" + chunk(b"avih", head) + streams)
    moving = chunk(b"LIST", b"movi" + chunk(b"00dc", data) * frames)
    return chunk(b"RIFF", b"AVI " + header + moving)


def only_sound(path: Path) -> Path:
    """A file of a tone."""
    with av.open(path, "w") as container:
        tone = container.add_stream("aac", rate=48_000, layout="mono")
        assert isinstance(tone, AudioStream)
        _play(container, tone, 0.5)
    return path


def cut(path: Path, share: float) -> bytes:
    """The first bytes of a file."""
    data = path.read_bytes()
    return data[: int(len(data) * share)]


def index_first(path: Path) -> bytes:
    """An MP4 whose index stands before its frames, as those for the web."""
    with av.open(path) as source:
        file = io.BytesIO()
        options = {"movflags": "frag_keyframe+empty_moov"}
        with av.open(file, "w", format="mp4", options=options) as container:
            stream = container.add_stream_from_template(source.streams.video[0])
            for packet in source.demux(video=0):
                if packet.size:
                    packet.stream = stream
                    container.mux(packet)
        return file.getvalue()
