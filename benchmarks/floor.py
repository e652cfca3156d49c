"""How close one step of the optimisation comes to the least that it must cost.

    python benchmarks/floor.py --size 512 --rounds 7

The floor is one bare forward and backward of the folded network and two matrix products for each
style layer: the Gram matrix, and its difference from the target's times the features. A step is
everything: all terms of the default, the penalties, the optimiser and its bookkeeping. Both are
measured in turn in one process, in seconds of processor time; quote the ratio of the medians.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

import swag
from swag.backbones import Backbone
from swag.losses import get
from swag.objective import Objective, Term
from swag.optimize import Adam, Lbfgs, Method, State, optimize
from swag.smoothing import parse

NETWORKS = ("swag/resnet", "torchvision/resnet50", "torchvision/vgg19")
METHODS: dict[str, Callable[[], Method]] = {"lbfgs": Lbfgs, "adam": Adam}


def floor(network: Backbone, photo: Tensor, style: Tensor) -> Callable[[], Tensor]:
    """One bare pass and the products that no Gram loss can do without."""
    layers = network.style_layers

    def flat(features: Tensor) -> Tensor:
        # As the network lays it out: a copy would not be part of the floor.
        return features.permute(0, 2, 3, 1).flatten(1, 2)[0]

    with torch.no_grad():
        maps = network.extract(style, layers)
        targets = {layer: flat(maps[layer]).mT @ flat(maps[layer]) for layer in layers}

    def once() -> Tensor:
        pixels = photo.detach().requires_grad_()
        maps = network.extract(pixels, layers)
        pulls = []
        for layer in layers:
            positions = flat(maps[layer].detach())
            pull = positions @ (positions.mT @ positions - targets[layer])
            rows, columns = maps[layer].shape[-2:]
            pulls.append(pull.view(1, rows, columns, -1).permute(0, 3, 1, 2))
        (gradient,) = torch.autograd.grad([maps[layer] for layer in layers], pixels, pulls)
        return gradient

    return once


def steps(network: Backbone, photo: Tensor, style: Tensor, method: Method) -> Iterator[object]:
    """Steps of the default objective without end."""
    none = parse("none")
    layers = dict.fromkeys(network.style_layers, 1.0)
    kept = dict.fromkeys(network.content_layers, 1.0)
    terms = [
        Term("style", get("gram"), layers, style, none, 5.0, other=photo),
        Term("content", get("content"), kept, photo, none, 0.5, other=style),
    ]
    weights = {"total_variation": 1.0, "pixel_range": 1.0}
    objective = Objective.of(network.extract, terms, start=photo, style=style, penalties=weights)
    noise = 0.02 * torch.randn(photo.shape, generator=torch.Generator().manual_seed(0))
    return optimize(State(photo + noise), objective, method, steps=1_000_000)


def seconds(act: Callable[[], object]) -> float:
    """Processor time of this process."""
    before = time.process_time()
    act()
    return time.process_time() - before


def main() -> None:
    """Print a line for each network and optimiser."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    args = parser.parse_args()
    print("| network | optimiser | floor, s | step, s | step / floor | lowest and highest ratio |")
    print("|---|---|---:|---:|---:|---|")
    random = torch.Generator().manual_seed(0)
    photo, style = torch.rand(2, 1, 3, args.size, args.size, generator=random)
    for name in args.networks:
        weights = "pretrained" if name.startswith("swag/") else "random"
        network = swag.backbones.create(name, weights=weights, edits=("reflect",))
        least = floor(network, photo, style)
        for method, make in METHODS.items():
            run = steps(network, photo, style, make())
            pairs = [
                (seconds(least), seconds(lambda run=run: next(run))) for _ in range(args.rounds + 2)
            ]
            pairs = pairs[2:]  # the first step makes the targets, the second fills the memory
            a, b = (statistics.median(column) for column in zip(*pairs, strict=True))
            ratios = [step / bare for bare, step in pairs]
            print(
                f"| {name} | {method} | {a:.3f} | {b:.3f} | {b / a:.2f} "
                f"| {min(ratios):.2f} ... {max(ratios):.2f} |",
                flush=True,
            )


if __name__ == "__main__":
    main()
