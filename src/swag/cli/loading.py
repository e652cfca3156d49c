"""Import torch quickly, for the commands that compute."""

import gc
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def after_torch(command: Callable[P, T]) -> Callable[P, T]:
    """The command, which imports torch first, with the garbage collector at rest.

    While torch is imported, the collector walks its hundred thousands of objects again and again,
    and finds nothing: a sixth of the time. It does not walk them later either.
    """

    @wraps(command)
    def run(*args: P.args, **kwargs: P.kwargs) -> T:
        gc.disable()
        try:
            import torch  # noqa: F401
        finally:
            gc.freeze()
            gc.enable()
        return command(*args, **kwargs)

    return run
