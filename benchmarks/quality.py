"""Time to quality: our L-BFGS, at full size and coarse to fine, against the authors' loop.

    python benchmarks/quality.py --content PHOTO --style PAINTING [--size 512] [--evaluations 1000]

`reference` is the preset `released-code` on the bundled network: torch's L-BFGS at full size, its
loss, its weights. `full size` minimizes the same loss with our L-BFGS; both are looked at as their
seconds of processor time grow by half. `coarse to fine` does so from small to full size, and
`default` minimizes our own loss: a row is the end of a run of so many steps in all. Losses are the
reference's at full size, over that of the photo: `minimized` as the optimizer sees it, whose
pixels may leave the range of a picture, `kept` of the picture that is kept, within the range.
`style` and `content` are judged by networks that were not optimized, as shares of the span between
the two pictures. A run whose loss leaves the finite numbers ends there.
"""

import argparse
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

import swag
from swag.backbones import Backbone
from swag.config import Settings, settings
from swag.errors import OptimizationError
from swag.objective import Objective
from swag.run.terms import content_terms, style_regions, style_terms
from swag_lab.evaluation.evaluator import Evaluator, mean_error
from swag_lab.evaluation.networks import trained

SMOOTHING = "scale:alpha=0.001@stage3,stage4"
RUNS = ("reference", "full size", "coarse to fine", "default")
JUDGES = [replace(trained(name), edits=()) for name in ("vgg", "noresnet")]
AS_IN_PAPER = trained("resnet")
STYLE_LAYERS, CONTENT_LAYERS = AS_IN_PAPER.style_layers, AS_IN_PAPER.content_layers


Looked = tuple[float, int, float, Tensor]
"""Seconds and steps so far, the loss that is minimized, and the picture."""


def looks(photo: Tensor, style: Tensor, **chosen: Any) -> Iterator[Looked]:
    """A look whenever the seconds have grown by half, and at the end."""
    spent, due = 0.0, 0.0
    updates = swag.iterate(photo[0], style[0], **chosen)
    while True:
        before = time.process_time()
        try:
            update = next(updates, None)
        except OptimizationError as error:
            print(f"   {error}", file=sys.stderr)
            return
        spent += time.process_time() - before
        if update is None:
            return
        if spent >= due or update.index + 1 == update.steps:
            due = 1.5 * spent
            yield spent, update.index + 1, sum(update.losses.values()), update.image.batch


def objective_of(chosen: Settings, network: Backbone, photo: Tensor, style: Tensor) -> Objective:
    """The loss of a run at full size."""
    terms = style_terms(
        chosen, network, [style], style_regions(chosen, 1, None, []), unit_image=photo
    )
    terms += content_terms(chosen, network, photo, style, mask=None)
    return Objective.of(network.extract, terms, start=photo, style=style)


@torch.no_grad()
def judged(reference: Objective, evaluator: Evaluator, image: Tensor) -> tuple[float, float, float]:
    """The reference's loss, and the mean errors of style and content under the judges."""
    scores = evaluator(image)["judges"]
    style, content = (mean_error(scores, measure, scores) for measure in ("gram", "content"))
    return float(sum(reference(image).values())), style, content


def arguments() -> argparse.Namespace:
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--evaluations", type=int, default=1000)
    parser.add_argument("--steps", type=int, nargs="+", default=[30, 75, 150, 300])
    parser.add_argument("--strength", type=float, default=0.5, help="of `default`")
    parser.add_argument("--runs", nargs="+", default=RUNS, choices=RUNS)
    return parser.parse_args()


def main() -> None:
    """Print a line whenever a run is looked at."""
    args = arguments()
    swag.keep_freed_memory()
    square = (args.size, args.size)
    photo, style = (swag.image.read(p, size=square).batch for p in (args.content, args.style))
    network = swag.backbones.create(
        "swag/resnet", style_layers=STYLE_LAYERS, content_layers=CONTENT_LAYERS
    )
    same = {
        "preset": "released-code",
        "backbone": network,
        "size": args.size,
        "smoothing": SMOOTHING,
    }
    chosen = settings(**{**same, "backbone": "swag/resnet"})
    reference = objective_of(chosen, network, photo, style)
    evaluator = Evaluator.of(photo, style, JUDGES)
    first, *_ = judged(reference, evaluator, photo)
    ours = {**same, "optimizer": "lbfgs"}
    default = {"backbone": network, "size": args.size, "square": True, "strength": args.strength}
    runs = [
        ("reference", {**same, "steps": args.evaluations}),
        ("full size", {**ours, "steps": args.evaluations}),
        *(("coarse to fine", {**ours, "scales": 4, "steps": steps}) for steps in args.steps),
        *(("default", {**default, "steps": steps}) for steps in args.steps),
    ]
    columns = ("run", "steps", "CPU s", "minimized", "kept", "style", "content")
    print(f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for name, run in [run for run in runs if run[0] in args.runs]:
        seen = looks(photo, style, **run)
        if name in ("coarse to fine", "default"):
            seen = iter([*seen][-1:])
        for spent, steps, minimized, small in seen:
            whole = swag.image.resize(small, square)
            kept, style_error, content_error = judged(reference, evaluator, whole)
            # The default minimizes another loss.
            own = "" if name == "default" else f"{minimized / first:.2e}"
            losses = f"{own} | {kept / first:.2e}"
            cells = f"{spent:.1f} | {losses} | {style_error:.3f} | {content_error:.3f}"
            print(f"| {name} | {steps} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
