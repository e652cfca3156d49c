"""Read the activations of named layers of any network, in one pass.

extractor = FeatureExtractor(network, ["relu", "layer1", "layer2"])
extractor(picture)["layer1"]                       # b d h w
"""

import difflib
import threading
from collections.abc import Callable, Collection, Iterable, Mapping
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from swag.errors import BackboneError
from swag.types import FeatureMaps, Image

Preprocess = Callable[[Tensor], Tensor]
Arrange = Callable[[Tensor, tuple[int, int]], Tensor]
"""(output of a layer, rows and columns of the picture) -> maps, as for tokens."""

REFUSALS = (RuntimeError, AssertionError, ValueError, IndexError)
"""Errors of a network on a picture whose size it cannot take."""

TRIAL_SIZES = ((96, 96), (224, 224), (256, 256), (299, 299), (384, 384), (512, 512))
"""Rows and columns of the pictures that an unknown network is tried on."""


class FeatureExtractor(nn.Module):
    """Map pictures to the activations of `layers`, named as in `model.named_modules()`.

    The pass ends at the deepest layer asked for. An output that something writes into later (an
    in-place ReLU, the in-place sum of a residual block) is copied at once; others are returned
    without a copy, so that writing into them is an error.
    The model goes into evaluation mode, in which it stays even if a module around it is set to
    training mode, and is frozen; nothing else of it changes.

    Args:
        preprocess: from the picture to the input of the model.
        arrange: from the output of a layer to maps; needed if that is no map (tokens).
        name: of the model in errors; None: that of its class.

    Raises:
        BackboneError: a layer that the model does not have, that never runs or more than once
            in a pass (so that its name does not say which activation is meant: the ReLU of a
            torchvision residual block), or that does not return maps.
    """

    def __init__(
        self,
        model: nn.Module,
        layers: Iterable[str],
        preprocess: Preprocess | None = None,
        *,
        arrange: Arrange | None = None,
        name: str | None = None,
    ) -> None:
        super().__init__()
        self.name = name or type(model).__name__
        self.model = model.eval().requires_grad_(False)
        self.layers = tuple(dict.fromkeys(layers))
        self.preprocess = preprocess
        self.arrange = arrange
        self._overwritten: set[str] = set()
        check_names(self.layers, named_layers(model), network=self.name)
        sample = trial_picture(self.model, preprocess)
        self._check_each_runs_once(sample)
        with torch.no_grad():
            self(sample)  # learns which layers are overwritten

    def forward(self, image: Image) -> FeatureMaps:
        """Activations by layer, in the order of `layers`."""
        if not self.layers:
            return {}
        x = image if self.preprocess is None else self.preprocess(image)
        outputs = self._read(x)
        size = (x.shape[-2], x.shape[-1])
        return {name: self._as_maps(name, outputs[name], size) for name in self.layers}

    def train(self, mode: bool = True) -> "FeatureExtractor":
        """Stay in evaluation mode: statistics of normalizations are those of the weights."""
        del mode
        return super().train(False)

    def _read(self, image: Tensor) -> dict[str, Tensor]:
        outputs: dict[str, Tensor] = {}
        versions: dict[str, int] = {}

        def record(name: str, output: Any) -> None:
            if not isinstance(output, Tensor):
                raise BackboneError(
                    f"layer {name!r} returns {type(output).__name__}, not a tensor; "
                    "choose a layer before or inside it"
                )
            # Tensors of inference mode do not count the writes into them.
            needs_copy = name in self._overwritten or output.is_inference()
            outputs[name] = output.clone() if needs_copy else output
            versions[name] = -1 if output.is_inference() else outputs[name]._version
            if len(outputs) == len(self.layers):
                raise _PassComplete

        observe(self.model, image, {n: self.model.get_submodule(n) for n in self.layers}, record)
        overwritten = {n for n, v in versions.items() if v >= 0 and outputs[n]._version != v}
        if overwritten:
            self._overwritten |= overwritten
            return self._read(image)
        return outputs

    def _as_maps(self, name: str, output: Tensor, size: tuple[int, int]) -> Tensor:
        maps = output if self.arrange is None else self.arrange(output, size)
        if maps.ndim != 4:
            raise BackboneError(
                f"layer {name!r} returns a tensor of shape {tuple(output.shape)}, not maps of "
                "the form batch, channels, rows, columns; choose another layer"
            )
        return maps

    def _check_each_runs_once(self, sample: Tensor) -> None:
        x = sample if self.preprocess is None else self.preprocess(sample)
        runs = dict.fromkeys(self.layers, 0)

        def count(name: str, _: Any) -> None:
            runs[name] += 1

        with torch.no_grad():
            observe(self.model, x, {n: self.model.get_submodule(n) for n in self.layers}, count)
        idle = [name for name, times in runs.items() if times == 0]
        if idle:
            raise BackboneError(
                f"{', '.join(idle)} of {self.name} cannot be read: it does not run "
                "in a pass, or runs within a scripted module; choose another layer"
            )
        repeated = [f"{name} runs {times} times" for name, times in runs.items() if times != 1]
        if repeated:
            raise BackboneError(
                f"a layer that is read must run once in a pass, but {', '.join(repeated)}; "
                "choose the module around it or the one before"
            )


