"""Networks that are given as modules: copied, made readable, or refused with what is missing."""

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

    What `torch.compile` has wrapped is unwrapped: it would hide the layers.

    Raises:
        BackboneError: a scripted module, one with uninitialized lazy layers, or one that cannot be
            copied.
    """
    module = _uncompiled(module)
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
        if name and _uncompiled(child) is not child:
            copied.set_submodule(name, _uncompiled(child))
    narrow = any(tensor.dtype in NARROW for tensor in copied.state_dict().values())
    return copied.float() if narrow else copied


def check_gradient(backbone: Backbone, layers: Iterable[str]) -> None:
    """Refuse layers from which no gradient reaches the picture: BackboneError."""
    sample = trial_picture(backbone.module, backbone.prepare)
    with torch.enable_grad():
        maps = backbone.extract(sample.requires_grad_(), layers)
    blind = [layer for layer, features in maps.items() if not features.requires_grad]
    if blind:
        raise BackboneError(
            f"no gradient reaches the picture from {', '.join(blind)} of {backbone.name}; its "
            "forward must not detach, nor run under no_grad"
        )


def _uncompiled(module: nn.Module) -> nn.Module:
    inner: nn.Module | None = getattr(module, "_orig_mod", None)
    return module if inner is None else inner


def short_reason(error: Exception) -> str:
    """What an error of code that is not ours says, on one short line."""
    return " ".join(str(error).split())[:200] or type(error).__name__
