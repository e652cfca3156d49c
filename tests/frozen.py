"""Hashes of what a refactoring must not change: pictures and losses of 13 runs, and all helps.

    python tests/frozen.py > before.txt      and after the change:      diff before.txt after.txt

Hashes are those of one machine, one thread and one version of torch: compare only their own kind.
"""

import hashlib
import sys
from typing import Any

import numpy as np
import torch
from typer.main import get_command
from typer.testing import CliRunner

import swag
from swag.cli import app

SMALL = {"size": 64, "steps": 6, "scales": 2, "device": "cpu"}
GATYS = {"method": "gatys", "weights": "random", "seed": 3}


def picture(seed: int, height: int, width: int) -> np.ndarray:
    """Waves of color, which have structure at every scale."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = np.zeros((height, width, 3))
    for frequency in (2, 5, 11, 23):
        turn, phase, color = draw.uniform(0, 6.3, 1), draw.uniform(0, 6.3, 1), draw.normal(size=3)
        along = x * np.cos(turn) + y * np.sin(turn)
        waves += np.sin(frequency * along + phase)[..., None] * color / frequency**0.5
    return np.uint8(np.clip(waves * 50 + 128, 0, 255))


def halves(height: int, width: int, *, across: bool) -> np.ndarray:
    """A mask of two regions."""
    mask = np.zeros((height, width), np.uint8)
    if across:
        mask[: height // 2] = 255
    else:
        mask[:, : width // 3] = 255
    return mask


CONTENT, STYLE, OTHER = picture(1, 72, 96), picture(2, 80, 70), picture(3, 64, 90)
MASKS = {
    "content_mask": halves(72, 96, across=False),
    "style_mask": [halves(80, 70, across=True), halves(64, 90, across=False)],
    "content_map": halves(72, 96, across=True),
}

RUNS: dict[str, tuple[Any, Any, dict[str, Any]]] = {
    "default": (CONTENT, STYLE, {}),
    "gatys, random weights, torch's L-BFGS": (
        CONTENT,
        STYLE,
        {**GATYS, "optimizer": "torch-lbfgs", "normalization": "paper"},
    ),
    "swag, greedy weights, smoothing of one layer": (
        CONTENT,
        STYLE,
        {"method": "swag", "weights": "random:greedy", "matched": "gradient"},
    ),
    "adam, averaged, several styles": (
        CONTENT,
        [STYLE, OTHER],
        {"optimizer": "adam", "average": 0.5, "style_weights": (1, 2), "style_rotations": True},
    ),
    "tiles": (CONTENT, STYLE, {"size": 160, "tile": 64, "steps": 3, "scales": 1, **GATYS}),
    "tiles of a calibrated network": (
        CONTENT,
        STYLE,
        {"size": 160, "tile": 64, "steps": 3, "weights": "random:kaiming+calibrated"},
    ),
    "texture": (None, STYLE, {"method": "sliced", "style_scale": 0.5}),
    "reconstruct": (CONTENT, None, {"backbone": "swag/vgg", "normalization": "initial"}),
    "masks": (CONTENT, [STYLE, OTHER], {"feather": 2, "colors": "match", **MASKS}),
    "losses between layers, the content's colors": (
        CONTENT,
        STYLE,
        {
            "method": "strotss",
            "content_loss": "self-similarity",
            "colors": "content",
            "palette": 1,
            "laplacian": 1,
            "smoothing": "softmax:temperature=auto",
        },
    ),
    "Fourier, without jitter, from noise": (
        CONTENT,
        STYLE,
        {"parametrization": "fourier", "optimizer": "adam", "start": "noise", "square": True},
    ),
    "neighbors in a pyramid": (CONTENT, STYLE, {"method": "nnst", "parametrization": "laplacian"}),
}

JITTERED = {"optimizer": "adam", "jitter": 4, "jitter_scale": 0.1, "parametrization": "fourier"}
RUNS["jitter"] = (CONTENT, STYLE, JITTERED)


def digest(*parts: bytes) -> str:
    """The first letters of a SHA-256."""
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:16]


def hashes_of_run(content: Any, style: Any, options: dict[str, Any]) -> tuple[str, str]:
    """(of the pixels, of all losses)."""
    task = "texture" if content is None else "reconstruct" if style is None else "stylize"
    updates = list(swag.iterate(content, style, task=task, **{**SMALL, **options}))
    pixels = updates[-1].image.pixels.contiguous().numpy().tobytes()
    losses = repr([sorted(update.losses.items()) for update in updates])
    return digest(pixels), digest(losses.encode())


def helps() -> dict[str, str]:
    """A hash of each command's help."""
    commands = ["", *sorted(get_command(app).commands)]
    wide = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}
    shown = {
        name: CliRunner().invoke(app, [*name.split(), "--help"], env=wide).stdout
        for name in commands
    }
    return {name: digest(text.encode()) for name, text in shown.items()}


def main() -> None:
    """Print a line for each run, and for each command."""
    torch.set_num_threads(1)
    asked = sys.argv[1:]
    for name, run in RUNS.items():
        if not asked or name in asked:
            print(*hashes_of_run(*run), name, flush=True)
    if not asked:
        for name, value in helps().items():
            print(value, f"swag {name} --help".replace("  ", " "))


if __name__ == "__main__":
    main()
