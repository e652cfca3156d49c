"""swag web: the page in a browser, or with --study the page of a study of blind pairs."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from swag.cli.groups import grouped
from swag.cli.options import option

if TYPE_CHECKING:
    from starlette.applications import Starlette

SERVER, LIMITS, STUDY = "Server", "Limits", "Study"
EVERYWHERE = "0.0.0.0"


def _limit(name: str, value: str, default: str, help: str) -> object:
    return option(name, panel=LIMITS, value=value, default=default, help=help)


@dataclass(frozen=True)
class LimitOptions:
    """Limits of the server; see `swag.web.limits`."""

    megapixels: Annotated[
        float | None, _limit("--max-megapixels", "N", "50", "Largest upload, in megapixels.")
    ] = None
    megabytes: Annotated[
        float | None, _limit("--max-megabytes", "N", "30", "Largest upload, in megabytes.")
    ] = None
    size: Annotated[
        int | None, _limit("--max-size", "PIXELS", "1024", "Longest side of a result.")
    ] = None
    steps: Annotated[int | None, _limit("--max-steps", "N", "1000", "Most steps of a run.")] = None
    seconds: Annotated[
        float | None, _limit("--max-seconds", "N", "900", "Stop a run after this time.")
    ] = None
    runs: Annotated[int | None, _limit("--runs", "N", "1", "Most runs at the same time.")] = None
    queue: Annotated[int | None, _limit("--queue", "N", "20", "Most runs that wait.")] = None


@grouped
def web(
    *,
    host: Annotated[
        str,
        option(
            "--host", panel=SERVER, value="HOST", default="127.0.0.1", help="Address to listen on."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int,
        option(
            "--port",
            panel=SERVER,
            value="N",
            default="7860",
            help="Port to listen on. 0: any free port.",
        ),
    ] = 7860,
    share: Annotated[
        bool,
        option("--share", panel=SERVER, help="Let other machines on your network use the page."),
    ] = False,
    open: Annotated[
        bool, option("--open", panel=SERVER, help="Open the page in the browser.")
    ] = False,
    study: Annotated[
        Path | None,
        option(
            "--study",
            panel=STUDY,
            value="DIR",
            help="Folder of results: the page asks people which of two they prefer.",
        ),
    ] = None,
    answers: Annotated[
        Path | None,
        option(
            "--answers",
            panel=STUDY,
            value="FILE",
            default="answers.sqlite in DIR",
            help="Database of the answers.",
        ),
    ] = None,
    trials: Annotated[
        int,
        option(
            "--trials", panel=STUDY, value="N", default="40", help="Pairs that each person sees."
        ),
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

    from swag.errors import check_installed

    check_installed("starlette", "uvicorn", user="swag web", extra="web")
    from swag.web.serve import LOOPBACK, serve

    host = EVERYWHERE if share else host
    key = secrets.token_urlsafe(12)
    app = _studio(limits) if study is None else _study(study, answers, trials, key)

    def announce(address: str) -> None:
        shown = address.replace(EVERYWHERE, "127.0.0.1")
        typer.echo(shown)
        if study is not None:
            typer.echo(f"results: {shown}results?key={key}")
        if host not in LOOPBACK:
            typer.echo(
                f"swag: warning: other machines can reach {host}, and the page asks for no "
                "password: whoever reaches the page can use this machine",
                err=True,
            )
        if open:
            webbrowser.open(shown)

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
