"""Which network, and which of its layers, should be the default? Judged by the other networks.

    python benchmarks/backbones.py make networks --out DIR --contents A B ... --styles C D ...
    python benchmarks/backbones.py judge networks --out DIR --contents A B ... --styles C D ...
    python benchmarks/backbones.py report networks --out DIR
    python benchmarks/backbones.py sheet networks --out DIR --png SHEET.png [--pairs 0 7 14]

`make` stylises each content with each style by every candidate and keeps the pictures; those that
are there stay. `judge` measures them under every trained network of the family and under a random
one of another seed than any candidate's. Errors are shares of the span between the two pictures: of
the style, the mean of those of Gram matrices, covariances and moments (0 the style, 1 the photo);
of the content 0 is the photo, 1 the style. `report` prints a table:

    style, content    mean over pairs and over the trained judges but the candidate's own network
    random judge      the style error under the random network
    difference        from the first candidate, over the trained judges but those of both: mean
                      over pairs, standard deviation over pairs, pairs in which it is smaller

Candidates: `networks` are the trained ones, and random ones plain and greedy; `layers` are layers
of the default and their weights; `strengths` are the trained networks at several strengths, to be
compared at equal content error.
"""

import argparse
import itertools
import json
import statistics
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

import swag
from swag.backbones import Backbone, bundled, create
from swag.losses import get, total_variation
from swag.objective import LossTerm, Objective
from swag.smoothing import parse

Candidate = dict[str, Any]
Errors = dict[str, dict[str, float]]
"""Style and content error and noise of a picture, by judge."""

RANDOM_JUDGE = "random"
FORMS = ("gram", "covariance", "moments")


def networks() -> dict[str, Candidate]:
    """The trained networks, the present default first, and two random ones in two ways."""
    trained = {f"swag/{n}": {"backbone": f"swag/{n}"} for n in bundled.trained_family()}
    first = swag.config.settings().backbone
    drawn = {
        f"{name}, {weights}": {"backbone": name, "weights": weights}
        for weights, name in itertools.product(
            ("random", "random:greedy"), ("swag/resnet", "swag/vgg")
        )
    }
    return {first: trained.pop(first)} | trained | drawn


def layers() -> dict[str, Candidate]:
    """Choices of the layers of the default network and of their weights, which are relative."""
    name = swag.config.settings().backbone
    stem, *stages = bundled.STYLE_LAYERS
    by_label = {
        "all, equal": dict.fromkeys((stem, *stages), 1.0),
        "deeper heavier": {layer: 2.0**i for i, layer in enumerate((stem, *stages))},
        "shallower heavier": {layer: 0.5**i for i, layer in enumerate((stem, *stages))},
        "without stem": dict.fromkeys(stages, 1.0),
        "without stage4": dict.fromkeys((stem, *stages[:-1]), 1.0),
        "stage1 to stage3": dict.fromkeys(stages[:-1], 1.0),
    }
    content = {"content from stage2": {"stage2": 1.0}, "content from stage4": {"stage4": 1.0}}
    return {
        **{label: {"backbone": name, "style_layers": of} for label, of in by_label.items()},
        **{label: {"backbone": name, "content_layers": of} for label, of in content.items()},
    }


def strengths() -> dict[str, Candidate]:
    """The trained networks at strengths from much content to much style."""
    return {
        f"swag/{name}, {strength:g}": {"backbone": f"swag/{name}", "strength": strength}
        for strength in (0.5, 0.1, 0.25, 0.75)
        for name in bundled.trained_family()
    }


CANDIDATES = {"networks": networks, "layers": layers, "strengths": strengths}


def chosen(args: argparse.Namespace) -> dict[str, Candidate]:
    """The candidates, or those of them that are asked for."""
    known = CANDIDATES[args.what]()
    return {label: known[label] for label in args.only or known}


