"""The run of `swag batch`: a bar over all jobs, the pictures made, and the jobs that failed."""

import contextlib
import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import typer

from swag.batch import Batch, Job, JobResult, Manifest, product, read_jobs, run
from swag.cli.bars import batch_bar
from swag.cli.groups import OutputOptions
from swag.cli.interruption import interruption_exit, stop_on_interrupt
from swag.distributed import Backend
from swag.errors import SettingsError
from swag.files import create_folder

FAILED = 3
"""The exit status of a finished batch with failed jobs."""


def jobs_of(
    table: Path | None, contents: Path | None, styles: Path | None, out: Path | None = None
) -> list[Job]:
    """The jobs of a table, or of two folders. SettingsError if both or neither are given."""
    if table is not None and contents is None and styles is None:
        return read_jobs(table)
    if table is None and contents is not None and styles is not None:
        return product(contents, styles, out)
    sources = {f"the table {table}": table, "--contents": contents, "--styles": styles}
    names = ", ".join(name for name, path in sources.items() if path is not None)
    raise SettingsError(
        f"{names or 'nothing'} given; expected a table of jobs, or --contents and --styles: a "
        "picture or a folder each"
    )


def run_batch(
    batch: Batch, jobs: Sequence[Job], *, workers: int, backend: Backend, to: OutputOptions
) -> None:
    """Run the jobs and report their results.

    Raises:
        SettingsError: the folder cannot be written, or a job's settings are invalid.
        typer.Exit: with status 130 after an interruption, and 3 if a job has failed.
    """
    create_folder(batch.folder)
    visible = not (to.quiet or to.json)
    results: list[JobResult] = []
    stopped = True
    with (
        contextlib.suppress(KeyboardInterrupt),
        Manifest(batch.folder) as manifest,
        batch_bar(len(jobs), visible=visible) as bar,
        stop_on_interrupt(lambda: True) as should_stop,
    ):
        job_results = run(
            batch,
            jobs,
            manifest,
            workers=workers,
            backend=backend,
            on_update=bar.show_step,
            should_stop=should_stop,
        )
        for result in job_results:
            results.append(result)
            bar.add_result(result)
            if to.json:
                typer.echo(json.dumps(asdict(result)))
            if result.state == "done" and visible:
                typer.echo(str(batch.folder / result.output))
        stopped = len(results) < len(jobs) or any(r.state == "interrupted" for r in results)
    _report(results, as_json=to.json, stopped=stopped, total=len(jobs))


def _report(results: Sequence[JobResult], *, as_json: bool, stopped: bool, total: int) -> None:
    counts = Counter(result.state for result in results)
    if as_json:
        typer.echo(json.dumps({"finished": not stopped, "counts": dict(counts)}))
    failed = [result for result in results if result.state == "failed"]
    for result in failed:
        typer.echo(f"swag: {result.output}: {result.error}", err=True)
    if results and counts["there"] == len(results) and not as_json:
        typer.echo(f"all {total} pictures exist already", err=True)
    if stopped:
        pictures = counts["done"] + counts["there"]
        raise interruption_exit(
            f" with {pictures} of {total} pictures made; the same command continues"
        )
    if failed:
        raise typer.Exit(FAILED)
