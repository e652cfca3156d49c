"""Are greedily chosen random weights better than plain ones? Reconstruction, style, agreement.

    python benchmarks/greedy.py compare NETWORK --contents A B --styles C D --out SHEET.png
    python benchmarks/greedy.py agreement NETWORK --contents A B
    python benchmarks/greedy.py time NETWORK

compare: for every seed and way of drawing weights, `shallow` and `deep` are the errors in pixels
of the contents reconstructed from the second style layer and from the content layers, as shares of
the contents' variance; then each content is stylised by each style and judged by trained networks
that were not optimised (`judged` of defaults.py: shares of the span between the two pictures).
Mean over seeds, standard deviation over seeds in brackets; for the greedy ways also the mean of
the differences from plain random weights of the same seed. `photo`: chosen on the content itself.

agreement: Spearman correlation, over draws, of the short reconstruction by which draws are chosen
with one of six times as many steps, by layer; the same for another picture; and the spread of the
long errors over draws, which is what there is to gain.
"""

import argparse
import itertools
import json
import statistics
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from defaults import judged

import swag
from swag.backbones import Backbone
from swag.backbones.greedy import SIDE, STEPS, choose, groups, reconstruction_error, shuffle
from swag.image import resize

WAYS = ("random", "greedy, photo", "greedy, synthetic")
LONG = 6 * STEPS

Errors = dict[str, float]


def network_of(name: str, way: str, photo: torch.Tensor | None, seed: int) -> Backbone:
    """A network whose weights were drawn in this way."""
    network = swag.backbones.create(name, weights="random", seed=seed, edits=("reflect",))
    if way != "random":
        on = photo if way == "greedy, photo" else None
        choose(network, draws=8, seed=seed, pictures=on)
    return network


def reconstructed(network: Backbone, content: Path, args: argparse.Namespace, seed: int) -> Errors:
    """Errors in pixels of a content reconstructed from few and from many layers."""
    layers = {"shallow": network.style_layers[1:2], "deep": network.content_layers}
    photo = swag.image.read(content, size=args.size).batch
    errors = {}
    for name, chosen in layers.items():
        result = swag.reconstruct(
            content,
            backbone=network,
            content_layers=dict.fromkeys(chosen, 1.0),
            size=args.size,
            steps=args.steps,
            total_variation=0.0,
            seed=seed,
        )
        difference = (result.image.batch - photo).square().mean()
        errors[name] = float(difference / photo.var((2, 3), correction=0).mean())
    return errors


def pairs_of(
    name: str, way: str, seed: int, args: argparse.Namespace
) -> Iterator[tuple[Errors, torch.Tensor]]:
    """The errors of each content with each style, and the stylised picture."""
    for content in args.contents:
        photo = swag.image.read(content, size=args.size).batch
        network = network_of(name, way, photo, seed)
        errors = reconstructed(network, content, args, seed)
        for style in args.styles:
            result = swag.stylize(
                content, style, backbone=network, size=args.size, steps=args.steps, seed=seed
            )
            painting = swag.image.read(style, size=args.size).batch
            yield errors | judged(result.image.batch, photo, painting), result.image.batch


def mean_of(rows: list[Errors]) -> Errors:
    """The mean of each error over the rows."""
    return {key: statistics.mean(row[key] for row in rows) for key in rows[0]}


def on_a_square(picture: torch.Tensor, side: int) -> torch.Tensor:
    """A picture at the upper left of a grey square."""
    square = torch.full((3, side, side), 0.5)
    square[:, : picture.shape[-2], : picture.shape[-1]] = picture[0]
    return square


