"""Every setting of a run, with its range; presets; one source for library and command line."""

import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from swag.errors import SettingsError
from swag.losses import get as get_loss
from swag.smoothing import parse as parse_smoothing

Share = Annotated[float, Field(ge=0, le=1)]
Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]
LARGEST_SIZE = 32768


class Settings(BaseModel):
    """The settings of one run; its JSON makes the same picture again from the same inputs."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    preset: str = "default"
    backbone: str = "swag/resnet"
    weights: str = "pretrained"
    edits: tuple[str, ...] = ("reflect",)
    size: int = Field(512, ge=16, le=LARGEST_SIZE, description="long side in pixels")
    square: bool = Field(False, description="squash both pictures to size x size")
    steps: int = Field(300, ge=1, le=1_000_000, description="steps over all scales")
    scales: int = Field(4, ge=1, le=12, description="sizes, each twice the one before")
    optimizer: Literal["lbfgs", "adam", "torch-lbfgs"] = "lbfgs"
    rate: float | None = Field(None, gt=0, le=10, description="of Adam: pixel change a step")
    average: float | None = Field(None, gt=0, lt=1, description="decay of the mean of iterates")
    start: Literal["content", "noise", "style"] = "content"
    seed: int = Field(0, ge=0, lt=2**63)
    strength: Share = Field(0.5, description="0 the content alone, 1 the style alone")
    style_loss: str = "gram"
    style_layers: dict[str, Weight] | None = None
    style_weights: tuple[Weight, ...] | None = Field(None, description="of several styles")
    style_scale: float = Field(1.0, ge=0.1, le=4, description="size of the style picture")
    style_rotations: bool = Field(False, description="the style's quarter turns count as it does")
    palette: Weight = Field(0.0, description="of the style's colours by themselves")
    content_loss: str = "content"
    content_layers: dict[str, Weight] | None = None
    laplacian: Weight = Field(0.0, description="of the photo's edges by themselves")
    smoothing: str = "none"
    smooth_content: bool = True
    matched: Literal["none", "loss", "gradient"] = Field(
        "none", description="what of each layer smoothing may not change"
    )
    normalisation: Literal["span", "target", "initial", "paper", "released-code"] = "span"
    style_weight: Weight | None = Field(None, description="instead of what strength gives")
    content_weight: Weight | None = Field(None, description="instead of what strength gives")
    total_variation: Weight = 1.0
    pixel_range: Weight = 1.0
    device: str = "auto"

    @field_validator("smoothing")
    @classmethod
    def _canonical_smoothing(cls, spec: str) -> str:
        return str(parse_smoothing(spec))

    @field_validator("style_loss")
    @classmethod
    def _known_style_loss(cls, spec: str) -> str:
        return _loss(spec, "style")

    @field_validator("content_loss")
    @classmethod
    def _known_content_loss(cls, spec: str) -> str:
        return _loss(spec, "content")

    def style_shares(self, styles: int) -> list[float]:
        """The share of each of several styles in their weight; they sum to one.

        SettingsError where there is not one weight for each style, or all are zero.
        """
        weights = self.style_weights or (1.0,) * styles
        if len(weights) != styles or (styles and sum(weights) <= 0):
            raise SettingsError(
                f"style_weights = {weights} for {styles} styles; expected one for each, not all 0"
            )
        return [weight / sum(weights) for weight in weights]

    @property
    def weights_of_terms(self) -> tuple[float, float]:
        """(style, content): strength s gives them in the ratio of s times BALANCE to 1 - s."""
        style = BALANCE * self.strength if self.style_weight is None else self.style_weight
        content = 1 - self.strength if self.content_weight is None else self.content_weight
        return style, content


def _loss(spec: str, role: str) -> str:
    loss = get_loss(spec)
    if loss.role != role:
        raise SettingsError(f"{loss.name} is a loss of {loss.role}, not of {role}")
    return str(loss)


BALANCE = 10.0
"""Style to content at a strength of one half, errors measured as shares of the span."""


@dataclass(frozen=True)
class Preset:
    """Settings that belong together, and where they come from."""

    name: str
    summary: str
    reference: str
    values: Mapping[str, Any]


_PAPER = {
    "backbone": "torchvision/resnet50",
    "edits": (),
    "scales": 1,
    "steps": 1000,
    "optimizer": "torch-lbfgs",
    "square": True,
    "pixel_range": 0.0,
    "total_variation": 0.0,
    "content_weight": 1.0,
}

_PRESETS = (
    Preset("default", "the best we measured, coarse to fine", "docs/log.md", {}),
    Preset("quick", "a look, within half a minute on two cores", "as default, smaller",
           {"size": 256, "steps": 120, "scales": 3}),
    Preset("quality", "more steps for a larger picture", "as default, longer",
           {"size": 1024, "steps": 600, "scales": 5}),
    Preset("paper", "the poster to the letter", "Wang, Li and Vasconcelos, CVPR 2021",
           {**_PAPER, "size": 512, "smoothing": "softmax", "normalisation": "paper",
            # The poster states no weights. A style term of 1e17 is the authors' for mean squares.
            "style_weight": 1e17}),
    Preset("released-code", "the authors' published script to the letter",
           "the authors' published script, resnet_swag.py of April 2021",
           {**_PAPER, "size": 512, "smoothing": "scale:alpha=0.001@layer3,layer4",
            "normalisation": "released-code", "style_weight": 1e17}),
)  # fmt: skip

PRESETS: Mapping[str, Preset] = MappingProxyType({preset.name: preset for preset in _PRESETS})


def settings(preset: str = "default", **overrides: Any) -> Settings:
    """The settings of a preset with some of them changed.

    Raises:
        SettingsError: an unknown preset or setting, or a value out of its range.
    """
    if not isinstance(preset, str) or preset not in PRESETS:
        raise SettingsError(f"no preset is called {preset!r}; there are {', '.join(PRESETS)}")
    for name in overrides:
        if name not in Settings.model_fields:
            near = get_close_matches(name, Settings.model_fields, n=1)
            hint = f"did you mean {near[0]}?" if near else "see the settings in the documentation"
            raise SettingsError(f"there is no setting {name!r}; {hint}")
    try:
        return Settings(**{**PRESETS[preset].values, **overrides, "preset": preset})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))
        raise SettingsError(f"{where} = {first['input']!r}: {first['msg']}") from error


def load(path: Path) -> dict[str, Any]:
    """Settings from a TOML or JSON file, as `settings` takes them.

    Raises:
        SettingsError: not such a file.
    """
    try:
        text = path.read_text(encoding="utf-8")
        values = json.loads(text) if path.suffix.lower() == ".json" else tomllib.loads(text)
    except (OSError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise SettingsError(
            f"{path}: cannot be read as settings (TOML or JSON): {reason}"
        ) from error
    if not isinstance(values, dict):
        raise SettingsError(f"{path}: holds {type(values).__name__}, not settings by name")
    return values
