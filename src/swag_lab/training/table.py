"""The tables of the bundled networks for the documentation.

python -m swag_lab.training.table docs/backbones.md     writes them between the marks in that file
"""

import sys
from pathlib import Path

import torch

from swag.backbones import bundled
from swag.backbones.distilled import DistilledNetwork
from swag.backbones.family import macs_of, macs_per_pixel

BEGIN = "<!-- {}: python -m swag_lab.training.table docs/backbones.md -->"
END = "<!-- /{} -->"


def table() -> str:
    """One line of Markdown for each network of the ablation family."""
    head = "| network | weights, million | file, MB | MACs per pixel, thousand | epochs | top-1 |"
    return "\n".join([head, "|---|---:|---:|---:|---:|---:|", *map(_line, bundled.ARCHITECTURES)])


def _line(name: str) -> str:
    macs = macs_per_pixel(bundled.architecture(name)) / 1e3
    card = bundled.card(name)
    top1 = "not measured" if card.top1 is None else f"{card.top1:.1%}"
    epochs = f"{card.epochs:g}" if card.finished else f"{card.epochs:g} (stopped early)"
    return (
        f"| `swag/{name}` | {card.parameters / 1e6:.2f} | {card.bytes / 1e6:.2f} "
        f"| {macs:.1f} | {epochs} | {top1} |"
    )


def students() -> str:
    """One line of Markdown for each distilled network, with its error at each layer."""
    cards = {name: bundled.card(name) for name in bundled.STUDENTS}
    layers = [tap.layer for tap in next(iter(bundled.STUDENTS.values())).taps]
    sizes = "weights, million | file, MB | MACs per pixel, thousand"
    head = f"| network | {sizes} | {' | '.join(layers)} |"
    rows = [head, "|---" + "|---:" * (3 + len(layers)) + "|"]
    for name, card in cards.items():
        with torch.device("meta"):
            macs = macs_of(DistilledNetwork(bundled.STUDENTS[name]), side=64) / 1e3
        errors = " | ".join(f"{card.unexplained[layer]:.3f}" for layer in layers)
        size = f"{card.parameters / 1e6:.2f} | {card.bytes / 1e6:.2f} | {macs:.1f}"
        rows.append(f"| `swag/{name}` | {size} | {errors} |")
    return "\n".join(rows)


def with_current_tables(text: str) -> str:
    """The text of a document with the tables between their marks replaced by current ones."""
    for name, render in (("networks", table), ("students", students)):
        begin, end = BEGIN.format(name), END.format(name)
        before, remainder = text.split(begin)
        _, after = remainder.split(end)
        text = f"{before}{begin}\n{render()}\n{end}{after}"
    return text


if __name__ == "__main__":
    document = Path(sys.argv[1])
    document.write_text(with_current_tables(document.read_text()))
