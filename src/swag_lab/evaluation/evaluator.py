"""How good a stylized picture is, under networks that were not optimized.

    evaluator = Evaluator.of(photo, painting)
    evaluator(result)          {"judges": {"p-vgg": {"sliced": 0.4, ...}, ...}, "ssim": ..., ...}

Errors are shares of the span between the two pictures: a style error is 0 for the style's own
statistics and 1 for the photo, a content error 0 for the photo and 1 for the style picture.

    gram      Gram matrices of all style layers; shares the form of the loss of Gatys et al.
    sliced    sliced Wasserstein distance of the same: a distance of distributions
    frechet   Frechet distance of normal distributions at an early layer, as SIFID (Rott Shaham,
              Dekel and Michaeli, ICCV 2019), which has it on Inception
    content   squared error at the content layer

A judge is tested by whether it prefers a picture to the same made worse (`degradations.py`).
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from statistics import fmean
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor
from torch.nn.functional import avg_pool2d

from swag.backbones import bundled
from swag.image import resize
from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.smoothing import parse
from swag.types import OwnImage
from swag_lab.evaluation.networks import Network, trained
from swag_lab.evaluation.perceptual import perceptual_distances
from swag_lab.evaluation.ssim import ssim

STYLE_MEASURES = ("gram", "sliced", "frechet")
MEASURES = (*STYLE_MEASURES, "content")

Scores = Mapping[str, Mapping[str, float]]
"""Errors by judge and measure."""


@dataclass(frozen=True)
class Evaluator:
    """Judges to which a photo and a style picture are described, and which measure results."""

    photo: OwnImage
    style: OwnImage
    objectives: Mapping[str, Objective]

    @classmethod
    def of(
        cls, photo: OwnImage, style: OwnImage, judges: Iterable[Network] | None = None
    ) -> "Evaluator":
        """Describe both pictures to every judge, by default to `trained_judges()`."""
        chosen = trained_judges() if judges is None else judges
        return cls(photo, style, {judge.name: _objective(judge, photo, style) for judge in chosen})

    @torch.no_grad()
    def __call__(self, result: OwnImage) -> dict[str, Any]:
        """Errors by judge, SSIM with the photo, noise, grain, and LPIPS and DISTS if available."""
        scores = {
            name: {measure: float(value) for measure, value in objective(result).items()}
            for name, objective in self.objectives.items()
        }
        return {
            "judges": scores,
            "ssim": float(ssim(result, self.photo)[0]),
            "noise": noise(result, self.photo, self.style),
            "grain": grain(result),
            **perceptual_distances(result, self.photo),
        }


def mean_error(scores: Scores, measure: str, judges: Iterable[str]) -> float:
    """The error of this measure, averaged over some judges."""
    return fmean(scores[judge][measure] for judge in judges)


def fair_judges(optimized: Iterable[Network], judges: Iterable[Network] | None = None) -> list[str]:
    """Names of the judges that are no optimized network; by default of `trained_judges()`."""
    identities = {network.identity for network in optimized}
    candidates = trained_judges() if judges is None else judges
    return [judge.name for judge in candidates if judge.identity not in identities]


def trained_judges() -> tuple[Network, ...]:
    """Every bundled network with trained weights.

    Random ones were tried and are no judges: they preferred blurred results to sharp ones.
    """
    return tuple(trained(name) for name in bundled.ARCHITECTURES)


def noise(result: OwnImage, *pictures: OwnImage) -> float:
    """Energy of the finest detail over the largest of the pictures': above 1, detail was added.

    The finest detail is what an average over 3 x 3 pixels removes.
    """
    return _detail(result) / max(*(_detail(picture) for picture in pictures), 1e-12)


def grain(result: OwnImage) -> float:
    """How much of the fine detail lies along the axes: 1 if all directions have equal energy.

    The energy from 0.2 to 0.5 cycles a pixel within 12 degrees of the horizontal or vertical, over
    what even orientation would have, of the gray picture under a Hann window. Networks that are
    poor to optimize through draw checks along the axes, which judges of distributions do not see.
    Pictures of buildings have more than 1 of their own: compare results for the same photo.
    """
    gray = result.double().mean(1)
    height, width = gray.shape[-2:]
    window = _hann(height)[:, None] * _hann(width)
    energy = (
        torch.fft.fft2((gray - gray.mean((1, 2), keepdim=True)) * window).abs().square().mean(0)
    )
    fy = torch.fft.fftfreq(height, dtype=torch.float64)[:, None].abs()
    fx = torch.fft.fftfreq(width, dtype=torch.float64).abs()
    frequency, angle = torch.hypot(fy, fx), torch.rad2deg(torch.atan2(fy, fx))
    fine = (frequency >= 0.2) & (frequency <= 0.5)
    along_axes = fine & ((angle <= 12) | (angle >= 78))
    even_share = along_axes.sum() / fine.sum()
    return float(energy[along_axes].sum() / energy[fine].sum().clamp(min=1e-300) / even_share)


def _hann(side: int) -> Float64[Tensor, " n"]:
    return torch.hann_window(side, periodic=False, dtype=torch.float64)


def _detail(image: OwnImage) -> float:
    smooth = avg_pool2d(image, 3, 1)
    return float((image[..., 1:-1, 1:-1] - smooth).double().square().mean())


def _objective(judge: Network, photo: OwnImage, style: OwnImage) -> Objective:
    network = judge.create(0)
    layers = network.style_layers
    resized = resize(style, (photo.shape[-2], photo.shape[-1]))
    measures = {
        "gram": ("gram", layers, style, photo),
        "sliced": ("sliced:seed=7", layers, style, photo),
        "frechet": ("bures", layers[1:2], style, photo),
        "content": ("content", network.content_layers, photo, resized),
    }
    terms = [
        LossTerm(
            name=name,
            loss=get(loss),
            layers=dict.fromkeys(read_layers, 1.0),
            target=target,
            smoothing=parse("none"),
            unit_image=unit_image,
        )
        for name, (loss, read_layers, target, unit_image) in measures.items()
    ]
    return Objective.of(network.extract, terms, start=photo, style=style)
