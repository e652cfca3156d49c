"""A study: its pairs, its trials, and its answers, which survive reloads and double clicks."""

import json
import math
import random
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from swag.errors import ResourceError, SettingsError
from swag.web.pairs import Results, find_results
from swag.web.ranking import bradley_terry
from swag.web.study import DAMAGED, AnswerStore

STRENGTHS = {"good": 1.0, "fair": 0.0, "poor": -1.0}


def results(units: int = 10) -> Results:
    return Results(
        {f"u{i}": {name: Path(f"{name}{i}.png") for name in STRENGTHS} for i in range(units)}
    )


def test_pairs_of_a_folder_share_the_name_of_the_picture(tmp_path: Path):
    for name in ("a/one.png", "b/one.jpg", "a/two.png", "a/note.txt", "b/note.txt", "c/one.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(b"")
    found = [(pair.unit, pair.first, pair.second) for pair in find_results(tmp_path).pairs()]
    assert found == [("one", "a", "b"), ("one", "a", "c"), ("one", "b", "c")]


def test_pairs_of_runs_share_content_style_and_seed(tmp_path: Path):
    def add(name: str, content: str, smoothing: str, *, picture: bool = True) -> None:
        folder = tmp_path / "runs" / name
        folder.mkdir(parents=True)
        config = {"content": content, "style": "s", "seed": 0, "size": 64}
        config |= {"settings": {"smoothing": smoothing, "steps": 5}, "judges": ["x"]}
        (folder / "config.json").write_text(json.dumps(config))
        if picture:
            (folder / "picture.png").write_bytes(b"")

    add("1", "c1", "none")
    add("2", "c1", "softmax")
    add("3", "c2", "none")
    add("4", "c2", "softmax", picture=False)
    (pair,) = find_results(tmp_path).pairs()
    assert (pair.first, pair.second) == ("smoothing=none", "smoothing=softmax")


@pytest.mark.parametrize("folder", ["", "gone"])
def test_a_folder_without_pairs_is_refused(tmp_path: Path, folder: str):
    (tmp_path / "alone").mkdir()
    (tmp_path / "alone" / "one.png").write_bytes(b"")
    with pytest.raises(SettingsError, match="folder"):
        find_results(tmp_path / folder)


def test_a_participant_sees_every_pair_once_and_catch_trials_between(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results(), trials=16, catch_every=8)
    code = store.enter()
    seen = []
    while (trial := store.progress(code).trial) is not None:
        seen.append((trial.unit, frozenset((trial.left_method, trial.right_method))))
        assert store.answer(code, trial.id, "left")
    assert len(seen) == 18
    assert [DAMAGED in sides for _, sides in seen].count(True) == 2
    assert len({one for one in seen if DAMAGED not in one[1]}) == 16


def test_pairs_that_were_seen_least_come_next(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results(2), trials=3, catch_every=0)
    first, second = store.enter(), store.enter()
    with sqlite3.connect(tmp_path / "a.sqlite") as database:
        pairs = [
            {row[0] for row in database.execute("SELECT pair FROM trials WHERE code = ?", (code,))}
            for code in (first, second)
        ]
    assert len(pairs[0] | pairs[1]) == 6


def test_sides_are_drawn_at_random(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results(20), trials=60, catch_every=0)
    code = store.enter()
    left = []
    while (trial := store.progress(code).trial) is not None:
        left.append(trial.left_method < trial.right_method)
        store.answer(code, trial.id, "neither")
    assert 10 < sum(left) < 50


def test_a_double_click_and_a_reload_are_one_answer_the_first(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results())
    code = store.enter()
    trial = store.progress(code).trial
    assert trial is not None
    again = AnswerStore(tmp_path / "a.sqlite", results()).progress(code)
    assert again.trial == trial
    with ThreadPoolExecutor(8) as pool:
        kept = list(pool.map(lambda _: store.answer(code, trial.id, "left"), range(16)))
    assert kept.count(True) == 1
    assert not store.answer(code, trial.id, "right")
    with sqlite3.connect(tmp_path / "a.sqlite") as database:
        assert database.execute("SELECT * FROM answers").fetchall() == [(trial.id, "left")]
    assert AnswerStore(tmp_path / "a.sqlite", results()).progress(code).answered == 1


def test_a_code_resumes_and_a_wrong_one_is_refused(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results())
    code = store.enter()
    assert store.enter(f" {code.upper()} ") == code
    for call in (lambda: store.enter("nobody"), lambda: store.progress("nobody")):
        with pytest.raises(SettingsError, match="code"):
            call()


def test_nobody_answers_for_another(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results())
    one, other = store.enter(), store.enter()
    trial = store.progress(one).trial
    assert trial is not None
    with pytest.raises(SettingsError, match="not one of yours"):
        store.answer(other, trial.id, "left")


def test_a_file_of_something_else_is_refused(tmp_path: Path):
    (tmp_path / "a.sqlite").write_text("not a database " * 100)
    with pytest.raises(ResourceError, match="cannot use the answers"):
        AnswerStore(tmp_path / "a.sqlite", results())


def answer_all(store: AnswerStore, rng: random.Random, *, attentive: bool) -> None:
    """Answer as somebody with the preferences of `STRENGTHS`, or the opposite, and blindly."""
    code = store.enter()
    sign = 1 if attentive else -1
    while (trial := store.progress(code).trial) is not None:
        values = [
            {**STRENGTHS, DAMAGED: -9.0}[name] * sign
            for name in (trial.left_method, trial.right_method)
        ]
        chance = 1 / (1 + math.exp(values[1] - values[0]))
        store.answer(code, trial.id, "left" if rng.random() < chance else "right")


def test_a_synthetic_study_gives_its_strengths_without_the_inattentive(tmp_path: Path):
    store = AnswerStore(tmp_path / "a.sqlite", results(), trials=24)
    rng = random.Random(3)
    for _ in range(10):
        answer_all(store, rng, attentive=True)
    for _ in range(2):
        answer_all(store, rng, attentive=False)
    found = {row.method: row.strength for row in bradley_terry(store.comparisons())}
    assert list(found) == ["good", "fair", "poor"]
    assert found == pytest.approx(STRENGTHS, abs=0.7)
    assert len(store.comparisons(attentive=0)) == 12 * 24 > len(store.comparisons())
