"""A job of a study: one picture to make or one network to measure, found again by its hash."""

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

from swag.run import Task
from swag_lab.evaluation.evaluator import trained_judges
from swag_lab.evaluation.networks import Network
from swag_lab.experiments.samples import Sample

JobKind = Literal["picture", "statistics", "suppression", "outliers", "temperature", "judges"]
"""`picture` makes and judges one; the others measure activations or judges on a style picture."""

VERSION = 1
"""Version of what a job computes: raised when old results no longer mean the same."""

BASE: Mapping[str, Any] = MappingProxyType(
    {
        "method": "gatys",
        "style_loss": "gram",
        "content_loss": "content",
        "balance": 10.0,
        "normalization": "span",
        "optimizer": "lbfgs",
        "parametrization": "pixels",
        "total_variation": 1.0,
        "pixel_range": 1.0,
        "precision": "float32",
        "smooth_content": True,
        "start": "content",
    }
)
"""What a run is if its settings do not say otherwise: a study stays what it is when the
program's defaults change. Part of `VERSION`."""


@dataclass(frozen=True)
class StudyJob:
    """What is computed; `variant` is only its name in tables and no part of its hash.

    `settings` are those of `swag.config` that differ from `BASE`, without network, pictures, size
    and seed. `weighed_by`
    (normalization, smoothing) gives every layer the weight that it has in the loss of the paper or
    of the authors' script under that smoothing, under one common weight of all layers, whatever
    smooths the activations. `deviations` says that activations come in standard deviations of
    their layer on the style picture, so that a temperature means the same in all layers.
    """

    variant: str
    network: Network
    content: Sample
    style: Sample
    seed: int
    size: int
    kind: JobKind = "picture"
    task: Task = "stylize"
    settings: Mapping[str, Any] = field(default_factory=dict)
    weighed_by: tuple[str, str] | None = None
    deviations: bool = False
    judges: tuple[Network, ...] = ()
    """The networks that judge the picture; without any, the trained ones of the package."""

    @property
    def unit(self) -> tuple[str, str, int]:
        """What runs are paired by: content, style and seed."""
        return self.content.name, self.style.name, self.seed

    @property
    def judging(self) -> tuple[Network, ...]:
        """The networks that judge its picture, the one that is optimized among them or not."""
        return self.judges or trained_judges()

    @property
    def config(self) -> dict[str, Any]:
        """All that decides the result, as plain values."""
        return {
            "version": VERSION,
            "kind": self.kind,
            "task": self.task,
            "network": self.network.config(),
            "content": self.content.digest,
            "style": self.style.digest,
            "seed": self.seed,
            "size": self.size,
            "settings": dict(self.settings),
            "weighed_by": self.weighed_by,
            "deviations": self.deviations,
            "judges": [judge.config()["sha256"] for judge in self.judging],
        }

    @property
    def folder(self) -> str:
        """The name of its folder: what it is a run of, to be read, and the start of its hash.

        Variants share runs, so that no variant is part of it.
        """
        words = (self.network.name, self.kind, self.content.name, self.style.name)
        short = (re.sub(r"[^A-Za-z0-9.]+", "-", word)[:30].strip("-.") for word in words)
        return "_".join([*short, f"seed{self.seed}", f"{self.size}px", self.key[:12]])

    @cached_property
    def key(self) -> str:
        """A hash of the config."""
        return key_of(self.config)


def key_of(facts: Any) -> str:
    """A name for what plain values decide: a hash of them."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class StudyRun:
    """A job that is done: its numbers, and the folder with its picture and trace."""

    job: StudyJob
    metrics: Mapping[str, Any]
    folder: Path

    @property
    def failed(self) -> bool:
        """Whether it ended without a result, as `metrics["failed"]` says."""
        return "failed" in self.metrics

    @property
    def picture(self) -> Path:
        """The file of its picture."""
        return self.folder / "picture.png"
