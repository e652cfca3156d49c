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
Pictures and scores stay in DIR and are not made again; DIR/table.md is of complete pairs.
"""

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import swag
from swag.config import load
from swag.errors import SettingsError, SwagError
from swag.files import write_text
from swag.image import read
from swag_lab.evaluation.comparison_table import Score, comparison_tables
from swag_lab.evaluation.evaluator import Evaluator, trained_judges
from swag_lab.evaluation.networks import Network

OF_NETWORK = ("backbone", "weights", "edits", "style_layers", "content_layers")


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
        plan = load(path)
        unknown = set(plan) - {"strengths", "settings", "candidates", "judges"}
        if unknown or not plan.get("candidates"):
            raise SettingsError(
                f"{path}: expected candidates, and perhaps strengths, settings and judges"
                + (f"; got {', '.join(sorted(unknown))}" if unknown else "")
            )
        common = plan.get("settings", {})
        candidates = [
            Candidate(_network(name, entry, path.parent), _rest(common | entry))
            for name, entry in plan["candidates"].items()
        ]
        judges = [
            _network(name, entry, path.parent) for name, entry in plan.get("judges", {}).items()
        ]
        return cls(
            candidates,
            (*judges, *trained_judges()),
            plan.get("strengths", [0.3, 0.5, 0.7]),
            size=swag.settings(**_rest(common)).size,
        )


def _network(name: str, entry: Mapping[str, Any], folder: Path) -> Network:
    fields = {key: entry[key] for key in OF_NETWORK if key in entry}
    for key in ("backbone", "weights"):
        if key in fields and (folder / fields[key].partition(":")[0]).is_file():
            fields[key] = str(folder / fields[key])
    for key in ("edits", "style_layers", "content_layers"):
        if key in fields:
            fields[key] = tuple(fields[key])
    return Network(name, **fields)


def _rest(entry: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in entry.items() if key not in OF_NETWORK}


@dataclass(frozen=True)
class PicturePair:
    """A photo and a painting."""

    content: Path
    style: Path

    @property
    def name(self) -> str:
        """The names of both files."""
        return f"{self.content.stem}--{self.style.stem}"


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
                path = out / candidate.folder / f"{pair.name}--{strength:g}.png"
                scores = path.with_suffix(".json")
                if not path.exists():
                    path.parent.mkdir(parents=True, exist_ok=True)
                    _make(candidate, pair, strength, path)
                if not scores.exists():
                    evaluator = evaluator or _evaluator(comparison, pair)
                    write_text(scores, json.dumps(evaluator(read(path).batch), indent=1))
                yield Score(candidate.network, pair.name, strength, json.loads(scores.read_text()))


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
