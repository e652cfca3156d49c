"""The loss of a run as a module, for those who train networks.

Johnson, Alahi and Fei-Fei, "Perceptual losses for real-time style transfer and super-resolution",
ECCV 2016.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Unpack

import torch
from torch import Tensor, nn

from swag import backbones, config
from swag.config import CommonSettings, Settings
from swag.errors import SettingsError
from swag.image import Source, check_visible, filled, read
from swag.losses import PENALTIES
from swag.modes import own_modes
from swag.objective import PIXELS, LayerLoss, LossTerm, Objective, with_pixels
from swag.run.inputs import listed
from swag.run.places import weighted_by_alpha
from swag.run.terms import content_terms, style_regions, style_terms
from swag.smoothing import Smoothing
from swag.types import FeatureMaps, Image, OwnImage, PerImage, Scalar


class PerceptualLoss(nn.Module):
    """How far pictures are from a content and a style, by the features of a frozen network.

        loss = swag.PerceptualLoss("painting.jpg", size=256, style_loss="gram").to("cuda")
        for photos in loader:                                     # b 3 h w, sRGB in [0, 1]
            loss(network(photos), photos).backward()

    Losses, layers, smoothings and weights come from `swag.settings`; settings of the optimization
    (steps, scales, start, device ...) have no effect. The error of a layer is divided by the norm
    of its target, and the layers of a term are averaged. The targets of the style are computed
    when the module is made, and again after the module was moved to another device or precision,
    or was given other weights by `load_state_dict`.

    Args:
        style: a picture, or several, which are blended; transparent parts do not count. None:
            content alone.
        settings: from `swag.settings`; keywords win over them.
        backbone: a name, a network from `swag.backbones.create`, or any module.

    Raises:
        SwagError: a setting, a picture, the backbone or its weights is wrong.
    """

    @own_modes()
    def __init__(
        self,
        style: Source | Sequence[Source] | None,
        settings: Settings | None = None,
        *,
        backbone: str | nn.Module | None = None,
        **options: Unpack[CommonSettings],
    ) -> None:
        super().__init__()
        if isinstance(backbone, str):
            self.settings = config.settings(settings or "default", **options, backbone=backbone)
        else:
            self.settings = config.settings(settings or "default", **options)
        side = round(self.settings.size_without_photo() * self.settings.style_scale)
        self._paintings = [read(source, size=side) for source in listed(style)]
        for painting in self._paintings:
            check_visible("style", painting)
        self.styles = [filled(painting).batch for painting in self._paintings]
        self.backbone = _network(self.settings, backbone, self.styles)
        self._style: Sequence[LayerLoss] | None = None
        self._smoothings: dict[str, Smoothing] = {}
        self.register_load_state_dict_post_hook(_drop_targets)  # type: ignore[no-untyped-call]
        self._describe_style()
        if not (self._style or self._content_terms or self._penalties):
            raise SettingsError(
                "no term of the loss has a weight; give a style, or a content_weight above 0"
            )

    def forward(self, image: Image, content: OwnImage | None = None) -> Scalar:
        """The weighted sum of all terms, averaged over the pictures.

        SettingsError if the content has a weight and is not given.
        """
        terms = self.terms(image, content).values()  # of one picture and several contents, too
        total: Tensor = torch.stack(torch.broadcast_tensors(*terms)).sum(0).mean()  # type: ignore[no-untyped-call]
        return total

    def terms(self, image: Image, content: OwnImage | None = None) -> dict[str, PerImage]:
        """The weighted terms by name, for each picture."""
        if content is None and self._content_terms:
            raise SettingsError(
                "no content was given; give it as the second argument, or content_weight=0"
            )
        if self._style is None:
            self._describe_style()
        style, terms = self._style or (), self._content_terms
        style_layers = [layer for part in style for layer in part.view.layers]
        content_layers = [layer for term in terms for layer in term.layers]
        maps = self._maps(image, list(dict.fromkeys(style_layers + content_layers)))
        values: dict[str, Tensor] = {}
        for part in style:
            description = part.view.describe(maps, None)
            error = part.view.loss.compare(description, part.target) * part.factor
            values[part.term] = values.get(part.term, torch.zeros_like(error)) + error
        if content is not None and terms:
            with torch.no_grad():
                content_maps = self._maps(content, list(dict.fromkeys(content_layers)))
            values |= {term.name: self._content_error(term, maps, content_maps) for term in terms}
        for name, weight in self._penalties.items():
            values[name] = PENALTIES[name].measure(image) * weight
        return values

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> "PerceptualLoss":
        """Drop the targets, which are computed again on the new device: Metal has no float64."""
        _drop_targets(self)
        super()._apply(fn, recurse)  # type: ignore[no-untyped-call]
        return self

    @own_modes()
    @torch.no_grad()
    def _describe_style(self) -> None:
        """Describe the style, and fit smoothings to it, on the device of the network."""
        styles = [picture.to(self._like) for picture in self.styles]
        parts: Sequence[LayerLoss] = ()
        if styles:
            regions = style_regions(self.settings, len(styles), None, [])
            regions = weighted_by_alpha(regions, self._paintings, self._like.device)
            terms = style_terms(self.settings, self.backbone, styles, regions, unit_image=styles[0])
            terms = [replace(t, normalization="target", matched="none") for t in terms if t.weight]
            objective = Objective.of(self.backbone.extract, terms, start=styles[0], style=styles[0])
            parts = objective.parts
        self._smoothings = {
            layer: self._fit_smoothing(term.smoothing.at(layer), layer, styles)
            for term in self._content_terms
            for layer in term.layers
        }
        self._style = parts  # at last: another thread may use the loss meanwhile

    def _fit_smoothing(self, smoothing: Smoothing, layer: str, styles: list[Tensor]) -> Smoothing:
        if smoothing.parameter != "auto" or layer == PIXELS:
            return smoothing if layer != PIXELS else Smoothing("none")
        if not styles:
            raise SettingsError(f"{smoothing} is fitted to a style, and there is none; give one")
        return smoothing.fitted(self._maps(styles[0], [layer])[layer])

    def _content_error(self, term: LossTerm, maps: FeatureMaps, content: FeatureMaps) -> PerImage:
        """The weighted error of a content term, relative to the norm of its targets."""
        smooth = {layer: self._smoothings[layer] for layer in term.layers}
        features = {layer: smooth[layer](maps[layer]) for layer in term.layers}
        targets = {layer: smooth[layer](content[layer]) for layer in term.layers}
        if term.loss.joint:
            norms = {
                n: _root_mean_square(m) / max(term.layers[n], 1e-12) ** 0.5
                for n, m in targets.items()
            }
            a, b = (tuple(m[n] / norms[n] for n in norms) for m in (features, targets))
            return self._error(term, a, b) * term.weight
        shares = [self._error(term, features[n], targets[n]) * w for n, w in term.layers.items()]
        return torch.stack(shares).sum(0) * (term.weight / sum(term.layers.values()))

    @staticmethod
    def _error(term: LossTerm, features: Any, target_features: Any) -> PerImage:
        target = term.loss.describe(target_features)
        error = term.loss.compare(term.loss.describe(features), target)
        return error / term.loss.target_norm(target)

    @property
    def _content_terms(self) -> list[LossTerm]:
        """The content terms that have a weight; their targets are blank, as none is known yet."""
        blank = torch.zeros(1, 3, 1, 1)
        terms = content_terms(self.settings, self.backbone, blank, blank, mask=None)
        return [term for term in terms if term.weight > 0]

    @property
    def _penalties(self) -> dict[str, float]:
        weights = {name: float(getattr(self.settings, name)) for name in PENALTIES}
        return {name: weight for name, weight in weights.items() if weight > 0}

    @property
    def _like(self) -> Tensor:
        """A tensor of the network, for its device and precision."""
        return next(self.backbone.parameters()).detach()

    def _maps(self, image: Tensor, layers: Sequence[str]) -> FeatureMaps:
        return with_pixels(self.backbone.extract)(image, layers)


def _drop_targets(loss: PerceptualLoss, _loaded: object = None) -> None:
    """Let the style be described again before the loss is used: the network has changed."""
    loss._style = None


def _network(
    settings: Settings, backbone: str | nn.Module | None, styles: Sequence[Tensor]
) -> backbones.Backbone:
    """The backbone itself, or the network made of it, or of its name, with these settings."""
    if isinstance(backbone, backbones.Backbone):
        return backbone
    network = backbones.create(
        backbone if isinstance(backbone, nn.Module) else settings.backbone,
        weights=settings.weights,
        seed=settings.seed,
        edits=settings.edits,
        calibrate_on=styles[0] if styles else None,
        style_layers=None if settings.style_layers is None else [*settings.style_layers],
        content_layers=None if settings.content_layers is None else [*settings.content_layers],
    )
    backbones.check_gradient(network, [*network.style_layers, *network.content_layers])
    return network


def _root_mean_square(maps: Tensor) -> Tensor:
    """The root mean square of each picture's maps, (b, 1, 1, 1); 1 instead of 0."""
    rms = maps.detach().square().mean((1, 2, 3), keepdim=True).sqrt()
    return torch.where(rms > 0, rms, 1.0)
