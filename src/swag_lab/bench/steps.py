"""One step: SWAG's, the least that it can cost, and that of published scripts.

floor       one bare pass forward and back, every gradient by torch, and two products for each
            style layer: the Gram matrix, and its difference from the target's times the features
lbfgs       all of a step: Gram matrices, content, the penalties, the optimizer
adam        the same with Adam
published   an evaluation as published scripts make it (that of the authors of SWAG with a
            ResNet, those after Gatys et al. with a VGG): the network as it comes, mean squares
            of Gram matrices and of the content, torch's L-BFGS with its history of 100
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from swag import backbones
from swag.backbones import Backbone
from swag.backbones.edits import OWN
from swag.image import resize
from swag.losses import get
from swag.objective import LossTerm, Objective
from swag.optimize import Adam, Lbfgs, Optimizer, State, optimize
from swag.smoothing import parse

SIDES = ("floor", "lbfgs", "adam", "published")
"""The names of what is measured."""


@dataclass(frozen=True)
class Bench:
    """Two pictures of noise and a network, by name."""

    name: str
    size: int
    device: torch.device

    @cached_property
    def pictures(self) -> tuple[Tensor, Tensor]:
        """Photo and style."""
        random = torch.Generator().manual_seed(0)
        photo, style = torch.rand(2, 1, 3, self.size, self.size, generator=random)
        return photo.to(self.device), style.to(self.device)

    @cached_property
    def start(self) -> Tensor:
        """The picture that every side starts from: near the photo, where losses are not zero."""
        photo, _ = self.pictures
        noise = torch.randn(photo.shape, generator=torch.Generator().manual_seed(1))
        return photo + 0.02 * noise.to(self.device)

    def network(self, *edits: str) -> Backbone:
        """The network with these edits; its weights are random if the package has none."""
        weights = "pretrained" if self.name.startswith("swag/") else "random"
        return backbones.create(self.name, weights=weights, edits=edits).to(self.device)


def sides(name: str, size: int, device: torch.device) -> Mapping[str, Callable[[], object]]:
    """A function for each of `SIDES` that makes one step, on the network of this name."""
    bench = Bench(name, size, device)
    network = bench.network("reflect")
    lbfgs, adam = (steps(bench, network, method) for method in (Lbfgs(), Adam()))
    return {
        "floor": floor(bench, bench.network("reflect", "no-pixel-blocks")),
        "lbfgs": lambda: next(lbfgs),
        "adam": lambda: next(adam),
        "published": published(bench, bench.network(*(f"no-{edit}" for edit in OWN))),
    }


def floor(bench: Bench, network: Backbone) -> Callable[[], Tensor]:
    """A function that makes one bare pass and the products that every Gram loss needs."""
    layers = network.style_layers
    photo, style = bench.pictures
    with torch.no_grad():
        maps = network.extract(style, layers)
        targets = {layer: _rows(maps[layer]).mT @ _rows(maps[layer]) for layer in layers}

    def step() -> Tensor:
        pixels = photo.detach().requires_grad_()
        maps = network.extract(pixels, layers)
        grads = []
        for layer in layers:
            positions = _rows(maps[layer].detach())
            grad = positions @ (positions.mT @ positions - targets[layer])
            rows, columns = maps[layer].shape[-2:]
            grads.append(grad.view(1, rows, columns, -1).permute(0, 3, 1, 2))
        (gradient,) = torch.autograd.grad([maps[layer] for layer in layers], pixels, grads)
        return gradient

    return step


def _rows(maps: Tensor) -> Tensor:
    """Positions by channels, as the network lays them out: a copy is not part of the floor."""
    return maps.permute(0, 2, 3, 1).flatten(1, 2)[0]


def steps(bench: Bench, network: Backbone, method: Optimizer) -> Iterator[object]:
    """Endless steps of Gram matrices and content, with the default's penalties."""
    objective = gatys_objective(network, *bench.pictures)
    return optimize(State(bench.start), objective, method, steps=1_000_000)


def gatys_objective(network: Backbone, photo: Tensor, style: Tensor) -> Objective:
    """Gram matrices and content, ten to one, with the default's penalties."""
    terms = gatys_terms(network, photo, style)
    weights = {"total_variation": 1.0, "pixel_range": 1.0}
    return Objective.of(network.extract, terms, start=photo, style=style, penalties=weights)


def gatys_terms(network: Backbone, photo: Tensor, style: Tensor) -> list[LossTerm]:
    """Gram matrices of the style and content of the photo, at the network's layers, ten to one."""
    no_smoothing = parse("none")
    return [
        LossTerm(
            name="style",
            loss=get("gram"),
            layers=dict.fromkeys(network.style_layers, 1.0),
            target=style,
            smoothing=no_smoothing,
            weight=5.0,
            unit_image=photo,
        ),
        LossTerm(
            name="content",
            loss=get("content"),
            layers=dict.fromkeys(network.content_layers, 1.0),
            target=photo,
            smoothing=no_smoothing,
            weight=0.5,
            unit_image=resize(style, (photo.shape[-2], photo.shape[-1])),
        ),
    ]


def published(bench: Bench, network: Backbone) -> Callable[[], object]:
    """A function that evaluates published scripts' loss once, with torch's L-BFGS."""
    photo, style = bench.pictures
    with torch.no_grad():
        styles = [_gram(maps) for maps in network.extract(style, network.style_layers).values()]
        contents = list(network.extract(photo, network.content_layers).values())
    picture = bench.start.clone().requires_grad_()
    # One evaluation a call, and otherwise torch's defaults, as the scripts have them.
    optimizer = torch.optim.LBFGS([picture], max_iter=1, history_size=100)

    def closure() -> Tensor:
        optimizer.zero_grad()
        maps = network.extract(picture)
        style_loss = sum(
            mse_loss(_gram(maps[layer]), target)
            for layer, target in zip(network.style_layers, styles, strict=True)
        )
        content_loss = sum(
            mse_loss(maps[layer], target)
            for layer, target in zip(network.content_layers, contents, strict=True)
        )
        loss = torch.as_tensor(1e6 * style_loss + content_loss)
        loss.backward()  # type: ignore[no-untyped-call]
        return loss

    return lambda: optimizer.step(closure)  # type: ignore[no-untyped-call]


def _gram(maps: Tensor) -> Tensor:
    flat = maps.flatten(2)[0]
    return flat @ flat.mT / flat.numel()
