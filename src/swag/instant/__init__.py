"""Pictures in one pass of a small network: no optimization, no download.

painter = swag.instant.bundled()                                      # any painting
picture = painter.paint(photo, [painter.describe(painting)])
style = swag.instant.read_style("wave.safetensors")                   # one, trained for
picture = style.paint(photo)
"""

from swag.instant.network import InstantNetwork
from swag.instant.painter import Painter, Style
from swag.instant.shipped import bundled, painter_from
from swag.instant.style_file import StyleCard, read_style, write_style
from swag.instant.style_network import StyleNetwork
from swag.instant.style_painter import StylePainter
from swag.instant.transport import Gaussian, Transport, pool_gaussians, transport

__all__ = [
    "Gaussian",
    "InstantNetwork",
    "Painter",
    "Style",
    "StyleCard",
    "StyleNetwork",
    "StylePainter",
    "Transport",
    "bundled",
    "painter_from",
    "pool_gaussians",
    "read_style",
    "transport",
    "write_style",
]
