"""Students that begin as students of other sizes: the same function, or nearly."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from test_distillation import OFTEN, RECIPE, SOURCES, TINY, distilled, teacher
from torch import Tensor, nn

from swag.backbones.distilled import DistilledArchitecture, DistilledNetwork, Tap, start
from swag.errors import WeightsError
from swag_lab.training import checkpoint
from swag_lab.training.distillation.growth import begin_as, can_begin_as
from swag_lab.training.distillation.loop import distill
from swag_lab.training.distillation.recipe import continued_distillation

OLD = DistilledArchitecture(
    widths=(6, 8, 10),
    depths=(2, 1, 2),
    taps=(
        Tap("a", block=1, depth=1, coordinates=4),
        Tap("b", block=2, depth=1, coordinates=5),
        Tap("c", block=3, depth=2, coordinates=3),
    ),
)
DEEPER = replace(
    OLD,
    depths=(2, 3, 3),
    taps=(OLD.taps[0], replace(OLD.taps[1], depth=3), replace(OLD.taps[2], depth=3)),
)
THINNER = replace(OLD, widths=(4, 5, 7))


def trained(architecture: DistilledArchitecture) -> DistilledNetwork:
    """A network with statistics of batches, gains and biases that are not those of a new one."""
    torch.manual_seed(0)
    network = DistilledNetwork(architecture)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.normal_(module.bias, std=0.2)
            nn.init.normal_(module.running_mean, std=0.2)
            nn.init.uniform_(module.running_var, 0.5, 1.5)
    return network.eval()


def begun(architecture: DistilledArchitecture, old: DistilledNetwork, x: Tensor):
    student = DistilledNetwork(architecture)
    start(student)
    begin_as(student, old, x)
    return student.eval()


@pytest.fixture
def x() -> Tensor:
    return torch.randn(2, 3, 24, 20, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("shortcuts", [False, True])
@torch.no_grad()
def test_new_layers_are_the_identity(x, shortcuts):
    old = trained(replace(OLD, shortcuts=shortcuts))
    new = begun(replace(DEEPER, shortcuts=shortcuts), old, x)
    for a, b in zip(new(x), old(x), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shortcuts", [False, True])
@torch.no_grad()
def test_channels_that_nothing_reads_are_those_that_go(x, shortcuts):
    old = trained(replace(OLD, shortcuts=shortcuts))
    dead = {1: [0, 3], 2: [1, 2, 6], 3: [4, 8, 9]}
    readers = {(1, 1): ["block1.layer2.conv", "a"], (1, 2): ["block2.layer1.conv"]}
    readers |= {(2, 1): ["block3.layer1.conv", "b"], (3, 1): ["block3.layer2.conv"], (3, 2): ["c"]}
    for (block, _), names in readers.items():
        for name in names:
            old.get_submodule(name).weight[:, dead[block]] = 0
    new = begun(replace(THINNER, shortcuts=shortcuts), old, x)
    for a, b in zip(new(x), old(x), strict=True):
        torch.testing.assert_close(a, b)


@torch.no_grad()
def test_a_channel_that_is_silent_goes_before_one_that_is_read_by_small_weights(x):
    old = trained(replace(OLD, widths=(2, 8, 10)))
    old.block1.layer1.conv.weight[0], old.block1.layer1.conv.bias[0] = 0, 0
    for name in ("block1.layer2.conv", "a"):
        old.get_submodule(name).weight[:, 1] *= 0.01
    new = begun(replace(OLD, widths=(1, 8, 10)), old, x)
    assert torch.equal(new.block1.layer1.conv.weight[0], old.block1.layer1.conv.weight[1])


@torch.no_grad()
def test_with_shortcuts_the_layers_of_a_block_keep_the_same_channels(x):
    """A shortcut adds channel to channel: with other ones the sums would be of others."""
    old = trained(replace(OLD, shortcuts=True))
    old.block1.layer1.conv.weight[0], old.block1.layer1.conv.bias[0] = 0, 0
    old.block1.layer2.conv.weight[0] = 0
    old.block2.layer1.conv.weight[:, 1] = 0
    new = begun(replace(OLD, widths=(4, 8, 10), shortcuts=True), old, x)
    first, second = (getattr(old.block1, n).conv.weight for n in ("layer1", "layer2"))
    found = [
        w for w in range(6) if any(torch.equal(first[w], v) for v in new.block1.layer1.conv.weight)
    ]
    assert len(found) == 4
    assert torch.equal(new.block1.layer2.conv.weight, second[found][:, found])


CANNOT = [
    replace(OLD, widths=(6, 8, 11)),
    replace(OLD, depths=(2, 1, 1), taps=(*OLD.taps[:2], replace(OLD.taps[2], depth=1))),
    replace(OLD, widths=(6, 8), depths=(2, 1), taps=OLD.taps[:2]),
    replace(OLD, pooling="blur"),
    replace(DEEPER, taps=OLD.taps),  # c would read the layer before its own
    replace(OLD, taps=(replace(OLD.taps[0], coordinates=3), *OLD.taps[1:])),
    replace(OLD, taps=(replace(OLD.taps[0], depth=2), *OLD.taps[1:])),
]


@pytest.mark.parametrize("architecture", CANNOT)
def test_sizes_that_are_no_smaller_channels_or_more_layers_are_refused(architecture):
    assert not can_begin_as(architecture, OLD)


@pytest.mark.parametrize("architecture", [OLD, DEEPER, THINNER])
def test_sizes_that_can_begin(architecture):
    assert can_begin_as(architecture, OLD)


def test_a_distillation_begins_with_students_of_other_sizes(tmp_path: Path):
    first = tmp_path / "first.pt"
    distilled(first)
    deeper = replace(TINY, depths=(2, 3, 1), taps=(TINY.taps[0], replace(TINY.taps[1], depth=3)))
    students = {"plain": deeper, "twin": replace(deeper, shortcuts=True)}
    more = continued_distillation(replace(RECIPE, seed=1, peak_rate=1e-9))
    more = replace(more, peak_rate=1e-9)
    lines = [
        list(distill(teacher(), of, more, SOURCES, out=out, start=first, cadence=OFTEN))
        for out, of in (
            (tmp_path / "same.pt", {"plain": TINY, "twin": replace(TINY, shortcuts=True)}),
            (tmp_path / "deeper.pt", students),
        )
    ]
    for name in students:  # bfloat16 rounds once more in each layer
        for layer, error in lines[0][0].unexplained[name].items():
            assert lines[1][0].unexplained[name][layer] == pytest.approx(error, rel=0.02)
    pools = [
        checkpoint.load_training(tmp_path / f"{n}.pt")["model"]["pool"] for n in ("same", "deeper")
    ]
    assert torch.equal(pools[0][-1], pools[1][-1])
    wider = {"plain": replace(TINY, widths=(6, 9, 8)), "twin": TINY}
    with pytest.raises(WeightsError, match="no student that plain can begin as"):
        list(distill(teacher(), wider, more, SOURCES, out=tmp_path / "x.pt", start=first))
