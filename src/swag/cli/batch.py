"""swag batch JOBS --out DIR: many pictures, one model load."""

from pathlib import Path
from typing import Annotated

from swag.cli import groups, options
from swag.cli.groups import grouped, settings_from

Jobs = Annotated[
    Path | None,
    options.argument(
        "JOBS", "Table of jobs (CSV or JSON lines): content, style, masks, output and settings."
    ),
]
Contents = Annotated[
    Path | None,
    options.option(
        "--contents DIR",
        "Instead of JOBS: folder with the photos, sub-folders included, or a single photo.",
    ),
]
Styles = Annotated[
    Path | None,
    options.option(
        "--styles DIR",
        "Folder with the style pictures, or a single one: every photo of --contents is "
        "painted in every style.",
    ),
]
Folder = Annotated[
    Path,
    options.option(
        "--out -o DIR",
        "Folder for the pictures and for manifest.jsonl, which lists the state of each job.",
    ),
]
Workers = Annotated[
    int, options.option("--workers N", "Number of processes.", default=True, min=1, max=256)
]


@grouped
def batch(  # noqa: PLR0913 - groups of options
    jobs: Jobs = None,
    *,
    contents: Contents = None,
    styles: Styles = None,
    folder: Folder,
    workers: Workers = 1,
    ray: options.Ray = False,
    to: groups.OutputOptions,
    max_pixels: options.MaxPixels = None,
    look: groups.LookOptions,
    method: groups.MethodOptions,
    run: groups.RunOptions,
    network: groups.NetworkOptions,
) -> None:
    """Make many pictures. To continue, run the same command: finished pictures are skipped.

    swag batch --contents photos --styles paintings --out results

    swag batch jobs.csv --out results --size 1024 --workers 2

    Columns of jobs.csv: content and style; optional are output, content_mask, style_mask and every
    setting. "a.jpg | b.jpg" in a cell means two styles. See docs/files.md.

    A job that fails does not stop the others. Failed jobs are listed at the end, and the exit
    status is 3. A table with an unknown setting or a value out of range is refused as a whole.
    """
    from swag.batch import Batch
    from swag.cli.batches import jobs_of, run_batch

    work = Batch(
        folder=folder,
        overrides=settings_from(look, method, network, run),
        overwrite=to.overwrite,
        every=to.checkpoint_every,
        metadata=not to.no_metadata,
        bits=to.bits,
        max_pixels=max_pixels,
    )
    run_batch(
        work,
        jobs_of(jobs, contents, styles, folder),
        workers=workers,
        backend="ray" if ray else "processes",
        to=to,
    )
