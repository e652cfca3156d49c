"""Pictures: from a file to sRGB numbers in [0, 1], and back.

    photo = read("photo.jpg", size=512)          # oriented, converted to sRGB, long side 512
    batch = photo.batch                          # what networks and optimizers take
    write("out.png", replace(photo, pixels=result), metadata={"swag": settings})
    read_metadata("out.png")["swag"]

This package is the only part that knows Pillow, tifffile, imagecodecs and libvips. Whatever is
wrong with a file is an ImageError of one line.
"""

from swag.image.encode import extensions
from swag.image.limits import MAX_PIXELS, MOST_PIXELS
from swag.image.metadata import read_metadata
from swag.image.picture import Picture
from swag.image.read import Source, read, read_hashed, size_in_file
from swag.image.resize import fitted, resize
from swag.image.source import is_picture
from swag.image.transparency import check_visible, filled
from swag.image.write import check_writable, encoded, write

__all__ = [
    "MAX_PIXELS",
    "MOST_PIXELS",
    "Picture",
    "Source",
    "check_visible",
    "check_writable",
    "encoded",
    "extensions",
    "filled",
    "fitted",
    "is_picture",
    "read",
    "read_hashed",
    "read_metadata",
    "resize",
    "size_in_file",
    "write",
]
