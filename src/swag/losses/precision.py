"""Losses are computed in float32 or float64, also for half precision and under autocast."""

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

import torch
from torch import Tensor

P = ParamSpec("P")
R = TypeVar("R")


def in_full_precision(function: Callable[P, R]) -> Callable[P, R]:
    """Raise half-precision tensors among the arguments to float32 and switch autocast off.

    Sums of squares of activations pass the largest float16 number; and autocast would turn the
    arguments of a matrix product back into half precision even if they are float32.
    """

    @wraps(function)
    def wrapper(*args: P.args, **kwargs: P.kwargs) -> R:
        positional = [_at_least_float32(arg) for arg in args]
        keywords = {key: _at_least_float32(arg) for key, arg in kwargs.items()}
        with torch.autocast(_device_type(*positional, *keywords.values()), enabled=False):
            return function(*positional, **keywords)  # type: ignore[arg-type]

    return wrapper


def _at_least_float32(value: object) -> object:
    if isinstance(value, Tensor) and value.is_floating_point():
        return value.to(torch.promote_types(value.dtype, torch.float32))
    if isinstance(value, tuple):
        return tuple(_at_least_float32(part) for part in value)
    return value


def _device_type(*values: object) -> str:
    for value in values:
        if isinstance(value, Tensor):
            return value.device.type
        if isinstance(value, tuple):
            return _device_type(*value)
    return "cpu"
