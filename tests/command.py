"""The command line, run in the process of a test."""

from typer.testing import CliRunner, Result

from swag.cli import app


def swag(*words: object, given: bytes | None = None, **environment: str) -> Result:
    """Run a command; `given` stands on its standard input."""
    return CliRunner().invoke(app, [str(word) for word in words], input=given, env=environment)


def the_only_line(result: Result) -> str:
    """What a mistake ends in: status 1, nothing on standard output, one line on standard error."""
    assert (result.exit_code, result.stdout) == (1, ""), result.output
    (line,) = result.stderr.splitlines()
    assert line.startswith("swag: ")
    return line
