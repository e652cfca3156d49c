"""Stylize a photo that comes with matplotlib in a style painted here, with the bundled network.

python examples/demo.py [--size 384] [--style brush|mosaic|ink]

The photo, the style and the result are written to build/demo; the last line is the result's path.
"""

import argparse
import time
from pathlib import Path

import swag

swag.wait_briefly()  # before anything loads torch

from matplotlib.cbook import get_sample_data
from paint import STYLES, save

FOLDER = Path("build/demo")
PHOTO = "grace_hopper.jpg"
"""Rear Admiral Grace Hopper by James S. Davis, 1984: a work of the US Navy, public domain."""

PAUSE = 5.0
"""Seconds between two lines of progress."""


def main() -> None:
    """Paint, stylize, write."""
    options = _options()
    swag.keep_freed_memory()
    FOLDER.mkdir(parents=True, exist_ok=True)
    content, style, out = (FOLDER / f"{name}.png" for name in ("content", "style", "out"))
    photo = swag.image.read(get_sample_data(PHOTO, asfileobj=False), size=options.size)
    swag.image.write(content, photo)
    print(f"painting a style: {options.style}", flush=True)
    save(style, STYLES[options.style](512, 0))
    swag.image.write(out, _stylized(content, style, options.size))
    print(out.resolve())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Stylize a photo in a painted style.")
    parser.add_argument("--size", type=int, default=384, help="long side in pixels (384)")
    parser.add_argument("--style", choices=list(STYLES), default="brush", help="(brush)")
    return parser.parse_args()


def _stylized(content: Path, style: Path, size: int) -> swag.image.Picture:
    shown = time.monotonic() - PAUSE
    for update in swag.iterate(content, style, preset="default", size=size):
        last = update.index + 1 == update.steps
        if last or time.monotonic() - shown >= PAUSE:
            shown = time.monotonic()
            height, width = update.size
            losses = ", ".join(f"{name} {value:.4g}" for name, value in update.losses.items())
            print(
                f"step {update.index + 1} of {update.steps}, {width} x {height} pixels: {losses}",
                flush=True,
            )
    return update.image


if __name__ == "__main__":
    try:
        main()
    except swag.SwagError as error:
        raise SystemExit(f"demo: {error}") from error
