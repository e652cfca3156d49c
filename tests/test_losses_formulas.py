"""Each loss against its formula by loops, and against the paper's and the script's terms."""

import numpy as np
import pytest
import torch

from swag import losses, smoothing
from swag.errors import SettingsError
from swag.losses import content, covariance, gram, moments
from swag.smoothing import parse

D, H, W = 4, 3, 5
M = H * W


@pytest.fixture
def pair(rng):
    return torch.randn(2, 1, D, H, W, generator=rng, dtype=torch.float64)


def flat(features):
    """One picture's layer as the paper's D x M matrix."""
    return features[0].reshape(features.shape[1], -1).double().numpy()


def papers_gram(f):
    """[G]_ij = sum_k F_ik F_jk."""
    channels, positions = f.shape
    g = np.zeros((channels, channels))
    for i in range(channels):
        for j in range(channels):
            for k in range(positions):
                g[i, j] += f[i, k] * f[j, k]
    return g


def papers_sigma(f):
    """exp(F_ik) / sum_mn exp(F_mn)."""
    total = sum(np.exp(f[i, k]) for i in range(f.shape[0]) for k in range(f.shape[1]))
    return np.array([[np.exp(v) / total for v in row] for row in f])


def squared_distance(a, b):
    return sum((x - y) ** 2 for x, y in zip(a.flat, b.flat, strict=True))


def papers_style(a, b):
    d, m = a.shape
    return squared_distance(papers_gram(a), papers_gram(b)) / (4 * d**2 * m**2)


def test_the_gram_matrix_equals_its_definition(pair):
    expected = papers_gram(flat(pair[0])) / M
    np.testing.assert_allclose(gram.describe(pair[0])[0].numpy(), expected, rtol=1e-12)


def test_the_gram_matrix_of_ones_is_ones():
    torch.testing.assert_close(gram.describe(torch.ones(2, 3, 4, 5)), torch.ones(2, 3, 3))


@pytest.mark.parametrize("describe", [gram.describe, covariance.describe, covariance.with_mean])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_products_is_right_and_lies_as_the_map_does(layout, describe):
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(2, 3, 4, 5, generator=rng, dtype=torch.float64)
    features = features.contiguous(memory_format=layout).requires_grad_()
    found = describe(features)
    products = found[-1] if isinstance(found, tuple) else found
    (gradient,) = torch.autograd.grad(products[:, 0, 1].sum(), features)
    assert gradient.is_contiguous(memory_format=layout)
    assert torch.autograd.gradcheck(describe, (features,))


def test_a_large_mean_takes_nothing_from_covariance_and_gradient():
    rng = torch.Generator().manual_seed(0)
    small = torch.randint(-8, 8, (1, 3, 4, 4), generator=rng).double()
    weights = torch.randn(3, 3, generator=rng, dtype=torch.float64)

    def looked_at(features):
        features = features.requires_grad_()
        found = covariance.describe(features)
        (gradient,) = torch.autograd.grad((found * weights.to(found)).sum(), features)
        return found.detach().double(), gradient.double()

    expected, ours = looked_at(small), looked_at((small + 2**15).float())
    for there, here in zip(expected, ours, strict=True):
        torch.testing.assert_close(here, there, rtol=0, atol=1e-3 * there.abs().max().item())


def test_the_covariance_equals_its_definition(pair):
    expected = np.cov(flat(pair[0]), bias=True)
    np.testing.assert_allclose(covariance.describe(pair[0])[0].numpy(), expected, rtol=1e-12)


def test_the_covariance_does_not_notice_a_constant_added_to_a_channel(pair):
    moved = pair[0] + torch.arange(D)[:, None, None]
    torch.testing.assert_close(covariance.describe(moved), covariance.describe(pair[0]))
    torch.testing.assert_close(
        covariance.describe(torch.full((1, 3, 4, 4), 0.7)), torch.zeros(1, 3, 3)
    )


def test_the_moments_equal_their_definition(pair):
    mean, deviation = moments.describe(pair[0])
    f = flat(pair[0])
    np.testing.assert_allclose(mean[0].numpy(), [sum(row) / M for row in f], rtol=1e-12)
    by_hand = [np.sqrt(sum((v - sum(row) / M) ** 2 for v in row) / M) for row in f]
    np.testing.assert_allclose(deviation[0].numpy(), by_hand, atol=1.1e-5)


def test_a_constant_channel_has_deviation_zero_and_a_finite_gradient():
    features = torch.full((1, 2, 3, 3), 4.0, requires_grad=True)
    _, deviation = moments.describe(features)
    assert deviation.tolist() == [[0.0, 0.0]]
    deviation.sum().backward()
    assert features.grad.isfinite().all()


