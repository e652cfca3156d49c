from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from swag.cli import app
from swag_lab.training import command
from swag_lab.training.loop import Progress


def train(*words: object, **environment: str) -> Result:
    return CliRunner().invoke(app, ["train-backbone", *map(str, words)], env=environment)


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    made: list[tuple[Any, ...]] = []

    def fake(name: str, data: Path, out: Path, **options: Any) -> Iterator[Progress]:
        made.append((name, data, out, options))
        yield Progress(50, 100, 32, 2.5, 0.1, 400.0, None)
        if data.name == "interrupted":
            raise KeyboardInterrupt
        yield Progress(100, 100, 64, 1.25, 0.0, 400.0, 0.42)

    monkeypatch.setattr(command, "train_backbone", fake)
    return made


def test_options_arrive_and_the_checkpoint_is_named(calls: list[tuple[Any, ...]]) -> None:
    words = ["--epochs", 2, "--recipe", "gpu", "--seed", 3, "--start", "shipped", "--device", "cpu"]
    result = train("resnet", "data", "out.pt", *words)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "out.pt\n", "")
    options = {"epochs": 2.0, "recipe": "gpu", "seed": 3, "start": "shipped", "device": "cpu"}
    assert calls == [("resnet", Path("data"), Path("out.pt"), options)]


def test_the_bar_has_loss_and_accuracy(calls: list[tuple[Any, ...]]) -> None:
    stderr = train("resnet", "data", "out.pt", FORCE_COLOR="1", NO_COLOR="1", COLUMNS="100").stderr
    assert "step 100/100, 64 px, loss 1.250, top-1 42.0%" in stderr


@pytest.mark.parametrize(("there", "said"), [(True, "goes on from"), (False, "nothing was kept")])
def test_ctrl_c_says_what_is_kept(
    there: bool, said: str, calls: list[tuple[Any, ...]], tmp_path: Path
) -> None:
    if there:
        (tmp_path / "out.pt").touch()
    result = train("resnet", "interrupted", tmp_path / "out.pt")
    assert (result.exit_code, result.stdout) == (130, "")
    assert said in result.stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["resnett", ".", "out.pt"], "swag/resnet"),
        (["resnet", "nowhere", "out.pt"], "nowhere"),
        (["resnet", ".", "out.pt", "--recipe", "cpuu"], "cpu"),
        (["resnet", ".", "out.pt", "--device", "abacus"], "abacus"),
    ],
)
def test_a_mistake_ends_in_one_line(words: list[str], said: str) -> None:
    result = train(*words)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert said in line
