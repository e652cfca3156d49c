"""Every loss with every smoothing on every kind of network: does it converge, what does it cost?

    python benchmarks/losses.py --content PHOTO --style PAINTING [--size 128] [--steps 20]
        [--losses NAME ...] [--networks NAME ...]

A line of Markdown for each loss and network, with three entries, one for each smoothing: the loss
after some steps of L-BFGS at one size as a share of the first. `seconds` are those of the
processor for one step of the whole run (median, without smoothing), `MiB` what one evaluation of
the term alone keeps for its gradient, network included. Ends with status 1 where a loss was not
finite or did not fall.
"""

import argparse
import itertools
import math
import statistics
import time
from pathlib import Path

import torch

import swag
from swag.backbones import Backbone
from swag.losses import LOSSES, Loss, get
from swag.objective import PIXELS, LossTerm, Objective
from swag.smoothing import parse

NETWORKS = {
    "swag/resnet": "pretrained",
    "swag/vgg": "pretrained",
    "torchvision/resnet50": "random",
}
SMOOTHINGS = ("none", "softmax:temperature=auto", "channel-softmax:temperature=auto")


def course(
    loss: Loss, network: Backbone, smoothing: str, args: argparse.Namespace
) -> tuple[float, float]:
    """The last value of the term as a share of the first, and seconds of a step."""
    role, other = (loss.role, "content" if loss.role == "style" else "style")
    chosen = {f"{role}_loss": loss.name, f"{role}_weight": 1.0, f"{other}_weight": 0.0}
    ticks, values = [time.process_time()], []
    for update in swag.iterate(
        args.content,
        args.style,
        backbone=network,
        smoothing=smoothing,
        size=args.size,
        scales=1,
        steps=args.steps,
        start="noise",
        total_variation=0.0,
        **chosen,
    ):
        ticks.append(time.process_time())
        values.append(update.losses[role])
    seconds = [after - before for before, after in itertools.pairwise(ticks[1:])]
    return values[-1] / values[0], statistics.median(seconds)


def kept(loss: Loss, network: Backbone, args: argparse.Namespace) -> float:
    """MiB of tensors that one evaluation keeps for its gradient, each storage counted once."""
    photo, style = (swag.image.read(p, size=args.size).batch for p in (args.content, args.style))
    shrunk = swag.image.resize(style, (photo.shape[-2], photo.shape[-1]))
    target = style if loss.role == "style" else photo
    layers = (PIXELS,) if loss.of_pixels else network.style_layers
    term = LossTerm(
        name=loss.role,
        loss=loss,
        layers=dict.fromkeys(layers, 1.0),
        target=target,
        smoothing=parse("none"),
        other=shrunk,
    )
    objective = Objective.of(network.extract, [term], start=shrunk, style=style)
    storages: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        storages[storage.data_ptr()] = storage.nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        terms = objective(shrunk.clone().requires_grad_())
    parameters = {p.untyped_storage().data_ptr() for p in network.module.parameters()}
    del terms
    return sum(size for place, size in storages.items() if place not in parameters) / 2**20


def main() -> None:
    """Print the table, a line as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--style", type=Path, required=True)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--losses", nargs="+", default=list(LOSSES), choices=list(LOSSES))
    parser.add_argument("--networks", nargs="+", default=list(NETWORKS), choices=list(NETWORKS))
    args = parser.parse_args()
    print(f"| loss | network | {' | '.join(SMOOTHINGS)} | seconds | MiB |")
    print("|---|---|" + "---:|" * (len(SMOOTHINGS) + 2))
    bad = []
    for name in args.networks:
        weights = NETWORKS[name]
        network = swag.backbones.create(name, weights=weights, edits=("reflect",))
        for loss in map(get, args.losses):
            smoothings = SMOOTHINGS[:1] if loss.of_pixels else SMOOTHINGS
            courses = [course(loss, network, smoothing, args) for smoothing in smoothings]
            shares = [share for share, _ in courses]
            bad += [loss.name for share in shares if not (math.isfinite(share) and share < 0.98)]
            cells = [f"{s:.3f}" for s in shares] + [""] * (len(SMOOTHINGS) - len(shares))
            cells += [f"{courses[0][1]:.3f}", f"{kept(loss, network, args):.0f}"]
            print(f"| {loss.name} | {name}, {weights} | {' | '.join(cells)} |", flush=True)
    if bad:
        raise SystemExit(f"not finite, or did not fall: {', '.join(bad)}")


if __name__ == "__main__":
    main()
