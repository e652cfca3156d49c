"""Networks given as modules: what is read as it is, and what is refused with what is missing."""

import threading

import pytest
import torch
from torch import nn

import swag
from swag import backbones
from swag.errors import BackboneError, SwagError


def small(*more: nn.Module) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), *more)


class Twice(nn.Module):
    """Runs one ReLU after each of two convolutions."""

    def __init__(self):
        super().__init__()
        self.one, self.two, self.relu = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 4, 3), nn.ReLU()
        self.idle = nn.Conv2d(3, 3, 1)

    def forward(self, x):
        return self.relu(self.two(self.relu(self.one(x))))


class Blind(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    @torch.no_grad()
    def forward(self, x):
        return self.conv(x)


class Strange(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3)

    def forward(self, x, other):
        return self.conv(x) + other


PICTURE = torch.rand(1, 3, 48, 64, generator=torch.Generator().manual_seed(0))


def test_a_module_that_runs_a_layer_twice_is_read_at_its_other_layers():
    network = backbones.create(Twice())
    assert network.style_layers == ("one", "two")
    with pytest.raises(BackboneError, match="relu runs 2 times; choose the module around it"):
        network(PICTURE, ["relu"])
    with pytest.raises(BackboneError, match="idle of Twice cannot be read: it does not run"):
        network(PICTURE, ["idle"])


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_a_module_in_half_precision_is_read_in_float32_and_stays_as_it_is(dtype):
    module = small().to(dtype)
    network = backbones.create(module)
    assert network(PICTURE)["1"].dtype == torch.float32
    assert module[0].weight.dtype == dtype


def test_a_compiled_module_is_read_as_the_one_that_was_compiled():
    module = small()
    expected = backbones.create(module)(PICTURE)["1"]
    whole, part = torch.compile(module), nn.Sequential(torch.compile(module))
    assert torch.equal(backbones.create(whole)(PICTURE, ["1"])["1"], expected)
    assert torch.equal(backbones.create(part)(PICTURE, ["0.1"])["0.1"], expected)


@pytest.mark.filterwarnings("ignore:.*torch.jit:FutureWarning")
@pytest.mark.filterwarnings("ignore:.*torch.jit:DeprecationWarning")
def test_a_scripted_module_is_refused_with_what_to_give_instead():
    for scripted in (torch.jit.trace(small().eval(), PICTURE), torch.jit.script(small())):
        with pytest.raises(BackboneError, match="does not show its layers; give the module that"):
            backbones.create(scripted)


class WritesIntoItsInput(nn.Sequential):
    def forward(self, x):
        return super().forward(x.sub_(0.5))


class OfOneFrame(nn.Sequential):
    """A network of videos, on a video of one frame."""

    def forward(self, x):
        return super().forward(x[:, :, None]).squeeze(2)


@pytest.mark.parametrize(
    "module",
    [
        WritesIntoItsInput(nn.Conv2d(3, 4, 3), nn.ReLU()),
        OfOneFrame(nn.Conv3d(3, 4, (1, 3, 3)), nn.Flatten(1, 2), nn.Conv2d(4, 4, 3)),
    ],
    ids=["writes into its input", "weights of five dimensions"],
)
def test_unusual_networks_are_read_and_optimized_through(module):
    result = swag.stylize(PICTURE, PICTURE.flip(3), backbone=module, size=32, steps=2, scales=1)
    assert result.losses["style"] > 0


def locked():
    module = small()
    module.lock = threading.Lock()
    return module


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.Linear(3, 3), "Linear takes no picture of 3 channels|has no layer that returns maps"),
        (Strange(), "Strange takes no picture of 3 channels.*missing 1 required"),
        (Blind(), "no gradient reaches the picture from conv of Blind"),
        (locked(), "Sequential cannot be copied .*lock.* as in file.py:factory"),
        (nn.Sequential(), "Sequential has no layer that returns maps"),
        (nn.Sequential(nn.LazyConv2d(3, 3)), r"lazy layers.* \(0.weight, 0.bias\); run it once"),
        (Strange, "an object of type type was given as the network; expected a name or a torch.nn"),
        (small, "an object of type function was given as the network"),
    ],
    ids=["linear", "two inputs", "no gradient", "no copy", "empty", "lazy", "class", "factory"],
)
def test_what_is_missing_is_said_in_one_line(module, words):
    with pytest.raises(SwagError, match=words) as caught:
        swag.stylize(PICTURE, PICTURE, backbone=module, size=32, steps=1, scales=1)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("picture", "words"),
    [
        ((PICTURE * 255).byte(), "pictures of type torch.uint8; expected sRGB in"),
        (PICTURE * 255, r"values up to 25\d.*; expected sRGB in \[0, 1\]: divide by 255"),
        (PICTURE[0], r"shape \(3, 48, 64\); expected batch, 3, .* give image\[None\]"),
        (PICTURE[:, :1], r"shape \(1, 1, 48, 64\); expected batch, 3"),
        (PICTURE.half(), "computes in torch.float32 and was given pictures in torch.float16"),
        (PICTURE.double(), "computes in torch.float32 and was given pictures in torch.float64"),
        (PICTURE.to("meta"), "Sequential is on cpu and was given pictures on meta; move one of"),
        (PICTURE.numpy(), "Sequential was given ndarray; expected a tensor of sRGB pictures"),
    ],
    ids=["bytes", "0 to 255", "no batch", "gray", "half", "double", "device", "array"],
)
def test_what_is_no_batch_of_pictures_is_refused(picture, words, unchecked):
    network = backbones.create(small())
    with pytest.raises(BackboneError, match=words):
        network(picture)


def test_a_picture_that_is_being_optimized_may_leave_the_range():
    network = backbones.create(small())
    assert network((PICTURE * 100).requires_grad_())["1"].isfinite().all()
