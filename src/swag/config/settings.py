"""Every setting of a run, with its range."""

import os
from collections.abc import Callable, Mapping, Sequence
from typing import Annotated, Literal, cast

import torch
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from swag.errors import SettingsError
from swag.layer_weights import LayerWeights, TermWeight, check_not_all_zero
from swag.losses import get as get_loss
from swag.smoothing import parse as parse_smoothing

Share = Annotated[float, Field(ge=0, le=1)]
Word = Annotated[str, Field(max_length=300)]
ChosenLayers = Annotated[LayerWeights, Field(max_length=128)]
"""The weight of each layer. Lengths are bounded so that all settings fit into a picture."""

SMALLEST_SIZE, LARGEST_SIZE = 16, 32768
ORIGINAL = 0
"""The size that stands for the photo's own, until the photo is read."""

WhoseColors = Literal[
    "style", "content", "content-linear", "match", "match-cholesky", "match-histogram"
]
"""Whose colors the result has: the style's, the content's, or the style's matched to them."""


BRITISH = {
    "colours": "colors",
    "normalisation": "normalization",
    "parametrisation": "parametrization",
}
"""Settings that can also be named in British spelling, as pictures of earlier versions do."""


class Settings(BaseModel):
    """The settings of one run; its JSON makes the same picture again from the same inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: Word = Field("default", description="bundle of settings; see `swag presets`")
    method: Word = Field(
        "w2", description="style loss with settings tuned for it; see `swag methods`"
    )
    backbone: Word = Field(
        "swag/vgg16-distilled", description="network that compares pictures; see `swag backbones`"
    )
    weights: str = Field(
        "pretrained",
        max_length=4096,
        description="weights of the network: pretrained, random[:SCHEME], or a file",
    )
    edits: tuple[Word, ...] = Field(
        ("replicate-all", "reflect"),
        max_length=32,
        description="changes to the network, for example average-pooling or reflect",
    )
    size: int = Field(
        512,
        ge=SMALLEST_SIZE,
        le=LARGEST_SIZE,
        description="long side of the result in pixels, or original: the photo's own size",
    )
    square: bool = Field(
        False, description="resize both pictures to size x size, without their proportions"
    )
    steps: int = Field(
        75,
        ge=0,
        le=1_000_000,
        description="optimization steps over all scales; 0: return the start unchanged",
    )
    scales: int = Field(
        2,
        ge=1,
        le=12,
        description="number of sizes, from small to large, each twice the one before",
    )
    optimizer: Literal["lbfgs", "adam", "torch-lbfgs"] = Field(
        "lbfgs", description="lbfgs, adam or torch-lbfgs"
    )
    rate: float | None = Field(
        None, gt=0, le=10, description="step size of adam, in units of pixel values from 0 to 1"
    )
    average: float | None = Field(
        None,
        gt=0,
        lt=1,
        description="decay of a running mean of the pictures, which is then the result",
    )
    parametrization: Word = Field(
        "pixels",
        description="what the optimizer changes: pixels, laplacian, fourier or fourier-bounded",
    )
    jitter: int = Field(
        0, ge=0, le=512, description="largest random shift of each step in pixels; adam only"
    )
    jitter_scale: float = Field(
        0.0,
        ge=0,
        le=0.5,
        description="largest random change of scale of each step, as a fraction; adam only",
    )
    start: Literal["style-colors", "content", "noise", "style", "instant"] = Field(
        "style-colors",
        description="picture to begin with: style-colors (the photo in the colors of the style), "
        "content, noise, style or instant (the photo painted in one pass)",
    )
    seed: int = Field(0, ge=0, lt=2**63, description="seed of all random numbers")
    strength: Share = Field(
        0.5, description="how much style: 0 is the photo alone, 1 the style alone"
    )
    balance: float = Field(
        1.0, gt=0, le=1000, description="ratio of style to content at strength 0.5"
    )
    style_loss: Word = Field("bures", description="loss between styles; see `swag losses`")
    style_layers: ChosenLayers | None = Field(
        None, description="style layers with their weights, instead of the network's preset"
    )
    style_weights: tuple[TermWeight, ...] | None = Field(
        None, max_length=64, description="weight of each of several styles"
    )
    style_scale: float = Field(
        1.0, ge=0.1, le=4, description="size of the style picture; below 1 gives smaller strokes"
    )
    colors: WhoseColors = Field("style", description="whose colors the result has")
    style_rotations: bool = Field(
        False, description="also use the style picture turned by 90, 180 and 270 degrees"
    )
    feather: float = Field(0.0, ge=0, le=1024, description="blur of the edges of masks, in pixels")
    palette: TermWeight = Field(0.0, description="weight of a loss on the colors of the style")
    content_loss: Word = Field(
        "content", description="loss between the result and the photo; see `swag losses`"
    )
    content_layers: ChosenLayers | None = Field(
        None, description="content layers with their weights, instead of the network's preset"
    )
    laplacian: TermWeight = Field(0.0, description="weight of a loss on the edges of the photo")
    smoothing: Word = Field("none", description="smoothing of activations; see `swag smoothings`")
    smooth_content: bool = Field(
        True, description="also smooth the activations that the content loss compares"
    )
    matched: Literal["none", "loss", "gradient"] = Field(
        "none",
        description="give each smoothed layer the weight it has without smoothing, measured by "
        "its loss or its gradient",
    )
    normalization: Literal["span", "target", "initial", "paper", "released-code"] = Field(
        "span",
        description="unit of each layer's error: span, target, initial, paper or released-code",
    )
    style_weight: TermWeight | None = Field(
        None, description="weight of the style loss, instead of the one from strength"
    )
    content_weight: TermWeight | None = Field(
        None, description="weight of the content loss, instead of the one from strength"
    )
    total_variation: TermWeight = Field(
        1.0, description="weight of the penalty on differences between neighboring pixels"
    )
    pixel_range: TermWeight = Field(
        1.0, description="weight of the penalty on pixel values outside [0, 1]"
    )
    tile: Literal["auto"] | Annotated[int, Field(ge=0, le=LARGEST_SIZE)] = Field(
        "auto", description="tile size in pixels; 0: no tiles; auto: only if memory requires them"
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        "auto",
        description="precision of network passes: auto, float32 or bfloat16; the last steps use "
        "float32",
    )
    device: Word = Field("auto", description="device that computes: auto, cpu, cuda, cuda:1 or mps")

    @model_validator(mode="before")
    @classmethod
    def _american_names(cls, values: object) -> object:
        if not isinstance(values, Mapping):
            return values
        return {BRITISH.get(name, name): value for name, value in values.items()}

    @field_validator("size", mode="wrap")
    @classmethod
    def _original_or_pixels(cls, value: object, check: Callable[[object], int]) -> int:
        is_original = isinstance(value, str | int) and str(value) in ("original", str(ORIGINAL))
        return ORIGINAL if is_original else check(value)

    @field_validator("tile", mode="before")
    @classmethod
    def _auto_or_pixels(cls, value: object) -> object:
        text = str(value).strip()
        if text == "auto" or (text.isdecimal() and len(text) < 9 and int(text) <= LARGEST_SIZE):
            return text if text == "auto" else int(text)
        raise ValueError(f"give auto, 0 for no tiles, or pixels up to {LARGEST_SIZE}")

    @field_validator("weights", mode="before")
    @classmethod
    def _path_as_text(cls, value: object) -> object:
        text = os.fspath(value) if isinstance(value, os.PathLike) else value
        return os.path.expanduser(text) if isinstance(text, str) else text

    @field_validator("device", mode="before")
    @classmethod
    def _device_by_name(cls, value: object) -> object:
        return str(value) if isinstance(value, torch.device) else value

    @field_validator("style_layers", "content_layers", mode="before")
    @classmethod
    def _listed_layers_count_alike(cls, value: object) -> object:
        is_list = isinstance(value, list | tuple) and all(isinstance(layer, str) for layer in value)
        if value is not None and not is_list and not isinstance(value, Mapping):
            raise ValueError(
                'give names of layers, as in ["relu2_1"], or names with weights, as in '
                "{relu2_1=1, relu3_1=2}"
            )
        if isinstance(value, Mapping) and any(isinstance(x, Mapping) for x in value.values()):
            # TOML splits a bare name at its dots, into one table within another.
            raise ValueError('a name with dots needs quotes, as in {"features.4"=1}')
        return dict.fromkeys(cast(Sequence[str], value), 1.0) if is_list else value

    @field_validator("smoothing")
    @classmethod
    def _canonical_smoothing(cls, spec: str) -> str:
        return str(parse_smoothing(spec))

    @field_validator("style_loss")
    @classmethod
    def _known_style_loss(cls, spec: str) -> str:
        return _canonical_loss(spec, "style")

    @field_validator("content_loss")
    @classmethod
    def _known_content_loss(cls, spec: str) -> str:
        return _canonical_loss(spec, "content")

    @model_validator(mode="after")
    def _not_all_layers_are_zero(self) -> "Settings":
        for name in ("style_layers", "content_layers"):
            weights = getattr(self, name)
            if weights is not None:
                check_not_all_zero(name, weights)
        return self

    def size_without_photo(self) -> int:
        """The size in pixels; SettingsError if the size is `original`, which needs a photo."""
        if self.size == ORIGINAL:
            raise SettingsError("size = original needs a photo, and there is none; give pixels")
        return self.size

    def style_shares(self, styles: int) -> list[float]:
        """The share of each of several styles in their weight; they sum to one.

        SettingsError if there is not one weight for each style, or if all are zero.
        """
        weights = self.style_weights or (1.0,) * styles
        if len(weights) != styles or (styles and sum(weights) <= 0):
            raise SettingsError(
                f"style_weights = {weights} for {styles} styles; expected one weight for each "
                "style, not all of them 0"
            )
        return [weight / sum(weights) for weight in weights]

    @property
    def weights_of_terms(self) -> tuple[float, float]:
        """(style, content): strength s gives them in the ratio of s times `balance` to 1 - s.

        Errors are measured as shares of the span between the pictures (see `Objective.of`).
        """
        style = self.balance * self.strength if self.style_weight is None else self.style_weight
        content = 1 - self.strength if self.content_weight is None else self.content_weight
        return style, content


def _canonical_loss(spec: str, role: str) -> str:
    loss = get_loss(spec)
    if loss.role != role:
        raise SettingsError(
            f"{loss.name} is a {loss.role} loss and cannot be the {role} loss; see `swag losses`"
        )
    return str(loss)
