"""Videos end to end: what is kept of them, how they go on, what is refused."""

import json
import os
import signal
from pathlib import Path
from types import SimpleNamespace

import av
import numpy as np
import pytest
import torch
import video_files
from command import swag

import swag as library
from swag.cli import bars
from swag.errors import CheckpointError, SettingsError, VideoError, WeightsError
from swag.image import Picture, read, write
from swag.instant import StyleCard, StyleNetwork, write_style
from swag.video import VideoStyle, frame_painter, paint_video
from swag.video import painting as painting_module
from swag.video.clock import Clock
from swag.video.reading import frames, survey
from swag.video.segments import Parts
from swag.video.writing import SegmentEncoder

CARD = StyleCard(
    widths=(4, 6, 8),
    blocks=1,
    painting="0" * 64,
    weights="1" * 64,
    settings={},
    recipe={},
    steps=1,
    versions={},
)


@pytest.fixture(autouse=True)
def _short_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(painting_module, "SEGMENT", 12)


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds with sound, which a camera that stood on its side has taken."""
    path = tmp_path_factory.mktemp("video") / "in.mp4"
    return video_files.clip(path, matrix=video_files.LEFT)


@pytest.fixture
def style(tmp_path: Path) -> Path:
    """A small network of one painting."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = StyleNetwork((4, 6, 8), 1)
    write_style(tmp_path / "small.safetensors", network, CARD)
    return tmp_path / "small.safetensors"


@pytest.fixture
def painting(tmp_path: Path) -> Path:
    draw = torch.Generator().manual_seed(1)
    write(tmp_path / "painting.png", torch.rand(3, 40, 56, generator=draw))
    return tmp_path / "painting.png"


def test_sound_rate_and_rotation_are_kept(source, tmp_path):
    result = swag("video", source, "great-wave", "-o", tmp_path / "out.mp4")
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout.split() == [str(tmp_path / "out.mp4")]
    assert video_files.times_of(tmp_path / "out.mp4") == video_files.times_of(source)
    assert video_files.sound_of(tmp_path / "out.mp4") == video_files.sound_of(source)
    before, after = survey(source), survey(tmp_path / "out.mp4")
    assert (after.matrix, after.turns, after.clock.rate) == (video_files.LEFT, 1, 10)
    assert (after.width, after.height, after.frames) == (before.width, before.height, 30)
    assert os.listdir(tmp_path) == ["out.mp4"]
    with av.open(tmp_path / "out.mp4") as container:
        made = json.loads(container.metadata["comment"])["swag"]
        assert (container.streams.video[0].codec.name, container.duration) == ("h264", 3_000_000)
    assert made["video"] == before.digest and str(tmp_path) not in repr(made)


def test_at_strength_0_a_video_is_itself(source, painting, tmp_path):
    """Colors, turns and their way back, one frame after the other."""
    out, look = tmp_path / "out.mp4", VideoStyle(strength=0, steadiness=0)
    *_, end = paint_video(source, painting, out, look=look)
    assert end.finished and end.done == 30
    for given, made in zip(video_files.shown(source), video_files.shown(out), strict=True):
        assert np.abs(given.astype(int) - made).mean() < 2.8  # the other matrix of colors: 3.7
    upright = [timed.frame for timed in frames(survey(source))]
    assert upright[0].shape == (64, 48, 3)
    expected = np.rot90(video_files.picture(0)).astype(int)
    assert np.abs(expected - upright[0]).mean() < 4


def test_frames_are_painted_as_photos_are(source, style, painting):
    frame = next(iter(frames(survey(source)))).frame
    size = frame.shape[:2]
    photo = torch.from_numpy(frame).permute(2, 0, 1).float() / 255
    _, painted = frame_painter(painting, size, VideoStyle(strength=0.7))(frame)
    expected = library.stylize(photo, painting, method="instant", size=64, strength=0.7)
    np.testing.assert_allclose(painted, expected.image.array(), atol=1e-5)
    _, painted = frame_painter(style, size, VideoStyle(colors="content"))(frame)
    expected = library.apply_style(style, photo, colors="content")
    np.testing.assert_allclose(painted, expected.array(), atol=1e-5)


def check_same(one: Path, other: Path) -> None:
    """The same sound, times and frames; encoders make a segment otherwise now and then."""
    assert video_files.sound_of(one) == video_files.sound_of(other)
    assert video_files.times_of(one) == video_files.times_of(other)
    for a, b in zip(video_files.shown(one), video_files.shown(other), strict=True):
        assert np.abs(a.astype(int) - b).mean() < 4


