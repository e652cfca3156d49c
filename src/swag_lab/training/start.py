"""Begin a training with weights that are trained already."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from swag.backbones import bundled
from swag.backbones.family import ThinNetwork, conv_of
from swag.errors import WeightsError
from swag.types import Image
from swag_lab.training import checkpoint


@torch.no_grad()
def begin(
    model: nn.Module, network: ThinNetwork, start: Path, images: Image
) -> list[dict[str, Any]]:
    """Load the weights of `start` into a model; the trainings that made them, as far as known.

    `start` is a checkpoint, or a `.safetensors` file of exported weights, which gets its batch
    norm back with the statistics of `images` (normalized). Heads that `start` lacks, or has for
    another number of classes, stay as they are.
    """
    try:
        if start.suffix == ".safetensors":
            unfold(network, bundled.read_state(start), images)
            return bundled.recorded_trainings(start)
        state = checkpoint.load_training(start)
        initial, loaded = model.state_dict(), state["model"]
        heads = {k for k in initial if k.startswith("heads.")}
        new_heads = {k for k in heads if k not in loaded or loaded[k].shape != initial[k].shape}
        model.load_state_dict(
            {k: v for k, v in loaded.items() if k in heads - new_heads or k.startswith("network.")}
            | {k: initial[k] for k in new_heads}
        )
    except (RuntimeError, KeyError) as error:
        raise WeightsError(f"{start}: holds the weights of another network") from error
    return checkpoint.trainings(state)


@torch.no_grad()
def unfold(network: ThinNetwork, state: Mapping[str, Tensor], images: Image) -> None:
    """Give a network with batch norm the function of a folded one (KeyError, RuntimeError if not).

    Each norm gets the statistics of `images` and the weight and bias that undo them, so that the
    function stays, up to rounding, and training continues as if it had never been folded.
    """
    hooks = []
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d):
            module.weight.copy_(state[f"{name}.weight"])
        elif isinstance(module, nn.BatchNorm2d):
            bias = state[f"{conv_of(name)}.bias"].to(module.bias)
            hooks.append(module.register_forward_pre_hook(partial(_set_norm, bias=bias)))
    network.eval()
    network(images)
    for hook in hooks:
        hook.remove()


def _set_norm(norm: nn.Module, inputs: tuple[Tensor, ...], *, bias: Tensor) -> None:
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None and norm.running_var is not None
    variance, mean = torch.var_mean(inputs[0], (0, 2, 3), correction=0)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    norm.weight.copy_((variance + norm.eps).sqrt())
    norm.bias.copy_(bias + mean)
