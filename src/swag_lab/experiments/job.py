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
"""`picture` makes and judges a picture; others measure activations or judges on a style picture."""

VERSIONS: Mapping[JobKind, int] = MappingProxyType({"outliers": 2})
"""Versions of what jobs compute, otherwise 1: raised when old results no longer mean the same."""

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
"""Settings of a run that its job does not set, so that studies stay the same when the program's
defaults change. Part of `VERSIONS`."""


@dataclass(frozen=True)
class StudyJob:
    """One computation; `variant` is only its name in tables and no part of its hash.

    `settings` are those of `swag.config` that differ from `BASE`, without network, pictures, size
    and seed. `weighed_by` (normalization, smoothing) gives every layer the weight that it has in
    the loss of the paper or of the authors' script under that smoothing and one common weight of
    all layers, whatever smooths the activations. With `deviations`, activations are divided by
    their layer's deviation on the style picture: a temperature means the same in all layers.
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
    """The networks that judge the picture; if empty, the trained ones of the package."""

    @property
    def unit(self) -> tuple[str, str, int]:
        """Content, style and seed, by which runs are paired."""
        return self.content.name, self.style.name, self.seed

    @property
    def judging(self) -> tuple[Network, ...]:
        """The networks that judge its picture; the optimized one may be among them."""
        return self.judges or trained_judges()

    @property
    def config(self) -> dict[str, Any]:
        """Everything that determines the result, as plain values."""
        return {
            "version": VERSIONS.get(self.kind, 1),
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
        """The name of its folder: readable names, seed and size, and the start of its hash.

        The variant is no part of it, as variants share runs.
        """
        names = (self.network.name, self.kind, self.content.name, self.style.name)
        slugs = (re.sub(r"[^A-Za-z0-9.]+", "-", name)[:30].strip("-.") for name in names)
        return "_".join([*slugs, f"seed{self.seed}", f"{self.size}px", self.key[:12]])

    @cached_property
    def key(self) -> str:
        """A hash of the config."""
        return key_of(self.config)


def key_of(facts: Any) -> str:
    """A hash of plain values, which names what they determine."""
    text = json.dumps(facts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:20]


@dataclass(frozen=True)
class StudyRun:
    """A finished job: its numbers, and the folder with its picture and trace."""

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
