"""Random weights by scheme and seed, files good and bad, published weights without a network."""

import os
import pickle
import re
import subprocess
import sys
from hashlib import sha256 as oracle
from urllib.error import URLError

import huggingface_hub.constants
import pytest
import torch
from safetensors.torch import save_file
from torch import nn
from torchvision.models import ResNet18_Weights, densenet121, get_model_weights, resnet18

import swag.backbones.download
from swag.backbones import calibrate, create, sha256
from swag.backbones.weights import load_weights, parse_weights, read_weights
from swag.errors import WeightsError

SMALL = "torchvision/squeezenet1_1"
PRINT_SUM = """
from swag.backbones import create
module = create({name!r}, weights={weights!r}, seed=3).module
print(sum(p.double().sum().item() for p in module.parameters()).hex())
"""


def values(name, **options):
    module = create(name, edits=("no-fold",), **options).module
    return torch.cat([parameter.flatten() for parameter in module.parameters()])


@pytest.fixture
def small():
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3))


@pytest.fixture
def no_network(monkeypatch):
    def refuse(*_args, **_kwargs):
        raise URLError("no route to host")

    monkeypatch.setattr(torch.hub, "urlopen", refuse)
    monkeypatch.setattr(swag.backbones.download, "urlopen", refuse)


@pytest.fixture
def torch_home(monkeypatch, tmp_path):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    (tmp_path / "hub" / "checkpoints").mkdir(parents=True)
    return tmp_path / "hub" / "checkpoints"


@pytest.mark.parametrize("scheme", ["random", "random:kaiming", "random:orthogonal"])
def test_a_seed_gives_the_same_weights_and_another_seed_others(scheme):
    first = values(SMALL, weights=scheme, seed=1)
    assert torch.equal(first, values(SMALL, weights=scheme, seed=1))
    assert not torch.equal(first, values(SMALL, weights=scheme, seed=2))


def test_schemes_differ_and_the_default_is_the_constructors():
    default = values(SMALL, weights="random")
    assert torch.equal(default, values(SMALL, weights="random:torchvision"))
    assert not torch.equal(default, values(SMALL, weights="random:kaiming"))


def test_random_weights_leave_the_stream_outside_alone():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    create(SMALL, weights="random", seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_random_weights_are_the_same_in_another_process():
    code = PRINT_SUM.format(name=SMALL, weights="random:kaiming")
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    module = create(SMALL, weights="random:kaiming", seed=3).module
    here = sum(parameter.double().sum().item() for parameter in module.parameters())
    assert float.fromhex(done.stdout.strip()) == pytest.approx(here, rel=1e-12)


def test_kaiming_weights_have_their_variance():
    network = nn.Sequential(nn.Conv2d(3, 200, 5))
    weight = create(network, weights="random:kaiming").module[0].weight
    assert weight.std().item() == pytest.approx((2 / (200 * 25)) ** 0.5, rel=0.02)


def test_orthogonal_weights_are_orthogonal():
    network = nn.Sequential(nn.Conv2d(3, 8, 3))
    rows = create(network, weights="random:orthogonal").module[0].weight.flatten(1)
    torch.testing.assert_close(rows @ rows.T, 2 * torch.eye(8))


def test_calibrated_statistics_are_those_of_the_pictures(small):
    pictures = torch.rand(4, 3, 12, 12, generator=torch.Generator().manual_seed(0))
    backbone = create(
        small, weights="random:kaiming+calibrated", calibrate_on=pictures, edits=("no-fold",)
    )
    normalized = backbone.extract(pictures, ["1"])["1"]
    torch.testing.assert_close(normalized.mean((0, 2, 3)), torch.zeros(4), atol=1e-5, rtol=0)
    torch.testing.assert_close(normalized.std((0, 2, 3)), torch.ones(4), atol=1e-3, rtol=0)
    assert not backbone.module.training
    assert backbone.weights == "random:kaiming+calibrated, seed 0"


def test_calibration_needs_pictures_and_batch_norm(small):
    with pytest.raises(WeightsError, match="need pictures"):
        create(small, weights="random+calibrated")
    with pytest.raises(WeightsError, match="no batch normalization"):
        calibrate(nn.Sequential(nn.Conv2d(3, 3, 1)), torch.rand(2, 3, 8, 8))
    with pytest.raises(WeightsError, match="on 1 pictures of 3 x 3 pixels"):
        calibrate(small, torch.rand(1, 3, 3, 3))
    assert small[1].momentum == 0.1


@pytest.mark.parametrize("text", ["random:kaimin", "nowhere.pth", "Pretrained"])
def test_other_words_are_refused(text):
    with pytest.raises(WeightsError, match="kaiming"):
        parse_weights(text)


def test_files_of_all_kinds_give_the_same_network(small, tmp_path):
    state = small.state_dict()
    save_file(state, tmp_path / "a.safetensors")
    torch.save(state, tmp_path / "b.pth")
    torch.save({"state_dict": state, "epoch": 3}, tmp_path / "c.pt")
    torch.save({"model": {f"module.{k}": v for k, v in state.items()}}, tmp_path / "d.pth")
    torch.save(state, tmp_path / "e.pth", _use_new_zipfile_serialization=False)
    for path in tmp_path.iterdir():
        blank = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 8, 3))
        module = create(blank, weights=path, edits=("no-fold",)).module
        for name, value in module.state_dict().items():
            assert torch.equal(value, state[name]), (path, name)


