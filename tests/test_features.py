"""The extractor on small networks whose every activation can be written down."""

import threading

import pytest
import torch
from torch import nn
from torchvision.models import resnet18
from torchvision.models.feature_extraction import create_feature_extractor

from swag.errors import BackboneError
from swag.features import FeatureExtractor, trial_picture


class Residual(nn.Module):
    """Two convolutions and a sum that is written into the second one's output."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(3, 4, 3, padding=1)
        self.relu = nn.ReLU(inplace=True)
        self.second = nn.Conv2d(4, 4, 3, padding=1)

    def forward(self, x):
        y = self.first(x)
        kept = y.clone()
        y = self.second(self.relu(y))
        y += kept
        return self.relu(y)


class Counting(nn.Module):
    """The identity, counting how often it runs."""

    def __init__(self):
        super().__init__()
        self.runs = 0

    def forward(self, x):
        self.runs += 1
        return x + 0


@pytest.fixture
def image():
    return torch.rand(2, 3, 12, 10, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def residual():
    torch.manual_seed(0)
    return Residual()


def test_layers_that_are_overwritten_later_come_as_they_were(residual, image):
    found = FeatureExtractor(residual, ["first", "second"])(image)
    first = residual.first(image)
    torch.testing.assert_close(found["first"], first)
    torch.testing.assert_close(found["second"], residual.second(first.relu()))
    assert found["first"].min() < 0  # the ReLU writes zeros over these


def test_gradients_pass_through_layers_that_are_overwritten_later(residual, image):
    def gradient(features):
        return torch.autograd.grad(features["first"].sum() + features["second"].sum(), image)[0]

    image.requires_grad_()
    first = residual.first(image)
    expected = gradient({"first": first, "second": residual.second(first.relu())})
    found = gradient(FeatureExtractor(residual, ["first", "second"])(image))
    torch.testing.assert_close(found, expected)


def test_only_layers_that_are_overwritten_are_copied(image):
    network = nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU(inplace=True), nn.Conv2d(4, 4, 1))
    handed_out = {}
    network[0].register_forward_hook(lambda _m, _x, y: handed_out.update({"0": y}))
    network[1].register_forward_hook(lambda _m, _x, y: handed_out.update({"1": y}))
    found = FeatureExtractor(network, ["0", "1", "2"])(image)
    assert found["0"] is not handed_out["0"]
    assert found["1"] is handed_out["1"]


def test_a_layer_that_is_overwritten_only_on_larger_pictures_is_noticed(image):
    class Moody(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(3, 4, 1)
            self.last = nn.Identity()

        def forward(self, x):
            y = self.conv(x)
            return self.last(y.relu_() + 1 if x.shape[-1] == 10 else y.relu() + 1)

    network = Moody()
    found = FeatureExtractor(network, ["conv", "last"])(image)
    torch.testing.assert_close(found["conv"], network.conv(image))


def test_inference_mode_gives_the_same(residual, image):
    extractor = FeatureExtractor(residual, ["first", "second"])
    expected = extractor(image)
    with torch.inference_mode():
        found = extractor(image)
    for layer, maps in expected.items():
        assert torch.equal(found[layer], maps)


def test_residual_blocks_of_torchvision_are_read_before_the_sum():
    torch.manual_seed(0)
    model = resnet18(weights=None).eval()
    layers = ["layer1.0.bn2", "layer1", "layer2.0.conv1"]
    picture = torch.rand(1, 3, 64, 64)
    found = FeatureExtractor(model, layers)(picture)
    for layer in layers:
        # Alone: nothing runs after the layer, so nothing can overwrite it.
        expected = create_feature_extractor(model, [layer])(picture)[layer]
        torch.testing.assert_close(found[layer], expected)


def test_one_pass_is_made_and_it_ends_at_the_deepest_layer(image):
    before, after = Counting(), Counting()
    network = nn.Sequential(before, nn.Conv2d(3, 4, 1), nn.Conv2d(4, 4, 1), after)
    extractor = FeatureExtractor(network, ["2", "1"])
    before.runs = after.runs = 0
    assert list(extractor(image)) == ["2", "1"]
    assert (before.runs, after.runs) == (1, 0)


def test_a_container_and_its_last_layer_are_the_same(image):
    network = nn.Sequential(nn.Sequential(nn.Conv2d(3, 4, 1), nn.ReLU()), nn.Conv2d(4, 4, 1))
    found = FeatureExtractor(network, ["0", "0.1"])(image)
    assert torch.equal(found["0"], found["0.1"])


def test_no_layers_cost_no_pass(image):
    assert FeatureExtractor(nn.Conv2d(3, 4, 1), [])(image) == {}


def test_two_threads_do_not_see_each_others_pictures():
    network = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(inplace=True), nn.Conv2d(8, 8, 3))
    extractor = FeatureExtractor(network, ["0", "2"])
    pictures = [torch.full((1, 3, 40, 40), float(value)) for value in range(4)]
    expected = [extractor(picture) for picture in pictures]
    wrong = []

    def work(index):
        for _ in range(20):
            found = extractor(pictures[index])
            if not all(torch.equal(found[name], expected[index][name]) for name in found):
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_the_model_is_frozen_and_otherwise_as_it_was(residual, image):
    before = {name: value.clone() for name, value in residual.state_dict().items()}
    FeatureExtractor(residual, ["first"])(image)
    assert not residual.training
    assert not any(parameter.requires_grad for parameter in residual.parameters())
    assert all(torch.equal(value, before[name]) for name, value in residual.state_dict().items())
    assert not any(module._forward_hooks for module in residual.modules())


def test_the_model_stays_in_evaluation_mode_within_a_module_that_is_trained():
    torch.manual_seed(0)
    extractor = FeatureExtractor(nn.Sequential(nn.Conv2d(3, 4, 1), nn.BatchNorm2d(4)), ["1"])
    image = torch.rand(2, 3, 8, 8)
    before = extractor(image)["1"]
    whole = nn.ModuleDict({"extractor": extractor, "learner": nn.Conv2d(3, 3, 1)}).train()
    assert whole["learner"].training and not extractor.model.training
    assert torch.equal(extractor(image)["1"], before)


def test_a_layer_that_runs_twice_is_refused():
    with pytest.raises(BackboneError, match=r"layer1\.0\.relu runs 2 times"):
        FeatureExtractor(resnet18(weights=None), ["layer1.0.relu"])


def test_a_layer_that_never_runs_is_refused(residual):
    residual.spare = nn.Conv2d(3, 3, 1)
    with pytest.raises(BackboneError, match="spare of Residual cannot be read: it does not run"):
        FeatureExtractor(residual, ["first", "spare"])


def test_an_unknown_layer_is_refused_with_the_nearest():
    with pytest.raises(BackboneError, match=r"no layer 'layer5'; nearest: .*layer4") as refused:
        FeatureExtractor(resnet18(weights=None), ["layer5"])
    assert len(str(refused.value)) < 120


def test_a_layer_that_returns_no_tensor_is_refused():
    class Pair(nn.Module):
        def forward(self, x):
            return x, x

    with pytest.raises(BackboneError, match="layer '0' returns tuple, not a tensor"):
        FeatureExtractor(nn.Sequential(Pair()), ["0"])


def test_a_layer_without_rows_and_columns_is_refused():
    network = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
    with pytest.raises(BackboneError, match=r"layer '1' .*shape \(1, 3\), not maps"):
        FeatureExtractor(network, ["1"])


def test_what_is_not_maps_is_arranged(image):
    network = nn.Sequential(nn.Flatten(2))  # b 3 m

    def arrange(output, size):
        return output.unflatten(-1, size)

    found = FeatureExtractor(network, ["0"], arrange=arrange)(image)
    assert torch.equal(found["0"], image)


def test_pictures_are_preprocessed(image):
    found = FeatureExtractor(nn.Sequential(nn.Identity()), ["0"], lambda x: 2 * x - 1)(image)
    torch.testing.assert_close(found["0"], 2 * image - 1)


def test_a_network_of_one_size_is_tried_on_it():
    network = nn.Sequential(nn.Conv2d(3, 1, 16, 16), nn.Flatten(), nn.Linear(196, 2))
    assert trial_picture(network).shape[-2:] == (224, 224)


def test_a_network_that_takes_no_picture_is_refused():
    with pytest.raises(BackboneError, match="takes no picture of 3 channels and 96 x 96"):
        FeatureExtractor(nn.Sequential(nn.Conv2d(4, 4, 1)), ["0"])


def test_the_trial_has_the_precision_of_the_network():
    extractor = FeatureExtractor(nn.Sequential(nn.Conv2d(3, 4, 1)).double(), ["0"])
    assert extractor(torch.rand(1, 3, 8, 8, dtype=torch.float64))["0"].dtype == torch.float64
