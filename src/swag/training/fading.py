"""Shortcuts that a plain network is given for the first part of its training.

A plain network of many layers hardly begins to learn. Here each block has a shortcut whose share
falls to nothing while it learns, and is left out of the network that is kept; after the delta
parametrisation of Monti, Tootoonian and Cao (ICANN 2018), with one schedule in place of learnt
penalties.
"""

from collections.abc import Callable
from dataclasses import replace

from torch import Tensor, nn

from swag.backbones.family import Architecture, ResidualBlock, ThinNetwork
from swag.errors import SettingsError


def with_shortcuts(architecture: Architecture, fade: float) -> Architecture:
    """What is trained for this network: itself, or with shortcuts where they are to fade.

    SettingsError: shortcuts that belong to the network would fade.
    """
    if not fade:
        return architecture
    if architecture.shortcuts:
        raise SettingsError(
            f"fade = {fade} for a network that keeps its shortcuts; expected one without "
            "shortcuts, or fade = 0"
        )
    return replace(architecture, shortcuts=True)


def scale_shortcuts(network: ThinNetwork, gain: Callable[[], Tensor]) -> None:
    """Multiply what every shortcut gives by `gain()`, asked for at each pass."""

    def scaled(_module: nn.Module, _inputs: object, output: Tensor) -> Tensor:
        return output * gain()

    for block in network.modules():
        if isinstance(block, ResidualBlock) and block.shortcut is not None:
            block.shortcut.register_forward_hook(scaled)


def without_faded(model: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors of a model but the shortcuts that have faded.

    SettingsError: their share is not nothing yet.
    """
    if "gain" not in model:
        return model
    if model["gain"] != 0:
        raise SettingsError(
            f"the shortcuts of this training still have a share of {float(model['gain']):.2f}; "
            "train on until they have faded"
        )
    return {k: value for k, value in model.items() if ".shortcut." not in k and k != "gain"}
