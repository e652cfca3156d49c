"""swag web: the page in a browser, or with --study the page of a study of blind pairs."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swag.cli.groups import grouped, option_field
from swag.cli.options import option

if TYPE_CHECKING:
    from starlette.applications import Starlette

EVERYWHERE = "0.0.0.0"
_server = partial(option, panel="Server")
_limit = partial(option_field, panel="Limits")
_study_only = partial(option, panel="Study")


@dataclass(frozen=True)
class LimitOptions:
    """Limits of the server; see `swag.web.limits`."""

    megapixels: float | None = _limit(
        "--max-megapixels N", "Largest upload, in megapixels.", default="50"
    )
    megabytes: float | None = _limit(
        "--max-megabytes N", "Largest upload, in megabytes.", default="30"
    )
    size: int | None = _limit("--max-size PIXELS", "Longest side of a result.", default="1024")
    steps: int | None = _limit("--max-steps N", "Most steps of a run.", default="1000")
    seconds: float | None = _limit("--max-seconds N", "Stop a run after this time.", default="900")
    runs: int | None = _limit("--runs N", "Most runs at the same time.", default="1")
    queue: int | None = _limit("--queue N", "Most runs that wait.", default="20")


@grouped
def web(
    *,
    host: Annotated[
        str, _server("--host HOST", "Address to listen on.", default="127.0.0.1")
    ] = "127.0.0.1",
    port: Annotated[
        int,
        _server(
            "--port N",
            "Port to listen on. 0: any free port.",
            default="7860",
            min=0,
            max=65535,
        ),
    ] = 7860,
    share: Annotated[
        bool, _server("--share", "Let other machines on your network use the page.")
    ] = False,
    open: Annotated[bool, _server("--open", "Open the page in the browser.")] = False,
    study: Annotated[
        Path | None,
        _study_only(
            "--study DIR", "Folder of results: the page asks people which of two they prefer."
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        _study_only("--answers FILE", "Database of the answers.", default="answers.sqlite in DIR"),
    ] = None,
    trials: Annotated[
        int, _study_only("--trials N", "Pairs that each person sees.", default="40", min=1)
    ] = 40,
    limits: LimitOptions,
) -> None:
    """Serve a page for the browser: drop a photo, choose a painting, watch.

    swag web --open

    swag web --study results

    Other machines can reach the page only with --share or --host.
    """
    import secrets
    import webbrowser

    from swag.errors import SettingsError, check_installed

    check_installed("starlette", "uvicorn", user="swag web", extra="web")
    if answers is not None and study is None:
        raise SettingsError(f"--answers {answers} is for a study; name its results with --study")
    from swag.web.serve import LOOPBACK, serve

    host = EVERYWHERE if share else host
    key = secrets.token_urlsafe(12)
    app = _studio(limits) if study is None else _study(study, answers, trials, key)

    def announce(address: str) -> None:
        url = address.replace(EVERYWHERE, "127.0.0.1")
        typer.echo(url)
        if study is not None:
            typer.echo(f"results: {url}results?key={key}")
        if host not in LOOPBACK:
            typer.echo(
                f"swag: warning: other machines can reach {host}, and the page asks for no "
                "password: whoever reaches the page can use this machine",
                err=True,
            )
        if open:
            webbrowser.open(url)

    serve(app, host, port, announce=announce)


def _studio(limits: LimitOptions) -> "Starlette":
    from swag.web.app import studio_app
    from swag.web.limits import WebLimits

    return studio_app(WebLimits(**{n: v for n, v in vars(limits).items() if v is not None}))


def _study(folder: Path, answers: Path | None, trials: int, key: str) -> "Starlette":
    from swag.web.pairs import find_results
    from swag.web.study import AnswerStore
    from swag.web.study_app import study_app

    results = find_results(folder)
    store = AnswerStore(answers or folder / "answers.sqlite", results, trials=trials)
    return study_app(results, store, key)
