"""Any parametrization, with pixels that cannot leave the range of a picture by more than a little.

Mordvintsev et al., Distill 2018, pass their spectra through a sigmoid. Losses of a softmax with
large activations may diverge as pixels leave the range; here they cannot.
"""

from dataclasses import replace
from functools import partial

from swag.parametrization.form import Latents, Parametrization
from swag.types import OwnImage, Size

MARGIN = 0.05
"""How far a pixel may leave [0, 1], so that black and white are reached and can be left again."""

REACH = 0.5 + MARGIN
"""How far a pixel may be from gray."""


def bounded(form: Parametrization) -> Parametrization:
    """The parametrization `form` of a picture that is then compressed into [-0.05, 1.05].

    A value v becomes 1/2 + r tanh(v / r) with r = 0.55: latents of zero stand for gray, around
    which nothing changes; at black and white the slope is 0.17. Departure: with the sigmoid of
    the paper black and white would be infinitely far away, and no photo that has them could be
    the start. `encode` clamps pictures to [0, 1] first.
    """
    return replace(
        form,
        name=f"{form.name}-bounded",
        encode=partial(_encode, form),
        decode=partial(_decode, form),
        summary=f"{form.summary}, drawn into the range",
    )


def _encode(form: Parametrization, image: OwnImage) -> Latents:
    return form.encode(((image.clamp(0, 1) - 0.5) / REACH).atanh() * REACH)


def _decode(form: Parametrization, latents: Latents, size: Size) -> OwnImage:
    return 0.5 + REACH * (form.decode(latents, size) / REACH).tanh()