def made(source: Path, style: Path | str, out: Path, *, stop: int | None = None) -> bytes | None:
    """The bytes of a video; None if its run is stopped after so many frames of its own."""
    seen = []
    for progress in paint_video(source, style, out, should_stop=lambda: len(seen) == stop):
        seen.append(progress)
    return out.read_bytes() if seen[-1].finished else None


@pytest.mark.parametrize("stops", [[5], [12], [20, 3, 9], [30]], ids=str)
@pytest.mark.parametrize("suffix", [".mp4", ".webm"])
def test_a_run_that_goes_on_makes_the_same_file(
    source, style, tmp_path, monkeypatch, stops, suffix
):
    add, results = SegmentEncoder.add, []

    def recorded(encoder, result, time, duration):
        results.append((time, result.tobytes()))
        add(encoder, result, time, duration)

    monkeypatch.setattr(SegmentEncoder, "add", recorded)
    whole = made(source, style, tmp_path / f"whole{suffix}")
    out = tmp_path / f"out{suffix}"
    for stop in stops:
        assert made(source, style, out, stop=stop) is None
    kept = Parts(tmp_path / f"out{suffix}.parts").segments
    assert len(kept) == {5: 0, 12: 1, 20: 1, 30: 2}[stops[0]]
    folder = tmp_path / f"out{suffix}.parts"
    assert len(list(folder.glob("*.safetensors"))) == min(1, len(kept))  # the last one is enough
    before = [path.stat().st_mtime_ns for path in kept]
    painted = []
    for progress in paint_video(source, style, out):
        painted.append(progress.done)
        if not progress.finished:
            assert [path.stat().st_mtime_ns for path in kept] == before
    assert painted[0] == 12 * len(kept) + 1
    assert results[30:] and dict(results[30:]) == dict(results[:30])  # to the bit
    assert whole is not None
    check_same(out, tmp_path / f"whole{suffix}")


def test_a_style_that_is_misspelled_is_named():
    with pytest.raises(WeightsError, match="did you mean great-wave"):
        frame_painter("graet-wave", (48, 64), VideoStyle(strength=1))


def test_ctrl_c_keeps_what_is_whole(source, style, tmp_path, monkeypatch):
    whole = made(source, style, tmp_path / "whole.mp4")
    follow, calls = painting_module.follow, []

    def interrupted(*values, **named):
        calls.append(1)
        if len(calls) == 20:
            os.kill(os.getpid(), signal.SIGINT)
        return follow(*values, **named)

    monkeypatch.setattr(painting_module, "follow", interrupted)
    words = ("video", source, style, "-o", tmp_path / "out.mp4")
    result = swag(*words)
    assert result.exit_code == 130 and not (tmp_path / "out.mp4").exists()
    assert (
        len(result.stderr.splitlines()) == 1
        and "continues from the 12 frames kept in" in result.stderr
    )
    assert swag(*words).exit_code == 0 and len(calls) == 20 + 18
    assert whole is not None
    check_same(tmp_path / "out.mp4", tmp_path / "whole.mp4")


