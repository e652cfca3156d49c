"""Commands of the laboratory, which `swag` finds by the entry points of the distribution."""

from functools import partial

import typer

new_option, new_argument = (
    partial(kind, show_default=False) for kind in (typer.Option, typer.Argument)
)
"""Those whose help shows no default: they have none, or the help says it in words."""
