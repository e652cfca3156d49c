"""The loop: what holds for every method."""

import json
import math
from dataclasses import fields, replace
from functools import partial

import pytest
import torch
from safetensors.torch import load_file, save_file

from swag.errors import OptimizationError
from swag.optimize import Adam, Lbfgs, State, TorchLbfgs, optimize

METHODS = [Adam(), Lbfgs(), TorchLbfgs()]
every_method = pytest.mark.parametrize("method", METHODS, ids=lambda method: type(method).__name__)


def picture(seed, *, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, 8, 8, generator=generator, dtype=torch.float64).to(dtype)


def gram(image, kernels):
    features = torch.tanh(torch.nn.functional.conv2d(image, kernels)).flatten(2)
    return features @ features.mT / features.shape[-1]


def style_like(*, scale=1.0, dtype=torch.float32):
    """A small stand-in for style transfer: distances of pixels and of Gram matrices."""
    generator = torch.Generator().manual_seed(5)
    kernels = torch.randn(4, 3, 3, 3, generator=generator, dtype=torch.float64).to(dtype) / 3
    content = picture(1, dtype=dtype)
    weights = torch.logspace(-2, 0, 192, dtype=dtype).view_as(content)
    target = gram(picture(2, dtype=dtype), kernels)

    def loss(image):
        return {
            "content": scale * (weights * (image - content).square()).sum() / 20,
            "style": scale * (gram(image, kernels) - target).square().sum(),
        }

    return loss


class Recorded:
    """A loss that counts its evaluations and is spoilt at some of them."""

    def __init__(self, loss, *, spoil_at=(), spoil=lambda image: image.sum() * math.nan):
        self.loss, self.spoil_at, self.spoil = loss, spoil_at, spoil
        self.calls = 0

    def __call__(self, image):
        self.calls += 1
        terms = self.loss(image)
        if self.calls in self.spoil_at:
            terms["content"] = terms["content"] + self.spoil(image)
        return terms


def pictures(iterator):
    return [step.image.clone() for step in iterator]


def tensors_of(state):
    named = {field.name: getattr(state, field.name) for field in fields(state)}
    memory = {f"memory.{name}": tensor for name, tensor in named.pop("memory").items()}
    named = {name: value for name, value in named.items() if isinstance(value, torch.Tensor)}
    return named | memory


def save(state, folder):
    save_file({name: tensor.clone() for name, tensor in tensors_of(state).items()}, folder / "t.st")
    rest = {field.name: getattr(state, field.name) for field in fields(state)}
    rest = {name: value for name, value in rest.items() if isinstance(value, int | float)}
    (folder / "rest.json").write_text(json.dumps(rest))


def load(folder):
    tensors = load_file(folder / "t.st")
    memory = {name[7:]: tensors.pop(name) for name in list(tensors) if name[:7] == "memory."}
    return State(**tensors, memory=memory, **json.loads((folder / "rest.json").read_text()))


@every_method
def test_the_loss_falls(method):
    losses = [
        sum(step.losses.values())
        for step in optimize(State(picture(0)), style_like(), method, steps=40)
    ]
    assert min(losses) < 0.1 * losses[0]


@every_method
@pytest.mark.parametrize("average", [None, 0.9])
@pytest.mark.parametrize("stop", [1, 2, 13])
def test_a_resumed_run_equals_one_that_never_stopped(method, average, stop, tmp_path):
    run = partial(optimize, loss=style_like(), optimizer=method, steps=25, ema_decay=average)
    through = pictures(run(State(picture(0))))
    first = run(State(picture(0)))
    for _ in range(stop):
        step = next(first)
    save(step.state, tmp_path)
    resumed = pictures(run(load(tmp_path)))
    assert len(resumed) == len(through) - stop
    assert all(torch.equal(a, b) for a, b in zip(resumed, through[stop:], strict=True))


def spoilt_once(method, *, at):
    """A loss that is not finite in one whole step; L-BFGS tries ten times."""
    return Recorded(
        style_like(), spoil_at=range(at, at + method.trials if type(method) is Lbfgs else at + 1)
    )


@every_method
def test_a_run_resumed_after_a_return_equals_one_that_never_stopped(method, tmp_path):
    through = pictures(optimize(State(picture(0)), spoilt_once(method, at=5), method, steps=20))
    first = optimize(State(picture(0)), spoilt_once(method, at=5), method, steps=20)
    step = next(step for step in first if step.state.rollbacks)
    save(step.state, tmp_path)
    resumed = pictures(optimize(load(tmp_path), style_like(), method, steps=20))
    assert (step.state.step_scale, step.state.rollbacks) == (0.5, 1)
    rest = through[step.index + 1 :]
    assert len(resumed) == len(rest) > 0
    assert all(torch.equal(a, b) for a, b in zip(resumed, rest, strict=True))


