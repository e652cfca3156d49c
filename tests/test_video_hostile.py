"""Videos that are none, damaged or cut off: each ends in one line, with status 1."""

import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import video_files
from PIL import Image
from typer.testing import CliRunner

from swag.cli import app
from swag.errors import VideoError
from swag.video.reading import errors_of_ffmpeg, frames, survey

MP4 = b"\0\0\0\x18ftypmp42\0\0\0\0mp42isom"
EBML = b"\x1aE\xdf\xa3"
NO_VIDEO = "is not a video, or is damaged or cut off"


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A video in some containers."""
    folder = tmp_path_factory.mktemp("video")
    made = {".mp4": "libx264", ".mkv": "libx264", ".avi": "mpeg4", ".webm": "libvpx-vp9"}
    return {
        suffix: video_files.clip(
            folder / f"a{suffix}", codec=codec, sound="libopus" if suffix == ".webm" else "aac"
        )
        for suffix, codec in made.items()
    }


def refused(path: Path) -> str:
    """The line that refuses a video."""
    result = CliRunner().invoke(app, ["video", str(path), "great-wave", "-o", str(path) + ".mp4"])
    assert result.exit_code == 1 and isinstance(result.exception, SystemExit), result
    assert result.stdout == "" and len(result.stderr.splitlines()) == 1, result.stderr
    assert result.stderr.startswith("swag: ") and path.name in result.stderr
    assert sorted(p.name for p in path.parent.iterdir()) == [path.name]
    return result.stderr


@pytest.mark.parametrize("suffix", [".mp4", ".mkv", ".avi", ".webm"])
@pytest.mark.parametrize("share", [0.02, 0.3, 0.6])
def test_a_video_that_is_cut_off(whole, tmp_path, suffix, share):
    path = tmp_path / f"cut{suffix}"
    path.write_bytes(video_files.cut(whole[suffix], share))
    said = refused(path)
    if share < 0.1 or suffix == ".mp4":  # whose index stands at its end
        assert NO_VIDEO in said or "has no frames" in said
    else:
        assert f"of {'31 frames' if suffix == '.avi' else '3.0 seconds'} are there" in said


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: b"", NO_VIDEO),
        (lambda: b"not a video " * 1000, NO_VIDEO),
        (lambda: bytes(1 << 20), NO_VIDEO),
        (
            lambda: video_files.avi(1, 1),
            "has frames of 1 x 1 pixels; expected sides of at least 16",
        ),
        (
            lambda: video_files.avi(64, 8, data=bytes(1536)),
            "has frames of 64 x 8 pixels; expected sides of at least",
        ),
        (lambda: video_files.avi(0, 0), NO_VIDEO),
        (lambda: video_files.avi(64, 48, frames=0), "has no frames"),
        (lambda: video_files.avi(64, 48, data=bytes(5)), NO_VIDEO),
        (lambda: MP4 + b"\xff\xff\xff\xffmoov" + bytes(5 << 20), "has no video"),
        (
            lambda: MP4 + b"\0\0\0\1moov\x7f" + b"\xff" * 7 + b"\0\0\0\x08free" * 200_000,
            "has no vid",
        ),
        (lambda: EBML + b"\x01\xff\xff\xff\xff\xff\xff\xfe" + bytes(5 << 20), NO_VIDEO),
    ],
)
def test_a_file_that_is_no_video(tmp_path, make: Callable[[], bytes], said: str):
    path = tmp_path / "hostile.bin"
    path.write_bytes(make())
    assert said in refused(path)


@pytest.mark.parametrize(
    "code", [b"DIB ", b"MJPG", b"XVID", b"H264", b"ULRG", b"FFV1", b"HFYU", b"cvid", b"PNG1"]
)
def test_a_video_that_declares_900_megapixels(tmp_path, code: bytes):
    (tmp_path / "large.avi").write_bytes(video_files.avi(30_000, 30_000, code=code))
    said = refused(tmp_path / "large.avi")
    assert NO_VIDEO in said or "has no frames" in said


def test_a_video_beyond_the_limit_of_pictures(tmp_path):
    (tmp_path / "large.avi").write_bytes(video_files.avi(15_000, 12_000))
    said = refused(tmp_path / "large.avi")
    assert NO_VIDEO in said or "15000 x 12000 pixels, more than its limit of 178956970" in said


def test_a_decoder_makes_no_frames_beyond_the_limit(whole):
    with pytest.raises(VideoError, match="more than its limit of 3000; make them smaller"):
        survey(whole[".mkv"], most_pixels=3000)


def test_a_file_without_pictures(tmp_path):
    video_files.only_sound(tmp_path / "sound.m4a")
    assert "has no video that can be decoded; it holds audio" in refused(tmp_path / "sound.m4a")


@pytest.mark.parametrize(
    ("orientation", "turns", "matrix"),
    [(4, 0, (65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30)), (8, 1, video_files.LEFT)],
)
def test_frames_with_exif_and_a_profile_are_read(tmp_path, orientation, turns, matrix):
    video = survey(video_files.motion_jpeg(tmp_path / "camera.mov", orientation))
    assert (video.frames, video.turns, video.matrix) == (3, turns, matrix)


@pytest.mark.parametrize("suffix", [".png", ".jpg", ".webp", ".tiff", ".avif"])
def test_a_picture_is_no_video(tmp_path, suffix):
    Image.fromarray(video_files.picture(0)).save(tmp_path / f"photo{suffix}")
    said = refused(tmp_path / f"photo{suffix}")
    assert "is a picture, not a video; paint it with `swag stylize`" in said


def test_an_animated_avif_is_a_video_behind_its_first_picture(tmp_path):
    first, *others = [Image.fromarray(video_files.picture(k)) for k in range(3)]
    first.save(tmp_path / "moving.avif", save_all=True, append_images=others)
    assert survey(tmp_path / "moving.avif").frames == 3


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
    ],
)
def test_a_playlist_opens_no_other_file(whole, tmp_path, text):
    (tmp_path / "list.m3u8").write_text(text.format(whole[".mp4"]))
    said = refused(tmp_path / "list.m3u8")
    assert "is a list of other files, which are not opened" in said or "not permitted" in said


@pytest.mark.parametrize("name", ["http://localhost/a.mp4", "concat:a.mp4|b.mp4", "folder"])
def test_a_name_is_a_name_of_a_file(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    result = CliRunner().invoke(app, ["video", name, "great-wave", "-o", "out.mp4"])
    assert result.exit_code == 1 and len(result.stderr.splitlines()) == 1
    assert "there is no file" in result.stderr or "is a folder" in result.stderr


def test_an_index_at_the_front_does_not_hide_that_frames_are_missing(whole, tmp_path):
    data = video_files.index_first(whole[".mp4"])
    (tmp_path / "cut.mp4").write_bytes(data[: len(data) // 2])
    assert "are there; copy it again" in refused(tmp_path / "cut.mp4")


def test_a_video_damaged_within_keeps_what_was_whole(whole, tmp_path, monkeypatch):
    from swag.video import painting

    monkeypatch.setattr(painting, "SEGMENT", 8)
    path, data = tmp_path / "in.avi", bytearray(whole[".avi"].read_bytes())
    places = [at for at in range(len(data)) if data[at : at + 4] == b"00dc"]
    for at in places[20:26]:
        length = int.from_bytes(data[at + 4 : at + 8], "little")
        data[at + 8 : at + 8 + length] = bytes(length)
    path.write_bytes(data)
    result = CliRunner().invoke(app, ["video", str(path), "great-wave", "-o", f"{path}.mp4"])
    assert result.exit_code == 1 and NO_VIDEO in result.stderr
    assert len(result.stderr.splitlines()) == 1
    assert (tmp_path / "in.avi.mp4.parts" / "000001.nut").exists()


def test_every_error_of_the_libraries_is_one_of_ours():
    """Some are an EOFError or an OSError beside, which a command line takes for the user's."""
    import av

    for kind in ("EOFError", "BrokenPipeError", "InvalidDataError", "UnknownError", "ExitError"):
        with pytest.raises(VideoError, match="x is not a video"), errors_of_ffmpeg("x"):
            raise getattr(av.error, kind)(1, "said")


