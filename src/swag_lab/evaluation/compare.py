"""Candidates side by side, judged by networks that took no part: which default is best?

    python -m swag_lab.evaluation.compare PLAN.toml --out DIR --contents FILE... --styles FILE...

The plan names what is compared and who judges; files are found beside it:

    strengths = [0.3, 0.5, 0.7]
    [settings]                                  # of all candidates; any that `swag.stylize` takes
    size = 384
    [candidates."VGG-16"]                       # the first is the reference
    backbone = "torchvision/vgg16"
    weights = "vgg16.safetensors"
    edits = ["replicate-all", "reflect"]
    style_layers = ["relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1"]
    [candidates."the default"]
    backbone = "swag/vgg16-distilled"
    [judges.resnet50]                           # beside the trained networks of the family
    backbone = "torchvision/resnet50"

Each content meets each style, along the diagonals, so that the first few pairs hold all of both.
Pictures and the scores of each set of judges stay in DIR and are not made again; DIR/table.md is
of complete pairs.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError

import swag
from swag.config import load
from swag.errors import SettingsError, SwagError
from swag.files import create_folder, write_text
from swag.image import read, read_hashed
from swag_lab.evaluation.comparison_table import Score, comparison_tables
from swag_lab.evaluation.evaluator import Evaluator, trained_judges
from swag_lab.evaluation.networks import Network


@dataclass(frozen=True)
class Candidate:
    """A network, and its settings merged with those of all candidates."""

    network: Network
    settings: Mapping[str, Any]

    @property
    def folder(self) -> str:
        """The name of its folder, which differs for each network and settings."""
        config = json.dumps([self.network.config(), dict(self.settings)], sort_keys=True)
        readable = "".join(c if c.isalnum() else "-" for c in self.network.name)
        return f"{readable}-{sha256(config.encode()).hexdigest()[:8]}"


@dataclass(frozen=True)
class ComparisonPlan:
    """The candidates, their strengths, and the judges."""

    candidates: Sequence[Candidate]
    judges: Sequence[Network]
    strengths: Sequence[float]
    size: int

    @classmethod
    def of(cls, path: Path) -> "ComparisonPlan":
        """Read a plan. SettingsError if the file is no plan."""
        plan = _parse(path)
        candidates = [
            Candidate(_network(name, entry, path.parent), plan.settings | (entry.model_extra or {}))
            for name, entry in plan.candidates.items()
        ]
        judges = [_network(name, entry, path.parent) for name, entry in plan.judges.items()]
        return cls(
            candidates,
            (*judges, *trained_judges()),
            plan.strengths,
            size=swag.settings(**plan.settings).size,
        )

    @property
    def judging(self) -> str:
        """The start of a hash of the judges."""
        configs = json.dumps([[judge.name, judge.config()] for judge in self.judges])
        return sha256(configs.encode()).hexdigest()[:8]


class _NetworkEntry(BaseModel, extra="forbid"):
    """A network in a plan."""

    backbone: str
    weights: str = "pretrained"
    edits: tuple[str, ...] = ("reflect",)
    style_layers: tuple[str, ...] = ()
    content_layers: tuple[str, ...] = ()


class _CandidateEntry(_NetworkEntry, extra="allow"):
    """A network and settings of its own."""


class _PlanFile(BaseModel, extra="forbid"):
    """What a plan says."""

    candidates: dict[str, _CandidateEntry] = Field(min_length=1)
    strengths: list[Annotated[float, Field(ge=0, le=1)]] = Field([0.3, 0.5, 0.7], min_length=1)
    settings: dict[str, Any] = {}
    judges: dict[str, _NetworkEntry] = {}


def _parse(path: Path) -> _PlanFile:
    try:
        plan = _PlanFile.model_validate(load(path))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise SettingsError(
            f"{path}: expected candidates, and perhaps strengths, settings and judges; "
            f"{place}: {first['msg']}"
        ) from error
    own = [key for entry in plan.candidates.values() for key in entry.model_extra or {}]
    misplaced = ({*_NetworkEntry.model_fields} & {*plan.settings}) | (
        {"strength"} & {*plan.settings, *own}
    )
    if misplaced:
        raise SettingsError(
            f"{path}: {', '.join(sorted(misplaced))} cannot be among the settings; give each "
            "candidate its network, and the plan its strengths, as in strengths = [0.3, 0.7]"
        )
    return plan


def _network(name: str, entry: _NetworkEntry, folder: Path) -> Network:
    fields = {key: getattr(entry, key) for key in _NetworkEntry.model_fields}
    for key in ("backbone", "weights"):
        if (folder / fields[key].partition(":")[0]).is_file():
            fields[key] = str(folder / fields[key])
    return Network(name, **fields)


@dataclass(frozen=True)
class PicturePair:
    """A photo and a painting."""

    content: Path
    style: Path

    @property
    def name(self) -> str:
        """The names of both files."""
        return f"{self.content.stem}--{self.style.stem}"

    @cached_property
    def key(self) -> str:
        """The names, and the start of a hash of both files. ImageError if one cannot be read."""
        digests = [read_hashed(file)[1] for file in (self.content, self.style)]
        return f"{self.name}-{sha256(''.join(digests).encode()).hexdigest()[:8]}"


def pairs_of(contents: Sequence[Path], styles: Sequence[Path]) -> list[PicturePair]:
    """Each content with each style, along the diagonals."""
    count = len(styles)
    return [
        PicturePair(content, styles[(row + diagonal) % count])
        for diagonal in range(count)
        for row, content in enumerate(contents)
    ]


def compare(comparison: ComparisonPlan, pairs: Sequence[PicturePair], out: Path) -> Iterator[Score]:
    """Make and judge the pictures that are missing, pair by pair, and yield all scores."""
    for pair in pairs:
        evaluator = None
        for candidate in comparison.candidates:
            for strength in comparison.strengths:
                path = out / candidate.folder / f"{pair.key}--{strength:g}.png"
                scores = path.with_name(f"{path.stem}-{comparison.judging}.json")
                if not path.exists():
                    create_folder(path.parent)
                    _make(candidate, pair, strength, path)
                if not scores.exists():
                    evaluator = evaluator or _evaluator(comparison, pair)
                    write_text(scores, json.dumps(evaluator(read(path).batch), indent=1))
                yield Score(candidate.network, pair.key, strength, json.loads(scores.read_text()))


def _make(candidate: Candidate, pair: PicturePair, strength: float, path: Path) -> None:
    settings = {**candidate.settings, "strength": strength}
    network = candidate.network.create(0)
    swag.stylize(pair.content, pair.style, backbone=network, **settings).save(path)


def _evaluator(comparison: ComparisonPlan, pair: PicturePair) -> Evaluator:
    photo, style = (read(path, size=comparison.size).batch for path in (pair.content, pair.style))
    return Evaluator.of(photo, style, comparison.judges)


def main() -> None:
    """Compare, and write the table after each pair."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("plan", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--contents", type=Path, nargs="+", required=True)
    parser.add_argument("--styles", type=Path, nargs="+", required=True)
    options = parser.parse_args()
    comparison = ComparisonPlan.of(options.plan)
    judges = {judge.name: judge.identity for judge in comparison.judges}
    scores: list[Score] = []
    per_pair = len(comparison.candidates) * len(comparison.strengths)
    for score in compare(comparison, pairs_of(options.contents, options.styles), options.out):
        scores.append(score)
        if len(scores) % per_pair == 0:
            write_text(options.out / "table.md", comparison_tables(scores, judges))
            print(f"{len(scores) // per_pair} pairs, the last {score.pair}", flush=True)


if __name__ == "__main__":
    try:
        main()
    except SwagError as error:
        raise SystemExit(f"compare: {error}") from error
