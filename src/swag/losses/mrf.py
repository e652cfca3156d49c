"""Markov random field: each small patch of a layer should equal its nearest one in the style.

Li and Wand, "Combining Markov random fields and convolutional neural networks for image
synthesis", CVPR 2016.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import pad, unfold

from swag.errors import SettingsError
from swag.losses.hypercolumns import resample, sample_grid, together, unit_vectors
from swag.losses.loss import EMPTY
from swag.losses.neighbors import matched, nearest
from swag.losses.precision import in_full_precision
from swag.losses.weighting import normalized_weights
from swag.types import FeatureMap, Mask, PerImage

Patches = tuple[Float[Tensor, "b n k"], Float[Tensor, "b n"]]
"""Patches as vectors, and the share of each, which sum to 1."""

OtherPatches = tuple[Float[Tensor, "b m k"], Float[Tensor, "b m"]]
"""Patches of pictures that may have another number of patches."""

combine_targets = together
"""Several styles as one: the nearest patch of any of them."""

PATCHES = 2048
"""Patches of a layer at most, of the picture as of the style."""


@in_full_precision
def describe(
    features: FeatureMap, mask: Mask | None = None, *, size: int = 3, patches: int = PATCHES
) -> Patches:
    """Patches of `size` x `size` positions as vectors, and the share of each.

    A patch counts by the least weight of its positions, so that those across the edge of a region
    are left out; if none lies within the region, by the mean weight. A map smaller than a patch is
    continued by its edge.

    Departure: at most `patches` are taken. Of a larger map every second in both directions,
    which still holds each position; if that is too many, the map is first averaged down. The
    paper takes all, of two deep layers, and of the style also turned and in other sizes.

    Raises SettingsError if `size` or `patches` is less than 1.
    """
    if min(size, patches) < 1:
        raise SettingsError(f"size={size}, patches={patches}: expected 1 or more of both.")
    overlapping = min(size, 2)
    grid = sample_grid(features.shape[2], features.shape[3], overlapping**2 * patches)
    vectors = _patches(resample(features, grid), size, patches)
    if mask is None:
        b, n, _ = vectors.shape
        return vectors, vectors.new_full((b, n), 1 / n)
    weights = _patches(resample(mask.to(features), grid), size, patches)
    least_weights = weights.amin(2)
    any_inside = (least_weights > 0).any(1, keepdim=True)
    patch_weights = least_weights.where(any_inside, weights.mean(2))[:, None, None]  # b 1 1 n
    return vectors, normalized_weights(patch_weights).flatten(1).expand(vectors.shape[0], -1)


@in_full_precision
def compare(a: Patches, b: OtherPatches) -> PerImage:
    """Mean squared difference between each patch of `a` and the nearest of `b`, at least 0.

    Nearest by normalized cross-correlation, the cosine of two patches, anew at each step; the
    choice carries no gradient. Not symmetric.

    Departure: a mean over patches and their entries instead of the sum.
    """
    index = nearest(unit_vectors(a[0].detach()), unit_vectors(b[0]), b[1])
    return ((a[0] - matched(b[0], index)).square().mean(2) * a[1]).sum(1)


@in_full_precision
def target_norm(description: Patches) -> PerImage:
    """The mean square of the patches, about the error of an empty picture; 1 if below 1e-20."""
    vectors, weights = description
    size = (vectors.square().mean(2) * weights).sum(1).detach()
    return size.where(size > EMPTY, size.new_ones(()))


def _patches(maps: Tensor, size: int, at_most: int) -> Tensor:
    """Patches at every row and column, or every second, ..., so that at most `at_most` remain."""
    shortfalls = [max(0, size - side) for side in maps.shape[2:]]
    edges = [(m // 2, m - m // 2) for m in reversed(shortfalls)]
    maps = pad(maps, [width for edge in edges for width in edge], mode="replicate")
    rows, columns = (side - size + 1 for side in maps.shape[2:])
    step = 1
    while -(-rows // step) * -(-columns // step) > at_most:
        step += 1
    return unfold(maps, size, stride=step).mT  # b n (d size size)
