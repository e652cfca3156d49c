"""A study: the jobs it needs, and the sections of a report that it makes of their runs."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from swag_lab.evaluation.networks import Network
from swag_lab.experiments.job import JobKind, StudyJob, StudyRun
from swag_lab.experiments.samples import Sample

Row = Mapping[str, Any]

SMOOTHED = {"smoothing": "softmax:temperature=auto"}
"""SWAG with a temperature that fits the style's activations."""


@dataclass(frozen=True)
class Plan:
    """How large a study is: its pictures, seeds, size, steps and strengths.

    A unit is a content, a style and a seed. Each variant is run on `units` of them, or on half if
    a study says so; if its network is not one of the package, on at most `few`, by default with
    two thirds of the steps and without a coarse scale. `quick` leaves out most of all this.
    """

    contents: tuple[Sample, ...]
    styles: tuple[Sample, ...]
    seeds: tuple[int, ...] = (0, 1)
    size: int = 128
    steps: int = 60
    strengths: tuple[float, ...] = (0.05, 0.2, 0.5, 0.8, 0.95)
    units: int = 6
    few: int = 2
    quick: bool = False
    twins: tuple[Network, ...] = ()
    """Networks that were trained alike, for the ablation: see `experiments.twins`."""
    given: tuple[Network, ...] = ()
    """The user's networks with trained weights: see `studies.given`."""
    judges: tuple[Network, ...] = ()
    """Networks that judge the pictures; if empty, the trained ones of the package."""

    @property
    def half(self) -> int:
        """Half of the units, at least one."""
        return max(1, self.units // 2)

    @property
    def work(self) -> Row:
        """The steps and scales of a run; on a large network, only if a study sets them."""
        return {"steps": self.steps, "scales": 2}

    @property
    def middle(self) -> float:
        """The middle one of the strengths."""
        return self.strengths[len(self.strengths) // 2]

    @property
    def different_units(self) -> int:
        """The number of units that differ."""
        return len(self.contents) * len(self.styles) * len(self.seeds)

    def unit(self, number: int) -> tuple[Sample, Sample, int]:
        """The content, style and seed of this number.

        All pairs come before any is repeated, and then with all seeds before any unit is.
        """
        index, turn = number % len(self.contents), number // len(self.contents)
        style = self.styles[(index + turn) % len(self.styles)]
        # Counting turns alone would bring styles and seeds together again after their multiple.
        repeated = turn // math.lcm(len(self.styles), len(self.seeds))
        return self.contents[index], style, self.seeds[(turn + repeated) % len(self.seeds)]

    def measurement_jobs(
        self, kind: JobKind, variant: str, network: Network, settings: Row | None = None
    ) -> list[StudyJob]:
        """A measurement of a network on each style picture."""
        return [
            StudyJob(
                variant=variant,
                network=network,
                content=self.contents[i % len(self.contents)],
                style=style,
                seed=self.seeds[i % len(self.seeds)],
                size=self.size,
                kind=kind,
                settings=settings or {},
            )
            for i, style in enumerate(self.styles)
        ]

    def front_jobs(
        self, variant: str, network: Network, settings: Row | None = None, **options: Any
    ) -> list[StudyJob]:
        """A variant at all strengths, for each unit."""
        variations = [{**(settings or {}), "strength": strength} for strength in self.strengths]
        return self._jobs(variant, network, variations, **options)

    def single_jobs(
        self, variant: str, network: Network, settings: Row | None = None, **options: Any
    ) -> list[StudyJob]:
        """A variant as its settings are, once for each unit: for tasks without a strength."""
        return self._jobs(variant, network, [settings or {}], **options)

    def _jobs(
        self,
        variant: str,
        network: Network,
        variations: Sequence[Row],
        *,
        units: int | None = None,
        **options: Any,
    ) -> list[StudyJob]:
        """A job for each of the first `units` units and each of the variations."""
        count = self.units if units is None else units
        work = self.work
        if network.large:
            count = min(count, self.few)
            work = {"steps": max(1, 2 * self.steps // 3), "scales": 1}
        return [
            StudyJob(
                variant=variant,
                network=network,
                content=content,
                style=style,
                seed=seed,
                size=self.size,
                settings={**work, **settings},
                judges=self.judges,
                **options,
            )
            for content, style, seed in map(self.unit, range(count))
            for settings in variations
        ]


@dataclass(frozen=True)
class Section:
    """A part of a report: what was expected, what was found, and how sure that is.

    `figure` is a PNG, `table` has rows with the same keys.
    """

    title: str
    expected: str
    finding: str
    certainty: str
    table: Sequence[Row] = ()
    figure: bytes | None = None
    note: str = ""


@dataclass(frozen=True)
class Study:
    """A question, the jobs that answer it, and how their runs become sections."""

    name: str
    title: str
    question: str
    jobs: Callable[[Plan], list[StudyJob]]
    sections: Callable[[Plan, list[StudyRun]], list[Section]]
    in_paper: bool = field(default=True)
    """Whether the paper asks this question: the name `paper` stands for all such studies."""
