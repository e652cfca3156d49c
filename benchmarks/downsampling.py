"""Does the way a network halves the resolution draw a grid into the pictures?

    python benchmarks/downsampling.py train DATA --out DIR [--epochs 1]
    python benchmarks/downsampling.py measure --out DIR --styles C D ... [--size 192] [--steps 80]

`train` makes twins of swag/resnet and swag/noresnet that differ in their reduction alone: average,
maximum, stride. `measure` makes textures with the twins, trained and random, writes them side
by side (a row for each twin, the styles first) and prints a line for each: the power along lines
of a period of 2, 4 and 8 pixels, rows and columns, over that of the frequencies beside them. 1 is a
picture without a grid; the styles themselves are measured too. `checkerboard` is the share of the
variance where both frequencies are within a sixteenth of the highest, times a thousand.
"""

import argparse
import itertools
import statistics
from dataclasses import replace
from pathlib import Path

import torch

import swag
from swag.backbones import Backbone, bundled, create
from swag.backbones.family import Architecture, ThinNetwork
from swag_lab.training import checkpoint
from swag_lab.training.command import find
from swag_lab.training.loop import train
from swag_lab.training.recipe import cpu

REDUCTIONS = ("average", "max", "stride")
NETWORKS = ("resnet", "noresnet")
PERIODS = (2, 4, 8)


def twin(name: str, reduction: str) -> Architecture:
    """A network of the package with another reduction."""
    return replace(bundled.architecture(name), downsampling=reduction)


def train_twins(args: argparse.Namespace) -> None:
    """Train all twins, one after another, each from the same seed; those that are there stay."""
    sources, validation = find(args.data)
    for name, reduction in itertools.product(args.networks, REDUCTIONS):
        out = args.out / f"{name}-{reduction}.pt"
        out.parent.mkdir(parents=True, exist_ok=True)
        steps = train(
            twin(name, reduction), cpu(epochs=args.epochs), sources, out=out, validation=validation
        )
        for progress in steps:
            last = progress
            if progress.step == progress.steps:
                print(f"{name}, {reduction}: loss {last.loss:.2f}, top-1 {last.top1}", flush=True)


def network_of(name: str, reduction: str, saved: Path | None) -> Backbone:
    """A twin, random or with the weights of a training."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        module = ThinNetwork(twin(name, reduction))
    if saved is not None:
        tensors = checkpoint.load(saved)["model"].items()
        module.load_state_dict(
            {k.removeprefix("network."): v for k, v in tensors if k.startswith("network.")}
        )
    return create(
        module,
        edits=("reflect",),
        style_layers=bundled.STYLE_LAYERS,
        content_layers=bundled.CONTENT_LAYERS,
    )


def grid(picture: torch.Tensor) -> dict[str, float]:
    """How far the power at each period stands out, and the share of the checkerboard."""
    grey = picture.double().mean(1)[0]
    side = min(grey.shape)
    window = torch.hann_window(side, periodic=True, dtype=grey.dtype)
    grey = (grey - grey.mean())[:side, :side] * window[:, None] * window
    power = torch.fft.fft2(grey).abs().square()
    found = {f"period {period}": stands_out(power, side // period) for period in PERIODS}
    high = torch.fft.fftfreq(side).abs() > 0.5 - 1 / 32
    return found | {"checkerboard": 1000 * float(power[high][:, high].sum() / power.sum())}


def stands_out(power: torch.Tensor, line: int) -> float:
    """Power of rows and columns at a frequency over that of the frequencies two and three away.

    The window spreads a frequency to its neighbours, which are left out.
    """
    side = len(power)
    beside = [(line + offset) % side for offset in (-3, -2, 2, 3)]
    sums = power.sum(1) + power.sum(0)
    return float(sums[line] / sums[beside].mean())


def measure(args: argparse.Namespace) -> None:
    """Print the lines and write the pictures."""
    torch.set_num_threads(1)
    paintings = [
        swag.image.resize(swag.image.read(path).batch, (args.size, args.size)).clamp(0, 1)
        for path in args.styles
    ]
    rows = [torch.cat(paintings, dim=3)[0]]
    line("the styles", paintings)
    for name, reduction, way in itertools.product(args.networks, REDUCTIONS, ("trained", "random")):
        saved = args.out / f"{name}-{reduction}.pt" if way == "trained" else None
        if saved is not None and not saved.exists():
            continue
        network = network_of(name, reduction, saved)
        made = [
            swag.texture(
                style,
                backbone=network,
                size=args.size,
                steps=args.steps,
                scales=1,
                square=True,
                total_variation=args.total_variation,
            ).image.batch
            for style in args.styles
        ]
        line(f"{name}, {reduction}, {way}", made)
        rows.append(torch.cat(made, dim=3)[0])
        swag.image.write(args.out / "textures.png", torch.cat(rows, dim=1), overwrite=True)


def line(label: str, pictures: list[torch.Tensor]) -> None:
    """Print the means over the pictures, with their standard deviations."""
    found = [grid(picture) for picture in pictures]
    cells = (
        f"{statistics.mean(g[k] for g in found):.2f} ({statistics.pstdev(g[k] for g in found):.2f})"
        for k in found[0]
    )
    print(f"| {label} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Train or measure."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("part", choices=("train", "measure"))
    parser.add_argument("data", type=Path, nargs="?")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--networks", nargs="+", default=NETWORKS)
    parser.add_argument("--epochs", type=float, default=1.0)
    parser.add_argument("--styles", type=Path, nargs="+", default=[])
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--total-variation", type=float, default=0.0)
    args = parser.parse_args()
    {"train": train_twins, "measure": measure}[args.part](args)


if __name__ == "__main__":
    main()
