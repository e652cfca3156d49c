"""The table of the bundled networks for the documentation.

python -m swag.training.table docs/backbones.md     writes it between the marks in that file
"""

import sys
from pathlib import Path

from swag.backbones import bundled
from swag.backbones.family import macs_per_pixel

BEGIN = "<!-- networks: python -m swag.training.table docs/backbones.md -->"
END = "<!-- /networks -->"


def table() -> str:
    """One line of Markdown for each network of the package."""
    head = "| network | weights, million | file, MB | MACs per pixel, thousand | epochs | top-1 |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|", *map(_line, bundled.names())])


def _line(name: str) -> str:
    macs = macs_per_pixel(bundled.architecture(name)) / 1e3
    if name not in bundled.trained_names():
        return f"| `swag/{name}` | | not trained yet | {macs:.1f} | | |"
    card = bundled.card(name)
    top1 = "not measured" if card.top1 is None else f"{card.top1:.1%}"
    epochs = f"{card.epochs:g}" if card.finished else f"{card.epochs:g} (stopped early)"
    return (
        f"| `swag/{name}` | {card.parameters / 1e6:.2f} | {card.bytes / 1e6:.2f} "
        f"| {macs:.1f} | {epochs} | {top1} |"
    )


def written(text: str) -> str:
    """A document with the table between its marks replaced by the present one."""
    before, rest = text.split(BEGIN)
    _, after = rest.split(END)
    return f"{before}{BEGIN}\n{table()}\n{END}{after}"


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(written(document.read_text()))
