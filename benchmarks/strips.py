"""Peak memory and time of reading and writing large pictures, each in a process of its own.

    python benchmarks/strips.py --side 10000 [--to 2000] [--kinds tif png jpg] [--bits 8] [--whole]

A square picture is written and read again, as it is and at a long side of `--to` pixels. Memory is
what the process held at most (VmHWM of a process that has done nothing else) beyond what it held
before, without the float picture that is given or returned; time is processor time, in one thread.
With the extra `large`, PNG and JPEG are read by libvips; `--whole` reads them without it.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch
from shared import held

import swag

CHILD = "--child"


def grain(side: int) -> swag.image.Picture:
    """Slow waves of color with some noise, made row by row."""
    random = torch.Generator().manual_seed(0)
    pixels = torch.empty(3, side, side)
    x = torch.linspace(0, 20, side)
    phases = torch.tensor([[0.0], [1.0], [2.0]])
    for row in range(side):
        waves = torch.sin(x + phases + 20 * row / side)
        pixels[:, row] = 0.5 + 0.4 * waves + 0.02 * torch.rand(3, side, generator=random)
    return swag.image.Picture(pixels)


def child(task: str, path: str, side: int, to: int, bits: int, whole: bool) -> None:
    """One task; prints a line of JSON."""
    torch.set_num_threads(1)
    if whole:
        sys.modules["pyvips"] = None  # type: ignore[assignment]  # as if it were not installed
    small = torch.zeros(3, 8, 8)  # so that libraries are loaded before the memory is looked at
    swag.image.write(f"{path}.small{Path(path).suffix}", small, bits=bits)
    swag.image.read(f"{path}.small{Path(path).suffix}", size=4)
    picture = grain(side) if task == "write" else None
    before, began = held("VmRSS"), time.process_time()
    if picture is not None:
        swag.image.write(path, picture, bits=bits)
    else:
        picture = swag.image.read(path, size=to if task == "shrink" else None)
        before += picture.pixels.numel() * 4
    seconds = time.process_time() - began
    print(json.dumps({"over": held("VmHWM") - before, "seconds": seconds}))


def main() -> None:
    """Print a line of a table for each format and task."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=10_000)
    parser.add_argument("--to", type=int, default=2_000)
    parser.add_argument("--kinds", nargs="+", default=["tif", "png", "jpg"])
    parser.add_argument("--bits", type=int, default=8)
    parser.add_argument("--whole", action="store_true")
    args = parser.parse_args()
    print(
        f"{args.side} x {args.side}, {args.bits} bits; the picture in floats: "
        f"{args.side**2 * 12 / 1e9:.2f} GB"
    )
    print("| format | task | beyond the picture, GB | CPU s |")
    print("|---|---|---:|---:|")
    with tempfile.TemporaryDirectory() as folder:
        for kind in args.kinds:
            for task in ("write", "read", "shrink"):
                job = [task, str(Path(folder) / f"a.{kind}"), args.side, args.to, args.bits]
                command = [sys.executable, __file__, CHILD, json.dumps([*job, args.whole])]
                done = subprocess.run(command, capture_output=True, text=True, check=False)
                if done.returncode:
                    print(f"| {kind} | {task} | failed: {done.stderr.splitlines()[-1:]} |")
                    continue
                told = json.loads(done.stdout)
                print(
                    f"| {kind} | {task} | {told['over'] / 1e9:.2f} | {told['seconds']:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        child(*json.loads(sys.argv[2]))
    else:
        main()
