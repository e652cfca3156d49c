"""Regions: masks that assign parts of the styles to parts of the picture.

    for region in regions(content_mask, style_mask):           flat colors, or shades of gray
        region.name, region.style, region.mask, region.style_mask
    regions(content_mask, None)                                 the style where the mask is white
    regions(content_mask, None, None)                           a second style where it is black
    regions(content_mask, first_mask, second_mask)              two styles with a mask each

Gatys et al., "Controlling perceptual factors in neural style transfer", CVPR 2017, section 3:
guidance channels. Masks are stored (sRGB) values of any size; a map has the size of its mask.
"""

import math
from collections.abc import Sequence
from itertools import combinations
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import conv2d, max_pool2d, pad

from swag.errors import SettingsError
from swag.precision import to_float64

MaskPicture = Float[Tensor, "1 3 _h _w"]
WeightMap = Float[Tensor, "1 1 _h _w"]
Shares = Float[Tensor, "k _h _w"]
Color = Float[Tensor, "3"]
Palette = Float[Tensor, "k 3"]

GRAY = 0.15
"""How far channels may differ in a mask of grays; all distances of colors are in RGB, [0, 1]."""

ALIKE = 0.25
"""Colors of two masks nearer than this are paired; in one mask they count as the same."""

EXACT = 0.06
"""Colors nearer than this differ by JPEG noise only."""

SMALLEST = 0.005
"""Share of a mask that a color must hold; a smaller one counts as a mixture of the others."""

PRESENT = 0.001
"""Mean weight that a white or black region must have; others are ignored."""

STEADY = 0.1
"""Share of the way from one color to another that counts as noise at either end."""

STRANGE = 0.1
"""Share of a mask that may be in colors that are no mixture of two of its flat ones."""


class Region(NamedTuple):
    """A region of the picture that a style goes to, and the part of the style it is taken from.

    `mask` weighs the picture, `style_mask` the style, from 0 to 1; the latter is a single 1 for
    all of a style. `style` counts the styles from 0.
    """

    name: str
    style: int
    mask: WeightMap
    style_mask: WeightMap


def regions(content_mask: MaskPicture, *style_masks: MaskPicture | None) -> list[Region]:
    """The regions of a picture, each with the style that goes there; one mask for each style.

    Masks of grays have a white and a black region, and every gray belongs to both, by its stored
    value: 128 of 255 to both alike. Masks with other colors have a region for each flat color
    that holds at least 0.5 % of the mask; soft edges belong to the two colors they are a mixture
    of, so no color of a region should itself be a mixture of two others. Regions of two masks are
    paired by color, nearest first, up to a distance of a quarter of the range of a channel.
    Regions that only a style mask has are not used. Without style masks (None for each), all
    of the first style goes where the content mask is white, of a second where it is black.

    Raises SettingsError: a region of the content has no partner, a mask has no flat colors, or
    no part of the picture would get a style.
    """
    masks = style_masks or (None,)
    present = [mask for mask in masks if mask is not None]
    if not present:
        return _without_masks(content_mask, len(masks))
    if len(present) < len(masks):
        raise SettingsError(
            f"{len(present)} of {len(masks)} styles have a mask; give one for every style, or none."
        )
    if all(_is_gray(mask) for mask in (content_mask, *present)):
        return _pair_grays(content_mask, present)
    return _pair_colors(content_mask, present)


def soften(mask: Float[Tensor, "b c h w"], radius: float) -> Float[Tensor, "b c h w"]:
    """A map with edges feathered: a Gaussian blur of deviation radius / 2, in pixels of the map.

    Maps that sum to one still do. Raises SettingsError for a radius below 0.
    """
    if not 0 <= radius < math.inf:
        raise SettingsError(f"the radius of soft edges is {radius}; give pixels of at least 0.")
    if radius == 0:
        return mask
    reach = math.ceil(1.5 * radius)
    offsets = torch.arange(-reach, reach + 1, dtype=mask.dtype, device=mask.device)
    kernel = torch.exp(-2 * (offsets / radius) ** 2)
    kernel = (kernel / kernel.sum()).view(1, 1, 1, -1)
    rows = mask.flatten(0, 1)[:, None]
    rows = conv2d(pad(rows, (reach, reach, 0, 0), mode="replicate"), kernel)
    rows = conv2d(pad(rows, (0, 0, reach, reach), mode="replicate"), kernel.mT)
    return rows.view_as(mask)


