"""What a command says on standard error beside its own words: lines of ours, and of nobody else."""

import logging
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOG = logging.getLogger("swag")
_OURS = tuple(str(Path(__file__).parents[1] / package) for package in ("swag", "swag_lab"))

LONGEST = 500
"""Letters of a line."""


def one_line(message: object, *, most: int = 200) -> str:
    """A message of another library on one short line, or its kind if it has no words.

    It may quote a file: what is not to be printed, as the commands of terminals, is escaped.
    """
    short = textwrap.shorten(str(message), most, placeholder=" ...") or type(message).__name__
    return "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in short)


class _Lines(logging.Handler):
    """Prints records as lines of ours."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        level = record.levelname.lower()
        print(f"swag: {level}: {one_line(record.getMessage(), most=LONGEST)}", file=sys.stderr)


@contextmanager
def own_lines(lines: logging.Handler | None = None) -> Iterator[None]:
    """Print warnings of ours as lines, and keep those of Python and of libraries to the log.

    With `lines`, this handler gets them, and nothing is printed.

    They tell a programmer something: `logging.getLogger("swag")` has them at the level DEBUG. What
    other loggers say goes nowhere, unless somebody listens to them.
    """
    root, nowhere = logging.getLogger(), logging.NullHandler()
    lines = lines or _Lines(logging.WARNING)
    before, warnings.showwarning = warnings.showwarning, _told
    LOG.addHandler(lines)
    root.addHandler(nowhere)  # without any handler, Python prints what nobody handles
    try:
        yield
    finally:
        warnings.showwarning = before
        LOG.removeHandler(lines)
        root.removeHandler(nowhere)


def _told(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    ours = issubclass(category, UserWarning) and filename.startswith(_OURS)
    LOG.log(logging.WARNING if ours else logging.DEBUG, one_line(message, most=LONGEST))