def named_layers(model: nn.Module) -> set[str]:
    """The names of all modules in a model."""
    return {name for name, _ in model.named_modules(remove_duplicate=False) if name}


def check_names(layers: Iterable[str], known: Collection[str], *, network: str) -> None:
    """Refuse layers that are not known: BackboneError, which names the nearest."""
    for name in layers:
        if name not in known:
            nearest = difflib.get_close_matches(name, sorted(known), 3, 0.4)
            hint = f"nearest: {', '.join(nearest)}" if nearest else "none is spelt like it"
            raise BackboneError(f"{network} has no layer {name!r}; {hint}")


def trial_picture(
    model: nn.Module,
    preprocess: Preprocess | None = None,
    *,
    sizes: Iterable[tuple[int, int]] = TRIAL_SIZES,
) -> Tensor:
    """The first black picture that the network accepts, of its precision, on its device.

    Raises:
        BackboneError: it accepts none of the usual sizes.
    """
    like = next((p for p in model.parameters() if p.is_floating_point()), torch.empty(0))
    refusal: Exception | None = None
    native_size = _native_size(model)
    sizes = [*sizes, native_size] if native_size else [*sizes]
    for size in sizes:
        picture = torch.zeros(1, 3, *size, dtype=like.dtype, device=like.device)
        try:
            with torch.no_grad():
                model(picture if preprocess is None else preprocess(picture))
            return picture
        except Exception as error:  # foreign code may raise any
            refusal = error
    raise BackboneError(
        f"{type(model).__name__} takes no picture of 3 channels and "
        f"{', '.join(f'{columns} x {rows}' for rows, columns in sizes)} pixels: "
        f"{str(refusal).partition(chr(10))[0]}"
    )


def _native_size(model: nn.Module) -> tuple[int, int] | None:
    """Rows and columns of the pictures that a network was made for, if it records them."""
    settings = getattr(model, "pretrained_cfg", None)  # timm's
    if isinstance(settings, Mapping) and settings.get("input_size"):
        return int(settings["input_size"][-2]), int(settings["input_size"][-1])
    size: tuple[int, int] | None = getattr(model, "example_size", None)
    return size


class _PassComplete(Exception):
    """Ends the pass once every layer asked for has run."""


def observe(
    model: nn.Module,
    image: Tensor,
    modules: dict[str, nn.Module],
    on_output: Callable[[str, Any], None],
) -> None:
    """Run the model, calling `on_output(name, output)` after each of the modules by name."""
    thread = threading.get_ident()  # another thread may be using the same network

    def hook(name: str, _module: nn.Module, _inputs: Any, output: Any) -> None:
        if threading.get_ident() == thread:
            on_output(name, output)

    handles = [
        module.register_forward_hook(partial(hook, name)) for name, module in modules.items()
    ]
    try:
        model(image)
    except _PassComplete:
        pass
    finally:
        for handle in handles:
            handle.remove()
