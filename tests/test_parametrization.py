"""Every parametrization: back and forth, gradients, sizes, and what names are known."""

import pytest
import torch

from swag.errors import SettingsError
from swag.parametrization import PARAMETRIZATIONS

SIZES = [(1, 1), (1, 2), (2, 1), (1, 7), (3, 3), (5, 8), (16, 16), (37, 53), (64, 48)]
LINEAR = ["pixels", "laplacian", "fourier"]


@pytest.fixture(params=list(PARAMETRIZATIONS))
def form(request):
    return PARAMETRIZATIONS.find(request.param)


def size_of(image):
    return (image.shape[-2], image.shape[-1])


def back_and_forth(form, image):
    return form.decode(form.encode(image), size_of(image))


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(("dtype", "error"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_a_picture_of_any_size_comes_back(form, size, dtype, error, rng):
    image = torch.rand(2, 3, *size, generator=rng, dtype=dtype)
    image[0, :, 0, 0] = torch.tensor([0.0, 1.0, 1.0])
    again = back_and_forth(form, image)
    assert again.dtype == dtype
    torch.testing.assert_close(again, image, rtol=0, atol=error)


def test_latents_are_a_tensor_as_the_optimizers_want_it(form, rng):
    latents = form.encode(torch.rand(2, 3, 9, 14, generator=rng))
    assert latents.ndim == 4
    assert latents.shape[:2] == (2, 3)


def test_the_gradient_is_that_of_the_function(form, rng):
    image = torch.rand(1, 3, 5, 6, generator=rng, dtype=torch.float64)
    latents = form.encode(image).requires_grad_()
    assert torch.autograd.gradcheck(lambda z: form.decode(z, (5, 6)), (latents,))


def test_the_pictures_of_a_batch_do_not_mix(form, rng):
    images = torch.rand(3, 3, 7, 10, generator=rng, dtype=torch.float64)
    together = form.encode(images)
    alone = torch.cat([form.encode(image[None]) for image in images])
    torch.testing.assert_close(together, alone)
    decoded = torch.cat([form.decode(latents[None], (7, 10)) for latents in together])
    torch.testing.assert_close(form.decode(together, (7, 10)), decoded)


@pytest.mark.parametrize("name", LINEAR)
def test_a_sum_of_latents_is_a_sum_of_pictures(name, rng):
    form = PARAMETRIZATIONS.find(name)
    a, b = form.encode(torch.randn(2, 3, 9, 12, generator=rng, dtype=torch.float64)).split(1)
    size = (9, 12)
    torch.testing.assert_close(
        form.decode(2 * a - 3 * b, size), 2 * form.decode(a, size) - 3 * form.decode(b, size)
    )


def test_a_gradient_step_lowers_a_distance(form, rng):
    image, target = torch.rand(2, 1, 3, 12, 12, generator=rng, dtype=torch.float64)
    latents = form.encode(image).requires_grad_()

    def distance(z):
        return (form.decode(z, (12, 12)) - target).square().sum()

    (gradient,) = torch.autograd.grad(distance(latents), latents)
    assert distance(latents - 1e-3 * gradient) < 0.999 * distance(latents)


def test_the_next_scale_begins_with_the_same_picture_resized(form, rng):
    image = torch.rand(1, 3, 8, 12, generator=rng, dtype=torch.float64)

    def doubled(picture, size):
        assert size == (16, 24)
        return picture.repeat_interleave(2, 2).repeat_interleave(2, 3)

    latents = form.resized(form.encode(image), (8, 12), (16, 24), doubled)
    torch.testing.assert_close(form.decode(latents, (16, 24)), doubled(image, (16, 24)))


def test_every_parametrization_can_be_listed():
    assert tuple(PARAMETRIZATIONS) == ("pixels", "laplacian", "fourier", "fourier-bounded")
    for name, form in PARAMETRIZATIONS.items():
        assert str(form) == form.name == name
        assert form.summary and form.reference
        assert "\n" not in form.summary


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("fuorier", r"'fuorier'; did you mean fourier\? choose from pixels, laplacian, fourier, f"),
        ("", "no parametrization is called ''; choose from pixels"),
        ("wavelet", "no parametrization is called 'wavelet'; choose from pixels"),
    ],
)
def test_an_unknown_name_is_told_in_one_line(name, said):
    with pytest.raises(SettingsError, match=said) as raised:
        PARAMETRIZATIONS.find(name)
    assert "\n" not in str(raised.value)
    assert PARAMETRIZATIONS.find(" fourier ") is PARAMETRIZATIONS.find("fourier")