@every_method
def test_the_same_run_twice_gives_the_same_bits(method):
    run = partial(optimize, loss=style_like(), optimizer=method, steps=20)
    one, two = (pictures(run(State(picture(0)))) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(one, two, strict=True))


@every_method
def test_the_state_given_is_left_as_it_is(method):
    *_, last = optimize(State(picture(0)), style_like(), method, steps=8, ema_decay=0.9)
    given = replace(last.state, memory=dict(last.state.memory))
    before = {name: tensor.clone() for name, tensor in tensors_of(given).items()}
    list(optimize(given, style_like(), method, steps=16, ema_decay=0.9))
    assert (given.step, given.ema_steps) == (8, 8)
    after = tensors_of(given)
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


@every_method
def test_the_losses_of_a_step_are_those_of_its_picture(method):
    loss = style_like()
    for step in optimize(State(picture(0)), loss, method, steps=10):
        assert step.losses == {name: term.item() for name, term in loss(step.image).items()}


@every_method
def test_the_losses_of_an_averaged_step_are_those_of_the_iterate(method):
    loss = style_like()
    for step in optimize(State(picture(0)), loss, method, steps=5, ema_decay=0.5):
        assert step.losses == {name: term.item() for name, term in loss(step.state.image).items()}


@every_method
def test_indices_count_from_zero_and_states_count_the_steps_done(method):
    steps = [
        (step.index, step.state.step)
        for step in optimize(State(picture(0)), style_like(), method, steps=3)
    ]
    assert steps == [(0, 1), (1, 2), (2, 3)]


@every_method
def test_a_run_that_is_done_yields_nothing(method):
    assert not list(optimize(State(picture(0), step=3), style_like(), method, steps=3))


@pytest.mark.parametrize("method", [Adam(), TorchLbfgs()])
def test_a_step_is_one_evaluation_after_the_one_of_the_first_picture(method):
    loss = Recorded(style_like())
    list(optimize(State(picture(0)), loss, method, steps=20))
    assert loss.calls == 21


def test_a_step_of_lbfgs_is_almost_always_one_evaluation():
    loss = Recorded(style_like())
    list(optimize(State(picture(0)), loss, Lbfgs(), steps=30))
    assert 31 <= loss.calls <= 34


@every_method
@pytest.mark.parametrize("decay", [0.5, 0.99])
def test_the_average_of_the_iterates_equals_its_closed_form(method, decay):
    state = State(picture(0, dtype=torch.float64))
    loss, iterates = style_like(dtype=torch.float64), []
    for count, step in enumerate(optimize(state, loss, method, steps=12, ema_decay=decay), 1):
        iterates.append(step.state.image)
        weights = [(1 - decay) * decay ** (count - i) for i in range(1, count + 1)]
        mean = sum(w * x for w, x in zip(weights, iterates, strict=True)) / sum(weights)
        torch.testing.assert_close(step.image, mean, rtol=1e-12, atol=1e-12)


def test_an_average_that_begins_late_is_an_average_from_there_on():
    loss = style_like()
    *_, last = optimize(State(picture(0)), loss, Adam(), steps=10)
    step = next(optimize(last.state, loss, Adam(), steps=11, ema_decay=0.99))
    torch.testing.assert_close(step.image, step.state.image)


def spoilt_value(image):
    return image.sum() * math.inf


def spoilt_gradient(image):
    return (image.sum() * 0).sqrt()


@pytest.mark.parametrize("spoil", [spoilt_value, spoilt_gradient])
@pytest.mark.parametrize("method", [Adam(rate=0.3), TorchLbfgs()])
def test_a_run_that_leaves_the_finite_numbers_goes_back_to_its_best_picture(method, spoil):
    clean = list(optimize(State(picture(0)), style_like(), method, steps=9))
    images = [picture(0), *pictures(optimize(State(picture(0)), style_like(), method, steps=9))]
    first = sum(style_like()(picture(0)).values()).item()
    values = [first, *(sum(step.losses.values()) for step in clean)]
    best = images[values.index(min(values))]
    loss = Recorded(style_like(), spoil_at=[11], spoil=spoil)
    *_, step = optimize(State(picture(0)), loss, method, steps=10)
    assert torch.equal(step.image, best)
    assert sum(step.losses.values()) == pytest.approx(min(values))
    assert (step.state.step_scale, step.state.rollbacks, step.state.memory) == (0.5, 1, {})


