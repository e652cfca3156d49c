"""The ablation family: its switches, its start, and batch norm folded away."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, cross_entropy

from swag.backbones.family import (
    Architecture,
    ResidualBlock,
    ThinNetwork,
    folded,
    macs_per_pixel,
    start_as_shortcuts,
)

TINY = Architecture(widths=(4, 8), depths=(1, 2), stem=3)


def built(architecture: Architecture, seed: int = 0) -> ThinNetwork:
    torch.manual_seed(seed)
    return ThinNetwork(architecture)


def lived_in(architecture: Architecture) -> ThinNetwork:
    """A float64 network whose norms have seen something: no weight is 1, no mean is 0."""
    network = built(architecture).double()
    for module in network.modules():
        if isinstance(module, nn.BatchNorm2d):
            for value in (module.weight, module.running_var):
                nn.init.uniform_(value, 0.5, 2.0)
            for value in (module.bias, module.running_mean):
                nn.init.normal_(value, std=0.5)
    return network.eval()


def pictures(*shape: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(7), dtype=torch.float64)


def block_of(network: ThinNetwork, name: str) -> ResidualBlock:
    block = network.get_submodule(name)
    assert isinstance(block, ResidualBlock)
    return block


def branch_by_hand(block: ResidualBlock, x: Tensor) -> Tensor:
    p = dict(block.branch.state_dict())
    for i in (1, 2):
        x = conv2d(x, p[f"conv{i}.weight"], padding=1)
        x = batch_norm(
            x,
            p[f"norm{i}.running_mean"],
            p[f"norm{i}.running_var"],
            p[f"norm{i}.weight"],
            p[f"norm{i}.bias"],
        )
        x = x.clamp(min=0) if i == 1 else x
    return x


def test_a_block_adds_its_input_to_its_branch_and_without_shortcuts_does_not():
    residual, plain = lived_in(TINY), ThinNetwork(replace(TINY, shortcuts=False)).double().eval()
    plain.load_state_dict({k: v for k, v in residual.state_dict().items() if ".shortcut." not in k})
    x = pictures(2, 8, 5, 6)
    block, bare = block_of(residual, "stage2.block2"), block_of(plain, "stage2.block2")
    by_hand = branch_by_hand(block, x)
    torch.testing.assert_close(block(x), (by_hand + x).clamp(min=0), rtol=0, atol=1e-12)
    torch.testing.assert_close(bare(x), by_hand.clamp(min=0), rtol=0, atol=1e-12)


def test_a_block_that_widens_has_a_convolution_in_its_shortcut():
    block = block_of(lived_in(TINY), "stage2.block1")
    assert block.shortcut is not None
    x = pictures(1, 4, 3, 3)
    p = block.shortcut.state_dict()
    around = conv2d(x, p["conv.weight"])
    around = batch_norm(
        around, p["norm.running_mean"], p["norm.running_var"], p["norm.weight"], p["norm.bias"]
    )
    expected = (branch_by_hand(block, x) + around).clamp(min=0)
    torch.testing.assert_close(block(x), expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("shortcuts", [True, False])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
@pytest.mark.parametrize("norm", [True, False])
def test_the_switches_change_exactly_the_parameters_they_name(shortcuts, block, norm):
    network = built(replace(TINY, shortcuts=shortcuts, block=block, norm=norm))
    names = {name for name, _ in network.named_parameters()}
    assert any(".shortcut." in name for name in names) == shortcuts
    assert any(".conv3." in name for name in names) == (block == "bottleneck")
    assert any("norm" in name for name in names) == norm
    assert any(name.endswith("conv1.bias") for name in names) == (not norm)


@pytest.mark.parametrize("stem", [3, 5, 7])
def test_the_stem_keeps_the_resolution_whatever_its_kernel(stem):
    network = built(replace(TINY, stem=stem))
    assert network.stem.conv.weight.shape[2:] == (stem, stem)
    assert network.stem(torch.zeros(1, 3, 9, 11)).shape == (1, 4, 9, 11)


@pytest.mark.parametrize("downsampling", ["average", "max", "stride"])
def test_every_stage_halves_odd_sizes_upwards(downsampling):
    network = built(replace(TINY, downsampling=downsampling)).eval()
    x = network.stem(torch.zeros(1, 3, 17, 22))
    for name, size in (("stage1", (9, 11)), ("stage2", (5, 6))):
        x = network.get_submodule(name)(x)
        assert x.shape[2:] == size


@pytest.mark.parametrize(("downsampling", "reduce"), [("average", np.mean), ("max", np.max)])
def test_pooling_reads_the_last_odd_row_and_column_alone(downsampling, reduce):
    pool = built(replace(TINY, downsampling=downsampling)).get_submodule("stage1.pool")
    x = pictures(1, 1, 5, 3)
    found = pool(x)[0, 0].numpy()
    grid = x[0, 0].numpy()
    for i, j in itertools.product(range(3), range(2)):
        expected = reduce(grid[2 * i : 2 * i + 2, 2 * j : 2 * j + 2])
        assert found[i, j] == pytest.approx(expected, abs=1e-15)


def test_random_filters_have_the_variance_of_he_and_no_norm_starts_at_zero():
    network = built(Architecture())
    for name, module in network.named_modules():
        if isinstance(module, nn.Conv2d) and module.weight.numel() > 5000:
            fan_in = module.weight[0].numel()
            assert module.weight.std().item() == pytest.approx((2 / fan_in) ** 0.5, rel=0.05), name
        if isinstance(module, nn.BatchNorm2d):
            assert bool((module.weight == 1).all()), name


@pytest.mark.parametrize("norm", [True, False])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_a_training_starts_with_blocks_that_are_their_shortcuts(norm, block):
    network = built(replace(TINY, norm=norm, block=block)).double().eval()
    start_as_shortcuts(network)
    x = pictures(1, 8, 4, 4).abs()
    torch.testing.assert_close(block_of(network, "stage2.block2")(x), x, rtol=0, atol=0)


def test_without_shortcuts_a_training_starts_with_every_filter_alike():
    network = built(replace(TINY, shortcuts=False))
    before = {k: v.clone() for k, v in network.state_dict().items()}
    start_as_shortcuts(network)
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("shortcuts", [True, False])
def test_a_network_without_norm_trains(shortcuts):
    network = built(replace(TINY, norm=False, shortcuts=shortcuts))
    start_as_shortcuts(network)
    head = nn.Linear(8, 2)
    optimizer = torch.optim.SGD([*network.parameters(), *head.parameters()], lr=0.02, momentum=0.9)
    x = pictures(16, 3, 16, 16).float()
    x[8:, 0] += 1.5
    labels = torch.tensor([0] * 8 + [1] * 8)
    losses = []
    for _ in range(60):
        loss = cross_entropy(head(network(x).mean((2, 3))), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("shortcuts", [True, False])
@pytest.mark.parametrize("downsampling", ["average", "stride"])
@pytest.mark.parametrize("block", ["basic", "bottleneck"])
def test_a_folded_network_gives_the_same_pictures_and_gradients(shortcuts, downsampling, block):
    network = lived_in(replace(TINY, shortcuts=shortcuts, downsampling=downsampling, block=block))
    without = folded(network)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in without.modules())
    results = []
    for each in (network, without):
        x = pictures(2, 3, 13, 16).requires_grad_()
        y = each(x)
        (gradient,) = torch.autograd.grad(y.square().sum(), x)
        results.append((y, gradient))
    (y, gradient), (y2, gradient2) = results
    scale = gradient.abs().max().item()
    torch.testing.assert_close(y2, y, rtol=0, atol=1e-10)
    torch.testing.assert_close(gradient2 / scale, gradient / scale, rtol=0, atol=1e-10)


def test_folding_leaves_the_network_and_the_random_numbers_alone():
    network = lived_in(TINY)
    before = {k: v.clone() for k, v in network.state_dict().items()}
    random = torch.get_rng_state()
    folded(network)
    assert torch.equal(torch.get_rng_state(), random)
    assert all(torch.equal(v, before[k]) for k, v in network.state_dict().items())


def test_the_cost_for_each_pixel_is_that_of_the_convolutions_by_hand():
    # stem 3*4*9 at full size; stage 1, a quarter: 2 * 4*4*9; stage 2, a sixteenth:
    # 4*8*9 + 8*8*9 + 2 * 8*8*9 in branches and 4*8 in the one shortcut with a convolution.
    expected = 108 + 288 / 4 + (288 + 3 * 576 + 32) / 16
    assert macs_per_pixel(TINY) == pytest.approx(expected, abs=1e-12)
