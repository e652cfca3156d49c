"""Random weights chosen among several draws, layer after layer, by how well they keep a picture.

choose(backbone, draws=8, seed=0, pictures=photo)
create("torchvision/resnet50", weights="random:greedy:draws=16", calibrate_on=photo)

After He, Wang and Hopcroft, "A powerful generative model using random weights for the deep image
representation" (NIPS 2016), who build a random VGG from the first layer on: draw several sets of
filters for a layer, reconstruct a picture from its rectified activations with each, keep the set
whose reconstruction is best, and go on to the next layer. Departures:

- A step is a group of layers, not one: all filters between one layer that is read (for style or
  content) and the next. Layers within a group are not judged by themselves, a block with a
  shortcut stays whole, and ResNet-50 takes 5 choices instead of 53.
- A draw shuffles each tensor that the network's constructor drew. For entries drawn independently
  that is a fresh draw from the constructor's own distribution, whatever that is; biases and
  normalizations, which start as constants, stay. The first draw is the constructor's, so that
  one draw is `random`.
- The reconstructions are small and short (64 x 64 pixels, 20 steps of L-BFGS), begin with noise
  about the picture's mean color, the same for all draws, and are compared by their error in
  pixels. How far that agrees with long reconstructions was measured: docs/backbones.md.
"""

import math
from collections.abc import Iterable, Sequence

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from swag.backbones.backbone import Backbone
from swag.features import TRIAL_SIZES, trial_picture
from swag.image import resize
from swag.types import Image

SIDE = 64
"""Rows and columns of the picture that is reconstructed, in pixels."""

STEPS = 20
"""Steps of L-BFGS of a reconstruction.

In the first two stages of swag/resnet, where draws differ most, 20 steps rank them as 120 steps do:
rank correlations of 0.8 and 0.9 over 8 draws; about 0.4 in the stem and the last stages.
"""

_NOISE = 0.1
_EVALUATIONS = 1.25
"""Evaluations that a step may take on average, so that the time of a draw is bounded."""


def choose(
    backbone: Backbone, *, draws: int, seed: int = 0, pictures: Image | None = None
) -> dict[str, list[float]]:
    """Choose the random weights of a network, in place: of each group the best of `draws`.

    Groups end at the layers of `style_layers` and `content_layers`; weights after the deepest
    of them stay. Pictures and seed determine the result on one machine; rounding on
    another may choose otherwise among draws that are nearly equal.

    Args:
        backbone: with the weights that its constructor drew, its edits done.
        draws: at least 1, which changes nothing.
        pictures: sRGB in [0, 1]; the first is reconstructed, stretched to a small square.
            Without pictures, a synthetic one.

    Returns:
        The mean squared errors of all draws, by layer from the first to the deepest, pixels in
        [0, 1]; infinite if a reconstruction is not finite.

    Raises:
        BackboneError: a layer that cannot be read.
    """
    picture = _picture_to_reconstruct(backbone, pictures, seed)
    backbone.extract(picture)  # refuses layers that are not there before anything is changed
    random = torch.Generator().manual_seed(seed)
    return {
        layer: _choose_draw(draws, backbone, layer, parameters, picture=picture, random=random)
        for layer, parameters in groups(backbone, picture).items()
    }


def _choose_draw(
    draws: int,
    backbone: Backbone,
    layer: str,
    parameters: Sequence[nn.Parameter],
    picture: Image,
    random: torch.Generator,
) -> list[float]:
    errors: list[float] = []
    best: list[Tensor] = []
    for draw in range(draws):
        if draw:
            shuffle(parameters, random)
        error = reconstruction_error(backbone, layer, picture)
        if not errors or error < min(errors):
            best = [parameter.detach().clone() for parameter in parameters]
        errors.append(error)
    with torch.no_grad():
        for parameter, value in zip(parameters, best, strict=True):
            parameter.copy_(value)
    return errors


