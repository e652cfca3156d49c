"""Types that many modules share, each named once: shapes of tensors, sizes, paths.

Letters: b pictures, d channels (the paper's D), h and w rows and columns, h * w = m positions
(the paper's M). Annotations are checked at run time in the tests only.
"""

import os
from collections.abc import Callable, Sequence
from typing import Literal

from jaxtyping import Float
from torch import Tensor

Size = tuple[int, int]
"""Height and width in pixels."""

StrPath = str | os.PathLike[str]
"""A path, as the standard library takes it."""

Precision = Literal["float32", "bfloat16"]
"""Precision of the passes of a network; losses are always in float32 or float64."""

Image = Float[Tensor, "b 3 h w"]
"""Pictures, sRGB; in [0, 1] outside an optimization, which may leave the range a little."""

FeatureMap = Float[Tensor, "b d h w"]
"""Activations of one layer: the paper's F, with its M positions as h rows by w columns."""

GramMatrix = Float[Tensor, "b d d"]
"""Products of the channels of a layer, averaged over positions: F F^T / M."""

Mask = Float[Tensor, "#b 1 h w"]
"""The weight of each position of a map: at least 0, not 0 everywhere."""

PerImage = Float[Tensor, " b"]
"""One number for each picture of a batch."""

Scalar = Float[Tensor, ""]
"""One number."""

FeatureMaps = dict[str, Tensor]
"""Activations by layer, each a FeatureMap, in the order in which the layers were asked for."""

OwnImage = Float[Tensor, "_b 3 _h _w"]
"""Pictures beside others of other sizes: as Image, but sides need not agree with theirs."""

OwnMask = Float[Tensor, "_b 1 _h _w"]
"""Weights of positions beside pictures of other sizes: the same as Mask."""

Extract = Callable[[Tensor, Sequence[str]], FeatureMaps]
"""(picture, layers) -> activations by layer."""
