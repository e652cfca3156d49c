"""Any painting in one pass of a small network: no optimization, no download.

painter = swag.instant.bundled()
picture = painter.paint(photo, [painter.describe(painting)])
"""

from swag.instant.network import InstantNetwork
from swag.instant.painter import Painter, Style
from swag.instant.shipped import bundled, painter_from
from swag.instant.transport import Gaussian, Transport, pooled, transport

__all__ = [
    "Gaussian",
    "InstantNetwork",
    "Painter",
    "Style",
    "Transport",
    "bundled",
    "painter_from",
    "pooled",
    "transport",
]
