"""Choose the defaults: variants of one setting, judged by networks that were not optimised.

    python benchmarks/defaults.py --contents DIR --styles DIR [--pairs 3] [--size 192]
        [--variants "bures, 2 : 1" "gram, 4 : 1" ...]

Each content is paired with each style. A judge is another network of the family; its errors are
shares of the span between the two pictures (0 the style, 1 the photo), of Gram matrices, of
covariances and of moments, since a judge of the loss's own form favours it. `noise` is the total
variation of the result over that of the style. Means over the pairs, spread in brackets.
"""

import argparse
import itertools
import json
import statistics
from pathlib import Path

import torch

import swag
from swag.losses import get, total_variation
from swag.objective import Objective, Term
from swag.smoothing import parse

VARIANTS: dict[str, dict[str, object]] = {
    "gram": {},
    "gram, tv 1": {"total_variation": 1.0},
    "covariance": {"style_loss": "covariance"},
    "covariance, tv 1": {"style_loss": "covariance", "total_variation": 1.0},
    "gram, root": {"smoothing": "power:exponent=0.5"},
    "gram, softmax auto": {"smoothing": "softmax:temperature=auto"},
} | {
    f"{loss}, {ratio:g} : 1": {"style_loss": loss, "style_weight": ratio, "content_weight": 1.0}
    for loss in ("gram", "covariance", "bures", "sliced")
    for ratio in (1.0, 2.0, 4.0, 10.0)
}
JUDGES = ("swag/vgg", "swag/noresnet")
FORMS = ("gram", "covariance", "moments")


def judged(result: torch.Tensor, photo: torch.Tensor, style: torch.Tensor) -> dict[str, float]:
    """Errors of a result under every judge, averaged over the judges."""
    errors: dict[str, list[float]] = {}
    for name in JUDGES:
        judge = swag.backbones.create(name)
        style_layers, content_layers = (
            dict.fromkeys(layers, 1.0) for layers in (judge.style_layers, judge.content_layers)
        )
        none = parse("none")
        terms = [Term(f, get(f), style_layers, style, none, other=photo) for f in FORMS]
        shrunk = swag.image.resize(style, (photo.shape[-2], photo.shape[-1]))
        terms.append(Term("content", get("content"), content_layers, photo, none, other=shrunk))
        with torch.no_grad():
            values = Objective.of(judge.extract, terms, start=photo, style=style)(result)
        for key, value in values.items():
            errors.setdefault(key, []).append(float(value))
    noise = float(total_variation(result)[0] / total_variation(style)[0])
    return {key: statistics.mean(values) for key, values in errors.items()} | {"noise": noise}


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
    network = swag.backbones.create("swag/resnet", edits=("reflect",))
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
