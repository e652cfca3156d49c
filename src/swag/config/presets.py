"""Settings that belong together: presets say how much work is done, methods what is minimized."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any


@dataclass(frozen=True)
class Preset:
    """Settings that belong together, and where they come from.

    The values suit runs whose settings have the values of `premise`. If one of them is given
    another value, such as a start by a method or for a texture, `otherwise` replaces the values.
    """

    name: str
    summary: str
    reference: str
    values: Mapping[str, Any]
    premise: Mapping[str, Collection[Any]] = field(default_factory=dict)
    otherwise: Mapping[str, Any] = field(default_factory=dict)

    def values_with(self, overrides: Mapping[str, Any]) -> Mapping[str, Any]:
        """The values for runs with the settings `overrides`, which do not come from a preset."""
        suits = all(
            overrides[name] in values for name, values in self.premise.items() if name in overrides
        )
        return self.values if suits else self.otherwise


STYLED_STARTS = ("style-colors", "instant")
"""Starts that have something of the style already."""

_FEW_STEPS = {
    "start": STYLED_STARTS,
    "optimizer": ("lbfgs",),
    "parametrization": ("pixels",),
}
"""Half of the steps suffice from a picture that has the colors of the style (docs/methods.md)."""

_PAPER = {
    "method": "swag",
    "style_loss": "gram",
    "balance": 5.0,
    "backbone": "torchvision/resnet50",
    "edits": (),
    "scales": 1,
    "steps": 1000,
    "optimizer": "torch-lbfgs",
    "square": True,
    "pixel_range": 0.0,
    "total_variation": 0.0,
    "content_weight": 1.0,
    "precision": "float32",
    "start": "content",
}

# The stem and the last block of each stage; the authors' script counts stages and blocks from 0 and
# names them conv0_0 (after its ReLU), conv1_2, conv2_3, conv3_5 and conv4_2. Content is conv3_5.
_AUTHORS_LAYERS = {
    "style_layers": ("relu", "layer1", "layer2", "layer3", "layer4"),
    "content_layers": ("layer3",),
}

_AS_PUBLISHED = {**_PAPER, "size": 512, "smoothing": "softmax", "normalization": "paper",
                 # The paper states no weights; the authors' script has 1e17 for mean squares.
                 "style_weight": 1e17}  # fmt: skip
_RELEASED = {**_AS_PUBLISHED, "smoothing": "scale:alpha=0.001@layer3,layer4",
             "normalization": "released-code"}  # fmt: skip

_RESNET50 = {"backbone": ("torchvision/resnet50",)}

_PRESETS = (
    Preset("default", "the best settings measured, coarse to fine", "docs/log.md", {},
           premise=_FEW_STEPS, otherwise={"steps": 150}),
    Preset("quick", "a first look, within seconds on two cores", "as default, at one scale",
           {"size": 256, "steps": 20, "scales": 1},
           premise=_FEW_STEPS, otherwise={"size": 256, "steps": 100}),
    Preset("quality", "more steps for a larger picture", "as default, longer",
           {"size": 1024, "steps": 150, "scales": 3}, premise=_FEW_STEPS,
           otherwise={"size": 1024, "steps": 300, "scales": 3}),
    Preset("paper", "the losses of the paper, exactly", "Wang, Li and Vasconcelos, CVPR 2021",
           {**_AS_PUBLISHED, **_AUTHORS_LAYERS}, premise=_RESNET50, otherwise=_AS_PUBLISHED),
    Preset("released-code", "the losses of the authors' published script, exactly",
           "the authors' published script, resnet_swag.py of April 2021",
           {**_RELEASED, **_AUTHORS_LAYERS}, premise=_RESNET50, otherwise=_RELEASED),
)  # fmt: skip

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _PRESETS})
"""Bundles of settings by name, in the order in which they are listed."""

# Parametrization and optimizer of the authors of the methods that match positions. These methods
# begin at twice the size of the others: at 64 pixels they would match whole pictures.
_POSITIONS = {"parametrization": "laplacian", "optimizer": "adam", "rate": 0.01, "scales": 3,
              "start": "content"}  # fmt: skip

_METHODS = (
    Preset("w2", "Wasserstein-2 distance between Gaussians fitted to the features (default)",
           "Olkin and Pukelsheim, 1982; for pictures Katherine Crowson, 2021", {}),
    Preset("gatys", "Gram matrices of activations", "Gatys et al., CVPR 2016",
           {"style_loss": "gram", "balance": 1.7}),
    Preset("swag", "Gram matrices of smoothed activations", "Wang et al., CVPR 2021",
           {"style_loss": "gram", "balance": 1.7, "smoothing": "softmax:temperature=auto"}),
    Preset("sliced", "sliced Wasserstein distance, over random directions",
           "Heitz et al., CVPR 2021",
           {"style_loss": "sliced", "balance": 1.7}),
    # Content by activations instead of self-similarity, which lost the subject (docs/methods.md).
    Preset("strotss", "relaxed optimal transport of hypercolumns, a vector for each position",
           "Kolkin et al., CVPR 2019",
           {"style_loss": "remd", "palette": 0.2, "balance": 0.7, **_POSITIONS}),
    Preset("nnst", "each position matches its nearest neighbor in the style",
           "Kolkin et al., 2022",
           {"style_loss": "neighbors", "palette": 0.2, "balance": 0.6, **_POSITIONS}),
    Preset("mrf", "each patch matches its nearest patch in the style", "Li and Wand, CVPR 2016",
           {"style_loss": "mrf", "palette": 0.2, "balance": 2.0, "start": "instant"}),
    Preset("instant", "one pass of a small network, without optimization",
           "Lu et al., ICCV 2019; Johnson et al., ECCV 2016",
           {"start": "instant", "steps": 0, "scales": 1}),
)  # fmt: skip

METHODS: Mapping[str, Preset] = MappingProxyType({method.name: method for method in _METHODS})
"""Style losses with settings tuned for them, by name."""
