"""One evaluation of the default objective: `make bench`. Quote ratios from one run, not seconds."""

from typing import Any

import pytest
import torch

import swag
from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.optimize.optimizer import evaluate
from swag.smoothing import parse


@pytest.mark.parametrize("smoothing", ["none", "softmax:temperature=auto"])
@pytest.mark.parametrize("backbone", ["swag/resnet", "swag/vgg"])
def test_loss_and_gradient_at_256_pixels(benchmark: Any, backbone: str, smoothing: str) -> None:
    """Forward, all terms, and backward to the pixels."""
    network = swag.backbones.create(backbone, edits=("reflect",))
    random = torch.Generator().manual_seed(0)
    photo, style = (torch.rand(1, 3, 256, 256, generator=random) for _ in range(2))
    layers = dict.fromkeys(network.style_layers, 1.0)
    term = LossTerm(
        name="style",
        loss=get("gram"),
        layers=layers,
        target=style,
        smoothing=parse(smoothing),
        unit_image=photo,
    )
    objective = Objective.of(network.extract, [term], start=photo, style=style)
    point = benchmark(evaluate, objective, photo)
    assert point.finite()
