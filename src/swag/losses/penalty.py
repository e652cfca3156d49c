"""Terms without a target: what is unwanted about the pixels themselves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from swag.losses.pixel_range import pixel_range
from swag.losses.total_variation import total_variation
from swag.shapes import Image, PerImage


@dataclass(frozen=True)
class Penalty:
    """A term on the pixels; `measure` gives one number for each picture."""

    name: str
    measure: Callable[[Image], PerImage]
    summary: str
    reference: str


PENALTIES: Mapping[str, Penalty] = MappingProxyType(
    {
        "total_variation": Penalty(
            "total_variation",
            total_variation,
            "how much neighbouring pixels differ",
            "Rudin, Osher and Fatemi, 1992",
        ),
        "pixel_range": Penalty(
            "pixel_range",
            pixel_range,
            "how far pixels have left [0, 1]",
            "Mahendran and Vedaldi, IJCV 2016",
        ),
    }
)
"""Terms on the pixels, by name."""
