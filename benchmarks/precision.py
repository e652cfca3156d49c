"""What passes in bfloat16 gain and what they cost: passes by themselves, and whole runs.

    python benchmarks/precision.py passes [--networks swag/resnet ...] [--sizes 64 128 256 512]
    python benchmarks/precision.py runs --contents FILE... --styles FILE... [--size 512]

`passes` makes a pass forward and back in both precisions, in turns; the pulls on the layers are
random. Errors of maps (the worst layer) and gradient are lengths of differences over lengths.

`runs` makes whole runs in turns: `coarse` sees the scales from `--smallest` pixels on, but for the
last, in bfloat16, `half` and `most` also half and three quarters of the steps at the last, `all`
every step. Contents and styles are paired in their order. `moved` is float32 from a photo changed
by less than the eighth bit: what two runs differ by for no reason. Numbers are told against float32
on the same pair of pictures: the mean ratio, its standard deviation, and for how many pairs it is
below one. `cpu` is the time of a run without reading pictures and network; `loss` is the default's
at full size, in float32; the others are errors under judges that were not optimised
(`swag_lab.experiments`). `--restart` lets L-BFGS forget its history where the precision changes;
with `--tile` pictures are read in tiles; `--pictures` is a folder for what the runs make.
"""

import argparse
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

import swag
from swag.backbones import Backbone
from swag.objective import Objective
from swag.run import precision
from swag.run.terms import content_terms, style_regions, style_terms
from swag_lab import bench
from swag_lab.evaluation.evaluator import MEASURES, Evaluator, fair_judges, mean_error
from swag_lab.evaluation.networks import trained

SHARES: Mapping[str, float | None] = {
    "float32": None,
    "moved": None,
    "coarse": 0.0,
    "half": 0.5,
    "most": 0.75,
    "all": 1.0,
}
"""How much of the last scale is in bfloat16; None where nothing is."""

NUMBERS = ("cpu", "loss", *MEASURES)


def passes(args: argparse.Namespace) -> None:
    """Print a line for each network and size."""
    print("| network | pixels | float32, s | bfloat16, s | ratio | maps | gradient |")
    print("|---|---:|---:|---:|---:|---:|---:|")
    for name in args.networks:
        kept = "pretrained" if name.startswith("swag/") else "random"
        network = swag.backbones.create(name, weights=kept, edits=("reflect",))
        for size in args.sizes:
            print(f"| {name} | {size} | {_compared(network, size, args.rounds)} |", flush=True)


def _compared(network: Backbone, size: int, rounds: int) -> str:
    """Times of both precisions, and how far bfloat16 is off, as cells of a table."""
    random = torch.Generator().manual_seed(0)
    photo = torch.rand(1, 3, size, size, generator=random)
    with torch.no_grad():
        wide = network.extract(photo)
        narrow = network.extract(photo, precision="bfloat16")
    pulls = [torch.randn(maps.shape, generator=random) for maps in wide.values()]

    def gradient(chosen: swag.precision.Precision) -> Tensor:
        pixels = photo.detach().requires_grad_()
        maps = network.extract(pixels, precision=chosen)
        return torch.autograd.grad(list(maps.values()), pixels, pulls)[0]

    sides = {name: partial(gradient, name) for name in ("float32", "bfloat16")}
    found = bench.in_turns(sides, rounds=rounds, device=torch.device("cpu"))
    ratio = found["bfloat16"].over(found["float32"])
    off = max(_off(narrow[layer], wide[layer]) for layer in wide)
    return (
        f"{found['float32'].median:.4f} | {found['bfloat16'].median:.4f} | {ratio.median:.2f} | "
        f"{off:.4f} | {_off(gradient('bfloat16'), gradient('float32')):.3f}"
    )


def _off(narrow: Tensor, wide: Tensor) -> float:
    return float((narrow - wide).norm() / wide.norm())


