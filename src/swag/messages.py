"""Messages of a command on standard error: one line each, of SWAG and of no other library."""

import logging
import sys
import textwrap
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

LOG = logging.getLogger("swag")
_OWN_PACKAGES = tuple(str(Path(__file__).parents[1] / package) for package in ("swag", "swag_lab"))

LONGEST = 500
"""Characters of a line at most."""


def one_line(message: object, *, most: int = 200) -> str:
    """A message of another library on one short line, or its class if it is empty.

    It may quote a file: unprintable characters, as the commands of terminals, are escaped.
    """
    short = textwrap.shorten(str(message), most, placeholder=" ...") or type(message).__name__
    return "".join(x if x.isprintable() else x.encode("unicode_escape").decode() for x in short)


class _Lines(logging.Handler):
    """Prints records as lines of SWAG."""

    def emit(self, record: logging.LogRecord) -> None:
        """See `logging.Handler`."""
        level = record.levelname.lower()
        print(f"swag: {level}: {one_line(record.getMessage(), most=LONGEST)}", file=sys.stderr)


@contextmanager
def own_lines(lines: logging.Handler | None = None) -> Iterator[None]:
    """Print warnings of SWAG as lines, and keep those of Python and of libraries to the log.

    With `lines`, this handler gets SWAG's, and nothing is printed.

    The others are for programmers: `logging.getLogger("swag")` has them at the level DEBUG.
    Messages of other loggers are dropped unless these have handlers of their own.
    """
    root, null_handler = logging.getLogger(), logging.NullHandler()
    lines = lines or _Lines(logging.WARNING)
    original, warnings.showwarning = warnings.showwarning, _log_warning
    LOG.addHandler(lines)
    root.addHandler(null_handler)  # without any handler, Python prints what nobody handles
    try:
        yield
    finally:
        warnings.showwarning = original
        LOG.removeHandler(lines)
        root.removeHandler(null_handler)


def _log_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: str | None = None,
) -> None:
    is_own = issubclass(category, UserWarning) and filename.startswith(_OWN_PACKAGES)
    LOG.log(logging.WARNING if is_own else logging.DEBUG, one_line(message, most=LONGEST))
