"""Backbones: frozen networks that map pictures to activations by layer."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from swag.backbones.reductions import trace
from swag.errors import BackboneError
from swag.features import (
    REFUSALS,
    Arrange,
    FeatureExtractor,
    check_names,
    named_layers,
    trial_picture,
)
from swag.layer_weights import layer_weights
from swag.maps import check_pictures
from swag.types import FeatureMaps, Image, Precision, Size

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_SIDES = (64, 128, 256, 512)
"""Sides of square pictures; a network that accepts none of them takes one size only."""


class Normalize(nn.Module):
    """Map sRGB in [0, 1] to the input of a network: (picture - mean) / std by channel."""

    mean: Tensor
    std: Tensor

    def __init__(
        self, mean: Sequence[float] = IMAGENET_MEAN, std: Sequence[float] = IMAGENET_STD
    ) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor(mean).view(-1, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(-1, 1, 1), persistent=False)

    def forward(self, image: Image) -> Image:
        """Normalize by channel."""
        return (image - self.mean) / self.std


class Backbone(nn.Module):
    """A frozen network with the layers that are read for style and for content.

    A backbone is a module: called with sRGB pictures in [0, 1], it returns activations by layer.
    It stays in evaluation mode, even if a module around it is set to training mode.

    Args:
        name: as given to `create`.
        module: the network; put into evaluation mode and frozen.
        style_layers, content_layers: read by default; a mapping gives the weight of each in losses
            that add up layers, 1 otherwise.
        normalize: from sRGB in [0, 1] to the input of the network.
        arrange: from the output of a layer to maps, for networks of tokens.
        multiple: pictures are extended below and at the right, by repeating the last pixels,
            until their sides are multiples of this (the patch of a transformer).
        aliases: other names of layers.
        weights: where the weights come from, in words.
        edits: the names of the edits that were applied, in order.
    """

    def __init__(  # noqa: PLR0913 - a record of what a network is
        self,
        name: str,
        module: nn.Module,
        style_layers: Iterable[str] | Mapping[str, float],
        content_layers: Iterable[str] | Mapping[str, float],
        normalize: nn.Module,
        *,
        arrange: Arrange | None = None,
        multiple: int = 1,
        aliases: Mapping[str, str] | None = None,
        weights: str = "",
        edits: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.name = name
        self.module = module.eval().requires_grad_(False)
        self.style_layer_weights = layer_weights("style_layers", style_layers)
        self.content_layer_weights = layer_weights("content_layers", content_layers)
        self.normalize = normalize
        self.aliases = dict(aliases or {})
        self.weights = weights
        self.edits = tuple(edits)
        self.arrange = arrange
        self.multiple = multiple
        self._channels_last = _keeps_channels_last(module)
        self._extractors: dict[tuple[str, ...], FeatureExtractor] = {}

    def forward(self, image: Image, layers: Iterable[str] | None = None) -> FeatureMaps:
        """See `extract`."""
        return self.extract(image, layers)

    def extract(
        self,
        image: Image,
        layers: Iterable[str] | None = None,
        *,
        precision: Precision = "float32",
    ) -> FeatureMaps:
        """Activations by layer of sRGB pictures in [0, 1]; style and content layers by default.

        With precision bfloat16 only the pass is in bfloat16: weights keep their precision, and
        maps and gradient have the precision of the picture.

        Raises:
            BackboneError: a layer that cannot be read, a picture too small for the network, or no
                batch of pictures in about [0, 1], on the network's device and in its precision.
        """
        check_pictures(image, like=next(self.module.parameters(), None), name=self.name)
        requested = tuple(self.style_layers + self.content_layers if layers is None else layers)
        names = {layer: self.aliases.get(layer, layer) for layer in requested}
        extractor = self._extractor(tuple(dict.fromkeys(names.values())))
        try:
            maps = narrow(extractor, image) if precision == "bfloat16" else extractor(image)
        except REFUSALS as error:
            size_error = self._size_error(extractor, image, tuple(names))
            if size_error is None:
                raise
            raise size_error from error
        return {layer: maps[name] for layer, name in names.items()}

    @property
    def style_layers(self) -> tuple[str, ...]:
        """Names of the layers whose statistics are matched."""
        return tuple(self.style_layer_weights)

    @property
    def content_layers(self) -> tuple[str, ...]:
        """Names of the layers that are matched position by position."""
        return tuple(self.content_layer_weights)

    def layers(self) -> tuple[str, ...]:
        """Names of all layers that can be read, in the order in which they run."""
        return tuple(
            layer.name
            for layer in trace(self.module, self.prepare, arrange=self.arrange)
            if layer.runs == 1 and layer.shape is not None and not layer.folded
        )

    def check_layers(self, layers: Iterable[str]) -> None:
        """Refuse layers that the network does not have: BackboneError, which names the nearest."""
        check_names(layers, {*named_layers(self.module), *self.aliases}, network=self.name)

    def train(self, mode: bool = True) -> "Backbone":
        """Stay in evaluation mode: statistics of normalizations are those of the weights."""
        del mode
        return super().train(False)

    def __getstate__(self) -> dict[str, Any]:
        return {**vars(self), "_extractors": {}}

    def prepare(self, image: Tensor) -> Tensor:
        """The network's input: picture normalized, extended to `multiple`, in its memory format."""
        x: Tensor = self.normalize(image)
        below, right = (-side % self.multiple for side in x.shape[-2:])
        if below or right:
            x = F.pad(x, (0, right, 0, below), mode="replicate")
        return self.laid_out(x)

    def laid_out(self, x: Tensor) -> Tensor:
        """The same tensor in the memory format of the network's weights."""
        return x.contiguous(memory_format=torch.channels_last) if self._channels_last else x

    @property
    def of_maps(self) -> bool:
        """Whether layers return maps of pictures of any size, not tokens of patches."""
        return self.arrange is None and self.multiple == 1

    def _extractor(self, names: tuple[str, ...]) -> FeatureExtractor:
        if names not in self._extractors:
            self.check_layers(names)
            for name, module in self.module.named_modules():
                if name in names and (norm := getattr(module, "folded_into", "")):
                    raise BackboneError(
                        f"{name} of {self.name} is folded into the normalization after it; "
                        f"read {norm} instead, or create the network with edits=('no-fold',)"
                    )
            self._extractors[names] = FeatureExtractor(
                self.module, names, self.prepare, arrange=self.arrange, name=self.name
            )
        return self._extractors[names]

    def _size_error(
        self, extractor: FeatureExtractor, image: Tensor, layers: tuple[str, ...]
    ) -> BackboneError | None:
        """The error for a picture whose size the network refuses; None if it accepts the size."""
        rows, columns = image.shape[-2:]
        if self._accepts(extractor, (rows, columns)):
            return None
        smallest = self._smallest_side(extractor)
        if smallest is None or min(rows, columns) >= smallest:
            height, width = trial_picture(self.module, self.prepare).shape[-2:]
            return BackboneError(
                f"{self.name} does not take pictures of {columns} x {rows} pixels, "
                f"but of {width} x {height}"
            )
        return BackboneError(
            f"a picture of {columns} x {rows} pixels is too small for {', '.join(layers)} of "
            f"{self.name}; both sides must have at least {smallest}"
        )

    def _smallest_side(self, extractor: FeatureExtractor) -> int | None:
        """Side of the smallest square picture that is accepted; None for a fixed size."""
        low = 0
        high = next((side for side in _SIDES if self._accepts(extractor, (side, side))), None)
        if high is None:
            return None
        while high - low > 1:
            side = (high + low) // 2
            if self._accepts(extractor, (side, side)):
                high = side
            else:
                low = side
        return high

    def _accepts(self, extractor: FeatureExtractor, size: Size) -> bool:
        like = next(self.module.parameters(), torch.empty(0))
        try:
            with torch.no_grad():
                extractor(torch.zeros(1, 3, *size, dtype=like.dtype, device=like.device))
        except REFUSALS:
            return False
        return True