def _without_masks(content_mask: MaskPicture, styles: int) -> list[Region]:
    if not _is_gray(content_mask):
        raise SettingsError(
            "the content mask has colored regions, but no style has a mask with the same colors; "
            "give a mask for each style, or paint the content mask in black and white."
        )
    if styles > 2:
        raise SettingsError(
            f"{styles} styles share one mask of black and white, which has two regions; "
            "give a mask for each style."
        )
    maps = _gray_maps(content_mask)
    everything = content_mask.new_ones(1, 1, 1, 1)
    names = list(maps)[:styles]
    matches = [
        Region(name, style, maps[name], everything)
        for style, name in enumerate(names)
        if maps[name].mean() >= PRESENT
    ]
    if not matches:
        raise SettingsError(
            "the content mask is black everywhere, so no part of the picture would get the style; "
            "paint white where the style should go."
        )
    return matches


def _pair_grays(content_mask: MaskPicture, style_masks: Sequence[MaskPicture]) -> list[Region]:
    maps = _gray_maps(content_mask)
    maps_by_style = [_gray_maps(mask) for mask in style_masks]
    matches = []
    for name, weights in maps.items():
        if weights.mean() < PRESENT:
            continue
        partners = [
            Region(name, style, weights, style_maps[name])
            for style, style_maps in enumerate(maps_by_style)
            if style_maps[name].mean() >= PRESENT
        ]
        if not partners:
            raise SettingsError(
                f"the content mask has a {name} region of {_percent(weights.mean())}, and no style "
                f"mask has any {name}; paint {name} into a style mask, or give no style masks."
            )
        matches += partners
    return matches


def _pair_colors(content_mask: MaskPicture, style_masks: Sequence[MaskPicture]) -> list[Region]:
    colors, maps = _color_maps(content_mask, "the content mask")
    styles = [_color_maps(mask, "a style mask") for mask in style_masks]
    pairs = [_pairs(colors, palette) for palette, _ in styles]
    matches = []
    for i, color in enumerate(colors):
        partners = [
            Region(_hex_code(color), style, maps[i][None, None], style_maps[pair[i]][None, None])
            for style, (pair, (_, style_maps)) in enumerate(zip(pairs, styles, strict=True))
            if i in pair
        ]
        if not partners:
            available = "; ".join(", ".join(map(_hex_code, palette)) for palette, _ in styles)
            raise SettingsError(
                f"{_hex_code(color)} holds {_percent(maps[i].mean())} of the content mask, and no "
                f"style mask has that color (style masks have {available}); paint a region of that "
                "color into a style mask."
            )
        matches += partners
    return matches


def _pairs(colors: Palette, others: Palette) -> dict[int, int]:
    """Pairs of indices into `colors` and `others`, nearest first, each index at most once."""
    distances = torch.cdist(colors, others)
    pairs: dict[int, int] = {}
    for index in distances.flatten().argsort().tolist():
        i, j = divmod(index, len(others))
        if distances[i, j] < ALIKE and i not in pairs and j not in pairs.values():
            pairs[i] = j
    return pairs


def _is_gray(mask: MaskPicture) -> bool:
    """Whether all but a few pixels, such as JPEG's at edges, are without color."""
    colored = (mask.amax(1) - mask.amin(1)) > GRAY
    return bool(to_float64(colored).mean() < SMALLEST)


def _gray_maps(mask: MaskPicture) -> dict[str, WeightMap]:
    white = mask.clamp(0, 1).mean(1, keepdim=True)
    noise = STEADY / 2  # so that black with JPEG noise is black; a gradient is steeper by 1.1
    white = ((white - noise) / (1 - 2 * noise)).clamp(0, 1)
    return {"white": white, "black": 1 - white}