def runs(args: argparse.Namespace) -> None:
    """Print a line for each side: its numbers over those of float32."""
    precision.SMALLEST = args.smallest
    if args.restart:
        kept = precision.after
        precision.after = lambda state, end: replace(kept(state, end), memory={})
    network = swag.backbones.create(args.backbone, edits=("reflect",))
    found: dict[str, list[dict[str, float]]] = {side: [] for side in args.sides}
    for content, style in zip(args.contents, args.styles, strict=True):
        judge = _judge(network, content, style, args.size)
        for side in args.sides:
            made = _run(network, content, style, side, args=args)
            if args.pictures:
                args.pictures.mkdir(parents=True, exist_ok=True)
                name = f"{content.stem}-{style.stem}-{side}.png"
                swag.image.write(args.pictures / name, made[1][0])
            numbers = judge(made[1]) | {"cpu": made[0]}
            found[side].append(numbers)
            print(content.stem, style.stem, side, numbers, sep=", ", flush=True)
    print(f"| passes | {' | '.join(NUMBERS)} |\n|---|{'---|' * len(NUMBERS)}")
    for side, rows in found.items():
        print(f"| {side} | {' | '.join(_told(rows, found['float32'], n) for n in NUMBERS)} |")


def _told(rows: list[dict[str, float]], base: list[dict[str, float]], name: str) -> str:
    """Mean ratio, its standard deviation, and how often it is below one."""
    ratios = [row[name] / one[name] for row, one in zip(rows, base, strict=True)]
    below = sum(ratio < 1 for ratio in ratios)
    return f"{statistics.mean(ratios):.3f} ({statistics.pstdev(ratios):.3f}), {below}"


def _run(
    network: Backbone, content: Path, style: Path, side: str, args: argparse.Namespace
) -> tuple[float, Tensor]:
    """Seconds and picture of a run."""
    share = SHARES[side]
    precision.SHARE = share or 0.0
    photo, painting = (swag.image.read(p, size=args.size).batch[0] for p in (content, style))
    chosen: dict[str, object] = {"precision": "float32" if share is None else "bfloat16"}
    if side == "moved":
        noise = torch.rand(photo.shape, generator=torch.Generator().manual_seed(3)) - 0.5
        chosen["initial"] = (photo + noise / 255).clamp(0, 1)
    before = time.process_time()
    result = swag.stylize(
        photo,
        painting,
        backbone=network,
        size=args.size,
        steps=args.steps,
        method=args.method,
        tile=args.tile,
        **chosen,
    )
    return time.process_time() - before, result.image.batch


def _judge(
    network: Backbone, content: Path, style: Path, size: int
) -> Callable[[Tensor], dict[str, float]]:
    """The run's own loss in float32, and errors under networks that were not optimised."""
    photo, painting = (swag.image.read(p, size=size).batch for p in (content, style))
    objective = _objective(network, photo, painting)
    evaluator = Evaluator.of(photo, painting)
    judges = fair_judges([trained(network.name.removeprefix("swag/"))])

    @torch.no_grad()
    def judged(image: Tensor) -> dict[str, float]:
        scores = evaluator(image)["judges"]
        loss = float(sum(objective(image).values()))
        return {"loss": loss} | {m: mean_error(scores, m, judges) for m in MEASURES}

    return judged


def _objective(network: Backbone, photo: Tensor, painting: Tensor) -> Objective:
    """The default's loss at full size."""
    chosen = swag.config.settings()
    against = swag.image.resize(painting, (photo.shape[-2], photo.shape[-1]))
    terms = style_terms(
        chosen, network, [painting], style_regions(chosen, 1, None, []), other=photo
    )
    terms += content_terms(chosen, network, photo, against, where=None)
    weights = {"total_variation": chosen.total_variation, "pixel_range": chosen.pixel_range}
    return Objective.of(network.extract, terms, start=photo, style=painting, penalties=weights)


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    one = commands.add_parser("passes")
    one.add_argument("--networks", nargs="+", default=["swag/resnet", "torchvision/resnet50"])
    one.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    one.add_argument("--rounds", type=int, default=7)
    one.set_defaults(act=passes)
    two = commands.add_parser("runs")
    two.add_argument("--contents", type=Path, nargs="+", required=True)
    two.add_argument("--styles", type=Path, nargs="+", required=True)
    two.add_argument("--backbone", default="swag/resnet")
    two.add_argument("--method")
    two.add_argument("--size", type=int, default=512)
    two.add_argument("--steps", type=int, default=300)
    two.add_argument("--tile", default="auto")
    two.add_argument("--pictures", type=Path)
    two.add_argument("--smallest", type=int, default=precision.SMALLEST)
    two.add_argument("--sides", nargs="+", default=list(SHARES), choices=list(SHARES))
    two.add_argument("--restart", action="store_true")
    two.set_defaults(act=runs)
    args = parser.parse_args()
    args.act(args)


if __name__ == "__main__":
    main()
