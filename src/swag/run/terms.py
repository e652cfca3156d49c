"""From settings and pictures to the terms of the loss, at one size."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from swag.backbones import Backbone
from swag.config import PRESETS, Settings
from swag.errors import SettingsError
from swag.losses import Loss
from swag.losses import get as get_loss
from swag.objective import PIXELS, LossTerm, Normalization
from swag.regions import regions, soften
from swag.smoothing import Smoothing
from swag.smoothing import parse as parse_smoothing


@dataclass(frozen=True)
class StyleRegion:
    """A region of the picture, the part of a style that it is painted in, and its weight.

    `style` counts the style pictures from 0; the maps (1, 1, h, w) are of any size, None: all of
    it; `share` is the share of the style's weight.
    """

    name: str
    style: int
    share: float
    mask: Tensor | None = None
    style_mask: Tensor | None = None


def style_regions(
    settings: Settings, styles: int, content_mask: Tensor | None, style_masks: Sequence[Tensor]
) -> list[StyleRegion]:
    """The region of each style: the whole picture, or that of its mask.

    A region's share is in proportion to its area times the share of its style: pixels count alike
    in all regions.
    """
    shares = settings.style_shares(styles)
    if content_mask is None:
        return [StyleRegion(str(i + 1), i, share) for i, share in enumerate(shares)]
    mask_regions = regions(content_mask, *(style_masks or (None,) * styles))
    areas = [float(region.mask.mean()) * shares[region.style] for region in mask_regions]
    radius = settings.feather * max(content_mask.shape[2:]) / settings.size
    return [
        StyleRegion(
            name=region.name,
            style=region.style,
            share=area / sum(areas),
            mask=mask,
            style_mask=region.style_mask,
        )
        for region, area in zip(mask_regions, areas, strict=True)
        if area > 0
        for mask in [soften(region.mask, radius)]
    ]


def style_terms(
    settings: Settings,
    network: Backbone,
    styles: Sequence[Tensor],
    places: Sequence[StyleRegion],
    unit_image: Tensor,
) -> list[LossTerm]:
    """One term for each region of a style, and one for its palette if that is asked for.

    If the style has no weight, its palette has none either.
    """
    weight, _ = settings.weights_of_terms
    smoothing = smoothing_of(settings, network)
    losses = [(get_loss(settings.style_loss), weight, "style")]
    if settings.palette and weight:
        losses.append((get_loss("palette"), settings.palette, "palette"))
    return [
        LossTerm(
            name=role if len(places) == 1 else f"{role} {place.name}",
            loss=loss,
            layers=_layer_weights(loss, settings.style_layers, network.style_layer_weights),
            target=with_rotations(styles[place.style], settings.style_rotations),
            smoothing=smoothing,
            weight=loss_weight * place.share,
            normalization=settings.normalization,
            unit_image=unit_image,
            mask=place.mask,
            target_mask=None
            if place.style_mask is None
            else with_rotations(place.style_mask, settings.style_rotations),
            matched=settings.matched,
        )
        for loss, loss_weight, role in losses
        for place in places
    ]


def content_terms(
    settings: Settings, network: Backbone, photo: Tensor, unit_image: Tensor, mask: Tensor | None
) -> list[LossTerm]:
    """The content, and the photo's Laplacian if it is asked for."""
    _, weight = settings.weights_of_terms
    losses = [(get_loss(settings.content_loss), weight, "content")]
    if settings.laplacian:
        losses.append((get_loss("laplacian"), settings.laplacian, "laplacian"))
    smoothing = smoothing_of(settings, network)
    smoothing = smoothing if settings.smooth_content else Smoothing("none")
    # A photo's error against itself is no unit, so `initial` is the span for the content.
    normalization: Normalization = settings.normalization
    normalization = "span" if normalization == "initial" else normalization
    return [
        LossTerm(
            name=name,
            loss=loss,
            layers=_layer_weights(loss, settings.content_layers, network.content_layer_weights),
            target=photo,
            smoothing=smoothing,
            weight=loss_weight,
            normalization=normalization,
            unit_image=unit_image,
            mask=mask,
            target_mask=mask,
            matched=settings.matched,
        )
        for loss, loss_weight, name in losses
    ]


def layers_read(settings: Settings, network: Backbone) -> list[str]:
    """The layers of the network that a run reads, those of the style first."""
    style = settings.style_layers or dict.fromkeys(network.style_layers)
    content = settings.content_layers or dict.fromkeys(network.content_layers)
    return list({**style, **content})


def smoothing_of(settings: Settings, network: Backbone) -> Smoothing:
    """The smoothing of a run, with its layers named as they are read.

    A smoothing that comes from the preset may name layers that are not read: it is made for
    several networks.

    Raises:
        BackboneError: it names a layer that the network does not have.
        SettingsError: it names one that is not read.
    """
    smoothing = parse_smoothing(settings.smoothing)
    if smoothing.layers is None:
        return smoothing
    names = {layer: network.aliases.get(layer, layer) for layer in layers_read(settings, network)}
    smoothed: list[str] = []
    for entry in smoothing.layers:
        within = replace(smoothing, layers=(network.aliases.get(entry, entry),))
        inside = [layer for layer, name in names.items() if within.includes(name)]
        if not inside and not _is_of_preset(settings):
            network.check_layers([entry])
            raise SettingsError(
                f"smoothing = {smoothing}: {entry} of {network.name} is not read; choose from "
                f"{', '.join(names)}, or name it in style_layers or content_layers"
            )
        smoothed += inside
    return replace(smoothing, layers=tuple(smoothed)) if smoothed else Smoothing("none")


def _is_of_preset(settings: Settings) -> bool:
    preset = PRESETS.get(settings.preset)
    return preset is not None and preset.values.get("smoothing") == settings.smoothing


def _layer_weights(
    loss: Loss, chosen: dict[str, float] | None, defaults: Mapping[str, float]
) -> dict[str, float]:
    """Layers with their weights; a network's were tuned for losses that are sums over layers."""
    if loss.of_pixels:
        return {PIXELS: 1.0}
    return chosen or (dict.fromkeys(defaults, 1.0) if loss.joint else dict(defaults))


def with_rotations(picture: Tensor, rotations: bool) -> Tensor | tuple[Tensor, ...]:
    """The picture, or itself and its turns by 90, 180 and 270 degrees."""
    if not rotations:
        return picture
    turns = (torch.rot90(picture, k, (2, 3)).contiguous() for k in range(4))
    return cast(tuple[Tensor, ...], tuple(turns))
