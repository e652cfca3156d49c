"""Checks of types and shapes at every call of a function of the packages.

jaxtyping's import hook decorates every function. Its own decorator checks arguments twice, which
takes most of the time of a small run; this one checks the same once: beartype checks types, within
a scope in which jaxtyping remembers the sizes that a name stands for. Functions without arrays need
no such scope. Functions within functions would be decorated anew at each call, which takes longer
than most of them, and are left unchecked: what they get and give is checked around them.
"""

import functools
import typing
from collections.abc import Callable, Iterator
from typing import Any

import jaxtyping

PACKAGES = ["swag", "swag_lab"]
TYPECHECKER = "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"

_jaxtyped = jaxtyping.jaxtyped


def install() -> None:
    """Check what is imported of the packages from now on."""
    jaxtyping.jaxtyped = lambda *, typechecker: lambda of: checked(of, typechecker)
    jaxtyping.install_import_hook(PACKAGES, TYPECHECKER)


def checked(of: Any, typechecker: Callable[..., Any]) -> Any:
    """The function, method, property or class with checks."""
    if isinstance(of, classmethod | staticmethod):
        return type(of)(checked(of.__func__, typechecker))
    if isinstance(of, property):
        parts = (of.fget, of.fset, of.fdel)
        return property(*(part and checked(part, typechecker) for part in parts))
    if isinstance(of, type):
        return _jaxtyped(of, typechecker=typechecker)
    if "<locals>" in of.__qualname__:
        return of
    try:
        hints = typing.get_type_hints(of)
    except (NameError, AttributeError):  # names that are there for a type checker alone
        return _jaxtyped(of, typechecker=typechecker)
    function = typechecker(of)
    arrays = [array for hint in hints.values() for array in _arrays(hint)]
    if any("{" in array.dim_str for array in arrays):  # sizes that arguments tell
        return _jaxtyped(function, typechecker=None)
    return _in_scope(function) if arrays else function


def _in_scope(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function, at each call of which names of sizes are new."""

    @functools.wraps(function)
    def scoped(*args: Any, **kwargs: Any) -> Any:
        with _jaxtyped("context"):
            return function(*args, **kwargs)

    return scoped


def _arrays(hint: Any) -> Iterator[type[jaxtyping.AbstractArray]]:
    """The kinds of arrays in a hint."""
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        yield hint
    for part in typing.get_args(hint):
        yield from _arrays(part)
