"""Checks of types and shapes at every call of a function of the packages.

jaxtyping's import hook decorates every function. Its own decorator checks arguments twice, which
takes most of the time of a small run; this one checks the same once: beartype checks types, within
a scope in which jaxtyping remembers the sizes that a name stands for. Functions without arrays need
no such scope. Functions within functions would be decorated anew at each call, which takes longer
than most of them, and are left unchecked: what they get and give is checked around them.
"""

import typing
from collections.abc import Callable
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
    has_array = any(map(_has_array, hints.values()))
    return _jaxtyped(function, typechecker=None) if has_array else function


def _has_array(hint: Any) -> bool:
    if isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray):
        return True
    return any(map(_has_array, typing.get_args(hint)))
