"""What is read back from the device: a graphics processor that is asked for a number idles.

Here it is a processor, on which every way to a Python number is watched. What happens within an
operator of torch is not: eigenvalues, for one, are checked there.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

from swag import backbones, losses
from swag.objective import LossTerm, Objective
from swag.optimize import Adam, Lbfgs, State, optimize
from swag.smoothing import KINDS, parse

METHODS = ("__bool__", "__float__", "__index__", "__int__", "item", "tolist", "cpu")
OPERATORS = (
    "aten._local_scalar_dense", "aten.allclose", "aten.bincount", "aten.equal", "aten.is_nonzero",
    "aten.masked_select", "aten.nonzero", "aten.repeat_interleave.Tensor", "aten._unique",
    "aten.unique_",
)  # fmt: skip
"""Those whose result, or its shape, is not known before the device has finished."""


class Operators(TorchDispatchMode):
    def __init__(self, seen: list[str]) -> None:
        super().__init__()
        self.seen = seen

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        name = str(func)
        chosen = args[1] if name.startswith("aten.index.") else ()
        masks = any(t is not None and t.dtype == torch.bool for t in chosen)
        if masks or name.startswith(OPERATORS):
            counter = args[0].ndim == 0 and args[0].dtype == torch.int64
            self.seen.append("__int__" if counter else name)
        return func(*args, **(kwargs or {}))


@contextmanager
def reads() -> Iterator[list[str]]:
    """The names of all reads, as they come."""
    seen: list[str] = []

    def watched(name):
        method = getattr(torch.Tensor, name)

        def read(tensor, *args):
            seen.append(name)
            return method(tensor, *args)

        return read

    with pytest.MonkeyPatch.context() as patch:
        for name in METHODS:
            patch.setattr(torch.Tensor, name, watched(name))
        with Operators(seen):
            yield seen


@pytest.fixture(scope="module")
def network():
    return backbones.create("swag/resnet", weights="random")


@pytest.fixture(scope="module")
def pictures():
    return torch.rand(3, 1, 3, 32, 40, generator=torch.Generator().manual_seed(0))


def objective(network, pictures, *, loss="gram", smoothing="none", layers=2, terms=1):
    """So many terms of a loss, each of as many layers; a penalty stands by itself."""
    photo, style, _ = pictures
    penalties = {"total_variation": 1.0, "pixel_range": 1.0}
    if loss in penalties:
        return Objective.of(network.extract, [], start=photo, style=style, penalties=penalties)
    if loss in ("palette", "laplacian"):
        named = {"pixels": 1.0}
    else:
        named = dict.fromkeys(network.style_layers[:layers], 1.0)
    given = (losses.get(loss), named, photo, parse(smoothing))
    made = [LossTerm(f"term {i}", *given, unit_image=style) for i in range(terms)]
    return Objective.of(network.extract, made, start=photo, style=style)


def read_by(found, picture):
    pixels = picture.clone().requires_grad_()
    with reads() as seen:
        torch.autograd.grad(sum(found(pixels).values()), pixels)
    return seen


def test_reads_are_seen():
    tensor = torch.ones(2)
    looks = (
        lambda: float(tensor[0]), lambda: tensor.tolist(), lambda: bool(tensor[0] > 0),
        lambda: tensor[tensor > 0], lambda: torch.equal(tensor, tensor.clone()),
        lambda: tensor.nonzero(), lambda: tensor.sum().item(),
    )  # fmt: skip
    for look in looks:
        with reads() as seen:
            look()
        assert len(seen) >= 1
    with reads() as seen:
        (tensor[:, None] @ tensor[None]).sum().sqrt()
    assert seen == []


@pytest.mark.parametrize("loss", losses.LOSSES)
def test_no_loss_reads_the_device_and_nor_does_its_gradient(loss, network, pictures):
    assert read_by(objective(network, pictures, loss=loss), pictures[2]) == []


@pytest.mark.parametrize("smoothing", KINDS)
def test_no_smoothing_reads_the_device(smoothing, network, pictures):
    assert read_by(objective(network, pictures, smoothing=smoothing), pictures[2]) == []


@pytest.mark.parametrize(("method", "number"), [(Adam(), 1), (Lbfgs(), 3)])
@pytest.mark.parametrize(("terms", "layers"), [(1, 1), (4, 4)])
def test_a_step_reads_as_little_of_many_terms_as_of_one(
    method, number, terms, layers, network, pictures
):
    found = objective(network, pictures, terms=terms, layers=layers)
    steps = optimize(State(pictures[2]), found, method, steps=6)
    for _ in range(3):
        next(steps)
    with reads() as seen:
        next(steps)
    # What a method counts stays on the processor, and is read there.
    assert [name for name in seen if name != "__int__"] == ["tolist"] * number