def test_ctrl_c_before_the_first_part_is_whole(source, style, tmp_path, monkeypatch):
    monkeypatch.setattr(painting_module, "survey", lambda *_, **__: os.kill(os.getpid(), 2))
    result = swag("video", source, style, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 130 and "nothing was kept" in result.stderr


def test_a_process_may_die_between_state_and_segment(source, style, tmp_path, monkeypatch):
    whole = made(source, style, tmp_path / "whole.mp4")
    out = tmp_path / "out.mp4"
    made(source, style, out, stop=13)
    parts = Parts(tmp_path / "out.mp4.parts")
    parts.state(1).write_bytes(parts.state(0).read_bytes())
    assert made(source, style, out) and whole
    check_same(out, tmp_path / "whole.mp4")


def test_parts_of_another_video_are_not_gone_on_with(source, style, tmp_path):
    out = tmp_path / "out.mp4"
    made(source, style, out, stop=13)
    with pytest.raises(
        CheckpointError, match=r"made with steadiness = 0\.8; give the same settings"
    ):
        paint_all = paint_video(source, style, out, look=VideoStyle(steadiness=0.5))
        list(paint_all)
    result = swag("video", source, style, "-o", out, "--steadiness", 0.5, "--overwrite")
    assert result.exit_code == 0 and not Path(f"{out}.parts").exists()


def test_a_folder_with_other_files_stays(source, style, tmp_path):
    (tmp_path / "out.mp4.parts").mkdir()
    (tmp_path / "out.mp4.parts" / "mine.txt").write_text("mine")
    with pytest.raises(CheckpointError, match="something else"):
        made(source, style, tmp_path / "out.mp4")
    *_, end = paint_video(source, style, tmp_path / "out.mp4", overwrite=True)
    assert end.finished and (tmp_path / "out.mp4.parts" / "mine.txt").read_text() == "mine"


def test_a_state_that_is_gone_is_told(source, style, tmp_path):
    made(source, style, tmp_path / "out.mp4", stop=13)
    Parts(tmp_path / "out.mp4.parts").state(0).unlink()
    with pytest.raises(CheckpointError, match="missing or damaged; remove"):
        made(source, style, tmp_path / "out.mp4")


@pytest.mark.parametrize(
    ("given", "sound", "to", "copied"),
    [
        ("in.mkv", "aac", "out.mp4", True),
        ("in.webm", "libopus", "out.mkv", True),
        ("in.mp4", "aac", "out.webm", False),
        ("in.mov", "pcm_s16le", "out.webm", False),
        ("in.mkv", "libopus", "out.mov", False),
        ("in.mkv", "flac", "out.mov", False),
        ("in.mkv", None, "out.mp4", True),
    ],
)
def test_from_one_container_to_another(tmp_path, style, given, sound, to, copied):
    codec = "libvpx-vp9" if given.endswith("webm") else "libx264"
    source = video_files.clip(tmp_path / given, seconds=1, sound=sound, codec=codec, rate=30)
    made(source, style, tmp_path / to)
    out = survey(tmp_path / to)
    assert (out.frames, out.clock.rate, out.clock.even) == (30, 30, True)
    with av.open(tmp_path / to) as container:
        assert len(container.streams.audio) == (sound is not None)
        assert sound is None or abs(container.duration / 1e6 - 1) < 0.06
    if copied and sound:
        assert video_files.sound_of(tmp_path / to) == video_files.sound_of(source)
    elif sound:
        with av.open(tmp_path / to) as container:
            tone = np.concatenate([f.to_ndarray()[0] for f in container.decode(audio=0)])
        middle = np.abs(np.fft.rfft(tone[9600:38400]))
        assert abs(np.argmax(middle) / 28800 * 2 * np.pi - 0.06) < 1e-3  # the tone, in radians


def test_uneven_times_are_kept(tmp_path, style):
    uneven = video_files.clip(tmp_path / "in.mp4", seconds=1, times=lambda n: n + n // 3)
    made(uneven, style, tmp_path / "out.mp4")
    assert video_files.times_of(tmp_path / "out.mp4") == video_files.times_of(uneven)
    assert not survey(uneven).clock.even


def test_times_rounded_to_milliseconds_are_even():
    from fractions import Fraction

    rate, given = Fraction(30_000, 1001), Fraction(1, 1000)
    times = [23 + round(n / rate / given) for n in range(3000)]
    clock = Clock.of(times, given, Fraction(0), [rate])
    assert clock.even and clock.time_base == Fraction(1, 30_000) and clock.step == 1001
    found = [clock.time(time, 0) for time in times]
    assert found == [690 + 1001 * n for n in range(3000)]
    late = [*times[:-1], times[-1] + 9]
    assert not Clock.of(late, given, Fraction(0), [rate]).even
    tenths = Clock(given, 23, Fraction(0), Fraction(10), even=True)
    assert abs(tenths.time(23, 0) * tenths.time_base - Fraction(23, 1000)) < Fraction(1, 10_000)
    without = Clock.of([None, None], given, Fraction(0), [rate])
    assert [without.time(None, n) for n in (0, 1)] == [0, 1001]


def test_odd_sides_lose_a_row_and_a_size_is_the_long_side(tmp_path, style):
    odd = video_files.clip(tmp_path / "in.gif", seconds=0.5, size=(37, 29), codec="gif", sound=None)
    made(odd, style, tmp_path / "out.mp4")
    assert video_files.shown(tmp_path / "out.mp4")[0].shape == (28, 36, 3)
    result = swag("video", odd, style, "-o", tmp_path / "b.mkv", "--size", 61)
    assert result.exit_code == 0, result.stderr
    assert video_files.shown(tmp_path / "b.mkv")[0].shape == (46, 60, 3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["-o", "out.png"], "expected a name that ends in .mp4, .m4v, .mov, .mkv, .webm"),
        (["-o", "in.mp4"], "would overwrite in.mp4"),
        (["-o", "no/out.mp4"], "cannot write"),
        (["-o", "there.mp4"], "exists; choose another name"),
        (["-o", "a.mp4", "--steadiness", "1.2"], "expected a number from 0 to 1"),
        (["-o", "a.mp4", "--colors", "red"], "expected style or content"),
        (["-o", "a.mp4", "--strength", "0.5"], "leave --strength out"),
        (["-o", "a.mp4", "--size", "9"], "give a larger --size"),
        (["-o", "a.mp4", "--size", "99999"], "give a smaller --size"),
        (["-o", "a.mp4", "--max-pixels", "3071"], "more than its limit of 3071"),
        (["-o", "a.mp4", "--device", "abacus"], "device 'abacus' is not there"),
    ],
)
def test_what_cannot_be_is_refused_in_a_line(source, style, tmp_path, monkeypatch, words, said):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in.mp4").write_bytes(source.read_bytes())
    (tmp_path / "there.mp4").write_bytes(b"mine")
    result = swag("video", "in.mp4", style, *words)
    assert result.exit_code == 1 and said in result.stderr
    assert len(result.stderr.splitlines()) == 1 and not Path("a.mp4.parts").exists()
    assert Path("there.mp4").read_bytes() == b"mine"


