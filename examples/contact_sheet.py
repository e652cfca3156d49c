"""Every content in every style, on one sheet: styles along the top, contents down the left.

python examples/contact_sheet.py --contents photos --styles paintings --out build/sheet.png
    [--size 256] [--preset NAME] [--backbone NAME] [--smoothing SPEC]

Contents and styles are folders or files. Single pictures are kept in a folder beside the sheet that
is named for the settings, and are not made again.
"""

import argparse
import hashlib
import json
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

import swag

CELL = 2.2
"""Inches of the sheet for each picture, at 120 pixels an inch or more."""


def main() -> None:
    """Make the pictures that are missing, then the sheet."""
    options = _options()
    contents, styles = pictures(options.contents), pictures(options.styles)
    names = ("preset", "size", "backbone", "smoothing")
    chosen = {name: value for name in names if (value := getattr(options, name)) is not None}
    folder = options.out.with_suffix("") / label(chosen)
    folder.mkdir(parents=True, exist_ok=True)
    rows = [[stylized(content, style, folder, chosen) for style in styles] for content in contents]
    _draw(contents, styles, rows, options.out, size=options.size)
    print(options.out.resolve())


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Every content in every style, on one sheet.")
    parser.add_argument("--contents", type=Path, nargs="+", required=True, metavar="PATH")
    parser.add_argument("--styles", type=Path, nargs="+", required=True, metavar="PATH")
    parser.add_argument("--out", type=Path, required=True, metavar="PNG")
    parser.add_argument("--size", type=int, default=256, help="long side in pixels (256)")
    parser.add_argument("--preset", default="default")
    parser.add_argument("--backbone")
    parser.add_argument("--smoothing")
    return parser.parse_args()


def pictures(paths: list[Path]) -> list[Path]:
    """The files given, with a folder standing for the pictures in it."""
    found = []
    for path in paths:
        inside = sorted(path.iterdir()) if path.is_dir() else [path]
        found += [file for file in inside if not path.is_dir() or _readable(file)]
    if not found:
        raise swag.ImageError(f"no pictures in {', '.join(map(str, paths))}")
    return found


def _readable(file: Path) -> bool:
    return file.suffix.lower() in swag.image.extensions()


def label(chosen: dict[str, Any]) -> str:
    """A folder's name for these settings: short, and different for different ones."""
    settings = swag.settings(**chosen).model_dump_json()
    return (
        f"{chosen['preset']}-{chosen['size']}-{hashlib.sha256(settings.encode()).hexdigest()[:8]}"
    )


def stylized(content: Path, style: Path, folder: Path, chosen: dict[str, Any]) -> Path:
    """The picture of this content in this style, made unless it is there."""
    inputs = json.dumps([str(content.resolve()), str(style.resolve())])
    mark = hashlib.sha256(inputs.encode()).hexdigest()[:6]
    path = folder / f"{content.stem}--{style.stem}--{mark}.png"
    if not path.exists():
        print(f"{content.name} in the style of {style.name}", flush=True)
        swag.stylize(content, style, **chosen).save(path)
    return path


def _draw(
    contents: list[Path], styles: list[Path], rows: list[list[Path]], out: Path, size: int
) -> None:
    figure = Figure((CELL * (len(styles) + 1), CELL * (len(contents) + 1)), layout="constrained")
    axes = figure.subplots(len(contents) + 1, len(styles) + 1, squeeze=False)
    axes[0, 0].axis("off")
    for place, style in zip(axes[0, 1:], styles, strict=True):
        show(place, style, size, style.stem)
    for line, content, row in zip(axes[1:], contents, rows, strict=True):
        for place, path in zip(line, [content, *row], strict=True):
            show(place, path, size, content.stem if path == content else "")
    figure.savefig(out, dpi=max(120.0, size / CELL))


def show(place: Axes, path: Path, size: int, title: str) -> None:
    """A picture with a title above it, without axes."""
    picture = swag.image.read(path, size=size)
    place.imshow(picture.pixels.permute(1, 2, 0).numpy(), interpolation="lanczos")
    place.set_title(title, fontsize=7)
    place.axis("off")


if __name__ == "__main__":
    try:
        main()
    except swag.SwagError as error:
        raise SystemExit(f"contact sheet: {error}") from error
