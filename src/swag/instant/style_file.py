"""Files of one style: `.safetensors` with the weights, and their card in its metadata.

The metadata holds `swag-style`, JSON: the format, widths and blocks of the network, the SHA-256 of
the painting, the settings of its loss, the recipe, the steps done, and versions. No path is in it.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from swag.config.load import brief
from swag.errors import WeightsError
from swag.files import write_atomically
from swag.instant.style_network import StyleNetwork
from swag.instant.style_painter import StylePainter
from swag.registry import did_you_mean
from swag.types import StrPath

KEY = "swag-style"

SHIPPED_STYLES = ("great-wave",)
"""Styles that come with the package: Hokusai, The Great Wave off Kanagawa, about 1831."""

EXPECTED = f"a file that swag train-style wrote, or {', '.join(SHIPPED_STYLES)}"
"""What `read_style` reads, as messages say it."""

LARGEST_FILE = 64 * 2**20
"""Bytes; a style of the usual widths has 0.8 million."""

Width = Annotated[int, Field(ge=1, le=512)]


class StyleCard(BaseModel):
    """The facts about a style in its file."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal[1] = 1
    widths: tuple[Width, ...] = Field(min_length=2, max_length=5)
    blocks: int = Field(ge=0, le=32)
    painting: str = Field(pattern="^[0-9a-f]{64}$")
    weights: str = Field(pattern="^[0-9a-f]{64}$", description="SHA-256 of the judging network's")
    settings: dict[str, Any]
    recipe: dict[str, Any]
    steps: int = Field(ge=0)
    versions: dict[str, str]


def write_style(path: StrPath, network: StyleNetwork, card: StyleCard) -> None:
    """Write a style in half precision, whole or not at all."""
    state = {name: t.cpu().half().contiguous() for name, t in network.state_dict().items()}
    data = save(state, metadata={KEY: card.model_dump_json()})
    write_atomically(path, lambda file: file.write(data))


def is_trained(style: StrPath) -> bool:
    """Whether a path stands for a trained style instead of a painting.

    That is a `.safetensors` file, or one of `SHIPPED_STYLES`, also if its name is misspelled.
    """
    name = os.fspath(style)
    if name in SHIPPED_STYLES or name.endswith(".safetensors"):
        return True
    is_file = os.path.splitext(name)[1] or os.path.exists(name)
    return not is_file and bool(did_you_mean(name, SHIPPED_STYLES))


def read_style(path: StrPath) -> StylePainter:
    """The style in a file of `swag train-style`, or one of `SHIPPED_STYLES` by its name.

    Raises:
        WeightsError: there is no such file, or it is damaged or holds something else.
    """
    name = os.fspath(path)
    if name in SHIPPED_STYLES and not os.path.exists(name):
        name = str(Path(__file__).parent / f"{name}.safetensors")
    try:
        if os.path.getsize(name) > LARGEST_FILE:
            raise WeightsError(f"{name} is too large for a style; expected at most 64 MB")
        with safe_open(name, "pt") as file:
            card = _card((file.metadata() or {}).get(KEY), name)
            state = {key: file.get_tensor(key).float() for key in file.keys()}
    except FileNotFoundError as error:
        hint = did_you_mean(name, SHIPPED_STYLES)
        raise WeightsError(f"there is no file {name!r}; {hint}expected {EXPECTED}") from error
    except OSError as error:
        raise WeightsError(f"cannot read {name}: {error.strerror or error}") from error
    except SafetensorError as error:
        raise WeightsError(f"{name} cannot be read as safetensors: {brief(error)}") from error
    if not all(bool(tensor.isfinite().all()) for tensor in state.values()):
        raise WeightsError(f"{name} is damaged: not all of its weights are finite")
    with torch.device("meta"):
        network = StyleNetwork(card.widths, card.blocks)
    try:
        network.load_state_dict(state, assign=True)
    except RuntimeError as error:
        raise WeightsError(f"{name} is damaged: {brief(error)}") from error
    return StylePainter(network.to(memory_format=torch.channels_last), card.model_dump())


def _card(text: str | None, name: str) -> StyleCard:
    """The card in the metadata of a file. WeightsError if there is none, or another one."""
    if text is None:
        raise WeightsError(f"{name} is no style; expected {EXPECTED}")
    try:
        return StyleCard.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        reason = brief(": ".join([*map(str, first["loc"]), first["msg"]]))
        raise WeightsError(
            f"{name} is no style, or one of another version of SWAG ({reason}); expected {EXPECTED}"
        ) from error
