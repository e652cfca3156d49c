"""Pictures from standard input and to standard output: `-` in place of a name.

curl ... | swag stylize - painting.jpg -o - | display
"""

import contextlib
import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from swag.errors import ResourceError, SettingsError

DASH = Path("-")
NAME = "standard input"


class _Piped:
    """Standard input from its present position, which can be read once."""

    def read(self, size: int, /) -> bytes:
        return sys.stdin.buffer.read(size)


def read_standard_input(paths: Sequence[Path], max_pixels: int | None = None) -> list[Path | bytes]:
    """The paths, with `-` replaced by the bytes of the picture on standard input.

    Raises:
        SettingsError: `-` is given twice, or nothing is piped in.
        ImageError: no picture of a known format comes, or more bytes than its pixels need.
    """
    if DASH not in paths:
        return list(paths)
    if paths.count(DASH) > 1:
        raise SettingsError("- was given twice; standard input is one picture: give a file, too")
    if sys.stdin is None or sys.stdin.isatty():
        raise SettingsError("- reads a picture from standard input, and nothing is piped into it")
    from swag.image import MAX_PIXELS
    from swag.image.source import searchable

    data = searchable(_Piped(), NAME, max_pixels or MAX_PIXELS).read()
    return [data if path == DASH else path for path in paths]


def check_standard_output() -> None:
    """Refuse to write a picture to a terminal. SettingsError."""
    if sys.stdout is None or sys.stdout.isatty():
        raise SettingsError(
            "the picture would go to standard output, which is a terminal; pipe it into a file or "
            "a program, or name a file with -o"
        )


def write_standard_output(data: bytes) -> None:
    """Write a picture to standard output. ResourceError if it cannot be written."""
    try:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
    except OSError as error:
        with contextlib.suppress(OSError, io.UnsupportedOperation):
            # Without it, Python tries again at exit, and prints an error.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ResourceError(f"cannot write to standard output: {error.strerror}") from error


def output_name(output: Path, form: str | None) -> str:
    """A name that ends in the format of an output: its own, or for `-` one that ends in `form`.

    Raises:
        SettingsError: a format is given for a file.
    """
    if output == DASH:
        return f"-.{(form or 'png').lower().removeprefix('.')}"
    if form is not None:
        raise SettingsError(
            f"--format {form} is for standard output (-o -); the ending of {output} is its format"
        )
    return str(output)
