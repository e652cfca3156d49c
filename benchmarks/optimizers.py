"""L-BFGS, torch's L-BFGS and Adam on the same losses: loss against evaluations and seconds.

    python benchmarks/optimizers.py --content PHOTO --styles PAINTING... [--size 128]

Every optimizer begins with the same picture (the photo with noise of the seed) and minimizes Gram
matrices and content, with the default's penalties, at one size. Losses are shares of the first
one. An evaluation is one loss with its gradient, wherever it is made, in a line search too;
seconds are processor time of the evaluations and of the optimizer together. A table for each
network: medians over styles and seeds, the range in brackets. `won` counts the pairs of a style
and a seed in which an optimizer has the lowest loss of all.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import Tensor

import swag
from swag.objective import Objective
from swag.optimize import Adam, Lbfgs, Optimizer, State, TorchLbfgs, optimize
from swag_lab.bench.steps import gatys_objective

NETWORKS = ("swag/resnet", "swag/vgg", "torchvision/resnet18")
METHODS: dict[str, Callable[[], Optimizer]] = {
    "L-BFGS": Lbfgs,
    "L-BFGS, half precision": lambda: Lbfgs(remembered=torch.bfloat16),
    "L-BFGS, half precision, 6 steps": lambda: Lbfgs(history=6, remembered=torch.bfloat16),
    "torch's L-BFGS": TorchLbfgs,
    "Adam, 0.02": Adam,
    "Adam, 0.05": lambda: Adam(rate=0.05),
}
BUDGETS = (25, 50, 100)


def curve(
    objective: Objective, start: Tensor, method: Optimizer
) -> Iterator[tuple[int, float, float]]:
    """(evaluations, seconds, loss) after each step, until the largest budget is spent."""
    count = 0

    def counted(image: Tensor) -> dict[str, Tensor]:
        nonlocal count
        count += 1
        return objective(image)

    before = time.process_time()
    for step in optimize(State(start), counted, method, steps=10_000):
        yield count, time.process_time() - before, sum(step.losses.values())
        if count >= BUDGETS[-1]:
            return


def at_budgets(
    points: list[tuple[int, float, float]], first: float
) -> dict[int, tuple[float, float]]:
    """The lowest loss within each budget of evaluations, and the seconds it took to use it up."""
    found = {}
    for budget in BUDGETS:
        within = [point for point in points if point[0] <= budget]
        found[budget] = (min(loss for *_, loss in within) / first, within[-1][1])
    return found


def main() -> None:
    """Print a table for each network."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--content", type=Path, required=True)
    parser.add_argument("--styles", type=Path, nargs="+", required=True)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--seeds", type=int, default=3)
    args = parser.parse_args()
    photo = swag.image.read(args.content, size=args.size).batch
    for name in args.networks:
        weights = "pretrained" if name.startswith("swag/") else "random"
        network = swag.backbones.create(
            name, weights=weights, edits=("reflect",), calibrate_on=photo
        )
        rows: dict[str, list[dict[int, tuple[float, float]]]] = {}
        for path in args.styles:
            style = swag.image.read(path, size=args.size).batch
            objective = gatys_objective(network, photo, style)
            for seed in range(args.seeds):
                random = torch.Generator().manual_seed(seed)
                start = photo + 0.1 * torch.randn(photo.shape, generator=random)
                with torch.no_grad():
                    first = float(sum(objective(start).values()))
                for label, make in METHODS.items():
                    row = at_budgets(list(curve(objective, start, make())), first)
                    rows.setdefault(label, []).append(row)
        table(name, rows)


def table(name: str, rows: dict[str, list[dict[int, tuple[float, float]]]]) -> None:
    """Print what each optimizer reaches within each budget."""
    print(f"\n{name}\n")
    print(f"| optimizer | {' | '.join(f'{b} evaluations' for b in BUDGETS)} | CPU s | won |")
    print(f"|---|{'---|' * len(BUDGETS)}---:|---:|")
    last = BUDGETS[-1]
    lowest = [min(row[i][last][0] for row in rows.values()) for i in range(len(rows["L-BFGS"]))]
    for label, runs in rows.items():
        cells = []
        for budget in BUDGETS:
            losses = [run[budget][0] for run in runs]
            cells.append(
                f"{statistics.median(losses):.4f} ({min(losses):.4f} ... {max(losses):.4f})"
            )
        seconds = statistics.median(run[last][1] for run in runs)
        won = sum(run[last][0] == best for run, best in zip(runs, lowest, strict=True))
        print(
            f"| {label} | {' | '.join(cells)} | {seconds:.1f} | {won} of {len(runs)} |", flush=True
        )


if __name__ == "__main__":
    main()
