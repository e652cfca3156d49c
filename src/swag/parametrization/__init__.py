"""Parametrization: the numbers that stand for the picture while it is optimized.

    form = PARAMETRIZATIONS.find("fourier")
    latents = form.encode(photo)                      what the optimizer moves, (b, 3, m, n)
    picture = form.decode(latents, (rows, columns))   what the network sees
    form.resized(latents, before, after, resize)      the same picture at the next scale

An optimizer treats all numbers that it moves alike, so the parametrization decides what is found
first. Pixels move one by one, and detail moves before color and composition. In the
other forms coarse structure moves as readily as detail. One step of Adam changes a pixel of each
form by about its rate, up to a few times that if a whole region moves one way.
"""

from swag.parametrization.form import Latents, Parametrization
from swag.parametrization.names import PARAMETRIZATIONS

__all__ = ["PARAMETRIZATIONS", "Latents", "Parametrization"]
