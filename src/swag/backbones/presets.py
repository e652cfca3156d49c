"""The layers of well-known networks, as data: which are read for style and which for content.

Networks without a preset are read at layers found by a trial pass: see `reductions`.
A name is that of the module in torchvision or timm. For VGG, whose modules only have numbers,
the names of the literature (`relu4_2`) are accepted too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

Layers = tuple[str, ...] | Mapping[str, float]
"""Names of layers in the order in which they run, with weights if not all count alike."""


@dataclass(frozen=True)
class LayerPreset:
    """Layers of one network.

    Args:
        about: one line for a list of networks.
        style: layers whose statistics are matched.
        content: layers that are matched position by position.
        aliases: other names of layers, as the literature has them.
    """

    about: str
    style: Layers
    content: Layers
    aliases: Mapping[str, str] = field(default_factory=dict)


def vgg_names(*convolutions: int) -> dict[str, str]:
    """conv1_1, relu1_1, ..., pool5 -> the module, from the number of convolutions per block."""
    names: dict[str, str] = {}
    index = 0
    for block, count in enumerate(convolutions, start=1):
        for layer in range(1, count + 1):
            names[f"conv{block}_{layer}"] = f"features.{index}"
            names[f"relu{block}_{layer}"] = f"features.{index + 1}"
            index += 2
        names[f"pool{block}"] = f"features.{index}"
        index += 1
    return names


VGG_STYLE: Mapping[str, float] = MappingProxyType(
    {"relu1_1": 1.0, "relu2_1": 2.0, "relu3_1": 1.0, "relu4_1": 1.0, "relu5_1": 0.3}
)
VGG_CONTENT: Mapping[str, float] = MappingProxyType(
    {"relu2_1": 1.0, "relu3_1": 2.0, "relu4_2": 1.0}
)
"""Layers of a VGG and of its students, with their weights.

Gatys et al. 2016 read the same ones for style, but count all alike, and read content from relu4_2
alone. With these weights and content at three depths VGG-16 and its student have less style error
at equal content error, and faces stay recognizable (docs/backbones.md); on VGG-19 nothing was
measured.
"""


def _vgg(about: str, convolutions: tuple[int, ...]) -> LayerPreset:
    """Layers of a VGG with these numbers of convolutions in its blocks."""
    names = vgg_names(*convolutions)
    return LayerPreset(
        about,
        style={names[layer]: weight for layer, weight in VGG_STYLE.items()},
        content={names[layer]: weight for layer, weight in VGG_CONTENT.items()},
        aliases=names,
    )


def _resnet(about: str, first: int, second: int) -> LayerPreset:
    """Layers of a residual network with these numbers of blocks in its first two stages.

    Style is read from the stem and from the first and last block of both stages, content from the
    stem and the ends of both; a shallow layer of each counts twice. On a ResNet-50 trained on
    ImageNet this is better than with layers of the third stage, and than the ends of all stages
    with content at the third, which the authors of SWAG read (the presets `paper` and
    `released-code`); see docs/study.md, section 9.
    """
    ends = f"layer1.{first - 1}", f"layer2.{second - 1}"
    return LayerPreset(
        about,
        style={"relu": 1.0, "layer1.0": 2.0, ends[0]: 1.0, "layer2.0": 1.0, ends[1]: 1.0},
        content={"relu": 1.0, ends[0]: 2.0, ends[1]: 1.0},
    )


def _features(about: str, *style: int, content: int) -> LayerPreset:
    """Layers of a network of the form of AlexNet: children of `features`, by number."""
    return LayerPreset(about, tuple(f"features.{i}" for i in style), (f"features.{content}",))


def _blocks(about: str, prefix: str) -> LayerPreset:
    """Layers of a transformer of twelve blocks: every third."""
    return LayerPreset(about, tuple(f"{prefix}{i}" for i in (2, 5, 8, 11)), (f"{prefix}8",))


PRESETS: Mapping[str, LayerPreset] = {
    "torchvision/vgg16": _vgg(
        "VGG-16 (2014), ReLUs after the first convolution of each block", (2, 2, 3, 3, 3)
    ),
    "torchvision/vgg19": _vgg("VGG-19 (2014), the network of Gatys et al. 2016", (2, 2, 4, 4, 4)),
    "torchvision/resnet18": _resnet("ResNet-18 (2015)", 2, 2),
    "torchvision/resnet34": _resnet("ResNet-34 (2015)", 3, 4),
    "torchvision/resnet50": _resnet("ResNet-50 (2015), the network of the SWAG authors", 3, 4),
    "torchvision/resnet101": _resnet("ResNet-101 (2015)", 3, 4),
    "torchvision/wide_resnet50_2": _resnet("Wide ResNet-50-2 (2016)", 3, 4),
    "torchvision/squeezenet1_1": _features("SqueezeNet 1.1 (2016)", 1, 4, 7, 10, 12, content=10),
    "torchvision/alexnet": _features("AlexNet (2012), its five ReLUs", 1, 4, 7, 9, 11, content=9),
    "torchvision/vit_b_16": _blocks("ViT-B/16 (2020)", "encoder.layers.encoder_layer_"),
    "timm/vit_small_patch16_224.dino": _blocks(
        "ViT-S/16, self-supervised by DINO (2021)", "blocks."
    ),
}