@torch.no_grad()
def groups(backbone: Backbone, picture: Image) -> dict[str, list[nn.Parameter]]:
    """Parameters first used between one layer that is read and the next, by the latter's name.

    In the order in which the layers finish; a layer that adds no parameters has no group.
    """
    layers = {backbone.aliases.get(n, n) for n in backbone.style_layers + backbone.content_layers}
    by_layer: dict[str, list[nn.Parameter]] = {}
    pending: dict[nn.Parameter, None] = {}
    grouped: set[nn.Parameter] = set()

    def add_parameters(module: nn.Module, _inputs: object) -> None:
        parameters = module.parameters(recurse=False)
        pending.update(dict.fromkeys(p for p in parameters if p not in grouped))

    def close_group(name: str) -> None:
        if pending:
            by_layer[name] = list(pending)
            grouped.update(pending)
            pending.clear()

    module = backbone.module
    handles = [child.register_forward_pre_hook(add_parameters) for child in module.modules()]
    handles += [
        module.get_submodule(name).register_forward_hook(lambda *_, name=name: close_group(name))
        for name in layers
    ]
    try:
        module(backbone.prepare(picture))
    finally:
        for handle in handles:
            handle.remove()
    return by_layer


@torch.no_grad()
def shuffle(parameters: Iterable[nn.Parameter], random: torch.Generator) -> None:
    """Put the entries of each tensor into a random order, in place."""
    for parameter in parameters:
        order = torch.randperm(parameter.numel(), generator=random).to(parameter.device)
        parameter.copy_(parameter.flatten()[order].view_as(parameter))


@torch.enable_grad()
def reconstruction_error(
    backbone: Backbone, layer: str, picture: Image, *, steps: int = STEPS
) -> float:
    """Mean squared error, pixels in [0, 1], of a picture reconstructed from one layer.

    Minimizes || F(x) - F(picture) ||^2 / || F(picture) ||^2 over the pixels x, as Mahendran and
    Vedaldi (CVPR 2015) without their priors, by L-BFGS with a strong Wolfe search. Infinite if
    the reconstruction is not finite. `picture` is a batch of one, sRGB in [0, 1].
    """
    with torch.no_grad():
        target = backbone.extract(picture, [layer])[layer]
        energy = target.square().sum().clamp_min(torch.finfo(target.dtype).tiny)
    if not torch.isfinite(energy):
        return math.inf
    random = torch.Generator().manual_seed(0)
    noise = torch.randn(picture.shape, generator=random).to(picture)
    x = (picture.mean((2, 3), keepdim=True) + _NOISE * noise).requires_grad_()
    # Thresholds of torch's L-BFGS are absolute; here the budget alone ends the search.
    optimizer = torch.optim.LBFGS(
        [x],
        max_iter=steps,
        max_eval=math.ceil(_EVALUATIONS * steps),
        history_size=steps,
        tolerance_grad=0,
        tolerance_change=0,
        line_search_fn="strong_wolfe",
    )

    def closure() -> Tensor:
        loss: Tensor = 1e3 * (backbone.extract(x, [layer])[layer] - target).square().sum() / energy
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    optimizer.step(closure)  # type: ignore[no-untyped-call]
    error = F.mse_loss(x.detach().clamp(0, 1), picture).item()
    return error if math.isfinite(error) else math.inf


def _picture_to_reconstruct(
    backbone: Backbone, pictures: Image | None, seed: int
) -> Float[Tensor, "1 3 _rows _columns"]:
    """The picture to reconstruct, at the first size from SIDE on that the network takes."""
    sizes = ((SIDE, SIDE), *TRIAL_SIZES)
    trial = trial_picture(backbone.module, backbone.prepare, sizes=sizes)
    size = (trial.shape[-2], trial.shape[-1])
    if pictures is None:
        return falling_spectrum(size, seed).to(trial)
    picture = pictures[:1].to(trial)
    return resize(picture, size).clamp(0, 1)


def falling_spectrum(size: tuple[int, int], seed: int) -> Image:
    """A picture of noise whose amplitudes fall as 1 / frequency, as photographs' do (Field 1987).

    The channels share four fifths of their variance, so that colors are muted; each has mean
    0.5 and standard deviation 0.2 before the values are bounded to [0, 1].
    """
    random = torch.Generator().manual_seed(seed)
    rows, columns = (torch.fft.fftfreq(side) for side in size)
    frequency = torch.hypot(rows[:, None], columns[None, :])
    frequency[0, 0] = math.inf  # the mean is set below
    noise = torch.randn(1, 4, *size, generator=random)
    white = math.sqrt(0.8) * noise[:, :1] + math.sqrt(0.2) * noise[:, 1:]
    waves: Tensor = torch.fft.ifft2(torch.fft.fft2(white) / frequency).real
    return (0.5 + 0.2 * waves / waves.std((2, 3), keepdim=True)).clamp(0, 1)
