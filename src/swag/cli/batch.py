"""swag batch JOBS --out DIR: many pictures, one model load."""

from pathlib import Path
from typing import Annotated

import typer

from swag.cli import controls, options

FAILED = 3
"""The exit status of a batch that is at its end, with jobs that failed."""

Jobs = Annotated[
    Path | None,
    typer.Argument(
        metavar="JOBS",
        show_default=False,
        help="A CSV file, or JSON lines, with content, style, output and settings.",
    ),
]
Contents = Annotated[
    Path | None,
    typer.Option(
        "--contents",
        metavar="DIR",
        show_default=False,
        help="Instead of JOBS: every picture in this folder ...",
    ),
]
Styles = Annotated[
    Path | None,
    typer.Option(
        "--styles",
        metavar="DIR",
        show_default=False,
        help="... in the style of every picture in this one.",
    ),
]
Folder = Annotated[
    Path,
    typer.Option(
        "--out",
        "-o",
        metavar="DIR",
        show_default=False,
        help="Where the pictures go, and manifest.jsonl, the state of each.",
    ),
]
Workers = Annotated[int, typer.Option("--workers", metavar="N", min=1, max=256, help="Processes.")]


def batch(  # noqa: PLR0913 - the arguments of a command are its options
    folder: Folder,
    jobs: Jobs = None,
    contents: Contents = None,
    styles: Styles = None,
    workers: Workers = 1,
    backbone: options.Backbone = None,
    weights: options.Weights = None,
    smoothing: options.Smoothing = None,
    size: options.Size = None,
    steps: options.Steps = None,
    strength: options.Strength = None,
    method: options.Method = None,
    preset: options.Preset = None,
    config: options.Config = None,
    single: options.Set = None,
    seed: options.Seed = None,
    device: options.Device = None,
    style_loss: controls.StyleLoss = None,
    content_loss: controls.ContentLoss = None,
    colours: controls.Colours = None,
    checkpoint_every: options.Every = options.SECONDS,
    no_metadata: options.NoMetadata = False,
    overwrite: options.Overwrite = False,
    quiet: options.Quiet = False,
    json: options.Json = False,
) -> None:
    """Make many pictures; what is done is skipped, so that the same command goes on.

    Jobs that fail do not stop the others: they are told at the end, and the exit status is 3.
    """
    from swag.batch import Batch
    from swag.cli.batches import jobs_of, perform

    chosen = options.overrides(
        config,
        single,
        preset=preset,
        method=method,
        backbone=backbone,
        weights=weights,
        smoothing=smoothing,
        size=size,
        steps=steps,
        strength=strength,
        seed=seed,
        device=device,
        style_loss=style_loss,
        content_loss=content_loss,
        colours=colours,
    )
    work = Batch(
        folder=folder,
        overrides=chosen,
        overwrite=overwrite,
        every=checkpoint_every,
        metadata=not no_metadata,
    )
    failed = perform(
        work, jobs_of(jobs, contents, styles), workers=workers, quiet=quiet, as_json=json
    )
    if failed:
        raise typer.Exit(FAILED)
