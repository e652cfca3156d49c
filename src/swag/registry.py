"""Things of one kind by name; an unknown name is an error that names the nearest.

LOSSES = Registry("loss", [gram, moments])        each has a `name`; or a mapping
LOSSES.find("gran")                                SettingsError: no loss is called 'gran'; did ...
"""

from collections.abc import Iterable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any, TypeVar

from swag.errors import SettingsError, SwagError

T = TypeVar("T")


class Registry(Mapping[str, T]):
    """Things of one kind by name, in the order in which they are listed; read-only.

    Args:
        kind: the noun for a thing in messages, as in "no loss is called ...".
        things: by name, or each with a `name` of its own.
        error: raised for an unknown name.
    """

    def __init__(
        self,
        kind: str,
        things: Mapping[str, T] | Iterable[T],
        *,
        error: type[SwagError] = SettingsError,
    ) -> None:
        self.kind = kind
        self.error = error
        self._things: dict[str, T] = (
            dict(things) if isinstance(things, Mapping) else {_name(item): item for item in things}
        )

    def __getitem__(self, name: str) -> T:
        return self._things[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._things)

    def __len__(self) -> int:
        return len(self._things)

    def find(self, name: str) -> T:
        """The thing of this name; if none has it, `error` with the known names."""
        try:
            return self._things[name.strip()]
        except KeyError:
            raise self.error(unknown(self.kind, name.strip(), self._things)) from None


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """The error message about an unknown name of this kind."""
    names = list(known)
    hint = did_you_mean(name, names)
    return f"no {kind} is called {name!r}; {hint}choose from {', '.join(names)}."


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A question about the nearest known name, with a space behind it; empty if none is near."""
    near = get_close_matches(name, list(known), n=1)
    return f"did you mean {near[0]}? " if near else ""


def _name(thing: Any) -> str:
    return str(thing.name)
