"""First pictures that have something of the style: the starts `style-colors` and `instant`."""

from collections.abc import Sequence

import torch
from torch import Tensor

from swag.colors import match
from swag.config import Settings
from swag.config import settings as settings_of
from swag.errors import SettingsError
from swag.image import resize
from swag.instant import Gaussian, Painter, Style, bundled, pool_gaussians
from swag.run.terms import StyleRegion, with_rotations
from swag.types import Image, OwnImage, OwnMask, Size

OPTIMIZATION_SETTINGS = (
    *("backbone", "weights", "edits", "scales", "optimizer", "rate", "average", "parametrization"),
    *("jitter", "jitter_scale", "balance", "style_loss", "style_layers", "palette", "content_loss"),
    *("content_layers", "laplacian", "smoothing", "smooth_content", "matched", "normalization"),
    *("style_weight", "content_weight", "total_variation", "pixel_range"),
)
"""Settings of the optimization: how pixels are moved, and by which losses."""

FULL_COLORS = 0.25
"""The strength from which on the start `style-colors` has all of the painting's colors.

Below, the start has a share of them: the content loss hardly sees colors, and so would not bring
back those of the photo."""


def check_one_pass(settings: Settings, *, content_map: bool) -> None:
    """Refuse settings that have no effect if the photo is painted in one pass: SettingsError.

    The method instant is one pass, so steps are refused with it.
    """
    if settings.method == "instant" and settings.steps:
        raise SettingsError(
            f"steps = {settings.steps}: the method instant paints in one pass, without steps; "
            "leave them out, or optimize from that picture: start = instant with another method"
        )
    if settings.start != "instant" or settings.steps:
        return
    defaults = settings_of("default", "instant"), settings_of()
    unused = [
        n
        for n in OPTIMIZATION_SETTINGS
        if getattr(settings, n) not in [getattr(p, n) for p in defaults]
    ]
    unused += ["content_map"] if content_map else []
    if unused:
        raise SettingsError(
            f"{unused[0]} has no effect on a picture painted in one pass, without steps; leave it "
            "out, or optimize from that picture: start = instant with another method"
        )


def styled_start(
    settings: Settings,
    *,
    photo: Image | None,
    paintings: Sequence[OwnImage],
    places: Sequence[StyleRegion],
) -> Image:
    """The photo in the colors of the paintings, or painted in one pass, region by region.

    SettingsError if there is no photo, or no painting.
    """
    if photo is None or not paintings:
        raise SettingsError(
            f"start = {settings.start} needs a photo and a style picture, and one of them is "
            "missing; choose start = content, style or noise"
        )
    size = (photo.shape[2], photo.shape[3])
    weights = _region_weights(settings.style_shares(len(paintings)), places, size)
    sources = [(paintings[place.style], place.style_mask) for place in places]
    if settings.start == "style-colors":
        return _colored(photo, sources, weights, share=settings.strength / FULL_COLORS)
    painter = bundled().to(photo.device)
    styles = [
        Style(_describe_stages(painter, settings, painting, where), weight)
        for (painting, where), weight in zip(sources, weights, strict=True)
    ]
    return painter.paint(photo, styles, strength=settings.strength).clamp_(0, 1)


def _colored(
    photo: Image,
    sources: Sequence[tuple[OwnImage, OwnMask | None]],
    weights: Sequence[float | Tensor],
    *,
    share: float,
) -> Image:
    """The photo, its colors moved toward those of the paintings by `share`; see `colors.match`."""
    matched = [match(photo, _visible_pixels(painting, where)) for painting, where in sources]
    colored = torch.stack([m * w for m, w in zip(matched, weights, strict=True)]).sum(0)
    return photo.lerp(colored, min(1.0, share)).clamp_(0, 1)


def _visible_pixels(painting: OwnImage, style_mask: OwnMask | None) -> OwnImage:
    """The pixels of a painting whose weight is at least 1/2, or the largest, in one row."""
    if style_mask is None:
        return painting
    mask = resize(style_mask, (painting.shape[2], painting.shape[3]))[0, 0]
    return painting[:, :, mask >= min(0.5, float(mask.max()))][:, :, None]


def _describe_stages(
    painter: Painter, settings: Settings, painting: OwnImage, style_mask: OwnMask | None
) -> tuple[Gaussian, ...]:
    size = (painting.shape[2], painting.shape[3])
    weights = None if style_mask is None else resize(style_mask, size).clamp(0, 1)
    pictures, masks = with_rotations(painting, settings.style_rotations), None
    if not isinstance(pictures, tuple):
        return painter.describe(pictures, weights).stages
    masks = (None,) * 4 if weights is None else with_rotations(weights, True)
    turns = [painter.describe(p, m).stages for p, m in zip(pictures, masks, strict=True)]
    return tuple(pool_gaussians([(1.0, g) for g in stage]) for stage in zip(*turns, strict=True))


def _region_weights(
    shares: Sequence[float], places: Sequence[StyleRegion], size: Size
) -> list[float | Tensor]:
    """The weight of each region's style, at each pixel if there are masks; weights sum to 1."""
    region_shares = [shares[place.style] for place in places]
    masks = [place.mask for place in places if place.mask is not None]
    if len(masks) < len(places):
        return [share / sum(region_shares) for share in region_shares]
    maps = [resize(m, size).clamp(0, 1) * c for m, c in zip(masks, region_shares, strict=True)]
    total = torch.stack(maps).sum(0)
    return [torch.where(total > 0, m / total.clamp(min=1e-6), 1 / len(maps)) for m in maps]