def _color_maps(mask: MaskPicture, name: str) -> tuple[Palette, Shares]:
    """The flat colors of a mask, and their shares in each pixel, which sum to one."""
    mask = mask.clamp(0, 1)
    palette = _palette(mask, name)
    pixels = mask[0].flatten(1).T  # n 3
    first, second, share, distance = _mixtures(pixels, palette)
    strange = to_float64(distance > ALIKE).mean()
    if strange > STRANGE:
        raise SettingsError(
            f"{_percent(strange)} of {name} has colors that are no mixture of two of its flat "
            f"colors ({', '.join(map(_hex_code, palette))}); paint each region in one flat color."
        )
    share = ((share - STEADY) / (1 - 2 * STEADY)).clamp(0, 1)
    maps = pixels.new_zeros(len(palette), len(pixels))
    maps.scatter_add_(0, first[None], 1 - share[None])
    maps.scatter_add_(0, second[None], share[None])
    return palette, maps.reshape(len(palette), *mask.shape[2:])


def _mixtures(pixels: Tensor, palette: Palette) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """For each pixel the two colors of the nearest mixture, the second's share, the distance."""
    count = len(pixels)
    first = torch.zeros(count, dtype=torch.int64, device=pixels.device)
    second, share = first.clone(), pixels.new_zeros(count)
    distance = (pixels - palette[0]).norm(dim=1)
    for i, j in combinations(range(len(palette)), 2):
        direction = palette[j] - palette[i]
        position = ((pixels - palette[i]) @ direction / direction.square().sum()).clamp(0, 1)
        residual = (pixels - palette[i] - position[:, None] * direction).norm(dim=1)
        closer = residual < distance
        first[closer], second[closer] = i, j
        share, distance = torch.where(closer, position, share), residual.minimum(distance)
    return first, second, share, distance


def _palette(mask: MaskPicture, name: str) -> Palette:
    """The flat colors of a mask, from the one with the most pixels to that with the fewest."""
    flat = remaining = _flat_pixels(mask)
    centers = []
    fewest = SMALLEST * mask.shape[2] * mask.shape[3]
    while len(remaining) >= max(fewest, 1):
        center = _densest(remaining)
        distance = (flat - center).norm(dim=1)
        exact, near = (distance < EXACT).sum(), (distance < ALIKE).sum()
        # A gradient has many colors near each of its own, a flat region has only one.
        if exact >= max(fewest, near / 2):
            centers.append(center)
        remaining = remaining[(remaining - center).norm(dim=1) >= ALIKE]
    if not centers:
        raise SettingsError(
            f"{name} has no region of one flat color; paint each region in one flat color."
        )
    return torch.stack(centers)


def _flat_pixels(mask: MaskPicture) -> Float[Tensor, "n 3"]:
    """Pixels that are similar to their eight neighbors, so not at an edge."""
    spread = max_pool2d(mask, 3, 1, 1) + max_pool2d(-mask, 3, 1, 1)
    return mask[0].flatten(1).T[spread[0].amax(0).flatten() < STEADY]


def _densest(pixels: Float[Tensor, "n 3"]) -> Color:
    """The mean color of the fullest of 16 x 16 x 16 cells, then of all pixels near it."""
    cells = (pixels * 15).round() @ pixels.new_tensor([256.0, 16.0, 1.0])
    _, cell, counts = torch.unique(cells, return_inverse=True, return_counts=True)
    center = pixels[cell == counts.argmax()].mean(0)
    return pixels[(pixels - center).norm(dim=1) < EXACT].mean(0)


def _hex_code(color: Color) -> str:
    """A color as in style sheets, such as #ff0000."""
    return "#" + "".join(f"{round(255 * value):02x}" for value in color.tolist())


def _percent(share: Tensor) -> str:
    return f"{100 * share.item():.1f} %"
