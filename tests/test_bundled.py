"""The networks in the package: what is loaded, what is refused, and what they answer.

python tests/test_bundled.py          pins the answers of networks that have none yet
python tests/test_bundled.py resvgg   pins those of a network whose weights changed
"""

import json
import math
import shutil
import sys
import time
from pathlib import Path

import pytest
import torch
from torch import Tensor

from swag.backbones import bundled, create
from swag.errors import BackboneError, WeightsError
from swag.features import FeatureExtractor
from swag_lab.training.table import with_current_tables

PINS = Path(__file__).parent / "bundled_outputs.json"
DOCUMENT = Path(__file__).parents[1] / "docs" / "backbones.md"
TRAINED = bundled.bundled_names()


def card_picture() -> Tensor:
    """Waves of several lengths in three colors, 40 by 52 pixels, the same on every machine."""
    y, x = torch.meshgrid(
        torch.arange(40, dtype=torch.float64), torch.arange(52, dtype=torch.float64), indexing="ij"
    )
    waves = [torch.sin(0.11 * (c + 1) * x + 0.07 * (4 - c) * y + c) for c in range(3)]
    return torch.stack(waves)[None].float()


def answers(name: str) -> dict[str, dict[str, list[float]]]:
    """Mean, largest size and values at spread positions of each layer that is read or can be."""
    layers = {layer for read in bundled.layers(name) for layer in read}
    if name in bundled.ARCHITECTURES:
        layers |= {"stage3", "stage4"}
    extract = FeatureExtractor(bundled.network(name), sorted(layers))
    found = {}
    with torch.no_grad():
        for layer, maps in extract(card_picture()).items():
            flat = maps.flatten()
            at = [(k * 7919 + 13) % len(flat) for k in range(32)]
            found[layer] = {
                "summary": [flat.mean().item(), flat.abs().max().item()],
                "values": [flat[i].item() for i in at],
            }
    return found


@pytest.mark.parametrize("name", TRAINED)
def test_the_answers_of_the_weights_are_the_pinned_ones(name):
    pinned = json.loads(PINS.read_text())[name]
    found = answers(name)
    assert set(found) == set(pinned)
    for layer, expected in pinned.items():
        scale = expected["summary"][1]
        for key, values in expected.items():
            assert found[layer][key] == pytest.approx(values, rel=1e-4, abs=1e-5 * scale), layer


@pytest.mark.parametrize("name", TRAINED)
def test_pinned_answers_are_not_all_zero(name):
    for layer, pinned in json.loads(PINS.read_text())[name].items():
        assert sum(value != 0 for value in pinned["values"]) >= 2, layer
        assert all(math.isfinite(value) for value in pinned["values"])


@pytest.mark.parametrize("name", TRAINED)
def test_loading_takes_less_than_a_second(name):
    times = []
    for _ in range(3):
        start = time.perf_counter()
        bundled.network(name)
        times.append(time.perf_counter() - start)
    assert min(times) < 1.0


def test_the_weights_fit_into_the_package():
    sizes = [bundled.card(name).bytes for name in TRAINED]
    assert all(bundled.path(name).stat().st_size == bundled.card(name).bytes for name in TRAINED)
    assert max(sizes) <= 6_000_000
    assert sum(sizes) <= 24_000_000


@pytest.mark.parametrize("name", TRAINED)
def test_a_card_describes_the_network_that_is_loaded(name):
    card, network = bundled.card(name), bundled.network(name)
    assert card.name == f"swag/{name}"
    assert card.parameters == sum(p.numel() for p in network.parameters())
    assert list(network.architecture.widths) == card.architecture["widths"]
    assert not network.architecture.norm and not network.training
    if name in bundled.STUDENTS:
        taps = {tap.layer for tap in bundled.STUDENTS[name].taps}
        assert card.top1 is None and card.teacher == "torchvision/vgg16"
        assert set(card.unexplained) == taps
        assert all(0 < error < 0.25 for error in card.unexplained.values())
        assert "CC BY 4.0" in card.data[0]["terms"]
    else:
        assert card.top1 is not None and 1 / 200 < card.top1 < 1
    assert card.trainings and card.data and card.intended_use and card.limits and card.continued_by


def test_the_document_holds_the_table_of_the_present_weights():
    text = DOCUMENT.read_text()
    assert with_current_tables(text) == text


def test_loading_draws_no_random_numbers():
    before = torch.get_rng_state()
    bundled.network("resnet")
    bundled.network("resnet", weights="random", seed=3)
    assert torch.equal(torch.get_rng_state(), before)


def test_random_networks_differ_by_seed_alone():
    first, same, other = (bundled.network("vgg", weights="random", seed=s) for s in (1, 1, 2))
    x = card_picture()
    assert torch.equal(first(x), same(x))
    assert not torch.equal(first(x), other(x))


