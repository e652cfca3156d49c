"""What an evaluation costs with each bundled network: loss and gradient at the pixels, one core.

    python benchmarks/cost.py [--side 1024] [--rounds 5] [--write docs/backbones.md]

The default loss of a picture of side x side pixels, in seconds of processor time per megapixel: the
median over the rounds, in each of which every network has its turn. The last column is the
median of the ratios to the first network's time in the same round; the seconds are this machine's,
the ratios are what to quote. `--write` puts the table between its marks in a document.
"""

import argparse
from functools import partial
from pathlib import Path

import torch
from shared import one_thread, write

import swag
from swag.backbones import bundled
from swag.objective import Objective
from swag.optimize.optimizer import evaluate
from swag_lab.bench import in_turns
from swag_lab.bench.steps import gatys_terms

MARK = "<!-- cost: python benchmarks/cost.py --write docs/backbones.md -->"


def objective_of(name: str, photo: torch.Tensor, style: torch.Tensor) -> Objective:
    """The terms of the default, with random weights: what they are changes no time."""
    network = swag.backbones.create(f"swag/{name}", weights="random", edits=("reflect",))
    terms = gatys_terms(network, photo, style)
    return Objective.of(network.extract, terms, start=photo, style=style)


def table(side: int, rounds: int) -> str:
    """Lines of Markdown."""
    random = torch.Generator().manual_seed(0)
    photo, style = torch.rand(2, 1, 3, side, side, generator=random)
    sides = {
        name: partial(evaluate, objective_of(name, photo, style), photo)
        for name in bundled.bundled_names()
    }
    timings = in_turns(sides, rounds=rounds, device=photo.device, warm_up=1)
    lines = ["| network | seconds per megapixel | against the first | lowest and highest ratio |"]
    lines.append("|---|---:|---:|---|")
    for name, timing in timings.items():
        ratio = timing.over(next(iter(timings.values())))
        lines.append(
            f"| `swag/{name}` | {timing.median * 1e6 / side**2:.2f} | {ratio.median:.2f} "
            f"| {min(ratio.seconds):.2f} ... {max(ratio.seconds):.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Print the table, and write it where it is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    where = f"A picture of {args.side} x {args.side} pixels, float32, {one_thread()}"
    made = f"{table(args.side, args.rounds)}\n\n{where}, {args.rounds} rounds."
    write(args.write, MARK, made)


if __name__ == "__main__":
    main()
