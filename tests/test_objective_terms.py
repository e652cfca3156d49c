"""Terms: several layers at once, several targets, regions, and the control of smoothing."""

import pytest
import torch

from swag import losses
from swag.losses.loss import Loss, mean_of
from swag.objective import LossTerm, Objective
from swag.smoothing import parse


@pytest.fixture
def pictures(rng):
    return torch.rand(3, 1, 3, 8, 10, generator=rng, dtype=torch.float64)


def extract(image, layers):
    """Two layers by hand: four times the picture, and its halved absolute differences."""
    maps = {"near": 4 * image, "far": 0.5 * (image[:, :, ::2, ::2] - 0.5).abs()}
    return {layer: maps[layer] for layer in layers}


def term(picture, **changes):
    given = {
        "name": "style", "loss": losses.get("gram"), "layers": {"near": 1.0, "far": 1.0},
        "target": picture, "smoothing": parse("none"),
    }  # fmt: skip
    return LossTerm(**{**given, **changes})


def objective(terms, pictures, calls=extract):
    return Objective.of(calls, terms, start=pictures[1], style=pictures[0])


def joint_loss():
    """The squared difference of the sums of two maps of different sizes."""

    def describe(maps, mask=None):
        assert mask is None or mask.shape[2:] == maps[0].shape[2:]
        return torch.stack([m.mean((1, 2, 3)) for m in maps], 1)

    def compare(a, b):
        return (a - b).square().sum(1)

    return Loss("sums", "style", describe, compare, "for tests", "none", joint=True)


def test_the_picture_itself_is_a_layer(pictures):
    read = []

    def counted(image, layers):
        read.append(tuple(layers))
        return extract(image, layers)

    found = objective([term(pictures[0], layers={"pixels": 1.0})], pictures, counted)
    assert found.layers == ("pixels",)
    gram = losses.get("gram")
    a, b, c = (gram.describe(x) for x in pictures)
    expected = gram.compare(c, a) / gram.compare(b, a)
    assert found(pictures[2])["style"].item() == pytest.approx(expected.item())
    assert read == []


def test_the_pixels_are_not_smoothed(pictures):
    plain = objective([term(pictures[0], layers={"pixels": 1.0})], pictures)
    smoothed = objective(
        [term(pictures[0], layers={"pixels": 1.0}, smoothing=parse("softmax"))], pictures
    )
    assert plain(pictures[2])["style"] == smoothed(pictures[2])["style"]


def test_a_joint_loss_sees_all_layers_in_their_units(pictures):
    found = objective(
        [term(pictures[0], loss=joint_loss(), layers={"near": 1, "far": 4})], pictures
    )
    assert len(found.parts) == 1 and found.parts[0].view.layers == ("near", "far")
    near, far = (extract(pictures[0], ["near", "far"])[layer] for layer in ("near", "far"))
    units = near.square().mean().sqrt().item(), far.square().mean().sqrt().item() / 2
    assert found.parts[0].view.map_scales == pytest.approx(units)

    def described(picture):
        maps = extract(picture, ["near", "far"])
        return [maps["near"].mean().item() / units[0], maps["far"].mean().item() / units[1]]

    a, b, c = (torch.tensor(described(x)) for x in pictures)
    expected = (c - a).square().sum() / (b - a).square().sum()
    assert found(pictures[2])["style"].item() == pytest.approx(expected.item(), rel=1e-5)


def test_a_joint_loss_has_no_counterpart_in_the_paper(pictures):
    with pytest.raises(Exception, match="neither the paper nor the released script"):
        objective([term(pictures[0], loss=joint_loss(), normalization="paper")], pictures)


def test_several_targets_count_as_one(pictures):
    both = objective([term((pictures[0], pictures[2]), normalization="target")], pictures)
    gram = losses.get("gram")
    for part, layer in zip(both.parts, ("near", "far"), strict=True):
        described = [gram.describe(extract(x, [layer])[layer]) for x in (pictures[0], pictures[2])]
        torch.testing.assert_close(part.target, (described[0] + described[1]) / 2)


def test_the_mean_of_descriptions_is_taken_part_by_part():
    a, b = (torch.zeros(1, 2), torch.ones(1)), (torch.full((1, 2), 2.0), torch.zeros(1))
    assert [x.tolist() for x in mean_of([a, b])] == [[[1.0, 1.0]], [0.5]]


def test_a_term_of_a_region_sees_nothing_else(pictures):
    mask = torch.zeros(1, 1, 8, 10, dtype=torch.float64)
    mask[..., :4] = 1
    found = objective([term(pictures[0], layers={"near": 1}, mask=mask)], pictures)
    moved = pictures[2].clone()
    moved[..., 4:] = 0.1
    assert found(moved)["style"].item() == pytest.approx(found(pictures[2])["style"].item())
    moved[..., :4] = 0.1
    assert found(moved)["style"].item() != pytest.approx(found(pictures[2])["style"].item())


def test_a_region_of_the_target_is_all_that_is_aimed_at(pictures):
    mask = torch.zeros(1, 1, 4, 5, dtype=torch.float64)
    mask[..., :2] = 1  # of half the picture's size: pooled or enlarged to that of the map
    found = objective(
        [term(pictures[0], layers={"far": 1}, target_mask=mask, normalization="target")], pictures
    )
    gram = losses.get("gram")
    expected = gram.describe(extract(pictures[0][..., :4], ["far"])["far"])
    torch.testing.assert_close(found.parts[0].target, expected)


@pytest.mark.parametrize("normalization", ["paper", "target", "released-code"])
def test_matched_by_loss_smoothing_changes_no_error_at_the_other_picture(pictures, normalization):
    plain = term(pictures[0], normalization=normalization, unit_image=pictures[2])
    smooth = term(
        pictures[0], normalization=normalization, unit_image=pictures[2],
        smoothing=parse("power:exponent=0.5"), matched="loss",
    )  # fmt: skip
    found, expected = objective([smooth], pictures), objective([plain], pictures)
    features = extract(pictures[2], ["near", "far"])
    for a, b in zip(found.parts, expected.parts, strict=True):
        assert a.error(features).item() == pytest.approx(b.error(features).item())
    assert found(pictures[1])["style"].item() != pytest.approx(
        expected(pictures[1])["style"].item(), rel=1e-3
    )


def test_matched_by_gradient_smoothing_pulls_each_layer_as_hard(pictures):
    def pull(part):
        pixels = pictures[2].clone().requires_grad_()
        error = part.error(extract(pixels, part.view.layers))
        return torch.autograd.grad(error, pixels)[0].norm().item()

    plain = term(pictures[0], unit_image=pictures[2])
    smooth = term(
        pictures[0],
        unit_image=pictures[2],
        smoothing=parse("softmax:temperature=1"),
        matched="gradient",
    )
    found, expected = objective([smooth], pictures), objective([plain], pictures)
    for a, b in zip(found.parts, expected.parts, strict=True):
        assert pull(a) == pytest.approx(pull(b), rel=1e-6)


def test_each_picture_is_read_once_for_all_terms(pictures):
    read = []

    def counted(image, layers):
        read.append(image)
        return extract(image, layers)

    style, photo, _ = pictures
    terms = [term(style), term(style, name="again")]
    Objective.of(counted, terms, start=photo, style=style)
    assert len(read) == 2  # the style and the first picture