def test_a_return_is_to_the_best_picture_even_where_it_is_not_the_latest():
    first = picture(1)  # the minimum of the content; momentum of Adam leads away from it
    away = style_like()
    start = sum(away(first).values()).item()
    loss = Recorded(lambda x: {"content": (x - first).abs().sum() + 1}, spoil_at=[7])
    steps = list(optimize(State(first + 1e-3), loss, Adam(rate=0.2), steps=6))
    assert steps[4].losses["content"] > 2 > start
    assert torch.equal(steps[5].image, first + 1e-3)


@pytest.mark.parametrize("spoil", [spoilt_value, spoilt_gradient])
def test_lbfgs_shortens_a_step_into_a_bad_region_and_remembers(spoil):
    loss = Recorded(style_like(), spoil_at=[3, 4], spoil=spoil)
    *_, step = optimize(State(picture(0)), loss, Lbfgs(), steps=5)
    assert (step.state.rollbacks, step.state.step_scale) == (0, 1.0)
    assert step.state.memory["pairs"] == 5
    assert loss.calls >= 8


def test_lbfgs_goes_back_where_every_trial_of_a_step_is_bad():
    (best,) = pictures(optimize(State(picture(0)), style_like(), Lbfgs(), steps=1))
    loss = Recorded(style_like(), spoil_at=range(3, 13))
    *_, step = optimize(State(picture(0)), loss, Lbfgs(), steps=2)
    assert torch.equal(step.image, best)
    assert (step.state.step_scale, step.state.rollbacks, step.state.memory) == (0.5, 1, {})


@every_method
def test_a_run_that_went_back_goes_on_downwards(method):
    loss = spoilt_once(method, at=5)
    *_, step = optimize(State(picture(0)), loss, method, steps=60)
    assert step.state.rollbacks == 1
    assert step.state.best_value < 0.1


@every_method
def test_a_run_gives_up_when_it_would_go_back_a_fourth_time(method):
    start = picture(0)

    def cliff(image):
        return {
            "content": (image - start / 2).square().sum()
            * (1 if torch.equal(image, start) else math.nan)
        }

    run, seen = optimize(State(start), cliff, method, steps=100), []
    with pytest.raises(OptimizationError) as error:
        for step in run:
            seen.append((step.state.rollbacks, step.state.step_scale))
    assert seen == [(1, 0.5), (2, 0.25), (3, 0.125)]
    assert "4 times" in str(error.value) and "step 4" in str(error.value)
    assert "\n" not in str(error.value)


@every_method
@pytest.mark.parametrize("spoil", [spoilt_value, spoilt_gradient])
def test_a_first_picture_whose_loss_is_not_finite_is_refused(method, spoil):
    loss = Recorded(style_like(), spoil_at=[1], spoil=spoil)
    with pytest.raises(OptimizationError, match="first picture") as error:
        next(optimize(State(picture(0)), loss, method, steps=5))
    assert "\n" not in str(error.value) and "content" in str(error.value)


@pytest.mark.parametrize("method", [Adam(), Lbfgs()])
@pytest.mark.parametrize("scale", [1e-25, 1e17])
def test_the_scale_of_the_loss_does_not_matter(method, scale):
    dtype = torch.float64
    run = partial(optimize, optimizer=method, steps=40)
    plain = pictures(run(State(picture(0, dtype=dtype)), loss=style_like(dtype=dtype)))
    scaled = pictures(
        run(State(picture(0, dtype=dtype)), loss=style_like(scale=scale, dtype=dtype))
    )
    for a, b in zip(plain, scaled, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-7)


@pytest.mark.parametrize("method", [Adam(), Lbfgs()])
@pytest.mark.parametrize("scale", [1e-25, 1e17])
def test_the_scale_of_the_loss_does_not_matter_in_single_precision(method, scale):
    run = partial(optimize, optimizer=method, steps=15)
    plain = pictures(run(State(picture(0)), loss=style_like()))
    scaled = pictures(run(State(picture(0)), loss=style_like(scale=scale)))
    for a, b in zip(plain, scaled, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-4)


@pytest.mark.parametrize("method", [Adam(), Lbfgs()])
def test_a_small_loss_is_no_reason_to_stop(method):
    steps = list(optimize(State(picture(0)), style_like(scale=1e-25), method, steps=30))
    assert len(steps) == 30
    assert sum(steps[-1].losses.values()) < 0.2 * sum(steps[0].losses.values())


def test_losses_of_zero_and_below_zero_are_minimized_too():
    target = picture(1, dtype=torch.float64)
    start = picture(0, dtype=torch.float64)
    offset = (start - target).square().sum()
    for shift in (offset, offset + 1):
        loss = partial(lambda shift, x: {"a": (x - target).square().sum() - shift}, shift)
        *_, step = optimize(State(start), loss, Lbfgs(), steps=60)
        torch.testing.assert_close(step.state.image, target, rtol=0, atol=1e-6)
