"""Whole tasks: stylize a photo, synthesise a texture, reconstruct a content.

    result = stylize("photo.jpg", "painting.jpg", size=512)
    for update in iterate("photo.jpg", "painting.jpg"): show(update.image)

Settings and pictures in, a stream of updates out; whoever reads the stream may stop, show, save.
"""

from swag.run.api import (
    NO_STEP,
    RunKeywords,
    finish,
    iterate,
    reconstruct,
    stylize,
    texture,
)
from swag.run.checkpoint import Checkpoint, load_checkpoint
from swag.run.device import device_of
from swag.run.perceptual_loss import PerceptualLoss
from swag.run.provenance import PictureProvenance, Recorded, is_unfinished, recorded
from swag.run.to_file import CHECKPOINT, PictureFile, Saved, run_to_file
from swag.run.trained_style import apply_style
from swag.run.update import Result, Task, Update, renamed_warning
from swag.run.with_checkpoints import SECONDS, with_checkpoints

__all__ = [
    "CHECKPOINT",
    "NO_STEP",
    "SECONDS",
    "Checkpoint",
    "PerceptualLoss",
    "PictureFile",
    "PictureProvenance",
    "Recorded",
    "Result",
    "RunKeywords",
    "Saved",
    "Task",
    "Update",
    "apply_style",
    "device_of",
    "finish",
    "is_unfinished",
    "iterate",
    "load_checkpoint",
    "reconstruct",
    "recorded",
    "renamed_warning",
    "run_to_file",
    "stylize",
    "texture",
    "with_checkpoints",
]
