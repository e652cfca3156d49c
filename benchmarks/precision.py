"""What passes in bfloat16 gain and what they cost.

    python benchmarks/precision.py [--networks swag/vgg16-distilled ...] [--sizes 64 128 256 512]

Makes a pass forward and back in both precisions, in turns; the cotangents on the layers are
random. Errors of maps (the worst layer) and gradient are lengths of differences over lengths.
"""

import argparse
from functools import partial

import torch
from torch import Tensor

import swag
from swag.backbones import Backbone
from swag.types import Precision
from swag_lab import bench


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
    cotangents = [torch.randn(maps.shape, generator=random) for maps in wide.values()]

    def gradient(chosen: Precision) -> Tensor:
        pixels = photo.detach().requires_grad_()
        maps = network.extract(pixels, precision=chosen)
        return torch.autograd.grad(list(maps.values()), pixels, cotangents)[0]

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


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--networks", nargs="+", default=["swag/vgg16-distilled", "swag/resnet"])
    parser.add_argument("--sizes", type=int, nargs="+", default=[64, 128, 256, 512])
    parser.add_argument("--rounds", type=int, default=7)
    passes(parser.parse_args())


if __name__ == "__main__":
    main()
