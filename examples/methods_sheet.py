"""Every method on the same pairs of pictures, on one sheet: a line for each method.

python examples/methods_sheet.py --contents A B --styles C D E --out build/methods.png
    [--size 256] [--steps 300] [--methods NAME ...]

Each content is paired with each style; they stand on top. Pictures that were made stay in a folder
beside the sheet and are not made again.
"""

import argparse
import itertools
from pathlib import Path
from typing import Any

from contact_sheet import CELL, label, pictures, show, stylized
from matplotlib.figure import Figure

import swag
from swag.config import METHODS


def main() -> None:
    """Make the pictures that are missing, then the sheet."""
    options = _options()
    pairs = list(itertools.product(pictures(options.contents), pictures(options.styles)))
    rows = {}
    for method in options.methods:
        chosen: dict[str, Any] = {"method": method, "size": options.size, "preset": "default"}
        chosen |= {} if options.steps is None else {"steps": options.steps}
        folder = options.out.with_suffix("") / label(chosen)
        folder.mkdir(parents=True, exist_ok=True)
        rows[method] = [stylized(*pair, folder, chosen) for pair in pairs]
    _draw(pairs, rows, options.out, options.size)
    print(options.out.resolve())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every method on the same pairs of pictures.")
    parser.add_argument("--contents", type=Path, nargs="+", required=True, metavar="PATH")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, metavar="PATH")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--size", type=int, default=256, help="long side in pixels (256)")
    parser.add_argument("--steps", type=int, help="the default's, unless told")
    parser.add_argument("--methods", nargs="+", default=list(METHODS), metavar="NAME")
    return parser.parse_args()


def _draw(
    pairs: list[tuple[Path, Path]], rows: dict[str, list[Path]], out: Path, size: int
) -> None:
    figure = Figure((CELL * len(pairs), CELL * (len(rows) + 1)), layout="constrained")
    axes = figure.subplots(len(rows) + 1, len(pairs), squeeze=False)
    for place, (content, style) in zip(axes[0], pairs, strict=True):
        show(place, style, size, f"{content.stem}, {style.stem}")
    for line, (method, row) in zip(axes[1:], rows.items(), strict=True):
        for i, (place, path) in enumerate(zip(line, row, strict=True)):
            show(place, path, size, "" if i else method)
    figure.savefig(out, dpi=max(120.0, size / CELL))


if __name__ == "__main__":
    try:
        main()
    except swag.SwagError as error:
        raise SystemExit(f"methods sheet: {error}") from error