def pairs_of(args: argparse.Namespace) -> list[tuple[Path, Path]]:
    """Each content with each style, along the diagonals: the first few hold all of both."""
    count = len(args.styles)
    pairs = [
        (content, args.styles[(row + turn) % count])
        for turn in range(count)
        for row, content in enumerate(args.contents)
    ]
    return pairs[: args.count]


def picture_of(args: argparse.Namespace, label: str, content: Path, style: Path) -> Path:
    """Where a picture is kept."""
    folder = label.replace("/", "-").replace(":", "-").replace(", ", "_").replace(" ", "-")
    return args.out / args.what / folder / f"{content.stem}--{style.stem}.png"


def make(args: argparse.Namespace) -> None:
    """Stylise what is missing, one pair after another, so that all candidates have as many."""
    for content, style in pairs_of(args):
        for label, candidate in chosen(args).items():
            out = picture_of(args, label, content, style)
            if out.exists():
                continue
            out.parent.mkdir(parents=True, exist_ok=True)
            result = swag.stylize(
                content,
                style,
                size=args.size,
                steps=args.steps,
                scales=args.scales,
                style_loss=args.style_loss,
                balance=args.balance,
                **candidate,
            )
            swag.image.write(out, result.image.batch)
        print(f"{content.stem}, {style.stem}", flush=True)


def judges() -> dict[str, Backbone]:
    """The trained networks by name, and a random one."""
    trained = {f"swag/{name}": create(f"swag/{name}") for name in bundled.trained_family()}
    return trained | {RANDOM_JUDGE: create("swag/vgg", weights="random", seed=1000)}


def objective_of(judge: Backbone, photo: torch.Tensor, style: torch.Tensor) -> Objective:
    """The errors of style and content under a judge."""
    of_style, of_content = (
        dict.fromkeys(layers, 1.0) for layers in (judge.style_layers, judge.content_layers)
    )
    none = parse("none")
    terms = [
        LossTerm(
            name=form, loss=get(form), layers=of_style, target=style, smoothing=none, other=photo
        )
        for form in FORMS
    ]
    shrunk = swag.image.resize(style, (photo.shape[-2], photo.shape[-1]))
    terms.append(
        LossTerm(
            name="content",
            loss=get("content"),
            layers=of_content,
            target=photo,
            smoothing=none,
            other=shrunk,
        )
    )
    return Objective.of(judge.extract, terms, start=photo, style=style)


@torch.no_grad()
def judged(
    pictures: dict[str, torch.Tensor], photo: torch.Tensor, style: torch.Tensor
) -> dict[str, Errors]:
    """Errors by candidate and judge."""
    found: dict[str, Errors] = {label: {} for label in pictures}
    for name, judge in judges().items():
        objective = objective_of(judge, photo, style)
        for label, picture in pictures.items():
            values = {term: float(value) for term, value in objective(picture).items()}
            noise = float(total_variation(picture)[0] / total_variation(style)[0])
            of_style = statistics.mean(values[form] for form in FORMS)
            found[label][name] = {"style": of_style, "content": values["content"], "noise": noise}
    return found


def judge(args: argparse.Namespace) -> None:
    """Measure all pairs whose pictures are all there, and write the errors to a file."""
    rows = []
    for content, style in pairs_of(args):
        files = {n: picture_of(args, n, content, style) for n in chosen(args)}
        if not all(file.exists() for file in files.values()):
            continue
        photo, painting = (swag.image.read(path, size=args.size).batch for path in (content, style))
        pictures = {name: swag.image.read(file).batch for name, file in files.items()}
        errors = judged(pictures, photo, painting)
        rows.append({"content": content.stem, "style": style.stem, "errors": errors})
        print(f"{content.stem}, {style.stem}", flush=True)
    own = {label: own_of(which) for label, which in chosen(args).items()}
    text = json.dumps({"own": own, "pairs": rows}, indent=1)
    (args.out / f"{args.what}.json").write_text(text)


