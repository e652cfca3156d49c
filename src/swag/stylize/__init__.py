"""Whole tasks: stylise a photo, synthesise a texture, reconstruct a content.

    result = stylize("photo.jpg", "painting.jpg", size=512)
    for update in iterate("photo.jpg", "painting.jpg"): show(update.image)

Settings and pictures in, a stream of updates out; whoever reads the stream may stop, show, save.
"""

from swag.stylize.device import device_of
from swag.stylize.tasks import finish, iterate, reconstruct, stylize, texture
from swag.stylize.update import Result, Task, Update

__all__ = [
    "Result",
    "Task",
    "Update",
    "device_of",
    "finish",
    "iterate",
    "reconstruct",
    "stylize",
    "texture",
]
