"""L-BFGS against SciPy's, against the explicit inverse Hessian, and at minima."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from scipy.optimize import fmin_l_bfgs_b

from swag.optimize import Adam, Lbfgs, State, blocks, optimize

SHAPE = (1, 3, 6, 6)
SIZE = 108


def picture(seed):
    return torch.rand(SHAPE, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def curvatures(condition):
    """Eigenvalues of a Hessian in a rotated basis, evenly spread on a logarithmic scale."""
    generator = torch.Generator().manual_seed(9)
    basis, _ = torch.linalg.qr(torch.randn(SIZE, SIZE, generator=generator, dtype=torch.float64))
    values = torch.logspace(0, np.log10(condition), SIZE, dtype=torch.float64)
    return (basis * values) @ basis.T


def quadratic(condition, target):
    hessian = curvatures(condition)

    def loss(image):
        away = (image - target).flatten()
        return {"quadratic": away @ hessian @ away / 2}

    return loss


def rosenbrock(image):
    x, y = image.flatten()[::2], image.flatten()[1::2]
    return {"valley": 100 * (y - x.square()).square().sum() + (1 - x).square().sum()}


class Traced:
    """A loss that keeps every picture it saw and the loss there."""

    def __init__(self, loss):
        self.loss = loss
        self.images, self.values = [], []

    def __call__(self, image):
        terms = self.loss(image)
        self.images.append(image.detach().clone())
        self.values.append(sum(terms.values()).item())
        return terms

    def evaluations_until(self, value):
        return next(i for i, seen in enumerate(self.values, 1) if seen <= value)


def run(loss, start, steps, method=None):
    return list(optimize(State(start), loss, method or Lbfgs(), steps=steps))


def scipy_evaluations(loss, start, value):
    traced = Traced(loss)

    def flat(x):
        image = torch.from_numpy(x.reshape(SHAPE).copy()).requires_grad_()
        total = sum(traced(image).values())
        (gradient,) = torch.autograd.grad(total, image)
        return total.item(), gradient.numpy().ravel()

    fmin_l_bfgs_b(flat, start.numpy().ravel(), m=10, factr=0, pgtol=0, maxiter=3000, maxfun=3000)
    return traced.evaluations_until(value)


@pytest.mark.parametrize("condition", [10, 1e3, 1e5])
def test_ill_conditioned_quadratics_take_about_as_many_evaluations_as_with_scipy(condition):
    loss, start = quadratic(condition, picture(1)), picture(0)
    traced = Traced(loss)
    run(traced, start, 1500)
    goal = 1e-8 * traced.values[0]
    assert traced.evaluations_until(goal) <= 1.5 * scipy_evaluations(loss, start, goal) + 5


def test_the_valley_of_rosenbrock_takes_about_as_many_evaluations_as_with_scipy():
    start = torch.tensor([-1.2, 1.0], dtype=torch.float64).repeat(SIZE // 2).view(SHAPE)
    start = start + 0.1 * picture(0)
    traced = Traced(rosenbrock)
    run(traced, start, 600)
    goal = 1e-10 * traced.values[0]
    assert traced.evaluations_until(goal) <= 2 * scipy_evaluations(rosenbrock, start, goal)
    torch.testing.assert_close(traced.images[-1], torch.ones_like(start), rtol=0, atol=1e-4)


def steepest_descent(condition, loss, start, evaluations):
    """With the best constant length, 2 / (smallest + largest curvature)."""
    image, values = start, []
    for _ in range(evaluations):
        image = image.detach().requires_grad_()
        total = sum(loss(image).values())
        (gradient,) = torch.autograd.grad(total, image)
        values.append(total.item())
        image = image - 2 / (1 + condition) * gradient
    return values


@pytest.mark.parametrize("condition", [10, 1e3, 1e5])
def test_it_is_never_worse_than_steepest_descent_after_equal_evaluations(condition):
    loss = quadratic(condition, picture(1))
    traced = Traced(loss)
    run(traced, picture(0), 100)
    descent = steepest_descent(condition, loss, picture(0), 100)
    for evaluations in (20, 40, 60, 100):
        ours = min(traced.values[:evaluations])
        assert ours <= min(descent[:evaluations])


def explicit_inverse_hessian(steps, changes):
    """The textbook's product formula in full matrices (Nocedal & Wright 2006, 7.16 and 7.20)."""
    s, y = steps[-1], changes[-1]
    inverse = np.eye(len(s)) * (s @ y) / (y @ y)
    for s, y in zip(steps, changes, strict=True):
        rho = 1 / (y @ s)
        left = np.eye(len(s)) - rho * np.outer(s, y)
        inverse = left @ inverse @ left.T + rho * np.outer(s, s)
    return inverse


