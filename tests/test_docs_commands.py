"""Commands that the documents show: the program takes every one of them."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.main import get_command

from swag.cli import app

ROOT = Path(__file__).parents[1]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands(text: str) -> Iterator[str]:
    """Lines of code that begin with swag, with what goes on in the lines after them."""
    fenced = "\n".join(re.findall(r"^```\w*\n(.*?)^```", text, re.MULTILINE | re.DOTALL))
    indented = "\n".join(re.findall(r"^    (swag .*)", text, re.MULTILINE))
    lines = re.sub(r"( \\)?\n {4,}(?=-)", " ", fenced + "\n" + indented)
    yield from (line for line in lines.splitlines() if line.startswith("swag "))


SHOWN = [(path.name, line) for path in DOCUMENTS for line in commands(path.read_text("utf-8"))]


def parsed(line: str) -> None:
    """Let the command line of the program read a command, without running it."""
    _, name, *words = shlex.split(line, comments=True)
    group = get_command(app)
    group.commands[name].make_context(name, words)  # type: ignore[attr-defined]


@pytest.mark.parametrize(("document", "line"), SHOWN)
def test_a_command_of_the_documents_is_taken(document: str, line: str):
    parsed(line)


def test_the_documents_show_nearly_every_command():
    shown = {line.split()[1] for _, line in SHOWN}
    assert len([line for name, line in SHOWN if name == "README.md"]) > 15
    assert {"stylize", "apply", "batch", "rerun", "export", "experiment", "train-style"} <= shown


@pytest.mark.parametrize("line", ["swag stylize a b --colour red", "swag stylize", "swag paint a"])
def test_a_command_that_there_is_not_is_found(line: str):
    with pytest.raises(Exception, match=r"colour|Missing|paint"):
        parsed(line)
