"""Pictures optimized through a student, unlike any photograph, on which it is trained as well.

An optimizer moves to pictures on which the student's errors make the loss small. The student
learns the teacher's activations on such pictures, from four stages of a short run.
"""

from collections.abc import Callable, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from swag.backbones.distilled import DistilledNetwork
from swag.types import Image, Scalar
from swag_lab.training.distillation.coordinates import mean_and_covariance

Taps = Sequence[Float[Tensor, "b _k _h _w"]]

CONTENT_WEIGHTS = (0.0, 0.05, 0.3, 1.0)
"""Weights of the content, used in turn: from texture alone to a picture that keeps its subject."""


def restyle_stages(
    student: DistilledNetwork,
    normalize: Callable[[Tensor], Tensor],
    pictures: Image,
    *,
    steps: int,
) -> list[Image]:
    """Each picture optimized towards the statistics of the next one, at four stages of the run.

    Adam on the pixels, beginning with the picture itself, matches means and covariances of every
    tap, and the second deepest tap position by position (Gatys et al. 2016).
    """
    styles = pictures.roll(1, 0)
    with torch.no_grad(), torch.autocast(pictures.device.type, torch.bfloat16):
        targets = _moments(student(normalize(styles)))
        content = [tap.float() for tap in student(normalize(pictures))]
    x = pictures.detach().clone().requires_grad_(True)
    optimizer = torch.optim.Adam([x], lr=0.03)
    stages: list[Image] = []
    for step in range(1, steps + 1):
        with torch.autocast(pictures.device.type, torch.bfloat16):
            taps = student(normalize(x))
        loss = _loss([tap.float() for tap in taps], targets, content)
        (x.grad,) = torch.autograd.grad(loss, x)
        optimizer.step()
        with torch.no_grad():
            x.clamp_(0, 1)
        if step in (steps // 8, steps // 4, steps // 2, steps):
            stages.append(x.detach().clone())
    return stages


def _moments(taps: Taps) -> list[tuple[Tensor, Tensor]]:
    return [mean_and_covariance(tap.float()) for tap in taps]


def _loss(taps: Taps, targets: list[tuple[Tensor, Tensor]], content: Taps) -> Scalar:
    weights = torch.tensor(CONTENT_WEIGHTS, device=taps[0].device)
    weights = weights.repeat(-(-len(taps[0]) // len(weights)))[: len(taps[0])]
    content_error = (taps[-2] - content[-2]).square().sum(1).mean((1, 2))
    loss = (weights * content_error).sum()
    for (mean, covariance), (target_mean, target_covariance) in zip(
        _moments(taps), targets, strict=True
    ):
        scale = target_covariance.square().sum((1, 2)) + target_mean.square().sum(1).square() + 1e-6
        style_error = (covariance - target_covariance).square().sum((1, 2))
        style_error = style_error + (mean - target_mean).square().sum(1) * scale.sqrt()
        loss = loss + (style_error / scale).sum()
    return loss
