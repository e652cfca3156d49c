"""swag experiment NAME --out DIR: a study of the paper, or of what it leaves open."""

import shlex
import sys
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from swag.cli import options
from swag.cli.interruption import interruption_exit
from swag.errors import SettingsError

Name = Annotated[
    str,
    options.argument(
        "NAME",
        "Study to run: judges, weights, ablation, statistics, suppression, outliers, "
        "networks, methods, beyond or real; or paper (judges to methods), or all.",
    ),
]
Out = Annotated[Path, options.option("--out DIR", "Folder for runs and report.")]
Contents = Annotated[
    Path | None,
    options.option("--contents DIR", "Folder of photos. Default: a few synthetic pictures."),
]
Styles = Annotated[
    Path | None,
    options.option("--styles DIR", "Folder of style pictures. Default: a few synthetic ones."),
]
Count = Annotated[
    int | None,
    options.option(
        "--pictures N",
        "Number of pictures to use of each folder, spread evenly over its names.",
        default="3, or 2 with --quick",
        min=1,
    ),
]
Quick = Annotated[
    bool,
    options.option(
        "--quick", "Try a study in minutes instead of hours; its numbers mean little.", default=True
    ),
]
Workers = Annotated[
    int,
    options.option(
        "--workers N", "Number of processes, each with one thread.", default=True, min=1
    ),
]
Units = Annotated[
    int | None,
    options.option(
        "--units N",
        "Pairs of a content and a style for each variant.",
        default="6, or 2 with --quick",
        min=1,
    ),
]
LargeUnits = Annotated[
    int | None,
    options.option(
        "--large-units N",
        "Pairs for each variant with a network of torchvision, where a run takes seconds to "
        "minutes.",
        default="2, or 1 with --quick",
        min=1,
    ),
]
Size = Annotated[
    int | None,
    options.option(
        "--size PIXELS",
        "Long side of the pictures.",
        panel=options.RUN,
        default="128, or 64 with --quick",
    ),
]
Steps = Annotated[
    int | None,
    options.option(
        "--steps N",
        "Optimization steps over all scales.",
        panel=options.RUN,
        default="60, or 12 with --quick",
    ),
]
Training = Annotated[
    Path | None,
    options.option(
        "--training DIR",
        "Labeled pictures: first train all networks of the ablation on them, in the same way.",
    ),
]
Epochs = Annotated[
    float | None,
    options.option("--epochs N", "Epochs of the training on --training.", default="4"),
]

DryRun = Annotated[
    bool,
    options.option(
        "--dry-run",
        "Print the number of runs of each study, and do none. Runs on networks that "
        "--training has yet to train are not counted.",
        default=True,
    ),
]
Networks = Annotated[
    list[str] | None,
    options.option(
        "--network NAME=BACKBONE,WEIGHTS",
        "Trained network for the studies real, statistics, suppression, outliers and methods: any "
        "name that --backbone takes, and a file of weights, which a bundled network needs not. "
        "Repeat the option for several.",
    ),
]
Strengths = Annotated[
    list[float] | None,
    options.option(
        "--strength S",
        "Strength of each variant's runs. Repeat the option for several.",
        default="0.05, 0.2, 0.5, 0.8 and 0.95, or 0.2, 0.5 and 0.8 with --quick",
        min=0.0,
        max=1.0,
    ),
]
Judges = Annotated[
    list[str] | None,
    options.option(
        "--judge NAME=BACKBONE,WEIGHTS",
        "Network that judges the results, instead of the bundled judges. Repeat the option "
        "for several. No network judges results that were optimized with it.",
    ),
]


