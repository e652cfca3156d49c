"""The objective against the paper, written out by loops in NumPy float64."""

import numpy as np
import pytest
import torch

from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.smoothing import parse


def layers_of(image, layers):
    """Two "layers" of any picture: its channels mixed by fixed matrices, without a network."""
    rng = torch.Generator().manual_seed(7)
    found = {}
    for name, d in (("shallow", 4), ("deep", 5)):
        mix = torch.randn(d, 3, generator=rng, dtype=image.dtype)
        found[name] = torch.einsum("dc,bchw->bdhw", mix, image).relu()
    return {name: found[name] for name in layers}


def picture(seed, *size, dtype=torch.float64):
    return torch.rand(1, 3, *size, generator=torch.Generator().manual_seed(seed), dtype=dtype)


def paper_softmax(f):
    e = np.exp(f)
    return e / e.sum()


def paper_gram(f):
    d, m = f.shape
    g = np.zeros((d, d))
    for i in range(d):
        for j in range(d):
            g[i, j] = sum(f[i, k] * f[j, k] for k in range(m))
    return g


def loss_of_the_paper(x, content, style, sigma, weights, layer):
    """alpha L_content + beta L_style of the paper, term by term."""
    flat = [
        {k: v[0].flatten(1).numpy() for k, v in layers_of(p, ("shallow", "deep")).items()}
        for p in (x, content, style)
    ]
    fx, fc, fs = flat
    style_loss = 0.0
    for name, w in weights.items():
        d, m = fx[name].shape
        gap = paper_gram(sigma(fx[name])) - paper_gram(sigma(fs[name]))
        style_loss += w / (4 * d**2 * m**2) * (gap**2).sum()
    content_loss = 0.5 * ((sigma(fx[layer]) - sigma(fc[layer])) ** 2).sum()
    return {"style": style_loss, "content": content_loss}


def objective(content, style, smoothing, normalization, start=None):
    weights = {"shallow": 0.3, "deep": 0.7}
    terms = [
        LossTerm(
            "style", get("gram"), weights, style, parse(smoothing), 1.0, normalization, content
        ),
        LossTerm(
            "content", get("content"), {"deep": 1.0}, content, parse(smoothing), 1.0, normalization,
            style,
        ),
    ]  # fmt: skip
    return Objective.of(layers_of, terms, start=content if start is None else start, style=style)


@pytest.mark.parametrize(("spec", "sigma"), [("none", lambda f: f), ("softmax", paper_softmax)])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float64, 1e-12), (torch.float32, 1e-5)])
def test_the_paper_normalization_is_the_papers_loss_to_the_letter(spec, sigma, dtype, close):
    content, style, x = (picture(seed, 5, 6) for seed in (1, 2, 3))
    expected = loss_of_the_paper(x, content, style, sigma, {"shallow": 0.3, "deep": 0.7}, "deep")
    got = objective(content.to(dtype), style.to(dtype), spec, "paper")(x.to(dtype))
    for name, value in expected.items():
        assert float(got[name]) == pytest.approx(value, rel=close)


def test_the_released_code_normalization_is_the_authors_mean_squares():
    content, style, x = (picture(seed, 5, 6) for seed in (1, 2, 3))
    got = objective(content, style, "scale:alpha=0.001@deep", "released-code")(x)
    expected = 0.0
    for name, w, alpha in (("shallow", 0.3, 1.0), ("deep", 0.7, 0.001)):
        fx, fs = (alpha * layers_of(p, (name,))[name][0].flatten(1).numpy() for p in (x, style))
        d, m = fx.shape
        expected += w * ((paper_gram(fx) / (d * m) - paper_gram(fs) / (d * m)) ** 2).mean()
    assert float(got["style"]) == pytest.approx(expected, rel=1e-10)
    fx, fc = (0.001 * layers_of(p, ("deep",))["deep"].numpy() for p in (x, content))
    assert float(got["content"]) == pytest.approx(((fx - fc) ** 2).mean(), rel=1e-10)


@pytest.mark.parametrize("spec", ["none", "softmax:temperature=auto", "power", "tanh"])
def test_spans_run_from_zero_to_one_between_the_two_pictures(spec):
    content, style = picture(1, 6, 6), picture(2, 6, 6)
    span = objective(content, style, spec, "span")
    at_content, at_style = span(content), span(style)
    assert float(at_content["content"]) == pytest.approx(0, abs=1e-12)
    assert float(at_content["style"]) == pytest.approx(1, rel=1e-6)
    assert float(at_style["style"]) == pytest.approx(0, abs=1e-12)
    assert float(at_style["content"]) == pytest.approx(1, rel=1e-6)


def test_initial_is_one_at_the_start_and_target_is_one_for_an_empty_picture():
    content, style, start = (picture(seed, 5, 5) for seed in (1, 2, 3))
    assert float(objective(content, style, "none", "initial", start)(start)["style"]) == (
        pytest.approx(1, rel=1e-9)
    )
    empty = objective(content, style, "none", "target")(torch.zeros_like(content))
    assert float(empty["style"]) == pytest.approx(1, rel=1e-9)


def test_equal_pictures_have_finite_terms():
    same = picture(1, 5, 5)
    assert all(torch.isfinite(v) for v in objective(same, same, "none", "span")(same).values())


@pytest.mark.parametrize("normalization", ["span", "paper"])
def test_the_gradient_is_that_of_finite_differences(normalization):
    content, style, x = (picture(seed, 4, 4) for seed in (1, 2, 3))
    loss = objective(content, style, "softmax", normalization)
    # 1e12 lifts the paper's constants above gradcheck's absolute floor.
    lift = 1e12 if normalization == "paper" else 1.0
    assert torch.autograd.gradcheck(
        lambda p: lift * torch.stack(list(loss(p).values())).sum(), (x.requires_grad_(),)
    )


def test_penalties_are_weighted_terms_and_zero_weights_cost_nothing():
    content, style = picture(1, 5, 5), picture(2, 5, 5)
    only = Objective.of(
        layers_of, [], start=content, style=style,
        penalties={"pixel_range": 2.0, "total_variation": 0.0},
    )  # fmt: skip
    got = only(content + 1)
    assert list(got) == ["pixel_range"]
    assert float(got["pixel_range"]) == pytest.approx(2 * float((content**2).mean()), rel=1e-9)
