"""What can go wrong by a mistake of the user or of a file.

    SwagError
    ├── ImageError          a picture that cannot be read or written
    ├── BackboneError       an unknown network or layer, or a layer that cannot be read
    │   └── WeightsError    weights that are missing, damaged, or of another network
    ├── SettingsError       a setting that is out of range, misspelt, or at odds with another
    ├── CheckpointError     a checkpoint that is damaged, or of another run
    └── OptimizationError   an optimisation that left the finite numbers and could not return

A message is one line: what was given, what was expected, what to do. The command line prints
it and ends with status 1; any other exception is a defect of ours and shows its traceback.
"""


class SwagError(Exception):
    """A mistake that the user can mend; its message is one line that says how."""


class ImageError(SwagError):
    """A picture that cannot be read or written."""


class BackboneError(SwagError):
    """An unknown network or layer, or a layer that cannot be read."""


class WeightsError(BackboneError):
    """Weights that are missing, damaged, or made for another network."""


class SettingsError(SwagError):
    """A setting that is out of range, misspelt, or at odds with another."""


class CheckpointError(SwagError):
    """A checkpoint that is damaged, or of another run."""


class OptimizationError(SwagError):
    """An optimisation that left the finite numbers and could not return."""
