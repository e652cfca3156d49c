"""Errors for mistakes of the user and faults of files.

    SwagError
    ├── ImageError          a picture that cannot be read or written
    ├── VideoError          a video that cannot be read or written
    ├── BackboneError       an unknown network or layer, or a layer that cannot be read
    │   └── WeightsError    weights that are missing, damaged, or of another network
    ├── SettingsError       a setting that is out of range, misspelt, or at odds with another
    ├── CheckpointError     a checkpoint that is damaged, or of another run
    ├── OptimizationError   an optimization whose loss stayed infinite or NaN
    ├── ResourceError       too little memory or disk, a lock that is held, a cluster that is silent
    └── DependencyError     an optional package that is not installed

A SettingsError is a ValueError, too, and a DependencyError an ImportError.

A message is one line: what was given, what was expected, what to do. The command line prints
it and ends with status 1; any other exception is a defect of ours and shows its traceback.
"""

import importlib.util


class SwagError(Exception):
    """A mistake that the user can correct; its message is one line that says how."""


class ImageError(SwagError):
    """A picture that cannot be read or written."""


class VideoError(SwagError):
    """A video that cannot be read or written."""


class BackboneError(SwagError):
    """An unknown network or layer, or a layer that cannot be read."""


class WeightsError(BackboneError):
    """Weights that are missing, damaged, or made for another network."""


class SettingsError(SwagError, ValueError):
    """A setting that is out of range, misspelt, or at odds with another."""


class CheckpointError(SwagError):
    """A checkpoint that is damaged, or of another run."""


class OptimizationError(SwagError):
    """An optimization whose loss stayed infinite or NaN."""


class ResourceError(SwagError):
    """The machine has no memory or disk left, or another process holds a file that is needed."""


class DependencyError(SwagError, ImportError):
    """An optional package that is not installed; the message says how to install it."""


def check_installed(*modules: str, user: str, extra: str) -> None:
    """Raise DependencyError, which names the `user`, if modules of an extra are not installed."""
    missing = [name for name in modules if importlib.util.find_spec(name) is None]
    if missing:
        raise DependencyError(
            f"{user} needs {' and '.join(missing)}: pip install 'swag-style[{extra}]'"
        )
