"""Whole tasks: stylise a photo, synthesise a texture, reconstruct a content.

    result = stylize("photo.jpg", "painting.jpg", size=512)
    for update in iterate("photo.jpg", "painting.jpg"): show(update.image)

Settings and pictures in, a stream of updates out; whoever reads the stream may stop, show, save.
"""

from swag.run.device import device_of
from swag.run.keeping import SECONDS, keeping
from swag.run.pause import Paused
from swag.run.pause import load as load_checkpoint
from swag.run.record import Made, Recorded, is_unfinished, recorded
from swag.run.tasks import NO_STEP, finish, iterate, reconstruct, stylize, texture
from swag.run.update import Result, Task, Update, taken

__all__ = [
    "NO_STEP",
    "SECONDS",
    "Made",
    "Paused",
    "Recorded",
    "Result",
    "Task",
    "Update",
    "device_of",
    "finish",
    "is_unfinished",
    "iterate",
    "keeping",
    "load_checkpoint",
    "reconstruct",
    "recorded",
    "stylize",
    "taken",
    "texture",
]
