"""How peaky activations and Gram matrices are: a tensor -> one number for each picture.

The paper's figures show the maximum and the entropy of activations and of Gram matrices. An
entropy needs a distribution, and the two in use differ: the entropy of F / sum F depends only on
the shape of F, while the entropy of softmax(F) falls even if all activations grow by a factor.

Each function takes a tensor whose first dimension counts pictures, such as feature maps or Gram
matrices, computes in float64, and carries no gradient. Other tensors are a SettingsError.
"""

import math

import torch
from jaxtyping import Float
from torch import Tensor

from swag.errors import SettingsError
from swag.types import PerImage

DISTRIBUTIONS = ("sum", "softmax")

ROUNDING = 1e-3
"""Largest difference between the halves of a symmetric matrix, as a share of the largest entry."""


def maximum(values: Float[Tensor, "b n *rest"]) -> PerImage:
    """The largest entry of each picture (panels a and c of the paper's figure)."""
    return _rows(values).amax(1)


def mean(values: Float[Tensor, "b n *rest"]) -> PerImage:
    """The mean of all entries of each picture."""
    return _rows(values).mean(1)


def standard_deviation(values: Float[Tensor, "b n *rest"]) -> PerImage:
    """The standard deviation of all entries of each picture (divided by n, not n - 1)."""
    return _rows(values).std(1, correction=0)


def sparsity(values: Float[Tensor, "b n *rest"]) -> PerImage:
    """The share of entries that are zero or negative, in [0, 1]."""
    return (_rows(values) <= 0).double().mean(1)


def entropy(values: Float[Tensor, "b n *rest"], distribution: str = "sum") -> PerImage:
    """Entropy of the entries as a distribution, divided by log n: in [0, 1], 1 when all are equal.

    Panels b and d of the paper's figure. `sum` is F / sum F, with negative entries as zero,
    and a picture without any positive entry counts as flat (1); it does not change when the
    entries are multiplied. `softmax` is exp(F) / sum exp(F), defined for all entries. A single
    entry has entropy 1. Raises SettingsError for another distribution.
    """
    rows = _rows(values)
    if distribution not in DISTRIBUTIONS:
        raise SettingsError(
            f"no distribution is called {distribution!r}; choose from {', '.join(DISTRIBUTIONS)}."
        )
    if rows.shape[1] == 1:
        return torch.ones_like(rows[:, 0])
    nats = _entropy_of_sum(rows) if distribution == "sum" else _entropy_of_softmax(rows)
    # Rounding can leave the range by an ulp or two.
    return (nats / math.log(rows.shape[1])).clamp(0, 1)


def share_of_largest(values: Float[Tensor, "b n *rest"], fraction: float = 0.01) -> PerImage:
    """Share of the sum of squares that the largest entries hold; `fraction` says how many.

    The share is in [0, 1]. It is at least `fraction`, the value of a flat picture; all zeros count
    as flat. It is the share of a squared error that falls to a few entries: the paper's "outlier
    sensitivity of L2". The number of entries is rounded up. Raises SettingsError unless the
    fraction is in (0, 1].
    """
    if not 0 < fraction <= 1:
        raise SettingsError(f"fraction is {fraction}; give a number above 0 and at most 1.")
    sizes = _rows(values).abs()
    count = count_of_largest(sizes.shape[1], fraction)
    # Squares of entries relative to the largest neither overflow nor vanish.
    squares = _relative_to_largest(sizes).square()
    share: PerImage = squares.topk(count, dim=1).values.sum(1) / squares.sum(1)
    return share.clamp(max=1)


def count_of_largest(entries: int, fraction: float) -> int:
    """The number of entries that are a fraction of all, in (0, 1]: rounded up, at least one."""
    # 0.07 * 100 is 7.000000000000001, which stands for 7.
    return math.ceil(round(fraction * entries, 9))


def _entropy_of_sum(rows: Float[Tensor, "b n"]) -> PerImage:
    positive = _relative_to_largest(rows.clamp(min=0))
    nats: PerImage = torch.special.entr(positive / positive.sum(1, keepdim=True)).sum(1)
    return nats


def _entropy_of_softmax(rows: Float[Tensor, "b n"]) -> PerImage:
    logarithms = rows.log_softmax(1)
    return -(logarithms.exp() * logarithms).sum(1)


def _relative_to_largest(sizes: Float[Tensor, "b n"]) -> Float[Tensor, "b n"]:
    """Entries of at least 0 divided by the largest of the picture; all one if that is 0."""
    largest = sizes.amax(1, keepdim=True)
    return torch.where(largest == 0, 1.0, sizes / largest)


def _rows(values: Float[Tensor, "b n *rest"]) -> Float[Tensor, "b entries"]:
    """The entries of each picture in float64, on a device that has it."""
    _check_batch(values)
    device = "cpu" if values.device.type == "mps" else values.device
    rows = values.detach().to(device, torch.float64).flatten(1)
    if rows.shape[1] == 0:
        raise SettingsError(f"a tensor of shape {tuple(values.shape)} has no entries to measure.")
    return rows


def _check_batch(values: Tensor) -> None:
    """Raise SettingsError for a tensor whose first dimension cannot count pictures.

    A tensor of three dimensions must hold matrices of channels, symmetric but for
    rounding: another may be a map without its batch.
    """
    if values.ndim < 2:
        raise SettingsError(
            f"a tensor of shape {tuple(values.shape)} was given; expected (pictures, entries ...)"
        )
    if values.ndim == 3 and not _is_symmetric(values):
        raise SettingsError(
            f"a tensor of shape {tuple(values.shape)} was given, which is no batch of symmetric "
            "matrices; expected batch, channels, rows, columns: one map is maps[None]"
        )


def _is_symmetric(matrices: Tensor) -> bool:
    if matrices.shape[1] != matrices.shape[2]:
        return False
    largest = matrices.abs().amax() if matrices.numel() else 0.0
    return bool((matrices - matrices.mT).abs().le(ROUNDING * largest).all())