def own_of(candidate: Candidate) -> str:
    """The trained network that makes a candidate's pictures; a random one has none."""
    return "" if "weights" in candidate else str(candidate["backbone"])


def report(args: argparse.Namespace) -> None:
    """Print the table."""
    read = json.loads((args.out / f"{args.what}.json").read_text())
    own, rows = read["own"], [row["errors"] for row in read["pairs"]]
    first = next(iter(rows[0]))
    print(
        f"| {len(rows)} pairs | style | content | random judge | noise | difference, style "
        "| smaller in | difference, content | smaller in |"
    )
    print("|---|---|---|---|---|---|---|---|---|")
    for label in rows[0]:
        fair = [judge for judge in rows[0][label] if judge not in (RANDOM_JUDGE, own[label])]
        cells = [
            spread(mean_over(row[label], fair, key) for row in rows) for key in ("style", "content")
        ]
        cells.append(spread(row[label][RANDOM_JUDGE]["style"] for row in rows))
        cells.append(spread(row[label][RANDOM_JUDGE]["noise"] for row in rows))
        both = [judge for judge in fair if judge != own[first]]
        for key in ("style", "content"):
            gaps = [mean_over(r[label], both, key) - mean_over(r[first], both, key) for r in rows]
            cells += (
                ["", ""]
                if label == first
                else [spread(gaps, sign="+"), f"{sum(gap < 0 for gap in gaps)} of {len(gaps)}"]
            )
        print(f"| {label} | {' | '.join(cells)} |")


def mean_over(errors: Errors, judges: list[str], key: str) -> float:
    """The mean of an error over some judges."""
    return statistics.mean(errors[judge][key] for judge in judges)


def spread(values: Iterable[float], sign: str = "") -> str:
    """Mean and standard deviation."""
    values = list(values)
    return f"{statistics.mean(values):{sign}.3f} ({statistics.pstdev(values):.3f})"


def sheet(args: argparse.Namespace) -> None:
    """Write one row for each chosen pair, one column for each candidate, as they are listed."""
    pairs, rows = pairs_of(args), []
    for content, style in (pairs[i] for i in args.pairs):
        files = [picture_of(args, n, content, style) for n in chosen(args)]
        pictures = [swag.image.read(path, size=args.size).batch for path in (style, *files)]
        rows.append(torch.cat([on_a_square(p, args.size) for p in pictures], dim=2))
    swag.image.write(args.png, torch.cat(rows, dim=1), overwrite=True)


def on_a_square(picture: torch.Tensor, side: int) -> torch.Tensor:
    """A picture at the upper left of a grey square."""
    square = torch.full((3, side, side), 0.5)
    square[:, : picture.shape[-2], : picture.shape[-1]] = picture[0]
    return square


def main() -> None:
    """Run one of the four parts."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=("make", "judge", "report", "sheet"))
    parser.add_argument("what", choices=sorted(CANDIDATES))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--contents", type=Path, nargs="+", default=[])
    parser.add_argument("--styles", type=Path, nargs="+", default=[])
    parser.add_argument("--size", type=int, default=160)
    parser.add_argument("--steps", type=int, default=60)
    parser.add_argument("--scales", type=int, default=3)
    parser.add_argument("--style-loss", default=swag.config.settings().style_loss)
    parser.add_argument("--balance", type=float, default=swag.config.settings().balance)
    parser.add_argument("--only", nargs="+", metavar="CANDIDATE", help="the first is the reference")
    parser.add_argument("--count", type=int, help="of the pairs, along the diagonals")
    parser.add_argument("--png", type=Path, default=Path("backbones.png"))
    parser.add_argument("--pairs", type=int, nargs="+", default=[0])
    args = parser.parse_args()
    torch.set_num_threads(1)
    {"make": make, "judge": judge, "report": report, "sheet": sheet}[args.part](args)


if __name__ == "__main__":
    main()
