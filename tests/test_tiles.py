"""How far layers see, how pictures are cut, how much memory there is."""

import gc
import weakref

import pytest
import torch
from torch import nn

import swag
from swag.errors import SettingsError
from swag.features import FeatureExtractor
from swag.tiling import (
    bytes_per_pixel,
    free_memory,
    is_out_of_memory,
    largest_side,
    measure_receptive_field,
    tile_grid,
)


class Squeeze(nn.Module):
    """Every position depends on the mean of all."""

    def forward(self, x):
        return x * x.mean((2, 3), keepdim=True)


def extract_of(*modules):
    """(picture, layers) -> maps, of a row of modules named 0, 1, ..."""
    network = nn.Sequential(*modules)
    extractors = {}

    def extract(image, layers):
        names = tuple(layers)
        if names not in extractors:
            extractors[names] = FeatureExtractor(network, names)
        return extractors[names](image)

    return extract


def seen_by(extract, layer, position, length=256):
    """The first and last row that a position of a map depends on, by its gradient."""
    image = torch.rand(1, 3, length, 96, generator=torch.Generator().manual_seed(0))
    image.requires_grad_()
    extract(image, [layer])[layer][:, :, position].sum().backward()
    rows = image.grad.abs().sum((0, 1, 3)).nonzero()
    return int(rows[0]), int(rows[-1])


@pytest.mark.parametrize(
    "modules",
    [
        (nn.Conv2d(3, 4, 5, padding=2), nn.Conv2d(4, 4, 3, stride=2, padding=1)),
        (nn.Conv2d(3, 4, 7, stride=2, padding=3), nn.AvgPool2d(2), nn.Conv2d(4, 4, 5, padding=2)),
        (nn.Conv2d(3, 4, 5), nn.AvgPool2d(2, ceil_mode=True), nn.Conv2d(4, 4, 3)),
        (nn.Conv2d(3, 4, (3, 7), dilation=2, padding=(2, 6), padding_mode="reflect"),),
    ],
)
def test_the_reach_is_that_of_the_gradient(modules):
    extract = extract_of(*modules)
    layer = str(len(modules) - 1)
    receptive_field = measure_receptive_field(extract, [layer], torch.zeros(1, 3, 8, 8))
    down, _ = receptive_field.layers[layer]
    # Of all positions that begin at a cut, the one after it: what it sees before and after.
    step = receptive_field.step(0)
    cut = 128 // step * step
    first, _ = seen_by(extract, layer, cut // down.stride)
    _, last = seen_by(extract, layer, cut // down.stride - 1)
    round_up = -(-(cut - first) // down.stride) * down.stride
    assert down.before in (max(0, cut - first), max(0, round_up))
    assert last < cut + down.after <= last + 1 + down.stride


def test_the_reach_of_a_bundled_network_is_that_of_its_convolutions():
    network = swag.backbones.create("swag/vgg")
    receptive_field = measure_receptive_field(
        network.extract, ["stem", "stage1"], torch.zeros(1, 3, 8, 8)
    )
    assert {layer: sides[0].stride for layer, sides in receptive_field.layers.items()} == {
        "stem": 1,
        "stage1": 2,
    }
    assert receptive_field.halo(0) == receptive_field.halo(1) == (10, 10)


def test_a_layer_that_sees_the_whole_picture_is_refused_in_one_line():
    extract = extract_of(nn.Conv2d(3, 4, 3, padding=1), Squeeze())
    with pytest.raises(SettingsError, match=r"^1 sees the whole picture") as caught:
        measure_receptive_field(extract, ["0", "1"], torch.zeros(1, 3, 8, 8))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("size", [(96, 100), (131, 257), (200, 97)])
def test_sizes_of_maps_are_those_of_a_pass(size):
    extract = extract_of(
        nn.Conv2d(3, 4, 3, stride=2, padding=1),
        nn.MaxPool2d(2, ceil_mode=True),
        nn.Conv2d(4, 5, 3),
    )
    layers = ["0", "1", "2"]
    image = torch.zeros(1, 3, *size)
    sizes = measure_receptive_field(extract, layers, image).sizes(image)
    assert sizes == {layer: maps.shape for layer, maps in extract(image, layers).items()}


@pytest.mark.parametrize("side", [16, 50, 1000])
def test_every_position_belongs_to_one_tile(side):
    extract = extract_of(nn.Conv2d(3, 4, 3, padding=1), nn.AvgPool2d(2, ceil_mode=True))
    image = torch.zeros(1, 3, 117, 74)
    receptive_field = measure_receptive_field(extract, ["0", "1"], image)
    for layer, shape in receptive_field.sizes(image).items():
        counted = torch.zeros(shape)
        for tile in tile_grid(receptive_field, (117, 74), side):
            counted[tile.in_map(layer)] += 1
            crop = extract(image[tile.crop], [layer])[layer]
            assert crop[tile.in_crop(layer)].shape == counted[tile.in_map(layer)].shape
        assert torch.equal(counted, torch.ones(shape))


def test_memory_of_a_pass_is_that_of_what_is_kept():
    extract = extract_of(nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(8, 4, 1))
    # Kept: the picture (3 channels), the first map (8) and the one that is read (4), in float32.
    per_pixel = bytes_per_pixel(extract, ["1"], torch.zeros(1, 3, 8, 8))
    assert per_pixel == pytest.approx(2.5 * 4 * (3 + 8 + 4), rel=0.05)


def test_measuring_memory_keeps_none_of_it():
    extract = extract_of(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU())
    alive: list[weakref.ref[torch.Tensor]] = []

    def watched(image, layers):
        maps = extract(image, layers)
        alive.extend(weakref.ref(tensor) for tensor in maps.values())
        return maps

    bytes_per_pixel(watched, ["1"], torch.zeros(1, 3, 8, 8))
    gc.collect()
    assert len(alive) == 2 and all(reference() is None for reference in alive)


def test_the_largest_tile_fits_with_its_halo():
    extract = extract_of(nn.Conv2d(3, 8, 9, padding=4), nn.AvgPool2d(8))
    receptive_field = measure_receptive_field(extract, ["1"], torch.zeros(1, 3, 8, 8))
    side = largest_side(receptive_field, 100.0, 100.0 * 256**2)
    assert side % 8 == 0 and side + sum(receptive_field.halo(0)) <= 256 < side + 8 + sum(
        receptive_field.halo(0)
    )
    assert largest_side(receptive_field, 100.0, 1.0) == 8


def test_free_memory_is_a_number_of_bytes_and_errors_of_memory_are_known():
    assert 2**20 < free_memory(torch.device("cpu")) < 2**50
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert is_out_of_memory(MemoryError())
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"))
    assert not is_out_of_memory(RuntimeError("size mismatch"))
    assert not is_out_of_memory(
        RuntimeError(
            "the tensor has a non-zero number of elements, but its data is not allocated yet"
        )
    )
    assert not is_out_of_memory(ValueError("out of memory"))
