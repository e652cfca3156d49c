"""Modes of torch that do not depend on those that the caller has switched on."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import TypeVar

import torch

from swag.errors import SettingsError

T = TypeVar("T")

DEVICES = ("cpu", "cuda", "mps")
"""Devices on which autocast may be on."""


@contextmanager
def own_modes() -> Iterator[None]:
    """Gradients on, inference mode and autocast off, new tensors on the processor.

    The caller's modes return at the end.
    As a decorator it holds for each call of a function, of a generator function for its creation
    alone: see `with_own_modes`.
    """
    with ExitStack() as modes:
        modes.enter_context(torch.inference_mode(False))
        modes.enter_context(torch.enable_grad())
        for device in filter(torch.is_autocast_enabled, DEVICES):
            modes.enter_context(torch.autocast(device, enabled=False))
        if torch.get_default_device().type != "cpu":
            modes.enter_context(torch.device("cpu"))
        yield


def check_default_precision() -> None:
    """Raise SettingsError unless torch's default precision, that of all threads, is float32.

    Networks and noise would be made in another one, and runs compute in float32.
    """
    default = torch.get_default_dtype()
    if default != torch.float32:
        raise SettingsError(
            f"torch's default precision is {default}; networks and runs need torch.float32: call "
            "torch.set_default_dtype(torch.float32) first"
        )


def with_own_modes(items: Iterator[T]) -> Iterator[T]:
    """The same items, each computed in `own_modes`; between them the caller's modes are back."""
    while True:
        with own_modes():
            try:
                item = next(items)
            except StopIteration:
                return
        yield item
