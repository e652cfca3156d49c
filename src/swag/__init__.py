"""Neural style transfer with any network.

    import swag
    result = swag.stylize("photo.jpg", "painting.jpg", size=512)
    result.save("out.png")
    for update in swag.iterate("photo.jpg", "painting.jpg"): ...       # live

Stylising is minimising, over the pixels, the weighted sum of
`loss(smooth(features(image)[layer]), target)`; each noun is one module of this package.
"""

from swag import threads

threads.wait_briefly()  # before anything loads torch

from swag import backbones, image, losses, smoothing, statistics
from swag.allocation import keep_freed_memory
from swag.config import PRESETS, Settings, settings
from swag.errors import (
    BackboneError,
    CheckpointError,
    ImageError,
    OptimizationError,
    SettingsError,
    SwagError,
    WeightsError,
)
from swag.run import Result, Update, iterate, reconstruct, stylize, texture

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "BackboneError",
    "CheckpointError",
    "ImageError",
    "OptimizationError",
    "Result",
    "Settings",
    "SettingsError",
    "SwagError",
    "Update",
    "WeightsError",
    "__version__",
    "backbones",
    "image",
    "iterate",
    "keep_freed_memory",
    "losses",
    "reconstruct",
    "settings",
    "smoothing",
    "statistics",
    "stylize",
    "texture",
]
