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
"""Numbers that are compared at a time."""

Distances = Float[Tensor, "b k"]
"""One number for each set of each picture."""

Quantiles = tuple[Float[Tensor, "b k _m"], Float[Tensor, "b _k _m"]]
"""Ascending values, and the share of the whole at which each ends: the value x_i is the quantile
of all levels from end_(i-1) to end_i. Ends that are alike for all k sets are kept once."""


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
    """Ends of the steps of a function of `m` equal ones; cached, so that two can be recognized."""
    return to_float64(torch.arange(1, m + 1, device=device)) / m


def _is_same(ends: Tensor, others: Tensor) -> bool:
    """Whether both are one tensor: to compare their numbers would be to wait for the device."""
    return ends.shape == others.shape and ends.data_ptr() == others.data_ptr()


def ascending(values: LevelValues) -> Int[Tensor, "b k m"]:
    """The order that sorts each set.

    On CPUs torch sorts long rows of integers by their digits, many times faster than floats.
    Read as an integer, a float32 keeps its order, but for the negative ones, which run backwards.
    """
    if values.device.type != "cpu" or values.dtype != torch.float32:
        return values.argsort(stable=True, dim=-1)
    bits = values.view(torch.int32)
    keys = bits ^ ((bits >> 31) & 0x7FFFFFFF)
    rows = [row.sort(stable=True).indices for row in keys.flatten(0, 1)]
    return torch.stack(rows).reshape(values.shape)


def squared_distances(a: Quantiles, b: Quantiles) -> Distances:
    """Squared Wasserstein-2 distance of each set of `a` from that of `b`, of any size: exact."""
    (x, ends), (y, ends_of_y) = a, b
    if _is_same(ends, ends_of_y):
        return _total((x - y).square(), ends)
    parts = zip(*_in_blocks(x, ends, y, ends_of_y, _steps(ends_of_y, ends)), strict=True)
    return torch.cat([_squared_distances(*part) for part in parts], dim=1)


def mean_magnitude(a: Quantiles) -> PerImage:
    """Mean over the sets of their mean squares; one below 1e-20 counts as one of size one."""
    size = _total(to_float64(a[0]).square(), a[1]).mean(1).detach()
    return torch.where(size < EMPTY, 1.0, size).to(a[0].dtype)


def pool_quantiles(several: Sequence[Quantiles]) -> Quantiles:
    """The quantile functions of the sets of several pictures thrown together, each counting alike.

    As the mean of Gram matrices is that of all positions of the pictures.
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


def _total(values: LevelValues, ends: Float[Tensor, "b _k m"]) -> Distances:
    """The integral over the levels from 0 to 1."""
    return (values * _lengths(ends).to(values.dtype)).sum(-1)


def _steps(ends: Tensor, levels: Tensor) -> Int[Tensor, "b _n _l"]:
    """The number of the step of a quantile function at each level."""
    sets = max(ends.shape[1], levels.shape[1])
    steps = torch.searchsorted(*(t.expand(-1, sets, -1).contiguous() for t in (ends, levels)))
    return steps.clamp(max=ends.shape[-1] - 1)


def _in_blocks(values: Tensor, *others: Tensor) -> list[Sequence[Tensor]]:
    """Some sets at a time: sums in memory already at hand are several times faster."""
    sets = max(1, BLOCK // values.shape[-1])
    count = -(-values.shape[1] // sets)
    split = [torch.split(t, sets, dim=1) for t in (values, *others)]
    return [parts if len(parts) == count else parts * count for parts in split]


def _squared_distances(
    x: LevelValues, ends: Tensor, y: Tensor, ends_of_y: Tensor, steps: Tensor
) -> Distances:
    """A step of x is compared with the mean of y over its levels.

    What y varies within the steps no values of x can change, and is added as it is: the mean of
    (x - y)^2 is (x - mean y)^2 + var y.
    """
    y = to_float64(y)
    means = _means(y, ends_of_y, ends, steps)
    within = _total(y.square(), ends_of_y) - _total(means.square(), ends)
    between = _total((x - means.to(x.dtype)).square(), ends)
    return between + within.clamp(min=0).to(x.dtype)


def _means(values: Tensor, ends: Tensor, levels: Tensor, steps: Tensor) -> Float[Tensor, "b k _l"]:
    """Means of quantile functions between one level and the next; 0 if they are the same.

    The integral from 0 to a level is that to the end of its step less what is missing.
    """
    to_ends = (values * _lengths(ends)).cumsum(-1)
    chosen = steps.expand(*values.shape[:2], -1)
    missing = ends.expand(*steps.shape[:2], -1).gather(-1, steps) - levels
    integrals = to_ends.gather(-1, chosen) - values.gather(-1, chosen) * missing
    lengths = _lengths(levels)
    return _lengths(integrals) / lengths.where(lengths > 0, 1.0)
