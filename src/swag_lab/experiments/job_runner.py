"""Run a job in its folder, once: config.json, trace.jsonl, picture.png, at last metrics.json."""

import json
import time
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch

from swag.backbones import Backbone
from swag.errors import SwagError
from swag.files import write_text
from swag.image import write
from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.run import finish, iterate
from swag.smoothing import parse
from swag.statistics import standard_deviation
from swag_lab.evaluation.evaluator import Evaluator
from swag_lab.evaluation.networks import Network, Rescaled
from swag_lab.experiments import measures
from swag_lab.experiments.job import BASE, StudyJob, StudyRun
from swag_lab.experiments.samples import Sample

SMALLEST_WEIGHT = 1e-12
"""Smallest weight of a layer, as a share of the largest; smaller weights count as this."""


@dataclass(frozen=True)
class JobRunner:
    """Runs jobs, in a folder of runs, that have no finished run; picklable, for other processes."""

    runs: Path

    def __call__(self, job: StudyJob) -> StudyRun:
        """The run of a job; a failure (divergence, a layer that is too small) is a result, too."""
        folder = folder_of(self.runs, job)
        finished = finished_run(self.runs, job)
        if finished is not None:
            return finished
        folder.mkdir(parents=True, exist_ok=True)
        _write_json(folder / "config.json", job.config)
        try:
            metrics = _picture(job, folder) if job.kind == "picture" else _measurements(job)
        except SwagError as error:
            metrics = {"failed": str(error)}
        _write_json(folder / "metrics.json", metrics)
        return StudyRun(job, metrics, folder)


def folder_of(runs: Path, job: StudyJob) -> Path:
    """The folder of a job: with a readable name, or an existing one named by the hash alone."""
    hash_folder = runs / job.key
    return hash_folder if hash_folder.is_dir() else runs / job.folder


def finished_run(runs: Path, job: StudyJob) -> StudyRun | None:
    """The finished run of a job, or None; an interrupted run has no metrics, or damaged ones."""
    folder = folder_of(runs, job)
    try:
        metrics = json.loads((folder / "metrics.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    if not isinstance(metrics, dict) or metrics.keys().isdisjoint(("judges", "rows", "failed")):
        return None
    return StudyRun(job, metrics, folder)


def _picture(job: StudyJob, folder: Path) -> dict[str, Any]:
    started = time.perf_counter()
    photo, style = job.content.at(job.size), job.style.at(job.size)
    network = job.network.create(job.seed)
    if job.deviations:
        network = in_deviations(network, style)
    settings: dict[str, Any] = {**BASE, "size": job.size, "seed": job.seed, "device": "cpu"}
    # All layers weigh the same: a preset's weights would be one more difference of networks.
    settings["style_layers"] = list(network.style_layers)
    settings["content_layers"] = list(network.content_layers)
    if job.task != "stylize":
        settings["start"] = "noise"
    settings |= job.settings
    if job.weighed_by is not None:
        settings["style_layers"] = common_weights(network, photo, style, *job.weighed_by)
    updates = iterate(
        None if job.task == "texture" else photo[0],
        None if job.task == "reconstruct" else style[0],
        task=job.task,
        backbone=network,
        **settings,
    )
    result = finish(updates)
    lines = "".join(json.dumps(line) + "\n" for line in result.trace)
    write_text(folder / "trace.jsonl", lines)
    write(folder / "picture.png", result.image, overwrite=True)
    scores = _evaluator(job)(result.image.batch)
    return {**scores, "losses": result.losses, "seconds": time.perf_counter() - started}


def _measurements(job: StudyJob) -> dict[str, Any]:
    if job.kind == "judges":
        return {"rows": measures.judging(job, _evaluator(job))}
    photo, style = job.content.at(job.size), job.style.at(job.size)
    return {"rows": measures.KINDS[job.kind](job.network.create(job.seed), photo, style)}


def _evaluator(job: StudyJob) -> Evaluator:
    return _cached_evaluator(job.content, job.style, job.size, job.judging)


@lru_cache(maxsize=32)
def _cached_evaluator(
    content: Sample, style: Sample, size: int, judges: tuple[Network, ...]
) -> Evaluator:
    return Evaluator.of(content.at(size), style.at(size), judges)


@torch.no_grad()
def in_deviations(network: Backbone, style: torch.Tensor) -> Backbone:
    """The network with each layer's activations over their standard deviation on the style."""
    layers = dict.fromkeys((*network.style_layers, *network.content_layers))
    maps = network.extract(style, layers)
    deviations = {layer: float(standard_deviation(maps[layer])[0]) or 1.0 for layer in layers}
    return Rescaled(network, deviations)


@torch.no_grad()
def common_weights(
    network: Backbone,
    photo: torch.Tensor,
    style: torch.Tensor,
    normalization: Any,
    smoothing: str,
) -> dict[str, float]:
    """The style error of the photo at each layer under one weight of all, over the largest.

    As weights of errors that are measured in spans, they give the loss of the paper or of the
    authors' script, up to one factor. None is below `SMALLEST_WEIGHT`.
    """
    term = LossTerm(
        name="",
        loss=get("gram"),
        layers={},
        target=style,
        smoothing=parse(smoothing),
        weight=1.0,
        normalization=normalization,
        unit_image=photo,
    )
    terms = [replace(term, name=layer, layers={layer: 1.0}) for layer in network.style_layers]
    objective = Objective.of(network.extract, terms, start=photo, style=style)
    errors = {name: float(error) for name, error in objective(photo).items()}
    largest = max(errors.values()) or 1.0
    return {name: max(error / largest, SMALLEST_WEIGHT) for name, error in errors.items()}


def _write_json(path: Path, values: dict[str, Any]) -> None:
    write_text(path, json.dumps(values, indent=1, sort_keys=True))
