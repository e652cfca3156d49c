"""Gradients with respect to pixels made in blocks, against torch's own."""

from itertools import product

import pytest
import torch
from torch import nn
from torch.autograd import gradcheck, gradgradcheck

from swag import backbones
from swag.backbones.pixel_blocks import PixelConvolution, in_blocks, kernel


def convolution(side, stride, padding, *, mode="zeros", bias=True):
    conv = nn.Conv2d(3, 6, side, stride, padding, bias=bias, padding_mode=mode)
    return conv.double().requires_grad_(False)


def pixels(rng, rows, columns):
    return torch.randn(2, 3, rows, columns, generator=rng, dtype=torch.float64, requires_grad=True)


@pytest.mark.parametrize("stride", [1, 2])
@pytest.mark.parametrize("side", [1, 3, 5, 7, (2, 4), (3, 5)])
def test_output_and_gradient_are_those_of_torch(side, stride, rng):
    sizes, paddings = [(12, 13), (13, 12), (9, 9), (14, 14), (8, 31)], [0, 1, (3, 2)]
    for size, padding, mode in product(sizes, paddings, ["zeros", "reflect", "replicate"]):
        conv = convolution(side, stride, padding, mode=mode, bias=side != 3)
        picture = pixels(rng, *size)
        expected, found = conv(picture), PixelConvolution(conv)(picture)
        assert torch.equal(found, expected)
        pull = torch.randn(expected.shape, generator=rng, dtype=torch.float64)
        (there,) = torch.autograd.grad(expected, picture, pull)
        (here,) = torch.autograd.grad(found, picture, pull)
        torch.testing.assert_close(here, there, rtol=1e-12, atol=1e-12)


def test_the_gradient_can_be_differentiated_again(rng):
    conv = PixelConvolution(convolution(3, 2, 1))
    assert gradcheck(conv, (pixels(rng, 7, 8),))
    assert gradgradcheck(conv, (pixels(rng, 7, 8),))


@pytest.mark.parametrize("stride", [1, 2])
def test_every_tap_stands_in_the_kernel_once_for_each_pixel_that_sees_it(stride):
    weight = torch.arange(1.0, 3 * 4 * 25 + 1).view(4, 3, 5, 5)
    turned = kernel(weight, stride)
    assert turned.shape[:2] == (3 * 4, 4)
    found = turned[turned != 0].sort().values
    # At stride 1 each of the four pixels sees every tap; at stride 2 they share the taps.
    expected = weight.flatten().repeat(4 if stride == 1 else 1).sort().values
    assert torch.equal(found, expected)


def test_in_half_precision_the_error_is_that_of_torch(rng):
    conv = nn.Conv2d(3, 24, 5, 1, 2).requires_grad_(False)
    picture = torch.rand(1, 3, 32, 32, generator=rng).requires_grad_()
    pull = torch.randn(1, 24, 32, 32, generator=rng)
    (exact,) = torch.autograd.grad(conv(picture), picture, pull)
    errors = []
    for module in (conv, PixelConvolution(conv)):
        with torch.autocast("cpu", torch.bfloat16):
            output = module(picture)
        assert output.dtype == torch.bfloat16
        (gradient,) = torch.autograd.grad(output, picture, pull.bfloat16())
        assert gradient.dtype == torch.float32
        errors.append((gradient - exact).norm() / exact.norm())
    assert errors[1] < 1.2 * errors[0] < 0.02


def test_weights_that_are_trained_have_their_gradient(rng):
    conv = convolution(3, 1, 1).requires_grad_()
    module, picture = PixelConvolution(conv), pixels(rng, 8, 8)
    gradients = torch.autograd.grad(module(picture).square().sum(), (picture, *conv.parameters()))
    expected = torch.autograd.grad(conv(picture).square().sum(), (picture, *conv.parameters()))
    assert all(map(torch.equal, gradients, expected))


def test_only_what_is_known_to_fit_is_replaced():
    class Own(nn.Conv2d):
        pass

    hooked = nn.Conv2d(3, 4, 3)
    hooked.register_forward_pre_hook(lambda module, inputs: None)
    left = [
        Own(3, 4, 3), hooked, nn.Conv2d(4, 4, 3), nn.Conv2d(3, 3, 3, groups=3),
        nn.Conv2d(3, 4, 3, stride=4), nn.Conv2d(3, 4, 3, stride=(1, 2)),
        nn.Conv2d(3, 4, 3, dilation=2), nn.Conv2d(3, 4, 3, padding="same"),
    ]  # fmt: skip
    network = nn.Sequential(*left, nn.Conv2d(3, 4, 3), nn.Sequential(nn.Conv2d(3, 4, 7, 2)))
    in_blocks(network)
    assert list(network)[: len(left)] == left
    replaced = network.get_submodule("8"), network.get_submodule("9.0")
    assert all(isinstance(module, PixelConvolution) for module in replaced)


@pytest.mark.parametrize("name", ["swag/resnet", "torchvision/resnet18", "torchvision/vgg11"])
def test_a_network_has_the_same_maps_gradients_and_names(name, rng):
    plain, fast = (
        backbones.create(name, weights="random", edits=edits)
        for edits in (("reflect", "no-pixel-blocks"), ("reflect",))
    )
    changed = [m for m in fast.module.modules() if isinstance(m, PixelConvolution)]
    assert len(changed) == 1 and fast.edits[-1] == "pixel-blocks"
    assert fast.module.state_dict().keys() == plain.module.state_dict().keys()
    assert fast.layers() == plain.layers()
    picture = torch.rand(1, 3, 64, 72, generator=rng).requires_grad_()
    gradients = []
    for network in (plain, fast):
        maps = network.extract(picture)
        total = torch.stack([m.square().mean() / m.detach().square().mean() for m in maps.values()])
        gradients.append(torch.autograd.grad(total.sum(), picture)[0])
    torch.testing.assert_close(
        gradients[1], gradients[0], rtol=0, atol=1e-5 * gradients[0].abs().max().item()
    )
