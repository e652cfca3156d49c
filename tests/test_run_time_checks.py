"""The checks of types and shapes at every call find what is wrong, in functions of every kind."""

import functools
from typing import TYPE_CHECKING, Any

import pytest
import run_time_checks
import torch
from beartype import beartype
from jaxtyping import Float
from torch import Tensor

from swag.regions import soften

if TYPE_CHECKING:
    from elsewhere import Unknown

checked = functools.partial(run_time_checks.checked, typechecker=beartype)


@checked
def add(one: Float[Tensor, "a b"], other: Float[Tensor, "a b"]) -> Float[Tensor, "a b"]:
    return one + other


@checked
def cut(given: Float[Tensor, "_"], size: int) -> Float[Tensor, "{size}"]:
    return given[:size]


@checked
def turn(given: Float[Tensor, "a b"]) -> dict[str, Float[Tensor, "b a"]]:
    return {"turned": given.T if given.sum() > 0 else given}


@checked
def count(number: int) -> int:
    return number if number > 0 else str(number)


@checked
def later(known: "Unknown", number: Float[Tensor, "a"]) -> int:
    return len(number)


class Kind:
    @checked
    @property
    def size(self) -> int:
        return "one"

    @checked
    @staticmethod
    def of(number: int) -> Any:
        return add(torch.ones(1, number), torch.ones(1, number))


def test_what_is_right_passes():
    assert add(torch.ones(2, 3), torch.ones(2, 3)).shape == (2, 3)
    assert add(torch.ones(4, 1), torch.ones(4, 1)).shape == (4, 1)  # a name is new at each call
    assert turn(torch.ones(2, 3))["turned"].shape == (3, 2)
    assert cut(torch.ones(3), 2).shape == (2,)
    assert count(1) == 1 and later(None, torch.ones(2)) == 2 and Kind.of(3).shape == (1, 3)


@pytest.mark.parametrize(
    "call",
    [
        lambda: add(torch.ones(2, 3), torch.ones(2, 4)),
        lambda: add(torch.ones(2, 3), torch.ones(2, 3).int()),
        lambda: add(torch.ones(2, 3), other=torch.ones(3)),
        lambda: add([[1.0]], torch.ones(1, 1)),
        lambda: cut(torch.ones(3), 4),
        lambda: turn(-torch.ones(2, 3)),
        lambda: count("one"),
        lambda: count(-1),
        lambda: later(None, torch.ones(2, 2)),
        lambda: Kind().size,
        lambda: Kind.of("one"),
        lambda: soften(torch.ones(3, 4), 1.0),
    ],
)
def test_what_is_wrong_is_found(call):
    with pytest.raises(Exception, match=r"type hint|Type-check"):
        call()
