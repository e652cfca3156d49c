"""swag backbones, losses, smoothings, presets: what there is, one line each."""

from collections.abc import Iterable
from typing import TYPE_CHECKING

from swag.cli import options
from swag.cli.table import show

if TYPE_CHECKING:
    from swag.config import Preset


def backbones(json: options.Json = False) -> None:
    """List the networks, those first whose layers were chosen with care."""
    from swag.backbones import available

    rows = [
        {"name": entry.name, "what": entry.about, **({"preset": entry.preset} if json else {})}
        for entry in available()
    ]
    show(rows, as_json=json)


def losses(json: options.Json = False) -> None:
    """List what of a layer can be compared, and the penalties on the pixels."""
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
    """List what can be done to activations; a choice is written NAME:PARAMETER=VALUE@LAYERS."""
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
    """List settings that belong together, and where they come from; --json has the settings."""
    from swag.config import PRESETS

    _show_bundles(PRESETS.values(), as_json=json)


def methods(json: options.Json = False) -> None:
    """List ways to compare styles, tuned as a whole; --json has the settings."""
    from swag.config import METHODS

    _show_bundles(METHODS.values(), as_json=json)


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
