"""Frames that follow one another: motion that is known, what hides, cuts, flicker."""

from itertools import pairwise

import numpy as np
import pytest
from video_files import picture

from swag.errors import SettingsError
from swag.image import write
from swag.video import VideoStyle, frame_painter
from swag.video.coherence import StyledFrame, certainty, flow, follow, warp
from swag_lab.evaluation import flicker

SIDE = 96


@pytest.fixture(scope="module")
def disc():
    return list(flicker.moving_disc(SIDE, 6))


def noise(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).random(shape, np.float32)


def test_the_known_motion_is_found(disc):
    for before, step in pairwise(disc):
        away = np.abs(flow(step.frame, before.frame) - step.back).max(2)
        assert np.median(away[step.visible_before]) < 0.15 and np.median(away) < 0.2


def test_the_known_motion_is_that_of_the_clip(disc):
    """What is moved along by it is the next frame, but for what was hidden."""
    for before, step in pairwise(disc):
        off = np.abs(warp(before.frame, step.back).astype(int) - step.frame).max(2)
        assert np.percentile(off[step.visible_before], 95) < 8
        assert off[~step.visible_before].mean() > 3 * off[step.visible_before].mean()


def test_small_frames_leave_the_search_as_it_was(disc):
    first = flow(disc[1].frame, disc[0].frame)
    flow(picture(0, 36, 28), picture(3, 36, 28))
    assert np.array_equal(flow(disc[1].frame, disc[0].frame), first)


def test_what_was_hidden_is_not_certain(disc):
    before, step = disc[2], disc[3]
    back, forth = flow(step.frame, before.frame), flow(before.frame, step.frame)
    found = certainty(step.frame, warp(before.frame, back), back, forth)
    assert found[step.visible_before].mean() > 0.75 and found[~step.visible_before].mean() < 0.4
    assert found.min() >= 0 and found.max() <= 1


def test_a_picture_that_stands_still_becomes_one_result():
    """Each result is the mean of all before, the older the less."""
    frame, share = picture(0), 0.8
    last, mean = None, None
    for seed in range(8):
        painted = noise(seed, 48, 64, 3)
        last = follow(last, frame, painted, share=share)
        mean = painted if mean is None else share * mean + (1 - share) * painted
    assert np.abs(last.result.astype(np.float32) - mean)[2:-2, 2:-2].mean() < 0.01


@pytest.mark.parametrize("change", ["a cut", "the light goes out"])
def test_after_a_change_nothing_goes_on(change):
    frame = (0.5 * picture(0) + 127 * noise(9, 48, 64, 3)).astype(np.uint8)
    before = StyledFrame(frame, np.ones((48, 64, 3), np.float16))
    painted = noise(1, 48, 64, 3)
    other = (noise(2, 48, 64, 3) * 255 if change == "a cut" else frame * 0.5).astype(np.uint8)
    off = np.abs(follow(before, other, painted, share=0.8).result - painted)
    assert off.mean() < 0.08
    same = np.abs(follow(before, frame, painted, share=0.8).result - painted)
    assert same.mean() > 0.3


def test_share_0_is_frame_by_frame():
    before = StyledFrame(picture(0), np.ones((48, 64, 3), np.float16))
    painted = noise(1, 48, 64, 3)
    for last in (None, before):
        result = follow(last, picture(1), painted, share=0).result
        assert np.array_equal(result, painted.astype(np.float16))


@pytest.mark.parametrize("clip", ["disc", "photo"])
def test_flicker_is_less_than_half_of_frame_by_frame(disc, tmp_path, clip):
    import torch

    waves = flicker._waves(np.random.default_rng(5), 2 * SIDE)(flicker.grid(2 * SIDE))
    write(tmp_path / "photo.png", torch.from_numpy(waves).permute(2, 0, 1).float())
    steps = disc if clip == "disc" else list(flicker.panned_photo(tmp_path / "photo.png", SIDE, 6))
    painter = frame_painter("great-wave", (SIDE, SIDE), VideoStyle())
    painted = [painter(step.frame)[1] for step in steps]
    alone, steady = (flicker.steadiness(steps, painted, share) for share in (0.0, 0.8))
    assert steady.flicker < 0.5 * alone.flicker
    assert steady.sharpness > 0.6 * alone.sharpness


def test_flicker_of_what_moves_along_is_none(disc):
    """A painter that gives back its frame has only the error of interpolation."""
    painted = [step.frame.astype(np.float32) / 255 for step in disc]
    assert flicker.steadiness(disc, painted, 0.0).flicker < 0.02


def test_the_figures_are_printed(tmp_path, monkeypatch, capsys):
    import torch

    write(tmp_path / "photo.png", torch.rand(3, 80, 90, generator=torch.Generator().manual_seed(0)))
    words = ["x", "great-wave", "--photo", str(tmp_path / "photo.png"), "--size", "32"]
    monkeypatch.setattr("sys.argv", [*words, "--frames", "3", "--shares", "0.8"])
    flicker.main()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "| style | clip | frame by frame | 0.8 |" and len(lines) == 4


@pytest.mark.parametrize(
    "words", [("--size", "5"), ("--frames", "1"), ("--shares", "1.5"), ("--shares", "nan")]
)
def test_flicker_of_no_frames_or_unknown_shares_is_refused(monkeypatch, words):
    monkeypatch.setattr("sys.argv", ["flicker", "great-wave", "--photo", "none.png", *words])
    with pytest.raises(SettingsError, match="two frames or more"):
        flicker.main()