def experiment(  # noqa: PLR0913 - the arguments of a command are its options
    name: Name,
    out: Out,
    contents: Contents = None,
    styles: Styles = None,
    pictures: Count = None,
    units: Units = None,
    large_units: LargeUnits = None,
    size: Size = None,
    steps: Steps = None,
    strength: Strengths = None,
    quick: Quick = False,
    workers: Workers = 1,
    ray: options.Ray = False,
    training: Training = None,
    epochs: Epochs = None,
    overwrite: options.Overwrite = False,
    dry_run: DryRun = False,
    network: Networks = None,
    judge: Judges = None,
    quiet: options.Quiet = False,
) -> None:
    """Run a study and write its report, DIR/NAME.html. The same command continues a study.

    The study uses the middle square of each picture in the folders. Runs already in DIR are not
    repeated. Ctrl-C keeps the finished runs and writes a report of them. A report of other settings
    is replaced only with --overwrite.
    """
    from swag import distributed
    from swag.cli.bars import count_bar
    from swag.cli.table import show as show_table
    from swag.files import create_folder
    from swag_lab.experiments import StudyRunner

    plan = _plan(
        contents,
        styles,
        pictures,
        quick=quick,
        units=units,
        few=large_units,
        size=size,
        steps=steps,
        strengths=tuple(sorted(strength)) if strength else None,
        networks=(network or [], judge or []),
    )
    _check_options(name, plan, training, epochs)
    if dry_run:
        show_table(StudyRunner(name, plan, out).counts(), as_json=False)
        return
    create_folder(out)
    if training is not None:
        plan = _with_twins(plan, training, epochs, out / "networks", quiet=quiet)
    runner = StudyRunner(name, plan, out, command=shlex.join(["swag", *sys.argv[1:]]))
    if not overwrite:
        runner.check_report()
    for given in (*plan.given, *plan.judges):
        given.create(0)  # a file that holds no such network is refused before the first run
    missing = runner.unfinished_jobs()
    each = partial(distributed.as_completed, workers=workers, backend="ray" if ray else "processes")
    try:
        with count_bar(len(missing), visible=not quiet) as show:
            for run in runner.run_jobs(missing, each):
                show(run.job.variant)
    except KeyboardInterrupt:
        runner.report()
        raise interruption_exit(f"; the same command goes on from {out}") from None
    page = runner.report()
    if not quiet:
        typer.echo(str(page))


def _check_options(name: str, plan: Any, training: Path | None, epochs: float | None) -> None:
    """Refuse an unknown study, and options that change nothing in it."""
    from dataclasses import replace

    from swag_lab.experiments import studies_named

    studies = studies_named(name)
    if epochs is not None and training is None:
        raise SettingsError("--epochs has no effect without --training; leave it out")
    for option, networks in (("--network", "given"), ("--judge", "judges")):
        without = replace(plan, **{networks: ()})
        if without != plan and all(s.jobs(plan) == s.jobs(without) for s in studies):
            raise SettingsError(f"{option} has no effect in the study {name}; leave it out")


def _plan(
    contents: Path | None,
    styles: Path | None,
    count: int | None,
    *,
    quick: bool,
    networks: tuple[list[str], list[str]],
    **overrides: Any,
) -> Any:
    from swag.config import settings
    from swag_lab.evaluation.networks import parse_network
    from swag_lab.experiments import Plan, painted_samples, samples_in

    # A size or number of steps that no run can have is refused before the first.
    settings(**{name: overrides[name] for name in ("size", "steps") if overrides[name] is not None})
    if count and not (contents or styles):
        raise SettingsError("--pictures counts those of --contents and --styles; give one of them")
    if overrides["steps"] == 0:
        raise SettingsError("steps = 0: a study compares optimized pictures; give 1 or more")
    sizes: dict[str, Any] = {
        "size": 64,
        "steps": 12,
        "units": 2,
        "few": 1,
        "strengths": (0.2, 0.5, 0.8),
    }
    chosen = (sizes if quick else {}) | {k: v for k, v in overrides.items() if v is not None}
    number = count or (2 if quick else 3)
    given, judges = (tuple(map(parse_network, texts)) for texts in networks)
    for group in (given, judges):
        if len({network.name for network in group}) < len(group):
            names = ", ".join(network.name.removeprefix("p-") for network in group)
            raise SettingsError(f"{names}: expected different names of networks")
    plan = Plan(
        samples_in(contents, number) if contents else painted_samples("contents"),
        samples_in(styles, number) if styles else painted_samples("styles"),
        quick=quick,
        given=given,
        judges=judges,
        **chosen,
    )
    if (overrides.get("units") or 0) > plan.different_units:
        raise SettingsError(
            f"units = {plan.units}: the pictures and seeds make {plan.different_units} different "
            "ones; give fewer units, or more pictures"
        )
    return plan


def _with_twins(plan: Any, data: Path, epochs: float | None, folder: Path, *, quiet: bool) -> Any:
    """The plan with the networks of the ablation, trained if they are not there yet."""
    from dataclasses import replace

    from swag_lab.cli.bars import training_bar
    from swag_lab.experiments.studies.ablation import trained_alike
    from swag_lab.experiments.twins import EPOCHS, train_twins, twin_networks

    twins = trained_alike(EPOCHS if epochs is None else epochs, quick=plan.quick)
    try:
        with training_bar(visible=not quiet) as show:
            for _, line in train_twins(twins, data, folder):
                show(line)
    except KeyboardInterrupt:
        raise interruption_exit(f"; the same command goes on from {folder}") from None
    return replace(plan, twins=twin_networks(twins, data, folder))
