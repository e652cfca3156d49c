"""Random weights by named schemes, and batch statistics from pictures."""

import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from swag.errors import WeightsError
from swag.features import REFUSALS
from swag.registry import Registry

_RELU_GAIN = math.sqrt(2)


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Let this thread draw from a random stream of its own; torch's global one is not touched.

    Random numbers that constructors draw with torch come from a new generator: other threads
    neither notice nor change them.
    """
    with _SeededDraws(torch.Generator().manual_seed(seed)):
        yield


class _SeededDraws(TorchDispatchMode):  # type: ignore[no-untyped-call] # torch's own
    """Random operations on the CPU draw from this generator."""

    def __init__(self, generator: torch.Generator) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.generator = generator

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        """False, as torch would load its compiler, in more than a second, to exclude this mode."""
        return False

    def __torch_dispatch__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        options = dict(kwargs or {})
        if torch.Tag.nondeterministic_seeded in func.tags and _is_on_cpu(args, options):
            parameters = [argument.name for argument in func._schema.arguments]
            # rand and similar functions take a generator in another overload.
            func = func if "generator" in parameters else func.overloadpacket.generator
            if options.get("generator") is None:
                options["generator"] = self.generator
        return func(*args, **options)


def _is_on_cpu(args: Any, options: dict[str, Any]) -> bool:
    """Whether an operation is on the CPU: not on another device, nor on `meta`."""
    devices = [x.device for x in args if isinstance(x, Tensor)] + [options.get("device")]
    return all(device is None or torch.device(device).type == "cpu" for device in devices)


def as_constructed(module: nn.Module) -> None:
    """Leave the weights that the network's own constructor drew."""


def kaiming(module: nn.Module) -> None:
    """Normal weights that keep the variance of gradients under ReLUs (He et al. 2015, fan-out)."""
    _initialize(module, lambda w: nn.init.kaiming_normal_(w, mode="fan_out", nonlinearity="relu"))


def orthogonal(module: nn.Module) -> None:
    """Weights with orthogonal rows or columns, times sqrt(2) for ReLUs (Saxe et al. 2014)."""
    _initialize(module, lambda w: nn.init.orthogonal_(w, gain=_RELU_GAIN))


SCHEMES: Registry[Callable[[nn.Module], None]] = Registry(
    "random scheme",
    {
        "torchvision": as_constructed,
        "kaiming": kaiming,
        "orthogonal": orthogonal,
        "greedy": as_constructed,
    },
    error=WeightsError,
)
"""Functions that draw a constructed network's weights; `greedy` chooses once layers are known."""


def _initialize(module: nn.Module, draw: Callable[[Tensor], Tensor]) -> None:
    """Draw the weights of convolutions and linear layers; zero biases, reset normalizations."""
    for child in module.modules():
        if isinstance(child, (nn.Conv2d, nn.Linear)):
            draw(child.weight)
            if child.bias is not None:
                nn.init.zeros_(child.bias)
        elif isinstance(child, nn.modules.batchnorm._BatchNorm):
            child.reset_parameters()


@torch.no_grad()
def calibrate(module: nn.Module, images: Tensor) -> None:
    """Set the statistics of batch normalization to those of `images`, layer after layer.

    Args:
        module: in evaluation mode afterwards.
        images: the network's input, normalized already; one batch.

    Raises:
        WeightsError: a network without batch normalization, or pictures too small for statistics.
    """
    norms = [n for n in module.modules() if isinstance(n, nn.modules.batchnorm._BatchNorm)]
    if not norms:
        raise WeightsError(f"{type(module).__name__} has no batch normalization to calibrate")
    module.eval()
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain average over all passes: here one
        norm.train()
    try:
        module(images)
    except REFUSALS as error:
        raise WeightsError(
            f"cannot calibrate {type(module).__name__} on {len(images)} pictures of "
            f"{images.shape[-1]} x {images.shape[-2]} pixels: {str(error).partition(chr(10))[0]}"
        ) from error
    finally:
        for norm, momentum in zip(norms, momenta, strict=True):
            norm.momentum = momentum
        module.eval()
