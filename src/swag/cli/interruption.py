"""How every command ends after Ctrl-C."""

import typer


def interrupted(message: str) -> typer.Exit:
    """Say on standard error what is kept; gives what to raise: exit status 130."""
    typer.echo(f"swag: interrupted{message}", err=True)
    return typer.Exit(130)