@pytest.mark.parametrize("history", [1, 3, 10])
def test_every_direction_is_that_of_the_explicit_inverse_hessian(history):
    target, hessian = picture(1), curvatures(50).numpy()
    traced = Traced(quadratic(50, target))
    method = Lbfgs(history=history, largest_change=1e9)
    iterates = [picture(0).numpy().ravel()]
    seen = 1
    checked = 0
    for step in optimize(State(picture(0)), traced, method, steps=25):
        if len(iterates) > 1:
            gradients = [hessian @ (x - target.numpy().ravel()) for x in iterates]
            inverse = explicit_inverse_hessian(
                np.diff(iterates, axis=0)[-history:], np.diff(gradients, axis=0)[-history:]
            )
            expected = iterates[-1] - inverse @ gradients[-1]
            first_trial = traced.images[seen].numpy().ravel()
            np.testing.assert_allclose(first_trial, expected, rtol=0, atol=1e-9)
            checked += 1
        iterates.append(step.image.numpy().ravel())
        seen = len(traced.images)
    assert checked == 24


def test_the_loss_never_rises():
    steps = run(rosenbrock, picture(0), 200)
    values = [step.losses["valley"] for step in steps]
    assert all(after <= before for before, after in pairwise(values))


def test_no_pixel_changes_by_more_than_the_limits():
    method = Lbfgs(first_change=0.01, largest_change=0.03)
    images = [picture(0) + 5, *(step.image for step in run(rosenbrock, picture(0) + 5, 30, method))]
    changes = [(b - a).abs().max().item() for a, b in pairwise(images)]
    assert changes[0] <= 0.01 + 1e-12
    assert max(changes[1:]) == pytest.approx(0.03)


@pytest.mark.parametrize("step_scale", [1.0, 0.25])
def test_caution_lowers_the_limit_of_a_step(step_scale):
    state = State(picture(0), step_scale=step_scale)
    step = next(optimize(state, quadratic(10, picture(0) + 9), Lbfgs(), steps=1))
    assert (step.image - picture(0)).abs().max().item() == pytest.approx(0.05 * step_scale)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_run_ends_at_a_minimum(dtype):
    target = picture(1).to(dtype)
    traced = Traced(lambda x: {"distance": (x - target).square().sum() + 1})
    steps = run(traced, picture(0).to(dtype), 500)
    assert 3 <= len(steps) < 40
    assert len(traced.values) < 100
    tolerance = 3e-3 if dtype == torch.float32 else 1e-7
    torch.testing.assert_close(steps[-1].image, target, rtol=0, atol=tolerance)


@pytest.mark.parametrize("condition", [10, 1e3])
def test_a_step_too_short_for_the_precision_ends_a_run_and_is_no_loss_out_of_bounds(condition):
    target, hessian = picture(1).float(), curvatures(condition).float()

    def loss(image):
        away = (image - target).flatten()
        return {"quadratic": away @ hessian @ away}

    *_, last = run(loss, picture(0).float(), 2000)
    assert last.index < 1000
    assert (last.state.rollbacks, last.state.step_scale) == (0, 1.0)


def test_a_run_that_begins_at_a_minimum_yields_nothing():
    target = picture(1)
    assert not run(lambda x: {"distance": (x - target).square().sum()}, target, 10)


