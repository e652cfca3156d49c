"""The settings as keywords, so that editors complete them and type checkers find wrong ones.

Types are what a caller may give; `Settings` has what becomes of it.
"""

from collections.abc import Mapping, Sequence
from typing import Literal, TypedDict

import torch

from swag.config.settings import WhoseColors
from swag.types import StrPath

LayerChoice = Mapping[str, float] | Sequence[str]
"""Layers with the weight of each, or layers that count alike."""


class CommonSettings(TypedDict, total=False):
    """Every setting but the preset, the method and the backbone; three in both spellings."""

    weights: StrPath
    edits: Sequence[str]
    size: int | Literal["original"]
    square: bool
    steps: int
    scales: int
    optimizer: Literal["lbfgs", "adam", "torch-lbfgs"]
    rate: float | None
    average: float | None
    parametrization: str
    jitter: int
    jitter_scale: float
    start: Literal["style-colors", "content", "noise", "style", "instant"]
    seed: int
    strength: float
    balance: float
    style_loss: str
    style_layers: LayerChoice | None
    style_weights: Sequence[float] | None
    style_scale: float
    colors: WhoseColors
    style_rotations: bool
    feather: float
    palette: float
    content_loss: str
    content_layers: LayerChoice | None
    laplacian: float
    smoothing: str
    smooth_content: bool
    matched: Literal["none", "loss", "gradient"]
    normalization: Literal["span", "target", "initial", "paper", "released-code"]
    style_weight: float | None
    content_weight: float | None
    total_variation: float
    pixel_range: float
    tile: Literal["auto"] | int
    precision: Literal["auto", "float32", "bfloat16"]
    device: str | torch.device
    colours: WhoseColors
    normalisation: Literal["span", "target", "initial", "paper", "released-code"]
    parametrisation: str


class SettingsKeywords(CommonSettings, TypedDict, total=False):
    """Keywords of `settings` in addition to a preset and a method."""

    backbone: str