def test_the_branches_of_a_random_residual_network_are_not_silent():
    network = bundled.network("resnet", weights="random")
    x = card_picture().expand(1, 3, 40, 52)
    block = network.get_submodule("stage1.block1")
    with torch.no_grad():
        before = network.get_submodule("stage1.pool")(network.stem(x))
        assert (block(before) - before).abs().mean() > 0.1 * before.abs().mean()


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    """The shipped files of one network in a folder of their own."""
    for name in (bundled.card("resnet").file, bundled.CARDS):
        shutil.copy(bundled.FOLDER / name, tmp_path / name)
    return tmp_path


def test_the_prefix_of_a_name_may_stay(copied):
    x = card_picture()
    with_prefix = bundled.network("swag/resnet", folder=copied)
    assert torch.equal(with_prefix(x), bundled.network("resnet")(x))


def test_weights_that_are_not_the_cards_are_refused(copied):
    file = copied / "resnet.safetensors"
    data = bytearray(file.read_bytes())
    data[-1] ^= 1
    file.write_bytes(bytes(data))
    with pytest.raises(WeightsError, match=r"not the weights that belong to swag/resnet.*again"):
        bundled.network("resnet", folder=copied)


def test_a_truncated_file_is_refused_also_where_no_hash_is_known(copied):
    file = copied / "resnet.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(WeightsError, match="SHA-256"):
        bundled.network("resnet", folder=copied)
    with pytest.raises(WeightsError, match="damaged"):
        bundled.from_file("resnet", file)


def test_a_file_of_another_network_is_refused(copied):
    with pytest.raises(WeightsError, match="another network than vgg"):
        bundled.from_file("vgg", copied / "resnet.safetensors")


def test_an_exported_file_is_read_without_a_card(copied):
    x = card_picture()
    found = bundled.from_file("resnet", copied / "resnet.safetensors")
    assert torch.equal(found(x), bundled.network("resnet")(x))


@pytest.mark.parametrize("name", ["resnet", "vgg16-distilled"])
def test_weights_of_torch_save_are_those_of_safetensors(name, tmp_path):
    file = tmp_path / "saved.pth"
    torch.save({"state_dict": bundled.read_state(bundled.path(name))}, file)
    x = card_picture().expand(1, 3, 40, 52)
    found = create(f"swag/{name}", weights=file)(x)
    for layer, maps in create(f"swag/{name}")(x).items():
        assert torch.equal(found[layer], maps)


def test_a_file_of_torch_save_with_other_things_is_refused_in_one_line(tmp_path):
    file = tmp_path / "saved.pth"
    for content, words in [
        ({"a": torch.zeros(1)}, "another network than swag/resnet"),
        ([1], "no tensors by name"),
        ({"a": Path}, "objects other than tensors"),
    ]:
        torch.save(content, file)
        with pytest.raises(WeightsError, match=words) as caught:
            create("swag/resnet", weights=file)
        assert "\n" not in str(caught.value)


def test_a_missing_file_and_a_missing_card_say_what_to_do(copied):
    (copied / "resnet.safetensors").unlink()
    with pytest.raises(WeightsError, match="cannot be read"):
        bundled.network("resnet", folder=copied)
    (copied / bundled.CARDS).write_text("{}")
    with pytest.raises(WeightsError, match="swag train-backbone resnet"):
        bundled.network("resnet", folder=copied)
    (copied / bundled.CARDS).write_text("{")
    with pytest.raises(WeightsError, match="damaged"):
        bundled.card("resnet", copied)


def test_an_unknown_name_brings_the_nearest_one():
    with pytest.raises(
        BackboneError, match=r"no bundled network 'resnte'.*did you mean swag/resnet"
    ):
        bundled.network("resnte")


def pin(anew: list[str]) -> None:
    """Write the answers of networks that have none in the file, and of those to pin anew."""
    pinned = json.loads(PINS.read_text()) if PINS.exists() else {}
    for name in TRAINED:
        if name not in pinned or name in anew:
            pinned[name] = answers(name)
    PINS.write_text(json.dumps(pinned, indent=1) + "\n")


if __name__ == "__main__":
    pin(sys.argv[1:])


@pytest.mark.parametrize("name", [*bundled.STUDENTS])
def test_of_a_student_layers_that_it_predicts_well_count_more(name):
    network = create(f"swag/{name}")
    assert network.style_layer_weights == {
        "relu1_1": 1, "relu2_1": 2, "relu3_1": 1, "relu4_1": 1, "relu5_1": 0.3,
    }  # fmt: skip
    assert network.content_layer_weights == {"relu2_1": 1, "relu3_1": 2, "relu4_2": 1}
