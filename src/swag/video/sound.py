"""The sound of a video in another file: its packets as they are, if the container holds them."""

import warnings
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from swag.video.reading import Video, opened

if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:  # at run time, Packet takes no parameters
    AnyPacket = Packet

Packets = Iterator[AnyPacket]

_IN_MP4_ALONE = {"flac", "mpegh_3d_audio", "opus", "truehd"}
"""Kinds of sound that FFmpeg lists for MOV, too, and then refuses."""


def sound_tracks(video: Video, container: OutputContainer, codec: str) -> list[Packets]:
    """Packets of each track of a video's sound, for streams that are added to the container.

    Tracks that the container cannot hold are encoded anew by `codec`; what cannot be decoded is
    left out, with a warning.
    """
    supported = container.supported_codecs
    if container.format.name == "mov":
        supported = supported - _IN_MP4_ALONE
    tracks: list[Packets] = []
    with opened(video.path, most_pixels=video.most_pixels) as source:
        for number, stream in enumerate(source.streams.audio):
            context: Any = stream.codec_context  # None for unknown kinds, whatever its type says
            if context is None:
                warnings.warn(
                    f"{video.name}: its track {number} of sound is of a kind that is not known, "
                    "and is left out",
                    stacklevel=2,
                )
            elif stream.codec.canonical_name in supported:
                new = container.add_stream_from_template(stream)
                tracks.append(_track(video, number, new, encoded=False))
            else:
                rate = 48_000 if codec == "libopus" else stream.rate
                encoder = container.add_stream(codec, rate=rate)
                assert isinstance(encoder, AudioStream)
                encoder.codec_context.layout = "stereo" if stream.channels > 1 else "mono"
                tracks.append(_track(video, number, encoder, encoded=True))
    return tracks


def _track(video: Video, number: int, new: AudioStream, *, encoded: bool) -> Packets:
    """The packets of a track, as they are or encoded anew, by the clock of the result."""
    with opened(video.path, most_pixels=video.most_pixels) as source:
        old = source.streams.audio[number]
        for packet in _encode(source, old, new, video.name) if encoded else source.demux(old):
            if packet.size and packet.pts is not None:
                shift = round(-video.clock.start / (packet.time_base or 1))
                packet.dts = (packet.pts if packet.dts is None else packet.dts) + shift
                packet.pts += shift
                packet.stream = new
                yield packet


def _encode(source: InputContainer, old: AudioStream, new: AudioStream, name: str) -> Packets:
    """Encode anew what can be decoded of a track: hours of painting are not lost for a click."""
    damaged = 0
    for packet in source.demux(old):
        try:
            frames = old.decode(packet)
        except av.FFmpegError:
            damaged += 1
            continue
        for frame in frames:
            yield from new.encode(frame)
    yield from new.encode(None)
    if damaged:
        warnings.warn(f"{name}: {damaged} packets of its sound are damaged, left out", stacklevel=2)