def test_pairs_that_mislead_are_forgotten_before_a_run_ends():
    loss, start = quadratic(1e3, picture(1)), picture(0)
    *_, last = run(loss, start, 5)
    state = last.state
    generator = torch.Generator().manual_seed(3)
    for name in ("steps", "changes"):  # of no problem at all
        shape = state.memory[name].shape
        state.memory[name] = torch.randn(shape, generator=generator, dtype=torch.float64)
    state.memory["changes"] = state.memory["changes"] * 1e-12 + state.memory["steps"] * 1e-13
    step = next(optimize(state, loss, Lbfgs(), steps=6))
    assert step.losses["quadratic"] < last.losses["quadratic"]


def test_a_direction_that_finds_no_decrease_is_followed_by_the_gradient():
    class Ridge:
        """The first `trials` evaluations after the fifth step lie high: no step is short enough."""

        calls = 0

        def __call__(self, image):
            self.calls += 1
            return {"a": image.square().sum() + (1e3 if 7 <= self.calls < 17 else 0)}

    loss = Ridge()
    weights = torch.linspace(1, 9, SIZE, dtype=torch.float64).view(SHAPE)
    steps = run(lambda x: loss(x * weights), picture(0), 6)
    assert len(steps) == 6
    assert steps[5].losses["a"] < steps[4].losses["a"]
    assert steps[5].state.memory["pairs"] == 1


def test_pairs_without_positive_curvature_are_not_remembered():
    *_, step = run(lambda x: {"dome": -(x - 0.5).square().sum()}, picture(0), 4)
    assert step.state.memory["pairs"] == 0
    assert len({"steps", "changes", "curvatures", "pairs"} ^ step.state.memory.keys()) == 0


def test_nothing_is_remembered_at_another_size():
    *_, step = run(rosenbrock, picture(0), 3)
    assert Lbfgs().rescale_state(step.state.memory, lambda tensor: tensor, 4.0) == {}


@pytest.mark.parametrize(
    ("method", "tolerance"),
    # Rounding what is remembered can turn the last bit of a number into the eighth of another.
    [(Lbfgs(), 1e-9), (Lbfgs(remembered=torch.bfloat16), 1e-3), (Adam(), 1e-9)],
)
def test_block_by_block_makes_the_same_pictures(method, tolerance, monkeypatch):
    whole = run(rosenbrock, picture(0), 40, method)
    monkeypatch.setattr(blocks, "BLOCK", 7)
    again = run(rosenbrock, picture(0), 40, method)
    torch.testing.assert_close(again, whole, rtol=0, atol=tolerance)


def test_blocks_cover_every_entry_once_and_their_sums_are_those_of_numpy(monkeypatch):
    monkeypatch.setattr(blocks, "BLOCK", 10)
    x, y = picture(1), picture(2)
    expected = float(np.dot(x.numpy().ravel(), y.numpy().ravel()))
    assert float(blocks.dot(x, y, torch.float64)) == pytest.approx(expected, rel=1e-14)
    narrow = blocks.dot(x.bfloat16(), y.bfloat16(), torch.float32)
    assert narrow.dtype == torch.float64 and float(narrow) == pytest.approx(expected, rel=1e-2)
    total = x.clone()
    blocks.add(total, torch.tensor(-2.5, dtype=torch.float64), y)
    torch.testing.assert_close(total, x - 2.5 * y, rtol=1e-14, atol=0)


def test_a_run_that_goes_on_leaves_the_saved_memory_alone():
    loss, method = quadratic(1e3, picture(1)), Lbfgs(history=4)
    *_, through = optimize(State(picture(0)), loss, method, steps=20)
    *_, half = optimize(State(picture(0)), loss, method, steps=11)
    saved = {name: tensor.clone() for name, tensor in half.state.memory.items()}
    *_, on = optimize(half.state, loss, method, steps=20)
    assert torch.equal(on.image, through.image)
    assert all(torch.equal(half.state.memory[name], tensor) for name, tensor in saved.items())
    assert on.state.memory["steps"].data_ptr() != half.state.memory["steps"].data_ptr()
