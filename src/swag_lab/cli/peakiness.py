"""How peaky the activations of a backbone are on pictures, layer by layer."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from swag import backbones
from swag.cli.table import Row
from swag.config import settings
from swag.image import read
from swag.run import device_of
from swag_lab.experiments.measures import peakiness


def peakiness_rows(images: Sequence[Path], overrides: dict[str, Any]) -> list[Row]:
    """A row for each picture and layer, with the settings' network, size and device.

    Raises:
        SwagError: a setting, a picture or a backbone is invalid.
    """
    chosen = settings(**overrides)
    pictures = [read(image, size=chosen.size).batch for image in images]
    device = device_of(chosen.device)
    # No edits: the network as it is.
    network = backbones.create(chosen.backbone, weights=chosen.weights, seed=chosen.seed)
    network.to(device)
    return [
        {"image": str(image), **row}
        for image, picture in zip(images, pictures, strict=True)
        for row in peakiness(network, picture.to(device))
    ]


def layer_means(rows: Sequence[Row]) -> list[Row]:
    """A row for each layer: the means over the pictures."""
    layers = dict.fromkeys(row["layer"] for row in rows)
    return [_mean([row for row in rows if row["layer"] == layer]) for layer in layers]


def _mean(rows: Sequence[Row]) -> Row:
    numbers = [name for name in rows[0] if name not in ("image", "layer")]
    means = {name: sum(row[name] for row in rows) / len(rows) for name in numbers}
    return {"layer": rows[0]["layer"], **means}
