"""swag backbones, losses, smoothings, presets, methods, settings: what there is, one line each."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from swag.cli import options
from swag.cli.table import format_value, show

if TYPE_CHECKING:
    from swag.config import Preset

Name = Annotated[
    str | None,
    options.argument(
        "NAME",
        "Name of a network with layers chosen by hand: print them, and the model card of a "
        "bundled one.",
    ),
]
Picture = Annotated[
    Path | None, options.argument("PICTURE", "A picture: print the settings stored in it.")
]
Markdown = Annotated[bool, options.option("--markdown", "Print a table in Markdown.", default=True)]


def backbones(name: Name = None, json: options.Json = False) -> None:
    """List the networks, first those with layers chosen by hand; or print one network's card."""
    from swag.backbones import available

    if name is not None:
        card = _card_of(name)
        layers = _layers_of(name)
        if json:
            show([card | layers], as_json=True)
            return
        texts = {
            key.replace("_", " "): [f"{layer}={weight:g}" for layer, weight in weights.items()]
            for key, weights in layers.items()
        }
        show(_card_rows({"name": card["name"], **texts, **card}), as_json=False)
        return
    rows = [
        {
            "name": entry.name,
            "what": entry.about,
            **({"preset": entry.preset, "card": entry.card and asdict(entry.card)} if json else {}),
        }
        for entry in available()
    ]
    show(rows, as_json=json)


def _card_of(name: str) -> dict[str, Any]:
    """The model card of a bundled network, or name and line of another one with a preset.

    WeightsError if it is neither.
    """
    from swag.backbones import bundled
    from swag.backbones.presets import PRESETS

    if name in PRESETS:
        return {"name": name, "what": PRESETS[name].about}
    return asdict(bundled.card(name))


def _layers_of(name: str) -> dict[str, dict[str, float]]:
    """The style layers and the content layers of such a network, with their weights."""
    from swag.backbones import bundled
    from swag.backbones.presets import PRESETS
    from swag.layer_weights import layer_weights

    preset = PRESETS.get(name)
    layers = bundled.layers(name) if preset is None else (preset.style, preset.content)
    names = ("style_layers", "content_layers")
    return {key: layer_weights(key, chosen) for key, chosen in zip(names, layers, strict=True)}


def _card_rows(card: Mapping[str, Any], prefix: str = "") -> list[dict[str, Any]]:
    """The fields of a model card as rows; a nested field is named with those around it."""
    rows = []
    for key, value in card.items():
        numbered = isinstance(value, list) and value and isinstance(value[0], dict)
        nested = {str(i): part for i, part in enumerate(value, 1)} if numbered else value
        if isinstance(nested, dict):
            rows += _card_rows(nested, f"{prefix}{key} ")
        else:
            rows.append({"field": f"{prefix}{key}", "value": value})
    return rows


def losses(json: options.Json = False) -> None:
    """List the losses that compare layers, and the penalties on pixels."""
    from swag.losses import LOSSES, PENALTIES

    rows = [
        {"name": loss.name, "of": loss.role, "what": loss.summary, "reference": loss.reference}
        for loss in LOSSES.values()
    ]
    rows += [
        {"name": term.name, "of": "pixels", "what": term.summary, "reference": term.reference}
        for term in PENALTIES.values()
    ]
    show(rows, as_json=json)


def smoothings(json: options.Json = False) -> None:
    """List the smoothings of activations. --smoothing takes NAME:PARAMETER=VALUE@LAYERS."""
    from swag.smoothing import KINDS

    rows = [
        {
            "name": kind.name,
            "formula": kind.formula,
            "parameter": kind.parameter and f"{kind.parameter.name}={kind.parameter.default}",
            **({"meaning": kind.parameter and kind.parameter.meaning} if json else {}),
            "reference": kind.reference,
        }
        for kind in KINDS.values()
    ]
    show(rows, as_json=json)


def presets(json: options.Json = False) -> None:
    """List the presets: bundles of settings, with their sources. --json adds the settings."""
    from swag.config import PRESETS

    _show_bundles(PRESETS.values(), as_json=json)


def methods(json: options.Json = False) -> None:
    """List the methods: style losses with settings tuned for them. --json adds the settings."""
    from swag.config import METHODS

    _show_bundles(METHODS.values(), as_json=json)


def settings(
    picture: Picture = None, markdown: Markdown = False, json: options.Json = False
) -> None:
    """List every setting with its default, or the settings stored in a picture.

    A setting without an option of its own is given by --set NAME=VALUE.

    swag settings

    swag settings result.jpg
    """
    rows = setting_rows() if picture is None else _stored_rows(picture)
    if not markdown:
        show(rows, as_json=json)
        return
    typer.echo(f"| {' | '.join(rows[0])} |\n|{'---|' * len(rows[0])}")
    for row in rows:
        cells = (" ".join(str(value).replace("|", "/").split("\n")) for value in row.values())
        typer.echo(f"| {' | '.join(cells)} |")


def setting_rows() -> list[dict[str, str]]:
    """Name, option, default and meaning of every setting."""
    from swag.cli.groups import option_names
    from swag.config import Settings

    names = option_names()
    return [
        {
            "name": name,
            "option": names.get(name, ""),
            "default": format_value(field.default),
            "what": field.description or "",
        }
        for name, field in Settings.model_fields.items()
    ]


def _stored_rows(picture: Path) -> list[dict[str, Any]]:
    """The settings stored in a picture, or the parameters that another program has stored."""
    from swag.image import read_metadata
    from swag.run.provenance import from_texts

    texts = read_metadata(picture)
    if "swag" not in texts and "parameters" in texts:
        return [{"name": "parameters", "value": texts["parameters"]}]
    chosen, record = from_texts(texts, str(picture))
    values = chosen.model_dump(mode="json") | record.model_dump(mode="json", exclude={"weights"})
    return [{"name": name, "value": value} for name, value in values.items()]


def _show_bundles(bundles: "Iterable[Preset]", *, as_json: bool) -> None:
    rows = [
        {
            "name": bundle.name,
            "what": bundle.summary,
            "reference": bundle.reference,
            **({"settings": dict(bundle.values)} if as_json else {}),
        }
        for bundle in bundles
    ]
    show(rows, as_json=as_json)
