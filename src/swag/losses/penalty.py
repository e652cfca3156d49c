"""Terms without a target: penalties on the pixels themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from swag.losses.pixel_range import squared_excess
from swag.losses.total_variation import differences
from swag.maps import check_maps
from swag.types import Image, PerImage


@dataclass(frozen=True)
class Penalty:
    """A term on the pixels: the mean of the cost of each.

    The cost of a pixel depends on pixels down to `below` rows below it and on none above it, so
    that it can be computed strip by strip.
    """

    name: str
    cost: Callable[[Image], Image]
    below: int
    summary: str
    reference: str

    def measure(self, image: Image) -> PerImage:
        """One number for each picture. SettingsError if `image` is no batch of pictures."""
        check_maps(image, self.name)
        mean: PerImage = self.cost(image).mean((1, 2, 3))
        return mean


PENALTIES: Mapping[str, Penalty] = MappingProxyType(
    {
        "total_variation": Penalty(
            name="total_variation",
            cost=differences,
            below=1,
            summary="how much neighboring pixels differ",
            reference="Rudin, Osher and Fatemi, 1992",
        ),
        "pixel_range": Penalty(
            name="pixel_range",
            cost=squared_excess,
            below=0,
            summary="how far pixels have left [0, 1]",
            reference="Mahendran and Vedaldi, IJCV 2016",
        ),
    }
)
"""Terms on the pixels, by name."""
