"""The sum of all terms, called once at each step."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from torch import Tensor

from swag.losses import PENALTIES
from swag.objective.feature_source import FeatureCache
from swag.objective.layer_loss import LayerLoss, with_pixels
from swag.objective.loss_term import LossTerm
from swag.objective.targets import make_layer_losses
from swag.precision import to_float64
from swag.types import Extract, Image, OwnImage


@dataclass(frozen=True)
class Objective:
    """The terms of a loss with their targets; call it with a picture.

    `penalties` are weights of the terms on the pixels, by name.
    """

    extract: Extract
    parts: tuple[LayerLoss, ...]
    penalties: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        extract: Extract,
        terms: Iterable[LossTerm],
        *,
        start: OwnImage,
        style: OwnImage,
        penalties: Mapping[str, float] | None = None,
    ) -> "Objective":
        """Describe the targets of all terms.

        `auto` parameters of smoothings are fitted to `style`. The error of a layer is
            paper           exactly the paper's: 1 / (4 D^2 M^2) and 1/2 of sums of squares;
                            if the pictures differ in size, the target's Gram matrix counts as
                            that of a picture of the same size as `start`
            released-code   the authors' script's: mean squares
            target          a share of the target's own size
            initial         a share of the error of the picture `start`
            span            a share of the error of the term's `unit_image`: for style, that of
                            the content picture; for content, that of the style picture. Style
                            and content then both run from 0 to about 1, whatever the network.
        The last three average over layers; the first two are weighted sums.
        """
        terms = list(terms)
        source = FeatureCache(
            with_pixels(extract), [layer for term in terms for layer in term.layers]
        )
        parts = [part for term in terms for part in make_layer_losses(term, source, start, style)]
        return cls(extract, tuple(parts), dict(penalties or {}))

    @property
    def layers(self) -> tuple[str, ...]:
        """The layers that are read."""
        return tuple(dict.fromkeys(layer for part in self.parts for layer in part.view.layers))

    def __call__(self, image: Image) -> dict[str, Tensor]:
        """The weighted terms at a picture, float64 scalars."""
        features = with_pixels(self.extract)(image, self.layers)
        terms: dict[str, Tensor] = {}
        for part in self.parts:
            error = part.error(features)
            terms[part.term] = terms[part.term] + error if part.term in terms else error
        for name, weight in self.penalties.items():
            if weight:
                terms[name] = to_float64(PENALTIES[name].measure(image)[0]) * weight
        return terms
