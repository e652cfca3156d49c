"""A corpus of damaged and hostile files, made anew from a seed, and what the program makes of it.

    python tests/mutations.py --cases 12000 --seed 0

Each case is a whole file of ours (a picture of every format, a checkpoint, settings, weights, a
table of jobs, a manifest, the words in a picture) with bytes flipped, cut, repeated, moved, put in
or set to their extremes. It must be read, or refused by a SwagError of one line, within a time and
a growth of memory; anything else is a fault, and its seed is printed.
"""

import argparse
import io
import json
import random
import resource
import struct
import sys
import tempfile
import time
import warnings
import zlib
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import tifffile
import torch
from PIL import Image
from safetensors.torch import save

from swag import checkpoint
from swag.backbones import weights
from swag.batch import Manifest, read_jobs
from swag.config import load as load_settings
from swag.config import settings
from swag.errors import SwagError
from swag.image import read, read_metadata
from swag.run import load_checkpoint, recorded

SECONDS = 5.0
"""The longest that any file may take."""

Reader = Callable[[Path], object]
PIXELS = np.random.default_rng(0).integers(0, 256, (12, 14, 3)).astype(np.uint8)
WORDS = {
    "swag": json.dumps(settings().model_dump(mode="json")),
    "swag-run": json.dumps(
        {"task": "stylize", "versions": {"swag": "0.1.0"}, "inputs": {"content": "0" * 64},
         "weights": "0" * 64, "step": 3, "finished": True, "fallbacks": [], "losses": {"style": 1}}
    ),
}  # fmt: skip


def _picture(kind: str) -> bytes:
    stream, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x010E] = 6, json.dumps(WORDS)
    Image.fromarray(PIXELS).save(stream, kind, exif=exif)
    return stream.getvalue()


def _told_png() -> bytes:
    plain = _picture("PNG")
    chunks = b""
    for key, text in WORDS.items():
        body = b"iTXt" + key.encode() + b"\0\0\0\0\0" + text.encode()
        chunks += struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return plain[:33] + chunks + plain[33:]


def _tiff(samples: np.ndarray, **options: object) -> bytes:
    stream = io.BytesIO()
    tifffile.imwrite(stream, samples, photometric="rgb", **options)
    return stream.getvalue()


def _saved(write: Callable[[Path], object]) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder) / "file")
        return (Path(folder) / "file").read_bytes()


def _checkpoint(path: Path) -> None:
    import swag

    picture = torch.rand(3, 32, 32, generator=torch.Generator().manual_seed(0))
    small = {"weights": "random", "size": 32, "steps": 2, "scales": 1, "device": "cpu"}
    next(swag.iterate(picture, picture.flip(-1).square(), **small)).save_checkpoint(path)


def _read_manifest(path: Path) -> object:
    with Manifest(path.parent) as manifest:
        return manifest.last


STATE = {"a.weight": torch.rand(4, 3, generator=torch.Generator().manual_seed(0)),
         "a.bias": torch.zeros(4)}  # fmt: skip

SEEDS: dict[str, tuple[str, Callable[[], bytes], Reader]] = {
    "png": ("a.png", lambda: _picture("PNG"), read),
    "jpeg": ("a.jpg", lambda: _picture("JPEG"), read),
    "webp": ("a.webp", lambda: _picture("WEBP"), read),
    "avif": ("a.avif", lambda: _picture("AVIF"), read),
    "tiff": ("a.tif", lambda: _tiff(PIXELS, compression="zlib"), read),
    "deep tiff": ("a.tif", lambda: _tiff(PIXELS.astype(np.uint16), tile=(16, 16)), read),
    "words in a png": ("a.png", _told_png, recorded),
    "words in a jpeg": ("a.jpg", lambda: _picture("JPEG"), recorded),
    "words in a tiff": ("a.tif", lambda: _picture("TIFF"), read_metadata),
    "checkpoint": ("a.ckpt", lambda: _saved(_checkpoint), load_checkpoint),
    "bare checkpoint": (
        "a.ckpt", lambda: _saved(lambda path: checkpoint.save_tensors(path, STATE, {"a": 1})),
        checkpoint.load_tensors,
    ),
    "settings in toml": (
        "a.toml",
        lambda: b'size = 64\nsmoothing = "softmax:temperature=auto"\n[style_layers]\nstem = 1.0\n',
        lambda path: settings(**load_settings(path)),
    ),
    "settings in json": (
        "a.json", lambda: WORDS["swag"].encode(), lambda path: settings(**load_settings(path))
    ),
    "safetensors": ("a.safetensors", lambda: save(STATE), weights.read_weights),
    "torch": ("a.pth", lambda: _saved(lambda path: torch.save(STATE, path)), weights.read_weights),
    "jobs in csv": (
        "a.csv", lambda: b"content,style,size\na.jpg,x.jpg,64\nb.jpg,x.jpg,\n", read_jobs
    ),
    "jobs in json": (
        "a.jsonl",
        lambda: b'{"content": "a", "style": ["x"], "size": 64}\n{"content": "b", "style": "x"}',
        read_jobs,
    ),
    "manifest": (
        "manifest.jsonl", lambda: b'{"output": "a.png", "state": "done", "key": "0"}\n' * 2,
        _read_manifest,
    ),
}  # fmt: skip


