"""Quantile functions of many distributions on the line, and the distances between them.

On the line the best transport keeps the order, so the squared Wasserstein-2 distance is the mean
squared difference of the quantile functions: for sets of one size, of the sorted values. See
Peyre and Cuturi, "Computational optimal transport", 2019, section 2.6 and remark 2.30.
"""

from collections.abc import Sequence
from functools import lru_cache

import torch
from jaxtyping import Float, Int
from torch import Tensor

from swag.losses.loss import EMPTY
from swag.precision import to_float64
from swag.types import PerImage

LevelValues = Float[Tensor, "b k m"]
"""For each picture, k sets of m numbers."""

BLOCK = 2**18
"""Numbers compared at a time."""

Distances = Float[Tensor, "b k"]
"""One number for each set of each picture."""

Quantiles = tuple[Float[Tensor, "b k _m"], Float[Tensor, "b _k _m"]]
"""Ascending values, and the level in (0, 1] at which each ends: the value x_i is the quantile of
all levels from end_(i-1) to end_i. Ends that are equal for all k sets are kept once."""


def quantiles(
    values: LevelValues, normalized_weights: Float[Tensor, "#b 1 m"] | None = None
) -> Quantiles:
    """The quantile functions of sets of numbers, each counting by its share; None: all alike.

    Equal values are taken in the order of their positions: any order gives the same function, and
    a subgradient.
    """
    b, k, m = values.shape
    order = ascending(values.detach())
    ordered = values.gather(-1, order)
    if normalized_weights is None:
        return ordered, _even(m, values.device).expand(b, 1, m)
    return ordered, _ends(to_float64(normalized_weights).expand(b, k, m).gather(-1, order))


@lru_cache(maxsize=64)
def _even(m: int, device: torch.device) -> Float[Tensor, "m"]:
    """Ends of `m` steps of equal length; cached, so that `_is_same` recognizes them."""
    return to_float64(torch.arange(1, m + 1, device=device)) / m


def _is_same(ends: Tensor, others: Tensor) -> bool:
    """Whether both are the same memory; comparing their numbers would wait for the device."""
    return ends.shape == others.shape and ends.data_ptr() == others.data_ptr()


def ascending(values: LevelValues) -> Int[Tensor, "b k m"]:
    """The order that sorts each set.

    On CPUs torch sorts long rows of integers by their digits, many times faster than floats.
    Read as integers, float32 numbers keep their order, except that negative ones are reversed.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32:
        return values.argsort(stable=True, dim=-1)
    bits = values.view(torch.int32)
    keys = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    rows = [row.sort(stable=True).indices for row in keys.flatten(0, 1)]
    return torch.stack(rows).reshape(values.shape)


def squared_distances(a: Quantiles, b: Quantiles) -> Distances:
    """Squared Wasserstein-2 distance of each set of `a` from that of `b`, of any size: exact."""
    (x, ends), (y, y_ends) = a, b
    if _is_same(ends, y_ends):
        return _integral((x - y).square(), ends)
    parts = zip(*_in_blocks(x, ends, y, y_ends, _steps(y_ends, ends)), strict=True)
    return torch.cat([_squared_distances(*part) for part in parts], dim=1)


def mean_magnitude(a: Quantiles) -> PerImage:
    """Mean over the sets of their mean squares; 1 if that is below 1e-20."""
    size = _integral(to_float64(a[0]).square(), a[1]).mean(1).detach()
    return torch.where(size < EMPTY, 1.0, size).to(a[0].dtype)


def pool_quantiles(several: Sequence[Quantiles]) -> Quantiles:
    """The quantile functions of the pooled sets of several pictures, each counting alike.

    Likewise the mean of Gram matrices is that of all positions of the pictures.
    """
    values = torch.cat([x for x, _ in several], dim=-1)
    normalized_weights = torch.cat([_lengths(ends).expand(x.shape) for x, ends in several], dim=-1)
    order = ascending(values)
    return values.gather(-1, order), _ends(normalized_weights.gather(-1, order))


def _ends(normalized_weights: LevelValues) -> LevelValues:
    ends = normalized_weights.cumsum(-1)
    return ends / ends[..., -1:]


def _lengths(ends: LevelValues) -> LevelValues:
    return ends.diff(dim=-1, prepend=torch.zeros_like(ends[..., :1]))


def _integral(values: LevelValues, ends: Float[Tensor, "b _k m"]) -> Distances:
    """The integral of quantile functions over the levels from 0 to 1."""
    return (values * _lengths(ends).to(values.dtype)).sum(-1)


def _steps(ends: Tensor, levels: Tensor) -> Int[Tensor, "b _n _l"]:
    """The number of the step of a quantile function at each level."""
    sets = max(ends.shape[1], levels.shape[1])
    steps = torch.searchsorted(*(t.expand(-1, sets, -1).contiguous() for t in (ends, levels)))
    return steps.clamp(max=ends.shape[-1] - 1)


def _in_blocks(values: Tensor, *others: Tensor) -> list[Sequence[Tensor]]:
    """Tensors split into blocks of sets: sums of what is in the cache are several times faster."""
    sets = max(1, BLOCK // values.shape[-1])
    count = -(-values.shape[1] // sets)
    split = [torch.split(t, sets, dim=1) for t in (values, *others)]
    return [parts if len(parts) == count else parts * count for parts in split]


def _squared_distances(
    x: LevelValues, ends: Tensor, y: Tensor, y_ends: Tensor, steps: Tensor
) -> Distances:
    """Compare each step of x with the mean of y over its levels.

    The variance of y within the steps, which no x can change, is added: the mean of (x - y)^2 is
    (x - mean y)^2 + var y.
    """
    y = to_float64(y)
    means = _means(y, y_ends, ends, steps)
    within = _integral(y.square(), y_ends) - _integral(means.square(), ends)
    between = _integral((x - means.to(x.dtype)).square(), ends)
    return between + within.clamp(min=0).to(x.dtype)


def _means(values: Tensor, ends: Tensor, levels: Tensor, steps: Tensor) -> Float[Tensor, "b k _l"]:
    """Means of quantile functions between one level and the next; 0 if the levels are equal.

    The integral from 0 to a level is that to the end of its step less the remainder.
    """
    cumulative = (values * _lengths(ends)).cumsum(-1)
    indices = steps.expand(*values.shape[:2], -1)
    remainder = ends.expand(*steps.shape[:2], -1).gather(-1, steps) - levels
    integrals = cumulative.gather(-1, indices) - values.gather(-1, indices) * remainder
    lengths = _lengths(levels)
    return _lengths(integrals) / lengths.where(lengths > 0, 1.0)
