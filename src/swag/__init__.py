"""Neural style transfer with any network."""

__version__ = "0.1.0"