def narrow(extract: Callable[..., FeatureMaps], image: Tensor, *rest: Any) -> FeatureMaps:
    """Run `extract` with products in bfloat16; return maps in the precision of the picture.

    A copy of the default network in bfloat16 is up to 7 % faster, but would also round what
    autocast leaves alone, such as the statistics of normalizations.
    """
    with torch.autocast(image.device.type, torch.bfloat16), _PadWithoutAutocast():
        maps = extract(image, *rest)
    return {name: features.to(image.dtype) for name, features in maps.items()}


class _PadWithoutAutocast(TorchFunctionMode):
    """Pad in the precision of the input: autocast pads in float32, and copies twice."""

    def __torch_function__(
        self, func: Any, types: Any, args: Sequence[Any] = (), kwargs: Any = None
    ) -> Any:
        if func is not F.pad:
            return func(*args, **(kwargs or {}))
        with torch.autocast(args[0].device.type, enabled=False):
            return func(*args, **(kwargs or {}))


def _keeps_channels_last(module: nn.Module) -> bool:
    """Whether any convolution has its weights laid out with channels last."""
    return any(
        isinstance(conv, nn.Conv2d)
        and conv.weight.shape[1:].numel() > conv.weight.shape[1] > 1
        and conv.weight.is_contiguous(memory_format=torch.channels_last)
        for conv in module.modules()
    )
