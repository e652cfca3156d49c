"""The loss for training loops: the definition, batches, gradients, modes, moves."""

import copy
import pickle
import threading

import pytest
import torch
from torch import nn

import swag
from swag import backbones, losses
from swag.errors import SwagError
from swag.losses import LOSSES
from swag.run import perceptual_loss

STYLE = [name for name, loss in LOSSES.items() if loss.role == "style"]
CONTENT = [name for name, loss in LOSSES.items() if loss.role == "content"]
PLAIN = {"total_variation": 0.0, "pixel_range": 0.0}


def pictures(count, seed=0):
    return torch.rand(count, 3, 24, 32, generator=torch.Generator().manual_seed(seed))


def network():
    torch.manual_seed(0)
    layers = [nn.Conv2d(3, 4, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*layers, nn.Conv2d(4, 8, 3, padding=1), nn.ReLU())


@pytest.fixture(scope="module")
def backbone():
    return backbones.create(network(), style_layers=["1", "4"], content_layers=["4"])


def perceptual(backbone, style=None, **settings):
    given = pictures(1, seed=9)[0] if style is None else style
    return swag.PerceptualLoss(given, backbone=backbone, size=32, **settings)


def test_it_is_the_weighted_mean_of_the_shares_of_layers(backbone):
    loss = perceptual(backbone, style_loss="gram", strength=0.25, balance=2.0, **PLAIN)
    image, content = pictures(2), pictures(2, seed=1)
    gram, same = losses.get("gram"), losses.get("content")
    maps, wanted = backbone(image), backbone(content)
    style = 0.0
    for layer, features in backbone(pictures(1, seed=9)).items():
        target = gram.describe(features)
        error = gram.compare(gram.describe(maps[layer]), target)
        style = style + error / target.square().sum() / 2
    error = same.compare(maps["4"], wanted["4"]) / wanted["4"].square().sum((1, 2, 3))
    terms = loss.terms(image, content)
    torch.testing.assert_close(terms["style"], style * 2.0 * 0.25)
    torch.testing.assert_close(terms["content"], error * 0.75)
    torch.testing.assert_close(loss(image, content), (style * 0.5 + error * 0.75).mean())


@pytest.mark.parametrize("style_loss", STYLE)
@pytest.mark.parametrize("content_loss", CONTENT)
def test_pictures_of_a_batch_count_by_themselves(style_loss, content_loss, backbone):
    loss = perceptual(
        backbone,
        style_loss=style_loss,
        content_loss=content_loss,
        content_layers=["1", "4"],
        palette=0.2,
        laplacian=0.3,
        smoothing="softmax:temperature=auto",
    )
    image, content = pictures(3).requires_grad_(), pictures(3, seed=1)
    terms = loss.terms(image, content)
    assert terms.keys() >= {"style", "palette", "content", "laplacian", "total_variation"}
    for i in range(3):
        for name, alone in loss.terms(image[i : i + 1], content[i : i + 1]).items():
            torch.testing.assert_close(terms[name][i : i + 1], alone)
    (gradient,) = torch.autograd.grad(loss(image, content), image)
    assert gradient.isfinite().all() and gradient.flatten(1).norm(dim=1).gt(0).all()


def test_one_picture_is_compared_with_every_content(backbone):
    loss, image, contents = perceptual(backbone), pictures(1), pictures(2, 1)
    alone = [loss(image, content[None]) for content in contents]
    torch.testing.assert_close(loss(image, contents), torch.stack(alone).mean())


def test_the_content_alone_differs_by_nothing_from_itself(backbone):
    loss = perceptual(backbone, style=[], **PLAIN)
    image = pictures(2)
    assert loss(image, image).item() == 0
    assert loss.terms(image, pictures(2, 1))["content"].gt(0.01).all()


def test_several_styles_are_blended(backbone):
    one, other = pictures(2, seed=3)
    both = perceptual(backbone, style=[one, other], content_weight=0, style_weights=[3, 1], **PLAIN)
    alone = [perceptual(backbone, style=s, content_weight=0, **PLAIN) for s in (one, other)]
    image = pictures(1)
    assert both(image).item() == pytest.approx(
        0.75 * alone[0](image).item() + 0.25 * alone[1](image).item(), rel=1e-4
    )


def test_a_network_learns_with_it(backbone):
    torch.manual_seed(0)
    learner = nn.Sequential(nn.Conv2d(3, 3, 3, padding=1))
    loss = perceptual(backbone, style_loss="gram")
    optimizer = torch.optim.Adam([*learner.parameters()], lr=0.02)
    photos, first = pictures(4, seed=5), None
    for _ in range(30):
        optimizer.zero_grad()
        value = loss(learner(photos), photos)
        value.backward()
        optimizer.step()
        first = value.item() if first is None else first
    assert value.item() < 0.7 * first
    assert all(p.grad is None for p in loss.parameters())


def test_the_style_is_described_once_and_again_after_a_move(backbone, monkeypatch):
    loss = perceptual(copy.deepcopy(backbone), **PLAIN)
    seen = []
    extract = backbones.Backbone.extract

    def counted(self, image, layers=None, **options):
        seen.append(image)
        return extract(self, image, layers, **options)

    monkeypatch.setattr(backbones.Backbone, "extract", counted)
    value = loss(pictures(1), pictures(1, 1))
    assert len(seen) == 2
    wide = loss.double()(pictures(1).double(), pictures(1, 1).double())
    assert len(seen) == 5 and wide.dtype == torch.float64
    assert wide.item() == pytest.approx(value.item(), rel=1e-4)


def test_the_style_is_described_again_by_weights_that_are_loaded(backbone):
    loss, other = perceptual(copy.deepcopy(backbone)), perceptual(copy.deepcopy(backbone))
    with torch.no_grad():
        for parameter in other.backbone.parameters():
            parameter.mul_(-0.5)
    weights = nn.ModuleDict({"loss": other}).state_dict()
    image, content = pictures(1), pictures(1, 1)
    value = other.to("cpu")(image, content)
    for restored in (loss, pickle.loads(pickle.dumps(loss))):
        nn.ModuleDict({"loss": restored}).load_state_dict(weights)
        assert torch.equal(restored(image, content), value)


def test_a_thread_that_comes_while_the_style_is_described_does_not_miss_it(backbone, monkeypatch):
    loss = perceptual(copy.deepcopy(backbone)).double()
    image, content = pictures(1).double(), pictures(1, 1).double()
    values = []
    thread = threading.Thread(target=lambda: values.append(loss(image, content)))
    terms = perceptual_loss.style_terms

    def interrupted(*args, **options):
        if thread.ident is None:
            thread.start()
            thread.join()
        return terms(*args, **options)

    monkeypatch.setattr(perceptual_loss, "style_terms", interrupted)
    assert loss(image, content) == values[0]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_a_loss_made_in_a_mode_is_of_use_outside(mode, backbone):
    with mode():
        loss = perceptual(backbone)
        value = loss(pictures(1), pictures(1, 1)).item()
    image = pictures(1).requires_grad_()
    loss(image, pictures(1, 1)).backward()
    assert image.grad is not None and loss(image, pictures(1, 1)).item() == pytest.approx(value)


def test_it_survives_being_part_of_a_module_and_sent_to_another_process(backbone):
    whole = nn.ModuleDict({"loss": perceptual(backbone), "net": nn.Conv2d(3, 3, 1)}).train()
    assert not whole["loss"].backbone.module.training
    again = pickle.loads(pickle.dumps(whole))["loss"]
    value = whole["loss"](pictures(2), pictures(2, 1))
    assert torch.equal(again(pictures(2), pictures(2, 1)), value)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda b: perceptual(b)(pictures(1)), "no content was given; give it as the second"),
        (lambda b: perceptual(b)(pictures(3), pictures(2)), "3 pictures and 2 targets"),
        (lambda b: perceptual(b)(pictures(0), pictures(0)), "0 pictures and 1 targets"),
        (lambda b: perceptual(b)(pictures(1), pictures(1) * 255), "divide by 255"),
        (lambda b: perceptual(b)(pictures(1).to("meta"), pictures(1)), "pictures on meta"),
        (lambda b: perceptual(b, style_layers=["9"]), "no layer '9'"),
        (lambda b: perceptual(b, style=[], smoothing="tanh"), "fitted to a style, and there is"),
        (lambda b: perceptual(b, style="none.png"), "there is no file"),
        (lambda b: perceptual(b, style=[], content_weight=0, **PLAIN), "no term of the loss has"),
    ],
    ids=[
        "no content",
        "numbers",
        "none",
        "0 to 255",
        "device",
        "layer",
        "smoothing",
        "file",
        "terms",
    ],
)
def test_mistakes_are_one_line(call, words, backbone):
    with pytest.raises(SwagError, match=words) as caught:
        call(backbone)
    assert "\n" not in str(caught.value)


def test_settings_and_names_are_accepted():
    chosen = swag.settings(method="gatys", size=32, weights="random")
    loss = swag.PerceptualLoss(pictures(1)[0], chosen, backbone="swag/resnet", strength=0.3)
    assert loss.settings == swag.settings(chosen, backbone="swag/resnet", strength=0.3)
    assert loss.backbone.name == "swag/resnet"
    assert loss(pictures(1), pictures(1, 1)).item() > 0