def compare(args: argparse.Namespace) -> None:
    """Print a line for each way of drawing, and write the pictures of all, a row for each run."""
    by_seed: dict[str, list[Errors]] = {way: [] for way in WAYS}
    sheet = []
    for seed, way in itertools.product(range(args.seeds), WAYS):
        found = list(pairs_of(args.network, way, seed, args))
        by_seed[way].append(mean_of([errors for errors, _ in found]))
        sheet.append(torch.cat([on_a_square(p, args.size) for _, p in found], dim=2))
        swag.image.write(args.out, torch.cat(sheet, dim=1), overwrite=True)
        print(json.dumps({"seed": seed, "way": way, **by_seed[way][-1]}), flush=True)
    for way, rows in by_seed.items():
        print(json.dumps({"network": args.network, "way": way, **summary(rows, by_seed)}))


def summary(rows: list[Errors], by_seed: dict[str, list[Errors]]) -> dict[str, str]:
    """Mean, spread and difference from plain random weights of each error."""
    plain, table = by_seed["random"], {}
    for key in rows[0]:
        values = [row[key] for row in rows]
        gaps = [row[key] - other[key] for row, other in zip(rows, plain, strict=True)]
        table[key] = (
            f"{statistics.mean(values):.3f} ({statistics.pstdev(values):.3f}) "
            f"{statistics.mean(gaps):+.3f} ({statistics.pstdev(gaps):.3f})"
        )
    return table


def spearman(a: list[float], b: list[float]) -> float:
    """Correlation of the ranks."""
    ranks = [torch.tensor(values).argsort().argsort().double() for values in (a, b)]
    return float(torch.corrcoef(torch.stack(ranks))[0, 1])


def agreement(args: argparse.Namespace) -> None:
    """Print a line for each layer; each goes on from the best draw of the one before."""
    network = swag.backbones.create(args.network, weights="random", edits=("reflect",))
    pictures = [
        resize(swag.image.read(path).batch, (SIDE, SIDE)).clamp(0, 1) for path in args.contents
    ]
    random = torch.Generator().manual_seed(0)
    for layer, parameters in groups(network, pictures[0]).items():
        short: list[list[float]] = [[] for _ in pictures]
        long: list[list[float]] = [[] for _ in pictures]
        for _ in range(args.draws):
            shuffle(parameters, random)
            for i, picture in enumerate(pictures):
                short[i].append(reconstruction_error(network, layer, picture))
                long[i].append(reconstruction_error(network, layer, picture, steps=LONG))
        print(json.dumps({"layer": layer, **agreements(short, long)}), flush=True)


def agreements(short: list[list[float]], long: list[list[float]]) -> dict[str, Any]:
    """What is printed about a layer, from the errors by picture and draw."""
    mean = statistics.mean
    pairs = list(itertools.permutations(range(len(long)), 2))
    return {
        "own": round(mean(spearman(s, g) for s, g in zip(short, long, strict=True)), 2),
        "other picture": round(mean(spearman(short[i], long[j]) for i, j in pairs), 2),
        "long error": round(mean(map(mean, long)), 5),
        "best draw / mean": round(mean(min(g) / mean(g) for g in long), 3),
        "chosen draw / mean": round(
            mean(g[s.index(min(s))] / mean(g) for s, g in zip(short, long, strict=True)), 3
        ),
    }


def seconds(args: argparse.Namespace) -> None:
    """Print what choosing takes, in seconds of the processor."""
    network = swag.backbones.create(args.network, weights="random", edits=("reflect",))
    began = time.process_time()
    choose(network, draws=8)
    print(json.dumps({"network": args.network, "seconds": round(time.process_time() - began, 1)}))


def main() -> None:
    """Run one of the three measurements."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("what", choices=("compare", "agreement", "time"))
    parser.add_argument("network")
    parser.add_argument("--contents", type=Path, nargs="+", default=[])
    parser.add_argument("--styles", type=Path, nargs="+", default=[])
    parser.add_argument("--out", type=Path, default=Path("greedy.png"))
    parser.add_argument("--size", type=int, default=128)
    parser.add_argument("--steps", type=int, default=80)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--draws", type=int, default=12)
    args = parser.parse_args()
    torch.set_num_threads(1)
    {"compare": compare, "agreement": agreement, "time": seconds}[args.what](args)


if __name__ == "__main__":
    main()
