"""Laplacian: edges and fine lines at the same positions as in the content picture.

Li, Xu, Nie and Chua, "Laplacian-steered neural style transfer", ACM Multimedia 2017 (Lapstyle).
Its "layer" is the picture itself; any other map will do.
"""

from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import avg_pool2d, pad

from swag.errors import SettingsError
from swag.losses.precision import in_full_precision
from swag.types import FeatureMap, Mask, PerImage


@in_full_precision
def describe(
    features: FeatureMap, mask: Mask | None = None, *, pool: int = 4
) -> Float[Tensor, "b d rows columns"]:
    """How far each position lies above the mean of its four neighbors, times 4.

    After averaging over cells of `pool` x `pool` positions, 4 as in the paper's best results:
    invisibly fine edges, as those of noise, do not count. With `mask` as for `content`: the
    squared difference of a cell counts by the mean weight of its positions.

    Departures: each channel by itself, whereas the authors' script adds up the three colors, in
    which opposite edges cancel; the picture is continued by its edge, where the script leaves out
    the border.

    Raises SettingsError if `pool` is less than 1.
    """
    if pool < 1:
        raise SettingsError(f"pool={pool}: expected the side of a cell, 1 or more; 4 is usual.")
    cells = _cell_means(features, pool)
    padded = pad(cells, (1, 1, 1, 1), mode="replicate")
    horizontal = padded[..., 1:-1, :-2] + padded[..., 1:-1, 2:]
    laplacian = 4 * cells - horizontal - padded[..., :-2, 1:-1] - padded[..., 2:, 1:-1]
    return laplacian if mask is None else laplacian * _cell_means(mask.to(cells), pool).sqrt()


@in_full_precision
def compare(a: FeatureMap, b: Float[Tensor, "b d rows columns"]) -> PerImage:
    """Sum of squared differences of Laplacians, at least 0.

    Raises SettingsError unless both have the same size: content is compared by position.
    """
    if a.shape != b.shape:
        raise SettingsError(
            f"laplacian compares edges by position, but their shapes are {tuple(a.shape)} "
            f"and {tuple(b.shape)}; give pictures of the same size."
        )
    return (a - b).square().sum((1, 2, 3))


def _cell_means(maps: Tensor, pool: int) -> Tensor:
    """Means over cells; those at the far edges may be smaller."""
    cell = (min(pool, maps.shape[2]), min(pool, maps.shape[3]))
    return avg_pool2d(maps, cell, ceil_mode=True, count_include_pad=False)