def mutated(data: bytes, draw: random.Random) -> bytes:
    """The file with one to four faults."""
    for _ in range(draw.choice((1, 1, 2, 4))):
        at, length = draw.randrange(len(data) + 1), draw.choice((1, 2, 4, 8, 64))
        to = draw.randrange(len(data) + 1)
        before, part, after = data[:at], data[at : at + length], data[at + length :]
        extreme = draw.choice((b"\0", b"\xff", b"\x7f", b"\x80", b"9", b"[", b'"')) * length
        flipped = bytes(byte ^ 1 << draw.randrange(8) for byte in part[:1]) + part[1:]
        data = draw.choice(
            (
                before + flipped + after,
                before + bytes([draw.randrange(256)]) + part[1:] + after,
                before,
                before + after,
                before + part * draw.choice((2, 3, 500)) + after,
                data[:to] + part + data[to + length :],
                before + extreme + part + after,
                before + extreme + after,
            )
        )
    return data


def outcome(path: Path, reader: Reader) -> str:
    """What became of a file: read, refused, or a fault in words."""
    began = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message=".*its color profile cannot be used")
            warnings.filterwarnings("error", category=ResourceWarning)
            reader(path)
        result = "read"
    except SwagError as error:
        result = "refused" if len(str(error).splitlines()) == 1 else f"lines: {error}"
    except Exception as error:  # whatever it is, it is what is looked for here
        result = f"{type(error).__name__}: {error}"
    passed = time.perf_counter() - began
    return result if passed <= SECONDS else f"{passed:.1f} s: {result}"


def run(cases: int, seed: int, folder: Path) -> tuple[Counter[tuple[str, str]], list[str]]:
    """Try so many cases, the kinds of files in turn: counts by kind and outcome, and the faults."""
    counts: Counter[tuple[str, str]] = Counter()
    faults = []
    whole = {name: make() for name, (_, make, _) in SEEDS.items()}
    for number in range(cases):
        name = list(SEEDS)[number % len(SEEDS)]
        file, _, reader = SEEDS[name]
        (folder / file).write_bytes(mutated(whole[name], random.Random(f"{seed}/{number}")))
        result = outcome(folder / file, reader)
        (folder / file).unlink()
        counts[name, result if result in ("read", "refused") else "fault"] += 1
        if result not in ("read", "refused"):
            faults.append(f"{name}, seed {seed}, case {number}: {result}")
    return counts, faults


def main() -> None:
    """Run a corpus and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=12_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        began = time.perf_counter()
        counts, faults = run(options.cases, options.seed, Path(folder))
    for name in SEEDS:
        row = [counts[name, kind] for kind in ("read", "refused", "fault")]
        print(f"{name:18} read {row[0]:5} refused {row[1]:5} faults {row[2]:3}")
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    print(f"{options.cases} cases, {len(faults)} faults, {time.perf_counter() - began:.0f} s, "
          f"peak memory grew by {grown:.0f} MiB")  # fmt: skip
    print(*faults, sep="\n")
    sys.exit(bool(faults))


if __name__ == "__main__":
    main()
