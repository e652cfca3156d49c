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
from swag.run.terms import StyleRegion, turned
from swag.types import Image, OwnImage, OwnMask, Size

OF_STEPS = (
    *("backbone", "weights", "edits", "scales", "optimizer", "rate", "average", "parametrization"),
    *("jitter", "jitter_scale", "balance", "style_loss", "style_layers", "palette", "content_loss"),
    *("content_layers", "laplacian", "smoothing", "smooth_content", "matched", "normalization"),
    *("style_weight", "content_weight", "total_variation", "pixel_range"),
)
"""Settings that say how pixels are moved, or by what."""

FULL_COLORS = 0.25
"""The strength from which on the start `style-colors` has all of the painting's colors.

Below, the start has a share of them: the content loss hardly sees colors, and so would not bring
back those of the photo."""


def check_one_pass(settings: Settings, *, content_map: bool) -> None:
    """Refuse, of a run without steps, what only steps can follow: SettingsError."""
    if settings.start != "instant" or settings.steps:
        return
    plain = settings_of("default", "instant"), settings_of()
    idle = [n for n in OF_STEPS if getattr(settings, n) not in [getattr(p, n) for p in plain]]
    idle += ["content_map"] if content_map else []
    if idle:
        raise SettingsError(
            f"{idle[0]} has no effect on a picture painted in one pass, without steps; leave it "
            "out, or optimize from that picture: start = instant with another method"
        )


def styled_start(
    settings: Settings,
    *,
    photo: Image | None,
    paintings: Sequence[OwnImage],
    places: Sequence[StyleRegion],
) -> Image:
    """The photo in the colors of the paintings, or painted in one pass; each where its region is.

    SettingsError if there is no photo, or no painting.
    """
    if photo is None or not paintings:
        raise SettingsError(
            f"start = {settings.start} needs a photo and a style picture, and one of them is "
            "missing; choose start = content, style or noise"
        )
    size = (photo.shape[2], photo.shape[3])
    weights = _weights(settings.style_shares(len(paintings)), places, size)
    of_places = [(paintings[place.style], place.style_where) for place in places]
    if settings.start == "style-colors":
        return _colored(photo, of_places, weights, share=settings.strength / FULL_COLORS)
    painter = bundled().to(photo.device)
    styles = [
        Style(_described(painter, settings, painting, where), weight)
        for (painting, where), weight in zip(of_places, weights, strict=True)
    ]
    return painter.paint(photo, styles, strength=settings.strength).clamp_(0, 1)


def _colored(
    photo: Image,
    of_places: Sequence[tuple[OwnImage, OwnMask | None]],
    weights: Sequence[float | Tensor],
    *,
    share: float,
) -> Image:
    """The photo with a share of the way to the colors of the paintings, see `colors.match`."""
    matched = [match(photo, _shown(painting, where)) for painting, where in of_places]
    colored = torch.stack([m * w for m, w in zip(matched, weights, strict=True)]).sum(0)
    return photo.lerp(colored, min(1.0, share)).clamp_(0, 1)


def _shown(painting: OwnImage, where: OwnMask | None) -> OwnImage:
    """The pixels of a painting that count, in one row."""
    if where is None:
        return painting
    mask = resize(where, (painting.shape[2], painting.shape[3]))[0, 0]
    return painting[:, :, mask >= min(0.5, float(mask.max()))][:, :, None]


def _described(
    painter: Painter, settings: Settings, painting: OwnImage, where: OwnMask | None
) -> tuple[Gaussian, ...]:
    size = (painting.shape[2], painting.shape[3])
    counts = None if where is None else resize(where, size).clamp(0, 1)
    pictures, masks = turned(painting, settings.style_rotations), None
    if not isinstance(pictures, tuple):
        return painter.describe(pictures, counts).stages
    masks = (None,) * 4 if counts is None else turned(counts, True)
    turns = [painter.describe(p, m).stages for p, m in zip(pictures, masks, strict=True)]
    return tuple(pool_gaussians([(1.0, one) for one in same]) for same in zip(*turns, strict=True))


def _weights(
    shares: Sequence[float], places: Sequence[StyleRegion], size: Size
) -> list[float | Tensor]:
    """How much each region's style counts, at each pixel if there are masks; they sum to 1."""
    counts = [shares[place.style] for place in places]
    masks = [place.mask for place in places if place.mask is not None]
    if len(masks) < len(places):
        return [count / sum(counts) for count in counts]
    maps = [resize(m, size).clamp(0, 1) * c for m, c in zip(masks, counts, strict=True)]
    total = torch.stack(maps).sum(0)
    return [torch.where(total > 0, m / total.clamp(min=1e-6), 1 / len(maps)) for m in maps]
