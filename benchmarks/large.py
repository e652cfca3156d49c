"""Peak memory and time per megapixel of large pictures, each in a process of its own.

    python benchmarks/large.py --sizes 1024 2048 4096 --steps 2 [--limit 6]
    python benchmarks/large.py --tile 560 --precision float32 bfloat16 float32 bfloat16

Each run is a whole one: two square pictures are read from files, their targets described, and
some steps are made at the one size asked for, nothing coarser before. Time is processor time of
the steps and of the evaluation before the first, over the megapixels and the evaluations; memory
is the largest resident set of the process, as the system says, and how much of it was no file,
looked at ten times a second (what lies on the disk can be given back at once). `--limit` gives
each process so many gigabytes of addresses, beyond which allocations fail. With several of
`--precision` they take turns; in bfloat16 every step is, and none is left for the end in float32
that a run has.
"""

import argparse
import itertools
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import torch
from shared import held

CHILD = "--child"


def child(
    content: str, style: str, chosen: dict[str, Any], limit: float, *, returned: bool
) -> None:
    """One run; prints a line of JSON."""
    if limit:
        resource.setrlimit(resource.RLIMIT_AS, (int(limit * 1e9),) * 2)
    import swag
    from swag.run import precision

    precision.SHARE = 1.0
    if not returned:
        swag.keep_freed_memory()
    own: list[float] = []
    threading.Thread(target=watch, args=(own,), daemon=True).start()
    updates: list[swag.Update] = []
    marks = []
    for update in swag.iterate(content, style, scales=1, **chosen):
        updates[:] = [update]
        marks.append(time.process_time())
        print(f"step {update.index + 1}: {marks[-1]:.0f} s, {peak():.2f} GB", file=sys.stderr)
    last, steps = updates[0], [b - a for a, b in itertools.pairwise(marks)]
    print(
        json.dumps(
            {
                "peak_gb": peak(),
                "own_gb": max(own),
                "cpu_per_step": steps,
                "losses": last.losses,
                "fallbacks": list(last.fallbacks),
            }
        )
    )


def peak() -> float:
    """The largest resident set of this process in gigabytes (getrusage counts its parent's)."""
    return held("VmHWM") / 1e9


def watch(own: list[float]) -> None:
    """Note the memory of this process that is no file, ten times a second."""
    while True:
        own.append(held("RssAnon") / 1e9)
        time.sleep(0.1)


def picture(size: int, seed: int, path: Path) -> Path:
    """Smooth noise of several sizes, so that it is neither flat nor white."""
    import swag

    random = torch.Generator().manual_seed(seed)
    whole = torch.zeros(1, 3, size, size)
    for cells in (4, 32, 256):
        noise = torch.rand(1, 3, cells, cells, generator=random)
        whole += swag.image.resize(noise, (size, size)) / 3
    swag.image.write(path, swag.image.Picture(whole[0].clamp(0, 1)))
    return path


def main() -> None:
    """Print a line of a table for each size."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="+", default=[1024, 2048, 4096])
    parser.add_argument("--steps", type=int, default=3, help="2 or more")
    parser.add_argument("--limit", type=float, default=0.0, help="gigabytes of addresses")
    parser.add_argument("--backbone", default="swag/resnet")
    parser.add_argument("--weights", default="pretrained")
    parser.add_argument("--optimizer", default="lbfgs")
    parser.add_argument("--tile", default="auto")
    parser.add_argument("--precision", nargs="+", default=["float32"], metavar="NAME")
    parser.add_argument(
        "--returned", action="store_true", help="give freed memory back to the system"
    )
    args = parser.parse_args()
    columns = "pixels | tile | optimizer | passes | peak, GB | of it no file, GB | CPU s a step"
    print(f"| {columns} | CPU s / MP | MP |\n|{'---|' * 9}")
    with tempfile.TemporaryDirectory() as folder:
        for size in args.sizes:
            pictures = [picture(size, i, Path(folder) / f"{i}.png") for i in (1, 2)]
            for precision in args.precision:
                print(f"| {size} | {measured(pictures, size, precision, args)} |", flush=True)


def measured(pictures: list[Path], size: int, precision: str, args: argparse.Namespace) -> str:
    """One run in a process of its own, as cells of the table."""
    chosen = {
        "size": size,
        "steps": args.steps,
        "tile": args.tile,
        "backbone": args.backbone,
        "weights": args.weights,
        "optimizer": args.optimizer,
        "precision": precision,
    }
    job = json.dumps([[*map(str, pictures), chosen, args.limit], args.returned])
    done = subprocess.run([sys.executable, __file__, CHILD, job], stdout=subprocess.PIPE, text=True)
    if done.returncode:
        return f"failed with status {done.returncode}: see above"
    told = json.loads(done.stdout)
    print("  ", *told["fallbacks"], file=sys.stderr, flush=True)
    step = statistics.median(told["cpu_per_step"])
    megapixels = size * size / 1e6
    memory = f"{told['peak_gb']:.2f} | {told['own_gb']:.2f}"
    return (
        f"{args.tile} | {args.optimizer} | {precision} | {memory} | {step:.2f} "
        f"| {step / megapixels:.2f} | {megapixels:.1f}"
    )


if __name__ == "__main__":
    if sys.argv[1:2] == [CHILD]:
        arguments, returned = json.loads(sys.argv[2])
        child(*arguments, returned=returned)
    else:
        main()
