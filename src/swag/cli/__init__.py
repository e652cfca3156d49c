"""The command line, in parts that the commands of the laboratory use, too.

`swag.cli.app` and `swag.cli.main`, the whole program, are imported on first use: they import the
commands of the laboratory, which import parts of this package.
"""

from typing import Any


def __getattr__(name: str) -> Any:
    if name in ("app", "main"):
        from swag.cli import program

        return getattr(program, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
