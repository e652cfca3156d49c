"""Losses between a layer's activations on two pictures.

    loss = get("gram")
    target = loss.describe(features_of_style)         once
    loss.compare(loss.describe(features), target)     each step: one number for each picture

    loss.describe(features, mask)                     only a region, or with a weight per position
    get("gram-robust:penalty=l1")                     with an option

A loss is the two functions `describe` and `compare`; `target_norm` is the norm of a target. A loss
knows no layers, weights, smoothing or randomness. A description is a tensor or a tuple of tensors
whose first dimension counts pictures; only `describe` and `compare` know its contents. The pictures
of a batch do not affect each other. Penalties are terms without a target: they measure the pixels.
"""

from functools import partial

from swag.errors import SettingsError
from swag.losses import (
    bures,
    content,
    covariance,
    cross_layer,
    gram,
    gram_robust,
    histogram,
    laplacian,
    moments,
    mrf,
    neighbors,
    palette,
    remd,
    self_similarity,
    sliced,
)
from swag.losses.loss import Description, Loss, loss_of, options_of
from swag.losses.penalty import PENALTIES, Penalty
from swag.registry import Registry
from swag.spec import parse_spec

__all__ = [
    "LOSSES",
    "PENALTIES",
    "Description",
    "Loss",
    "Penalty",
    "get",
    "options_of",
]

_style, _content = partial(loss_of, role="style"), partial(loss_of, role="content")

_LOSSES = (
    _style(gram, "which channels are active together", "Gatys et al., CVPR 2016"),
    _style(covariance, "the same about the mean of each channel", "Li et al., NIPS 2017"),
    _style(moments, "mean and deviation of each channel", "Li et al., IJCAI 2017"),
    _style(
        gram_robust,
        "Gram matrices, outliers counting less",
        "Huber, 1964; Charbonnier et al., ICIP 1994",
    ),
    _style(
        cross_layer,
        "correlations between the channels of adjacent layers",
        "Novak and Nikulin, 2016",
        joint=True,
    ),
    _style(
        bures,
        "Wasserstein-2 distance between Gaussians fitted to the features",
        "Olkin and Pukelsheim, 1982",
    ),
    _style(histogram, "the distribution of each channel", "Risser, Wilmot and Barnes, 2017"),
    _style(
        sliced, "sliced Wasserstein distance, over random directions", "Heitz et al., CVPR 2021"
    ),
    _style(remd, "relaxed transport between hypercolumns", "Kolkin et al., CVPR 2019", joint=True),
    _style(
        neighbors,
        "each hypercolumn matches its nearest one in the style",
        "Kolkin et al., 2022",
        joint=True,
    ),
    _style(mrf, "each patch matches its nearest one in the style", "Li and Wand, CVPR 2016"),
    _style(palette, "the colors of the pixels", "Kolkin et al., CVPR 2019", of_pixels=True),
    _content(content, "the activations, position by position", "Gatys et al., CVPR 2016"),
    _content(
        self_similarity,
        "how similar positions are to each other",
        "Kolkin et al., CVPR 2019",
        joint=True,
    ),
    _content(laplacian, "the edges of the pixels", "Li, Xu, Nie and Chua, MM 2017", of_pixels=True),
)

LOSSES = Registry("loss", _LOSSES)
"""Losses by name, in the order in which they are listed."""


BRITISH_NAMES = {"neighbours": "neighbors"}
"""Names of losses in pictures of earlier versions."""


def get(spec: str) -> Loss:
    """The loss of this name, with options if written as NAME:OPTION=VALUE,OPTION=VALUE.

    Raises SettingsError with the names or options there are.
    """
    choice = parse_spec(spec)
    if choice.name in PENALTIES:
        raise SettingsError(
            f"{choice.name} is a penalty on pixels, not a loss between layers; set its weight with "
            f"{choice.name.replace('-', '_')}."
        )
    loss = LOSSES.find(BRITISH_NAMES.get(choice.name, choice.name))
    return loss.with_options(choice.options) if choice.options else loss