def test_a_painting_that_cannot_be_seen_is_refused(source, tmp_path):
    write(tmp_path / "painting.png", Picture(torch.ones(3, 40, 56), torch.zeros(1, 40, 56)))
    result = swag("video", source, tmp_path / "painting.png", "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1, result
    assert "style is transparent everywhere" in result.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["painting.png"]


def test_a_name_is_made_of_video_and_style(source, style, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    short = video_files.clip(tmp_path / "c.mp4", seconds=0.3)
    assert swag("video", short, style).stdout.split() == ["c-small.mp4"]
    assert swag("video", short, style, "-q", "--overwrite").output == ""
    (tmp_path / "folder").mkdir()
    result = swag("video", short, style, "-o", "folder", "--no-metadata")
    assert result.stdout.split() == [str(Path("folder") / "c-small.mp4")]
    with av.open("folder/c-small.mp4") as container:
        assert "comment" not in container.metadata


def test_lines_tell_frames_and_the_time_left(monkeypatch, capsys):
    now = SimpleNamespace(at=0.0)
    monkeypatch.setattr(bars, "PAUSE", 5.0)
    monkeypatch.setattr(bars.time, "monotonic", lambda: now.at)
    with bars.frames_bar(visible=True) as show:
        for done in range(100, 120):
            now.at += 1
            show(done, 160)
    assert capsys.readouterr().err.splitlines()[0] == "swag: 104/160 frames, 0:56 left"


def test_without_the_extra_a_line_says_how_to_get_it(source, style, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    result = swag("video", source, style)
    assert result.exit_code == 1
    assert result.stderr == "swag: swag video needs av and cv2: pip install 'swag-style[video]'\n"


def test_memory_that_runs_out_is_told(source, style, tmp_path, monkeypatch):
    def full(*_, **__):
        raise torch.OutOfMemoryError("no")

    monkeypatch.setattr(painting_module, "follow", full)
    result = swag("video", source, style, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1 and "not enough memory for frames of 48 x 64" in result.stderr


def test_a_full_disk_at_the_end_loses_no_frame(source, style, tmp_path, monkeypatch):
    from swag.video import writing

    def full(path, write, **_):
        raise OSError(28, "No space left on device")

    whole = made(source, style, tmp_path / "whole.mp4")
    with monkeypatch.context() as patch:
        patch.setattr(writing, "write_atomically", full)
        result = swag("video", source, style, "-o", tmp_path / "out.mp4")
    assert result.exit_code == 1 and "No space left on device" in result.stderr
    assert len(Parts(tmp_path / "out.mp4.parts").segments) == 3
    again = []
    for progress in paint_video(source, style, tmp_path / "out.mp4"):
        again.append(progress)
    assert len(again) == 1 and whole is not None
    check_same(tmp_path / "out.mp4", tmp_path / "whole.mp4")


def test_errors_are_of_the_package():
    with pytest.raises(SettingsError):
        VideoStyle(steadiness=-1)
    assert issubclass(VideoError, library.SwagError) and library.VideoError is VideoError
    assert read is not None
