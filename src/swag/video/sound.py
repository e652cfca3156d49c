"""The sound of a video in another file: its packets as they are, if the container holds them."""

import warnings
from collections.abc import Iterator
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import av
from av.audio.stream import AudioStream
from av.container import InputContainer, OutputContainer
from av.packet import Packet

from swag.video.reading import Video, opened

if TYPE_CHECKING:
    AnyPacket = Packet[Any]
else:  # where programs run, it has no parameters
    AnyPacket = Packet

Packets = Iterator[AnyPacket]


def sound_tracks(video: Video, container: OutputContainer, codec: str) -> list[Packets]:
    """Packets of each track of a video's sound, for streams that are added to the container.

    Tracks that it cannot hold are coded anew by `codec`; what cannot be decoded is left out, with a
    warning.
    """
    held = container.supported_codecs
    tracks: list[Packets] = []
    with opened(video.path, most_pixels=video.most_pixels) as source:
        for number, stream in enumerate(source.streams.audio):
            known: Any = stream.codec_context  # none, whatever its type says, of unknown kinds
            if known is None:
                warnings.warn(
                    f"{video.name}: its track {number} of sound is of a kind that is not known, "
                    "and is left out",
                    stacklevel=2,
                )
            elif stream.codec.canonical_name in held:
                tracks.append(_copied(video, number, container.add_stream_from_template(stream)))
            else:
                rate = 48_000 if codec == "libopus" else stream.rate
                new = container.add_stream(codec, rate=rate)
                assert isinstance(new, AudioStream)
                new.codec_context.layout = "stereo" if stream.channels > 1 else "mono"
                tracks.append(_coded(video, number, new))
    return tracks


def _copied(video: Video, number: int, new: AudioStream) -> Packets:
    with opened(video.path, most_pixels=video.most_pixels) as source:
        for packet in source.demux(source.streams.audio[number]):
            if packet.size and packet.pts is not None:
                packet.dts = packet.pts if packet.dts is None else packet.dts
                yield _shifted(packet, -video.clock.start, new)


def _coded(video: Video, number: int, new: AudioStream) -> Packets:
    with opened(video.path, most_pixels=video.most_pixels) as source:
        for frame in _decoded(source, source.streams.audio[number], video.name):
            for packet in new.encode(frame):
                yield _shifted(packet, -video.clock.start, new)
        for packet in new.encode(None):
            yield _shifted(packet, -video.clock.start, new)


def _decoded(source: InputContainer, stream: AudioStream, name: str) -> Iterator[av.AudioFrame]:
    """What can be decoded of a track: hours of painting are not lost for a click."""
    lost = 0
    for packet in source.demux(stream):
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            lost += 1
    if lost:
        warnings.warn(f"{name}: {lost} packets of its sound are damaged, left out", stacklevel=2)


def _shifted(packet: AnyPacket, seconds: Fraction, new: AudioStream) -> AnyPacket:
    base = packet.time_base or Fraction(1)
    shift = round(seconds / base)
    packet.pts = None if packet.pts is None else packet.pts + shift
    packet.dts = None if packet.dts is None else packet.dts + shift
    packet.stream = new
    return packet
