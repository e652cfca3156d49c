"""Networks given as modules: copied so that layers can be read, or refused with the reason."""

import copy
from collections.abc import Iterable

import torch
from torch import nn
from torch.nn.parameter import is_lazy

from swag.backbones.backbone import Backbone
from swag.errors import BackboneError
from swag.features import trial_picture

NARROW = (torch.float16, torch.bfloat16)


def own_copy(module: nn.Module) -> nn.Module:
    """A copy of a caller's module whose layers can be read, in float32 if it was narrower.

    Modules wrapped by `torch.compile`, which hides layers, are unwrapped.

    Raises:
        BackboneError: a scripted module, one with uninitialized lazy layers, or one that cannot be
            copied.
    """
    module = _without_compiler(module)
    if isinstance(module, torch.jit.ScriptModule):
        raise BackboneError(
            "a scripted module (TorchScript) does not show its layers; give the module that was "
            "scripted, or a program of torch.export"
        )
    lazy = [name for name, parameter in module.named_parameters() if is_lazy(parameter)]
    if lazy:
        raise BackboneError(
            f"{type(module).__name__} has lazy layers, whose shapes are not known yet "
            f"({', '.join(lazy[:3])}); run it once on a picture, then give it"
        )
    try:
        copied = copy.deepcopy(module)
    except Exception as error:  # whatever the module holds
        raise BackboneError(
            f"{type(module).__name__} cannot be copied ({short_reason(error)}); give a factory "
            "that builds it, as in file.py:factory"
        ) from error
    for name, child in list(copied.named_modules()):
        if name and _without_compiler(child) is not child:
            copied.set_submodule(name, _without_compiler(child))
    narrow = any(tensor.dtype in NARROW for tensor in copied.state_dict().values())
    return copied.float() if narrow else copied


def check_gradient(backbone: Backbone, layers: Iterable[str]) -> None:
    """Raise BackboneError for layers from which no gradient reaches the picture."""
    sample = trial_picture(backbone.module, backbone.prepare)
    with torch.enable_grad():
        maps = backbone.extract(sample.requires_grad_(), layers)
    detached = [layer for layer, features in maps.items() if not features.requires_grad]
    if detached:
        raise BackboneError(
            f"no gradient reaches the picture from {', '.join(detached)} of {backbone.name}; its "
            "forward must not detach, nor run under no_grad"
        )


def _without_compiler(module: nn.Module) -> nn.Module:
    inner: nn.Module | None = getattr(module, "_orig_mod", None)
    return module if inner is None else inner


def short_reason(error: Exception) -> str:
    """The message of a foreign error on one line of at most 200 characters, or its class."""
    return " ".join(str(error).split())[:200] or type(error).__name__