def test_frames_that_change_their_size_are_brought_to_the_first(tmp_path):
    sizes = ((64, 48), (32, 80))
    parts = [
        video_files.clip(tmp_path / f"{n}.h264", size=size, seconds=0.5, sound=None).read_bytes()
        for n, size in enumerate(sizes)
    ]
    (tmp_path / "both.h264").write_bytes(b"".join(parts))
    found = list(frames(survey(tmp_path / "both.h264")))
    assert [timed.frame.shape for timed in found] == [(48, 64, 3)] * 10
    times = [timed.time for timed in found]
    assert times == sorted(set(times))


def test_an_endless_header_takes_neither_memory_nor_time(tmp_path):
    path = tmp_path / "endless.mp4"
    with path.open("wb") as file:
        file.write(MP4 + b"\0\0\0\1moov\x7f" + b"\xff" * 7)
        file.write(b"\0\0\0\x08free" * (1 << 20))
        file.truncate(8 << 30)  # sparse: it takes no place
    code = (
        "import resource, sys\n"
        "from swag.video.reading import survey\n"
        "before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "try:\n    survey(sys.argv[1])\n"
        "except Exception as error:\n    print(type(error).__name__)\n"
        "print(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before)\n"
    )
    command = [sys.executable, "-c", code, str(path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    name, grown = done.stdout.split()
    assert name == "VideoError" and int(grown) < 150 << 10
    assert done.stderr == "" and resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > 0
