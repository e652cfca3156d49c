"""Students that begin as students of other sizes, and compute nearly the same.

    begin_as(student, trained, inputs)

A layer that is new begins as the identity: what comes out of a ReLU is not negative, so that
relu(x) = x (Chen, Goodfellow and Shlens 2016, Net2Net). Of channels that must go, those go whose
activations matter least to what reads them.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn

from swag.backbones.distilled import DistilledArchitecture, DistilledNetwork, StudentLayer
from swag.types import Image

Place = tuple[int, int]
"""A block and a layer in it, both counted from 1."""

SMALLEST = 1e-30
"""What is divided by at least, if nothing reads a layer."""


def can_begin_as(student: DistilledArchitecture, trained: DistilledArchitecture) -> bool:
    """Whether `begin_as` takes students of these sizes.

    Blocks may have fewer channels and more layers, which come behind the first of their block. So
    a tap of the first layer may read any of the new ones, and all others move with theirs.
    """
    if (
        len(student.widths) != len(trained.widths)
        or len(student.taps) != len(trained.taps)
        or any(new > old for new, old in zip(student.widths, trained.widths, strict=True))
        or any(new < old for new, old in zip(student.depths, trained.depths, strict=True))
        or (student.pooling, student.norm) != (trained.pooling, trained.norm)
    ):
        return False
    return all(
        (new.layer, new.block, new.coordinates) == (old.layer, old.block, old.coordinates)
        and (1 if old.depth == 1 else old.depth + more) <= new.depth <= old.depth + more
        for new, old in zip(student.taps, trained.taps, strict=True)
        for more in [student.depths[old.block - 1] - trained.depths[old.block - 1]]
    )


@torch.no_grad()
def begin_as(student: DistilledNetwork, trained: DistilledNetwork, inputs: Image) -> None:
    """Give a student the weights of a trained one of other sizes, see `can_begin_as`.

    Channels are chosen by `inputs`, normalized pictures, layer by layer; with shortcuts, which add
    a layer to the next, all layers of a block keep the same ones.
    """
    kept = _kept(student, trained, inputs)
    incoming = torch.arange(3)
    for block, depth in enumerate(trained.architecture.depths, start=1):
        more = student.architecture.depths[block - 1] - depth
        for old in range(1, depth + 1):
            new = _layer(student, (block, old if old == 1 else old + more))
            _copy(new, _layer(trained, (block, old)), kept[block, old], incoming)
            incoming = kept[block, old]
        for added in range(2, 2 + more):
            _become_identity(_layer(student, (block, added)))
    for tap in trained.architecture.taps:
        old_tap, new_tap = (n.get_submodule(tap.name) for n in (trained, student))
        new_tap.weight.copy_(old_tap.weight[:, kept[tap.block, tap.depth]])  # type: ignore
        new_tap.bias.copy_(old_tap.bias)  # type: ignore


def _kept(
    student: DistilledNetwork, trained: DistilledNetwork, inputs: Image
) -> dict[Place, Tensor]:
    """The channels of each layer of the trained student that the other one has."""
    importance = _importance(trained, inputs)
    kept = {}
    for (block, layer), own in importance.items():
        width = student.architecture.widths[block - 1]
        shared = sum(score for (other, _), score in importance.items() if other == block)
        score = shared if student.architecture.shortcuts else own
        kept[block, layer] = torch.as_tensor(score).topk(width).indices.sort().values
    return kept


def _importance(network: DistilledNetwork, inputs: Image) -> dict[Place, Tensor]:
    """The share of each channel in what its layer gives to the layers and taps that read it.

    That is the root mean square of its activations times the norm of the weights that read it.
    """
    architecture = network.architecture
    places = [(b, j) for b, d in enumerate(architecture.depths, 1) for j in range(1, d + 1)]
    sizes: dict[Place, Tensor] = {}

    def note(place: Place, output: Tensor) -> None:
        sizes[place] = output.square().mean((0, 2, 3)).sqrt()

    hooks = [
        _layer(network, place).register_forward_hook(lambda _m, _i, out, p=place: note(p, out))
        for place in places
    ]
    network.eval()(inputs)
    for hook in hooks:
        hook.remove()
    squares = {place: torch.zeros_like(size) for place, size in sizes.items()}
    for before, after in pairwise(places):
        squares[before] += _squares(_layer(network, after).conv)
    for tap in architecture.taps:
        squares[tap.block, tap.depth] += _squares(network.get_submodule(tap.name))
    given = {place: sizes[place] * squares[place].sqrt() for place in places}
    return {place: each / each.sum().clamp(min=SMALLEST) for place, each in given.items()}


def _squares(reader: nn.Module) -> Tensor:
    """The squared norm of what a convolution reads each channel with."""
    assert isinstance(reader, nn.Conv2d)
    return reader.weight.square().sum((0, 2, 3))


def _layer(network: DistilledNetwork, place: Place) -> StudentLayer:
    layer = network.get_submodule("block{}.layer{}".format(*place))
    assert isinstance(layer, StudentLayer)
    return layer


def _copy(new: StudentLayer, old: StudentLayer, outputs: Tensor, inputs: Tensor) -> None:
    """Give a layer the weights of another one between these channels."""
    new.conv.weight.copy_(old.conv.weight[outputs][:, inputs])
    if new.conv.bias is not None and old.conv.bias is not None:
        new.conv.bias.copy_(old.conv.bias[outputs])
    held = old.norm.state_dict()
    new.norm.load_state_dict({k: v[outputs] if v.ndim else v for k, v in held.items()})


def _become_identity(layer: StudentLayer) -> None:
    """A layer with a shortcut is the identity if its branch gives nothing, as it begins."""
    if not layer.shortcut:
        nn.init.dirac_(layer.conv.weight)
