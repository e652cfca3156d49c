"""Networks of torchvision and timm by name, with the normalization and arrangement they need."""

import difflib
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from safetensors import SafetensorError
from torch import nn

from swag.backbones import weights
from swag.backbones.backbone import Normalize
from swag.backbones.download import fetch, fetch_from_hub
from swag.backbones.tokens import AnySizeTransformer, channels_last_to_maps, tokens_to_maps
from swag.errors import BackboneError, WeightsError, check_installed
from swag.features import Arrange

_HEADS = ("fc", "classifier", "heads", "head")
_INCEPTION = {"aux_logits": False, "transform_input": False, "init_weights": True}
_OPTIONS: dict[str, dict[str, Any]] = {"inception_v3": _INCEPTION, "googlenet": _INCEPTION}
_DYNAMIC = {"dynamic_img_size": True}
_NOT_STRICT = {"strict_img_size": False}
_ANY_SIZE: dict[str, dict[str, Any]] = {
    "vision_transformer": _DYNAMIC,
    "deit": _DYNAMIC,
    "eva": _DYNAMIC,
    "swin_transformer": _NOT_STRICT,
    "swin_transformer_v2": _NOT_STRICT,
}
"""Options, by module of timm, with which its networks take pictures of any size."""


@dataclass
class NetworkSource:
    """A network before any edit, its input (by default ImageNet's) and its weights.

    Args:
        load_pretrained: loads the published weights; by default they are there already.
        ignore: prefixes of tensors in files that are not loaded: those of the head.
    """

    module: nn.Module
    normalize: Normalize = field(default_factory=Normalize)
    load_pretrained: Callable[[], None] = lambda: None
    ignore: tuple[str, ...] = ()
    arrange: Arrange | None = None
    multiple: int = 1


def torchvision_source(name: str, *, blank: bool) -> NetworkSource:
    """One of torchvision's classifiers, without its head, which is never read and may be large.

    Inception-v3 and GoogLeNet were trained on pictures scaled to [-1, 1]: torchvision turns
    ImageNet's normalization into that by `transform_input`; here the backbone does it at once.

    Args:
        blank: spend no time on drawing random weights, as others will be loaded.
    """
    import torchvision

    names = torchvision.models.list_models(module=torchvision.models)
    if name not in names:
        raise unknown_network("torchvision", name, names)
    module = _build(name, blank=blank)
    heads = [head for head in _HEADS if hasattr(module, head)]
    for head in heads:
        setattr(module, head, nn.Flatten())
    if next(module.parameters()).is_meta:
        module = module.to_empty(device="cpu")
    half = (0.5, 0.5, 0.5)
    normalize = Normalize(half, half) if name in _OPTIONS else Normalize()
    ignore = (*(f"{head}." for head in heads), "AuxLogits.", "aux1.", "aux2.")
    source = NetworkSource(module, normalize, ignore=ignore)
    if name.startswith("vit_"):
        patch = int(getattr(module, "patch_size"))  # noqa: B009 - typed as Tensor or Module
        source.module = AnySizeTransformer(module)
        source.arrange, source.multiple = tokens_to_maps(patch, prefix=1), patch
    elif name.startswith("swin"):
        source.arrange, source.multiple = channels_last_to_maps, 32

    def load_pretrained() -> None:
        path = fetch(_first_weights(torchvision.models.get_model_weights(name)).url)
        state = weights.read_weights(path)
        if name.startswith("densenet"):
            state = {_current_name(key): value for key, value in state.items()}
        weights.load_weights(source.module, state, origin=str(path), ignore=ignore)

    source.load_pretrained = load_pretrained
    return source


def timm_source(name: str) -> NetworkSource:
    """One of timm's networks, without its head.

    Raises:
        BackboneError: timm is not installed or does not know the name.
    """
    check_installed("timm", user=f"timm/{name}", extra="timm")
    import timm
    from timm.models import model_entrypoint

    if not _known_to_timm(name):
        raise unknown_network("timm", name, [*timm.list_models(), *timm.list_pretrained()])
    family = model_entrypoint(name.partition(".")[0]).__module__.rpartition(".")[2]
    options = _ANY_SIZE.get(family, {})
    module: Any = timm.create_model(name, pretrained=False, num_classes=0, **options)
    settings = module.pretrained_cfg
    heads = settings.get("classifier") or ()
    heads = (heads,) if isinstance(heads, str) else tuple(heads)
    source = NetworkSource(
        module,
        Normalize(settings["mean"], settings["std"]),
        lambda: _load_from_hub(module, name),
        tuple(f"{head}." for head in heads),
    )
    patch = getattr(getattr(module, "patch_embed", None), "patch_size", None)
    if hasattr(module, "num_prefix_tokens") and patch is not None:
        side = int(patch[0] if isinstance(patch, Sequence) else patch)
        source.arrange = tokens_to_maps(side, prefix=module.num_prefix_tokens)
        source.multiple = side
    elif str(getattr(module, "output_fmt", "NCHW")).endswith("NHWC"):
        source.arrange, source.multiple = channels_last_to_maps, 32
    return source


def _build(name: str, *, blank: bool) -> nn.Module:
    import torchvision

    options = _OPTIONS.get(name, {})
    # RegNets compute with tensors while they are built, which only works on real ones.
    with torch.device("meta" if blank and not name.startswith("regnet") else "cpu"):
        module: nn.Module = torchvision.models.get_model(name, weights=None, **options)
    return module


def unknown_network(family: str, name: str, names: Iterable[str]) -> BackboneError:
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


def _current_name(key: str) -> str:
    """A tensor's present name in DenseNet; files have `norm.1` and `conv.1` in the layers."""
    return re.sub(r"(denselayer\d+\.(?:norm|conv))\.([12])\.", r"\1\2.", key)


def _known_to_timm(name: str) -> bool:
    import timm

    architecture, _, tag = name.partition(".")
    if not timm.is_model(architecture):
        return False
    return not tag or name in timm.list_pretrained(f"{architecture}.*")


def _load_from_hub(module: Any, name: str) -> None:
    """Load timm's published weights, from disk if they are there."""
    from timm.models import load_pretrained

    settings = dict(module.pretrained_cfg)
    if settings.get("hf_hub_id"):
        path = fetch_from_hub(
            settings["hf_hub_id"], settings.get("hf_hub_filename") or "model.safetensors"
        )
    elif settings.get("url"):
        path = fetch(settings["url"])
    else:
        raise WeightsError(f"timm has no pretrained weights of {name}; use --weights random")
    # Read here, never by timm: some of its versions run what is pickled in a file.
    arrays = settings.get("custom_load") and path.suffix == ".npz"  # NumPy's, without pickles
    origin = {"file": str(path)} if arrays else {"state_dict": weights.read_weights(path)}
    settings |= {"source": "", "custom_load": arrays, **origin}
    try:
        load_pretrained(module, settings, num_classes=0)
    except (RuntimeError, OSError, ValueError, KeyError, SafetensorError) as error:
        reason = str(error).partition("\n")[0]
        raise WeightsError(
            f"{path} is damaged or not the weights of timm/{name} ({reason})"
        ) from error
