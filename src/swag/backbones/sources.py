"""Networks by name, without style: what torchvision and timm build, and what they take as input."""

import difflib
import importlib.util
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from swag.backbones import weights
from swag.backbones.backbone import Normalise
from swag.backbones.download import fetch, missing, patience
from swag.backbones.tokens import AnySizeTransformer, channels_last_to_maps, tokens_to_maps
from swag.errors import BackboneError, WeightsError
from swag.features import Arrange

_HEADS = ("fc", "classifier", "heads", "head")
_INCEPTION = {"aux_logits": False, "transform_input": False, "init_weights": True}
_OPTIONS: dict[str, dict[str, Any]] = {"inception_v3": _INCEPTION, "googlenet": _INCEPTION}
_ANY_SIZE = ("vision_transformer", "deit", "eva")
"""Modules of timm whose networks take `dynamic_img_size`."""


@dataclass
class Source:
    """A network as it comes, its input and its files.

    Args:
        load_pretrained: put the published weights in.
        ignore: prefixes of tensors in files that the network here has no use for: its head.
    """

    module: nn.Module
    normalise: Normalise
    load_pretrained: Callable[[], None]
    ignore: tuple[str, ...] = ()
    arrange: Arrange | None = None
    multiple: int = 1


def torchvision_source(name: str, *, blank: bool) -> Source:
    """One of torchvision's classifiers, without its head, which is never read and may be large.

    Inception-v3 and GoogLeNet were trained on pictures scaled to [-1, 1]: torchvision turns
    ImageNet's normalisation into that by `transform_input`; here the backbone does it at once.

    Args:
        blank: weights will be loaded; do not spend time on drawing random ones.
    """
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        raise unknown("torchvision", name, names)
    with torch.device("meta" if blank else "cpu"):
        module: nn.Module = torchvision.models.get_model(
            name, weights=None, **_OPTIONS.get(name, {})
        )
    heads = [head for head in _HEADS if hasattr(module, head)]
    for head in heads:
        setattr(module, head, nn.Identity())
    if blank:
        module = module.to_empty(device="cpu")
    half = (0.5, 0.5, 0.5)
    normalise = Normalise(half, half) if name in _OPTIONS else Normalise()
    ignore = (*(f"{head}." for head in heads), "AuxLogits.", "aux1.", "aux2.")
    source = Source(module, normalise, lambda: None, ignore)
    if name.startswith("vit_"):
        patch = int(getattr(module, "patch_size"))  # noqa: B009 - typed as Tensor or Module
        source.module = AnySizeTransformer(module)
        source.arrange, source.multiple = tokens_to_maps(patch, prefix=1), patch
    elif name.startswith("swin"):
        source.arrange, source.multiple = channels_last_to_maps, 32

    def load_pretrained() -> None:
        path = fetch(_first_weights(torchvision.models.get_model_weights(name)).url)
        state = weights.read(path)
        if name.startswith("densenet"):
            state = {_renamed(key): value for key, value in state.items()}
        weights.load(source.module, state, origin=str(path), ignore=ignore)

    source.load_pretrained = load_pretrained
    return source


def timm_source(name: str) -> Source:
    """One of timm's networks, without its head.

    Raises:
        BackboneError: timm is not installed or does not know the name.
    """
    if importlib.util.find_spec("timm") is None:
        raise BackboneError(f"timm/{name} needs timm: pip install 'swag-style[timm]'")
    import timm
    from timm.models import model_entrypoint

    if not _known_to_timm(name):
        raise unknown("timm", name, [*timm.list_models(), *timm.list_pretrained()])
    family = model_entrypoint(name.partition(".")[0]).__module__.rpartition(".")[2]
    options = {"dynamic_img_size": True} if family in _ANY_SIZE else {}
    module: Any = timm.create_model(name, pretrained=False, num_classes=0, **options)
    settings = module.pretrained_cfg
    heads = settings.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    source = Source(
        module,
        Normalise(settings["mean"], settings["std"]),
        lambda: _load_from_hub(module, name),
        tuple(f"{head}." for head in heads),
    )
    if hasattr(module, "num_prefix_tokens") and hasattr(module, "patch_embed"):
        patch = int(module.patch_embed.patch_size[0])
        source.arrange = tokens_to_maps(patch, prefix=module.num_prefix_tokens)
        source.multiple = patch
    elif str(getattr(module, "output_fmt", "NCHW")).endswith("NHWC"):
        source.arrange, source.multiple = channels_last_to_maps, 32
    return source


def unknown(family: str, name: str, names: Iterable[str]) -> BackboneError:
    """The error about a name that a family does not have, with the nearest that it has."""
    nearest = difflib.get_close_matches(name, list(names), 3, 0.4)
    hint = ", ".join(f"{family}/{near}" for near in nearest)
    return BackboneError(
        f"no network {family}/{name}; "
        + (f"nearest: {hint}" if hint else "see `swag backbones` for the list")
    )


def _first_weights(choices: Any) -> Any:
    """The weights that papers mean by "pretrained": torchvision's first version."""
    return getattr(choices, "IMAGENET1K_V1", None) or next(iter(choices))


def _renamed(key: str) -> str:
    """A tensor's name in DenseNet now; its files say `norm.1` and `conv.1` in the layers."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)


def _known_to_timm(name: str) -> bool:
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        return False
    return not tag or name in timm.list_pretrained(f"{architecture}.*")


def _load_from_hub(module: Any, name: str) -> None:
    """Load timm's published weights from the cache of Hugging Face, or download them."""
    from huggingface_hub import constants
    from timm.models import load_pretrained

    settings = module.pretrained_cfg
    file = f"model.safetensors of {settings.get('hf_hub_id') or name}"
    try:
        with patience():
            load_pretrained(module, num_classes=0)
    except (OSError, RuntimeError, ValueError) as error:
        raise missing(file, Path(constants.HF_HUB_CACHE), error) from error
    except Exception as error:
        # httpx, which downloads, has errors of its own and is no dependency of ours.
        if type(error).__module__.partition(".")[0] not in (
            "httpx",
            "httpcore",
            "safetensors_rust",
        ):
            raise
        raise missing(file, Path(constants.HF_HUB_CACHE), error) from error


__all__ = ["Source", "WeightsError", "timm_source", "torchvision_source", "unknown"]
