"""Neural style transfer with any network.

    import swag
    result = swag.stylize("photo.jpg", "painting.jpg", size=512)
    result.save("out.png")
    for update in swag.iterate("photo.jpg", "painting.jpg"): ...       # live

A run minimizes the weighted sum of `loss(smooth(features(image)[layer]), target)` over the
pixels; each noun is one module of this package.

Importing changes nothing in the process and does not load torch: a name is loaded at its first use.
A program should call `keep_freed_memory` and `wait_briefly` at its start, which saves time.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from swag import backbones, image, losses, smoothing, statistics
    from swag.allocation import keep_freed_memory
    from swag.config import PRESETS, Settings, settings
    from swag.errors import (
        BackboneError,
        CheckpointError,
        DependencyError,
        ImageError,
        OptimizationError,
        ResourceError,
        SettingsError,
        SwagError,
        VideoError,
        WeightsError,
    )
    from swag.run import (
        PerceptualLoss,
        Result,
        RunKeywords,
        Update,
        apply_style,
        iterate,
        reconstruct,
        stylize,
        texture,
    )
    from swag.threads import wait_briefly

__version__ = "0.1.0"

__all__ = [
    "PRESETS",
    "BackboneError",
    "CheckpointError",
    "DependencyError",
    "ImageError",
    "OptimizationError",
    "PerceptualLoss",
    "ResourceError",
    "Result",
    "RunKeywords",
    "Settings",
    "SettingsError",
    "SwagError",
    "Update",
    "VideoError",
    "WeightsError",
    "__version__",
    "apply_style",
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
    "wait_briefly",
]

_MODULES = {
    "swag.allocation": ("keep_freed_memory",),
    "swag.config": ("PRESETS", "Settings", "settings"),
    "swag.errors": tuple(name for name in __all__ if name.endswith("Error")),
    "swag.run": (
        *("PerceptualLoss", "Result", "RunKeywords", "Update"),
        *("apply_style", "iterate", "reconstruct", "stylize", "texture"),
    ),
    "swag.threads": ("wait_briefly",),
}
_MODULE_OF = {name: module for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> typing.Any:
    """Load a public name when it is first asked for (PEP 562)."""
    if name in _MODULE_OF:
        value = getattr(importlib.import_module(_MODULE_OF[name]), name)
    elif name in __all__:
        value = importlib.import_module(f"{__name__}.{name}")
    else:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
