"""The reproduction of torch's L-BFGS against torch's L-BFGS as scripts call it."""

import pytest
import torch

from swag.optimize import State, TorchLbfgs, optimize


def picture(seed, dtype=torch.float64):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, 6, 6, generator=generator, dtype=torch.float64).to(dtype)


def rough(image):
    away = (image - picture(1, image.dtype)).flatten()
    weights = torch.logspace(0, 3, away.numel(), dtype=away.dtype)
    return {"square": (weights * away.square()).sum(), "quartic": away.pow(4).sum()}


def small(image):
    return {name: 1e-9 * term for name, term in rough(image).items()}


def pictures_that_torch_evaluates(loss, start, *, rate, history, calls):
    image, seen = start.clone().requires_grad_(), []
    optimizer = torch.optim.LBFGS([image], lr=rate, max_iter=20, history_size=history)

    def closure():
        optimizer.zero_grad()
        seen.append(image.detach().clone())
        total = sum(loss(image).values())
        total.backward()
        return total

    for _ in range(calls):
        optimizer.step(closure)
    return seen


@pytest.mark.parametrize(("rate", "history"), [(1.0, 100), (0.3, 100), (1.0, 5)])
def test_every_evaluated_picture_is_that_of_torch(rate, history):
    theirs = pictures_that_torch_evaluates(rough, picture(0), rate=rate, history=history, calls=2)
    assert len(theirs) == 40
    seen = []

    def loss(image):
        seen.append(image.detach().clone())
        return rough(image)

    list(optimize(State(picture(0)), loss, TorchLbfgs(rate, history), steps=39))
    assert len(seen) == 40
    for a, b in zip(seen, theirs, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-8)
    assert sum(rough(seen[-1]).values()) < 0.05 * sum(rough(seen[0]).values())


def test_pictures_in_single_precision_are_those_of_torch():
    start = picture(0, torch.float32)
    theirs = pictures_that_torch_evaluates(rough, start, rate=1.0, history=100, calls=1)
    steps = optimize(State(start), rough, TorchLbfgs(), steps=len(theirs) - 1)
    for step, picture_of_torch in zip(steps, theirs[1:], strict=True):
        torch.testing.assert_close(step.image, picture_of_torch, rtol=0, atol=1e-4)


def test_thresholds_of_torch_end_a_run_whose_loss_is_small():
    assert not list(optimize(State(picture(0)), small, TorchLbfgs(), steps=20))
    (first,) = {
        tuple(seen.flatten().tolist())
        for seen in pictures_that_torch_evaluates(small, picture(0), rate=1.0, history=100, calls=3)
    }
    assert first == tuple(picture(0).flatten().tolist())


def test_a_run_ends_at_a_minimum():
    steps = list(optimize(State(picture(0)), rough, TorchLbfgs(), steps=500))
    assert len(steps) < 200
    torch.testing.assert_close(steps[-1].image, picture(1), rtol=0, atol=1e-4)


def test_the_history_is_not_copied_in_a_step():
    run = optimize(State(picture(0)), rough, TorchLbfgs(), steps=6)
    for _ in range(5):
        memory = dict(next(run).state.memory)
    after = next(run).state.memory
    assert after["old_dirs.0"].data_ptr() == memory["old_dirs.0"].data_ptr()


def test_nothing_is_remembered_at_another_size():
    *_, step = optimize(State(picture(0)), rough, TorchLbfgs(), steps=3)
    assert TorchLbfgs().rescale_state(step.state.memory, lambda tensor: tensor, 4.0) == {}
