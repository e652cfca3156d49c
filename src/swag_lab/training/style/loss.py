"""The loss of an optimization, for batches of photos that are to have one painting's style."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from swag.backbones import Backbone
from swag.config import Settings
from swag.errors import SettingsError
from swag.image import Picture, filled, resize
from swag.losses import PENALTIES
from swag.losses.loss import Description
from swag.objective import LayerLoss, LossTerm, Objective, with_pixels
from swag.run.places import weighted_by_alpha
from swag.run.terms import content_terms, style_regions, style_terms
from swag.types import FeatureMaps, Image, OwnImage, PerImage
from swag_lab.training.instant.loss import SMALLEST_SPAN


@dataclass(frozen=True)
class TermErrors:
    """Weighted style and content errors of each picture, and its penalties."""

    style: PerImage
    content: PerImage
    penalties: PerImage

    @property
    def total(self) -> PerImage:
        """The sum of all, which is minimized."""
        return self.style + self.content + self.penalties


class StyleObjective:
    """How far painted photos are from a painting's style and from their own content.

    The painting is described and its smoothings are fitted once, at construction. Errors
    are shares of the span between photo and painting, as in an optimization (`Objective.of`), so
    strength and balance mean the same. Departures, as photos change with every step: spans below a
    twentieth of the target's size count as that; the content's span is measured to the painting
    squeezed into the square of a crop; units and smoothings of joint content losses are the
    painting's.

    Args:
        painting: transparent parts do not count.
        size: side in pixels of the photos to come.

    Raises:
        SettingsError: errors are to be measured in other units.
    """

    def __init__(
        self, settings: Settings, network: Backbone, painting: Picture, *, size: int
    ) -> None:
        if settings.normalization != "span" or settings.matched == "gradient":
            raise SettingsError(
                f"normalization = {settings.normalization}, matched = {settings.matched}: "
                "a network is trained with errors as shares of the span; leave both as they are"
            )
        self.network = network
        self.penalties = {name: float(getattr(settings, name)) for name in PENALTIES}
        device = next(network.parameters()).device
        regions = weighted_by_alpha(style_regions(settings, 1, None, []), [painting], device)
        image = filled(painting).batch.to(device)
        square = resize(image, (size, size)).clamp(0, 1)
        style = style_terms(settings, network, [image], regions, unit_image=image)
        content = content_terms(settings, network, square, image, mask=None)
        self.style = self._layer_losses(style, image)
        self.content = self._layer_losses(content, image)

    def _layer_losses(self, terms: Sequence[LossTerm], painting: OwnImage) -> list[LayerLoss]:
        """The layer losses of all terms with a weight, the painting's description as their target.

        The factor of each is the weight of an error of one span.
        """
        active = [replace(t, normalization="target", matched="none") for t in terms if t.weight > 0]
        parts = Objective.of(self.network.extract, active, start=painting, style=painting).parts
        return [
            replace(part, factor=part.factor * float(part.view.loss.target_norm(part.target)[0]))
            for part in parts
        ]

    @property
    def content_layers(self) -> list[str]:
        """The layers whose maps of the photo itself are the target."""
        return list(dict.fromkeys(name for part in self.content for name in part.view.layers))

    @torch.no_grad()
    def content_maps(self, photos: Image) -> FeatureMaps:
        """The maps of photos at the content layers."""
        return self._extract(photos, self.content_layers)

    @torch.no_grad()
    def style_spans(self, photos: Image) -> list[PerImage]:
        """The spans from photos to the painting's style, of each photo in each layer loss."""
        maps = self._extract(photos, [name for part in self.style for name in part.view.layers])
        return [_span(part, part.view.describe(maps, None), part.target) for part in self.style]

    def __call__(
        self, painted: Image, contents: FeatureMaps, style_spans: Sequence[PerImage]
    ) -> TermErrors:
        """The errors of painted photos; `contents` and `style_spans` are those of the photos."""
        style_layers = [name for part in self.style for name in part.view.layers]
        maps = self._extract(painted, list(dict.fromkeys([*style_layers, *self.content_layers])))
        style = [
            part.view.loss.compare(part.view.describe(maps, None), part.target) * part.factor / span
            for part, span in zip(self.style, style_spans, strict=True)
        ]
        content = [self._content_error(part, maps, contents) for part in self.content]
        penalties = [PENALTIES[n].measure(painted) * w for n, w in self.penalties.items() if w]
        zero = painted.new_zeros(len(painted))
        return TermErrors(
            *(torch.stack([zero, *errors]).sum(0) for errors in (style, content, penalties))
        )

    @staticmethod
    def _content_error(part: LayerLoss, maps: FeatureMaps, contents: FeatureMaps) -> PerImage:
        with torch.no_grad():
            target = part.view.describe(contents, None)
            span = _span(part, part.target, target)
        description = part.view.describe(maps, None)
        error: Tensor = part.view.loss.compare(description, target) * part.factor / span
        return error

    def _extract(self, image: Tensor, layers: Sequence[str]) -> FeatureMaps:
        return with_pixels(self.network.extract)(image, layers)


def _span(part: LayerLoss, other: Description, target: Description) -> PerImage:
    loss = part.view.loss
    norm = loss.target_norm(target)
    error = loss.compare(other, target)
    return torch.maximum(error, (SMALLEST_SPAN * norm).to(error))
