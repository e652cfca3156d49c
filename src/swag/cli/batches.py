"""What `swag batch` shows: a bar over all jobs, the pictures made, and those that failed."""

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from swag.batch import Batch, Job, Ledger, Outcome, product, read_jobs, run
from swag.cli.bars import batch_bar
from swag.cli.interruption import interrupted, stop_asked
from swag.distributed import Backend
from swag.errors import ResourceError, SettingsError


def jobs_of(
    table: Path | None, contents: Path | None, styles: Path | None, out: Path | None = None
) -> list[Job]:
    """The jobs of a table, or of two folders. SettingsError if both or neither are given."""
    if table is not None and contents is None and styles is None:
        return read_jobs(table)
    if table is None and contents is not None and styles is not None:
        return product(contents, styles, out)
    raise SettingsError(
        "expected a table of jobs, or --contents and --styles: a picture or a folder each"
    )


def run_batch(
    batch: Batch,
    jobs: Sequence[Job],
    *,
    workers: int,
    backend: Backend,
    quiet: bool,
    as_json: bool,
) -> bool:
    """Do the jobs and tell what became of them; whether any has failed.

    Raises:
        SettingsError: the folder cannot be written, or a job's settings are not right.
        typer.Exit: with status 130 after an interruption.
    """
    _create(batch.folder)
    shown = not (quiet or as_json)
    outcomes: list[Outcome] = []
    stopped = True
    with (
        contextlib.suppress(KeyboardInterrupt),
        Ledger(batch.folder) as ledger,
        batch_bar(len(jobs), shown=shown) as bar,
        stop_asked(lambda: True) as stopping,
    ):
        going = run(
            batch,
            jobs,
            ledger,
            workers=workers,
            backend=backend,
            seen=bar.seen,
            stopping=stopping,
        )
        for outcome in going:
            outcomes.append(outcome)
            bar.done(outcome)
            if as_json:
                typer.echo(json.dumps(asdict(outcome)))
            if outcome.state == "done" and shown:
                typer.echo(str(batch.folder / outcome.output))
        unfinished = [o for o in outcomes if o.state == "interrupted"]
        stopped = bool(unfinished) or len(outcomes) < len(jobs)
    return _told(outcomes, as_json=as_json, stopped=stopped, total=len(jobs))


def _told(outcomes: Sequence[Outcome], *, as_json: bool, stopped: bool, total: int) -> bool:
    counts = Counter(outcome.state for outcome in outcomes)
    if as_json:
        typer.echo(json.dumps({"finished": not stopped, "counts": dict(counts)}))
    failed = [outcome for outcome in outcomes if outcome.state == "failed"]
    for outcome in failed:
        typer.echo(f"swag: {outcome.output}: {outcome.error}", err=True)
    if outcomes and counts["there"] == len(outcomes) and not as_json:
        typer.echo(f"all {total} pictures exist already", err=True)
    if stopped:
        made = counts["done"] + counts["there"]
        raise interrupted(f" with {made} of {total} pictures made; the same command continues")
    return bool(failed)


def _create(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ResourceError(f"cannot create the folder {folder}: {error.strerror}") from error
