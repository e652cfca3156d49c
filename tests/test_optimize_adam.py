"""Adam against torch's, and from one size to the next."""

from functools import partial

import pytest
import torch

from swag.optimize import Adam, State, optimize
from swag.optimize.optimizer import evaluate


def picture(seed, side=8):
    generator = torch.Generator().manual_seed(seed)
    return torch.rand(1, 3, side, side, generator=generator, dtype=torch.float64)


def rough(target, image):
    away = image - target
    return {"square": away.square().mean(), "wave": (3 * away).cos().mean() / 4}


def square(target, image):
    return {"square": (image - target).square().mean()}


def enlarged(tensor):
    return torch.nn.functional.interpolate(tensor, scale_factor=2, mode="bilinear")


@pytest.mark.parametrize("betas", [(0.9, 0.99), (0.5, 0.9)])
def test_ten_steps_equal_those_of_torch(betas):
    loss = partial(rough, picture(1))
    image = picture(0).requires_grad_()
    torchs = torch.optim.Adam([image], lr=0.03, betas=betas, eps=0)
    steps = optimize(State(picture(0)), loss, Adam(0.03, betas, epsilon=0), steps=10)
    for step in steps:
        torchs.zero_grad()
        sum(loss(image).values()).backward()
        torchs.step()
        torch.testing.assert_close(step.image, image.detach(), rtol=0, atol=1e-12)
    assert step.index == 9


def test_the_first_step_changes_every_pixel_by_the_rate():
    step = next(
        optimize(State(picture(0)), partial(rough, picture(1)), Adam(0.05, epsilon=0), steps=1)
    )
    changes = (step.image - picture(0)).abs()
    torch.testing.assert_close(changes, torch.full_like(changes, 0.05), rtol=1e-9, atol=0)


def test_caution_shortens_a_step_in_proportion():
    run = partial(optimize, loss=partial(rough, picture(1)), optimizer=Adam(), steps=1)
    whole = next(run(State(picture(0)))).image - picture(0)
    quarter = next(run(State(picture(0), step_scale=0.25))).image - picture(0)
    torch.testing.assert_close(quarter, whole / 4)


def test_a_pixel_without_gradient_stays():
    target = picture(1)
    mask = torch.zeros_like(target)
    mask[..., :4] = 1
    run = optimize(
        State(picture(0)), lambda x: {"left": ((x - target) * mask).square().sum()}, Adam(), steps=5
    )
    *_, step = run
    assert torch.equal(step.image[..., 4:], picture(0)[..., 4:])
    assert (step.image[..., :4] != picture(0)[..., :4]).all()


def test_a_picture_without_any_gradient_stays():
    *_, step = optimize(State(picture(0)), lambda x: {"flat": (x * 0).sum()}, Adam(), steps=3)
    assert torch.equal(step.image, picture(0))


def test_a_run_goes_on_at_the_next_size():
    target = enlarged(picture(1))
    small = partial(square, picture(1))
    method = Adam(0.01)
    *_, step = optimize(State(picture(0)), small, method, steps=20)
    memory = method.rescale_state(step.state.memory, enlarged, 4.0)
    state = State(enlarged(step.state.image), step=20, memory=memory)
    *_, last = optimize(state, partial(square, target), method, steps=80)
    assert last.index == 79 and last.image.shape == target.shape
    assert last.state.memory["count"] == 80
    assert last.losses["square"] < 0.2 * step.losses["square"]


def test_moments_at_the_next_size_are_those_of_a_run_there():
    """A mean over positions has gradients that fall with their number."""

    def twice(tensor):
        return torch.nn.functional.interpolate(tensor, scale_factor=2, mode="nearest")

    method = Adam()
    *_, small = optimize(State(picture(0)), partial(rough, picture(1)), method, steps=7)
    *_, large = optimize(
        State(twice(picture(0))), partial(rough, twice(picture(1))), method, steps=7
    )
    memory = method.rescale_state(small.state.memory, twice, 4.0)
    for name in ("mean", "square", "count"):
        torch.testing.assert_close(memory[name], large.state.memory[name], rtol=1e-9, atol=0)


def test_an_overshooting_enlargement_leaves_no_negative_moment():
    memory = {
        "mean": -torch.ones(1, 3, 2, 2),
        "square": torch.ones(1, 3, 2, 2),
        "count": torch.tensor(3),
    }
    resized = Adam().rescale_state(memory, lambda tensor: tensor - 1.5, 1.0)
    assert resized["square"].min() == 0 and resized["mean"].max() == -2.5


def test_an_empty_memory_stays_empty_at_another_size():
    assert Adam().rescale_state({}, enlarged, 4.0) == {}


def test_a_step_that_fails_leaves_what_is_remembered_as_it_was():
    def fails(image):
        raise torch.OutOfMemoryError

    image = torch.full((1, 3, 2, 2), 0.5)
    point = evaluate(lambda x: {"loss": x.square().sum()}, image)
    point, memory = Adam().step(
        lambda x: evaluate(lambda y: {"loss": y.square().sum()}, x), point, {}, 1.0
    )
    kept = {name: tensor.clone() for name, tensor in memory.items()}
    with pytest.raises(torch.OutOfMemoryError):
        Adam().step(fails, point, memory, 1.0)
    assert all(torch.equal(memory[name], kept[name]) for name in kept)
