"""Choose the defaults: variants of one setting, judged by networks that were not optimised.

    python benchmarks/defaults.py --contents DIR --styles DIR [--pairs 3] [--size 192]
        [--variants "bures, 2 : 1" "gram, 4 : 1" ...]

Each content is paired with each style, and judged as the studies judge (`swag_lab.experiments`): by
other networks of the family, with errors of several forms, since a judge of the loss's own form
favours it. Means over the pairs, spread in brackets.
"""

import argparse
import itertools
import json
import statistics
from pathlib import Path

import torch

import swag
from swag_lab.experiments.evaluate import MEASURES, Panel, fair_judges, mean_error
from swag_lab.experiments.networks import trained

GRAM = {"style_loss": "gram", "balance": 10.0}

VARIANTS: dict[str, dict[str, object]] = {
    "gram": GRAM | {"total_variation": 0.0},
    "gram, tv 1": GRAM,
    "covariance": GRAM | {"style_loss": "covariance", "total_variation": 0.0},
    "covariance, tv 1": GRAM | {"style_loss": "covariance"},
    "gram, root": GRAM | {"smoothing": "power:exponent=0.5"},
    "gram, softmax auto": GRAM | {"smoothing": "softmax:temperature=auto"},
} | {
    f"{loss}, {ratio:g} : 1": {"style_loss": loss, "style_weight": ratio, "content_weight": 1.0}
    for loss in ("gram", "covariance", "bures", "sliced")
    for ratio in (1.0, 2.0, 4.0, 10.0)
}
OPTIMISED = trained("resnet")


def judged(result: torch.Tensor, photo: torch.Tensor, style: torch.Tensor) -> dict[str, float]:
    """Errors of a result, averaged over the judges, and its noise."""
    judges = fair_judges([OPTIMISED])
    numbers = Panel.of(photo, style)(result)
    errors = {m: mean_error(numbers["judges"], m, judges) for m in MEASURES}
    return errors | {"noise": numbers["noise"]}


def main() -> None:
    """Print a table; every number is a mean over pairs with its standard deviation."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--contents", type=Path, required=True)
    parser.add_argument("--styles", type=Path, required=True)
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--steps", type=int, default=90)
    parser.add_argument("--variants", nargs="+", default=list(VARIANTS), choices=list(VARIANTS))
    args = parser.parse_args()
    # Spread over the folder, so that neighbours in the alphabet do not decide.
    contents, styles = (
        files[:: max(1, len(files) // args.pairs)][: args.pairs]
        for files in (sorted(folder.iterdir()) for folder in (args.contents, args.styles))
    )
    network = OPTIMISED.create(0)
    for name in args.variants:
        variant, rows = VARIANTS[name], []
        for content, style in itertools.product(contents, styles):
            result = swag.stylize(
                content, style, backbone=network, size=args.size, steps=args.steps, **variant
            )
            pictures = (swag.image.read(p, size=args.size).batch for p in (content, style))
            rows.append(judged(result.image.batch, *pictures))
        means = {
            key: f"{statistics.mean(r[key] for r in rows):.3f}"
            f" ({statistics.pstdev(r[key] for r in rows):.3f})"
            for key in rows[0]
        }
        print(json.dumps({"variant": name, "pairs": len(rows), **means}), flush=True)


if __name__ == "__main__":
    main()
