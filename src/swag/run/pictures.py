"""The pictures of a run at the size of a scale, and the one it begins with."""

import torch
from torch import Tensor

from swag.config import Settings
from swag.image import Picture, fitted, resize
from swag.optimize import Optimizer, State
from swag.parametrization import Parametrization
from swag.run.inputs import Inputs
from swag.types import Size


def size_of(picture: Picture, long_side: int) -> Size:
    """(height, width) of a picture resized to a long side of `long_side` pixels."""
    width, height = picture.size
    return fitted(height, width, long_side)


def at_size(picture: Picture, size: Size, device: torch.device) -> Tensor:
    """The picture as a batch of this size."""
    batch = picture.batch
    resized = resize(batch, size)
    # A picture that has this size already is in range, and may be too large to copy.
    return (resized if resized is batch else resized.clamp_(0, 1)).to(device)


def brightness(picture: Picture | None, device: torch.device) -> Tensor | None:
    """The mean of a picture's channels, as a map of weights (1, 1, h, w)."""
    return None if picture is None else picture.batch.mean(1, keepdim=True).to(device)


def first_picture(settings: Settings, inputs: Inputs, size: Size, device: torch.device) -> Tensor:
    """The picture that a scale begins with: `initial`, the content, a style, or noise."""
    if inputs.initial is not None:
        return at_size(inputs.initial, size, device)
    if settings.start == "content" and inputs.photo is not None:
        return at_size(inputs.photo, size, device)
    if settings.start == "style" and inputs.paintings:
        return at_size(inputs.paintings[0], size, device)
    generator = torch.Generator().manual_seed(settings.seed)
    noise = torch.rand(1, 3, *size, generator=generator).to(device)
    # Noise around the mean color: the mean is what deep layers see least of.
    reference = inputs.paintings[0] if inputs.paintings else inputs.canvas
    return reference.batch.mean((2, 3), keepdim=True).to(device) + 0.2 * (noise - 0.5)


def upscale_state(
    state: State, before: Size, size: Size, *, form: Parametrization, method: Optimizer
) -> State:
    """The state at the next scale: the latest picture, and for pixels the optimizer's memory."""
    latents = form.resized(state.image, before, size, lambda x, to: resize(x, to).clamp(0, 1))
    if form.name != "pixels":
        return State(latents)
    ratio = size[0] * size[1] / (before[0] * before[1])
    memory = method.rescale_state(state.memory, lambda x: resize(x, size), ratio)
    return State(latents, memory=memory)