def test_a_file_without_the_classifier_is_enough(tmp_path):
    state = {k: v for k, v in resnet18(weights=None).state_dict().items() if k[:3] != "fc."}
    save_file(state, tmp_path / "body.safetensors")
    module = create("torchvision/resnet18", weights=tmp_path / "body.safetensors").module
    assert not any(parameter.is_meta for parameter in module.parameters())


def test_a_file_that_runs_code_is_refused_and_nothing_is_run(small, tmp_path):
    class Hostile:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "harm"),)

    path = tmp_path / "hostile.pth"
    torch.save({"state_dict": Hostile()}, path)
    with pytest.raises(WeightsError, match=r".pth .* objects other than tensors") as refused:
        create(small, weights=path)
    assert "\n" not in str(refused.value)
    assert not (tmp_path / "harm").exists()
    pickle_alone = tmp_path / "hostile.pt"
    pickle_alone.write_bytes(pickle.dumps(Hostile()))
    with pytest.raises(WeightsError):
        read_weights(pickle_alone)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["a.safetensors", "a.pth"])
@pytest.mark.parametrize("content", [b"", b"not weights", b"\x80\x02" + bytes(50), b"PK\x03\x04"])
def test_damaged_files_are_refused_in_one_line(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(WeightsError, match=re.escape(str(tmp_path / name))) as refused:
        read_weights(tmp_path / name)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("content", [[1, 2], {"epoch": 3}, {}, torch.zeros(3)])
def test_a_file_without_named_tensors_is_refused(content, tmp_path):
    torch.save(content, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="holds no tensors by name"):
        read_weights(tmp_path / "a.pth")


def test_weights_that_do_not_fit_are_counted_and_the_first_named(small):
    state = small.state_dict()
    del state["0.bias"], state["1.weight"], state["1.num_batches_tracked"]
    state["3.weight"] = torch.zeros(8, 4, 1, 1)
    state["9.weight"] = torch.zeros(1)
    state["fc.weight"] = torch.zeros(1)
    before = small[3].bias.clone()
    with pytest.raises(WeightsError) as refused:
        load_weights(small, state, origin="my.pth", ignore=("fc.",))
    assert str(refused.value) == (
        "my.pth does not fit Sequential: of 8 tensors 2 missing (first 0.bias), 1 unexpected "
        "(first 9.weight), 1 of another shape (first 3.weight); give the weights of this very "
        "network"
    )
    assert torch.equal(small[3].bias, before)


def test_the_checksum_is_sha256(tmp_path):
    (tmp_path / "a").write_bytes(b"weights")
    assert sha256(tmp_path / "a") == oracle(b"weights").hexdigest()


def test_published_weights_are_found_under_torch_home(torch_home, no_network):
    torch.manual_seed(5)
    state = resnet18(weights=None).state_dict()
    url = ResNet18_Weights.IMAGENET1K_V1.url
    torch.save(state, torch_home / url.rpartition("/")[2])
    module = create("torchvision/resnet18", edits=("no-fold", "no-channels-last")).module
    assert torch.equal(module.layer3[0].conv1.weight, state["layer3.0.conv1.weight"])
    assert torch.equal(module.layer3[0].bn1.running_var, state["layer3.0.bn1.running_var"])


def test_published_weights_of_densenet_have_old_names(torch_home, no_network):
    state = densenet121(weights=None).state_dict()
    old = {re.sub(r"(layer\d+\.(?:norm|conv))([12])", r"\1.\2", k): v for k, v in state.items()}
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    url = get_model_weights("densenet121").IMAGENET1K_V1.url
    torch.save(old, torch_home / url.rpartition("/")[2])
    module = create("torchvision/densenet121", edits=("no-fold", "no-channels-last")).module
    name = "features.denseblock4.denselayer16.conv2.weight"
    assert torch.equal(module.get_parameter(name), state[name])


def test_missing_published_weights_end_in_one_line(torch_home, no_network):
    with pytest.raises(WeightsError) as refused:
        create("torchvision/resnet50")
    message = str(refused.value)
    assert "\n" not in message
    for part in (
        "resnet50-0676ba61.pth", str(torch_home), "no route to host", "--weights FILE",
        "--backbone swag/resnet", "--weights random",
    ):  # fmt: skip
        assert part in message
    assert not list(torch_home.iterdir())


def test_a_download_gives_up_on_silence(torch_home, monkeypatch):
    import socket

    def download(*_args, **_kwargs):
        raise TimeoutError(f"after {socket.getdefaulttimeout()} s")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(WeightsError, match="after 20"):
        create("torchvision/resnet18")
    assert socket.getdefaulttimeout() is None


def test_a_damaged_download_is_not_used(torch_home, monkeypatch):
    def download(_url, path, check_sum, progress):
        assert check_sum == "f37072fd"
        raise RuntimeError("invalid hash value")

    monkeypatch.setattr(torch.hub, "download_url_to_file", download)
    with pytest.raises(WeightsError, match="invalid hash value"):
        create("torchvision/resnet18")


@pytest.fixture
def hub_cache(monkeypatch, tmp_path):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_CACHE", str(tmp_path))
    return tmp_path


def test_published_weights_of_timm_are_found_in_the_cache(hub_cache, no_network):
    import timm

    torch.manual_seed(5)
    state = timm.create_model("test_resnet", num_classes=1000).state_dict()
    repository = hub_cache / "models--timm--test_resnet.r160_in1k"
    (repository / "refs").mkdir(parents=True)
    (repository / "refs" / "main").write_text("0123")
    (repository / "snapshots" / "0123").mkdir(parents=True)
    save_file(state, repository / "snapshots" / "0123" / "model.safetensors")
    backbone = create("timm/test_resnet.r160_in1k", edits=("no-fold", "no-channels-last"))
    name = "layer4.0.conv1.weight"
    assert torch.equal(backbone.module.get_parameter(name), state[name])


class Runs:
    """Something whose unpickling makes a file."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return open, (str(self.path), "w")


@pytest.mark.parametrize("custom", [False, True])
def test_nothing_pickled_in_published_weights_of_timm_is_run(
    custom, torch_home, no_network, monkeypatch, tmp_path
):
    """Neither by this timm nor by one that would: it is not asked to read files."""
    import timm
    from timm.models import _builder as builder

    network = timm.create_model("test_resnet")
    network.pretrained_cfg |= {
        "hf_hub_id": None, "url": "https://host/evil.pth", "custom_load": custom,
    }  # fmt: skip
    network.load_pretrained = lambda path: torch.load(path, weights_only=False)
    monkeypatch.setattr(timm, "create_model", lambda *_, **__: network)
    monkeypatch.setattr(
        builder, "load_state_dict", lambda path, **_: torch.load(path, weights_only=False)
    )
    evil = {**network.state_dict(), "extra": Runs(tmp_path / "ran")}
    torch.save(evil, torch_home / "evil.pth")
    with pytest.raises(WeightsError, match="holds objects other than tensors"):
        create("timm/test_resnet")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_file_that_contains_itself_is_refused(depth, tmp_path):
    top = content = {}
    for _ in range(depth - 1):
        content["model"] = content = {}
    content["state_dict"] = top
    torch.save(top, tmp_path / "ring.pth")
    with pytest.raises(WeightsError, match="holds no tensors by name"):
        read_weights(tmp_path / "ring.pth")


@pytest.mark.parametrize("offline", [True, False])
def test_missing_weights_of_timm_end_in_one_line(offline, hub_cache, no_network, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", offline)
    with pytest.raises(WeightsError) as refused:
        create("timm/test_resnet.r160_in1k")
    message = str(refused.value)
    assert "\n" not in message
    for part in ("timm/test_resnet.r160_in1k/model.safetensors", str(hub_cache), "swag/resnet"):
        assert part in message