@pytest.mark.parametrize("module", [gram, covariance, content])
def test_comparing_sums_squared_differences(module, pair):
    a, b = module.describe(pair[0]), module.describe(pair[1])
    expected = squared_distance(a.numpy(), b.numpy())
    assert module.compare(a, b).item() == pytest.approx(expected, rel=1e-12)


def test_comparing_moments_sums_over_both(pair):
    a, b = moments.describe(pair[0]), moments.describe(pair[1])
    expected = sum(squared_distance(x.numpy(), y.numpy()) for x, y in zip(a, b, strict=True))
    assert moments.compare(a, b).item() == pytest.approx(expected, rel=1e-12)


def ours(loss, spec, a, b):
    """The paper's term as an objective computes it: mean-one maps, constants outside."""
    smoothing_choice = parse(spec)
    compared = loss.compare(loss.describe(smoothing_choice(a)), loss.describe(smoothing_choice(b)))
    return compared.item() * loss.paper_factor(D, M, smoothing_choice.unit(a.shape))


@pytest.mark.parametrize(("spec", "sigma"), [("none", lambda f: f), ("softmax", papers_sigma)])
@pytest.mark.parametrize(("dtype", "precision"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_papers_style_term_is_met_to_the_letter(spec, sigma, dtype, precision, pair):
    a, b = pair.to(dtype)
    expected = papers_style(sigma(flat(a)), sigma(flat(b)))
    assert ours(losses.get("gram"), spec, a, b) == pytest.approx(expected, rel=precision, abs=0)


@pytest.mark.parametrize(("spec", "sigma"), [("none", lambda f: f), ("softmax", papers_sigma)])
@pytest.mark.parametrize(("dtype", "precision"), [(torch.float64, 1e-12), (torch.float32, 1e-6)])
def test_the_papers_content_term_is_met_to_the_letter(spec, sigma, dtype, precision, pair):
    a, b = pair.to(dtype)
    expected = squared_distance(sigma(flat(a)), sigma(flat(b))) / 2
    assert ours(losses.get("content"), spec, a, b) == pytest.approx(expected, rel=precision, abs=0)


@pytest.mark.parametrize("spec", ["channel-softmax", "spatial-softmax"])
def test_other_softmaxes_get_the_papers_constants_by_their_own_unit(spec, pair):
    function = {
        "channel-softmax": smoothing.channel_softmax,
        "spatial-softmax": smoothing.spatial_softmax,
    }[spec]
    expected = papers_style(flat(function(pair[0])), flat(function(pair[1])))
    assert ours(losses.get("gram"), spec, *pair) == pytest.approx(expected, rel=1e-12, abs=0)


def test_float32_meets_the_paper_where_its_own_terms_leave_float32(rng):
    a, b = torch.randn(2, 1, 64, 64, 64, generator=rng).relu()
    gram_loss, choice = losses.get("gram"), parse("softmax")
    factor = gram_loss.paper_factor(64, 64 * 64, choice.unit(a.shape))

    def term(x, y):
        described = gram_loss.describe(choice(x)), gram_loss.describe(choice(y))
        return gram_loss.compare(*described).item() * factor

    assert 0 < term(a, b) < 1e-22
    assert term(a, b) == pytest.approx(term(a.double(), b.double()), rel=1e-4, abs=0)


def test_the_scripts_style_term_is_met(pair):
    a, b = (papers_gram(flat(f)) / (D * M) for f in pair)
    expected = squared_distance(a, b) / D**2
    loss = losses.get("gram")
    compared = loss.compare(loss.describe(pair[0]), loss.describe(pair[1])).item()
    assert compared * loss.released_factor(D, M) == pytest.approx(expected, rel=1e-12)


def test_the_scripts_content_term_is_met(pair):
    expected = np.mean((flat(pair[0]) - flat(pair[1])) ** 2)
    loss = losses.get("content")
    compared = loss.compare(loss.describe(pair[0]), loss.describe(pair[1])).item()
    assert compared * loss.released_factor(D, M) == pytest.approx(expected, rel=1e-12)


def test_the_covariance_takes_the_place_of_the_gram_matrix():
    a, b = losses.get("covariance"), losses.get("gram")
    assert a.paper_factor(D, M, 0.25) == b.paper_factor(D, M, 0.25)
    assert a.released_factor(D, M) == b.released_factor(D, M)


def test_moments_are_weighed_as_by_their_authors_and_not_by_the_script(pair):
    loss = losses.get("moments")
    unit = 0.125
    compared = loss.compare(loss.describe(pair[0]), loss.describe(pair[1])).item()
    scaled = loss.compare(loss.describe(pair[0] * unit), loss.describe(pair[1] * unit)).item()
    assert compared * loss.paper_factor(D, M, unit) == pytest.approx(scaled / D, rel=1e-3)
    with pytest.raises(SettingsError, match="released script has no loss like moments"):
        loss.released_factor(D, M)
