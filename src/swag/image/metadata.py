"""Words inside a picture's file: settings that made it, so that it can be made again.

PNG holds each word in a text chunk of its own. The other formats hold all of them as one JSON
object in the image description, the one text field that JPEG, WebP, AVIF and TIFF share.
"""

import json
import os
from collections.abc import Mapping

from PIL.Image import Exif
from PIL.ImageFile import ImageFile
from PIL.PngImagePlugin import PngImageFile

from swag.errors import ImageError
from swag.image.decode import guarded, open_header
from swag.image.raster import MAX_PIXELS
from swag.image.source import container, label, open_path

_DESCRIPTION = 0x010E
MAX_TEXT_BYTES = 60_000
"""Text that every format holds: EXIF in JPEG has 65,533 bytes, its own structure included."""


def read_metadata(path: str | os.PathLike[str]) -> dict[str, str]:
    """The texts in a picture's file by name, as `write` was given them; empty if it has none.

    Of a PNG these are all its text chunks ahead of the pixels, whoever wrote them; of another
    format, only what `write` put there. ImageError as for `read`, but pixels are not decoded.
    """
    name = label(path)
    with open_path(path) as file:
        kind = container(file.read(32), name)
        with guarded(name):
            return _texts(open_header(file, kind, name, MAX_PIXELS))


def check_texts(texts: Mapping[str, str]) -> None:
    """Refuse names and texts that not every format could hold: ImageError."""
    for key, value in texts.items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise ImageError(f"metadata {key!r}: {value!r} is not a pair of strings")
        # PNG's rules for the names of text chunks, narrowed from Latin-1 to ASCII
        if not (key.isascii() and key.isprintable() and key == key.strip() and 0 < len(key) < 80):
            raise ImageError(
                f"metadata name {key!r} is not 1 to 79 printable ASCII characters without spaces "
                "at its ends"
            )
        if "\0" in value or any("\ud800" <= letter <= "\udfff" for letter in value):
            raise ImageError(f"metadata {key!r} has a text with NUL or half a surrogate pair in it")
    length = len(as_description(texts))
    if length > MAX_TEXT_BYTES:
        raise ImageError(f"metadata takes {length} bytes; expected at most {MAX_TEXT_BYTES}")


def as_description(texts: Mapping[str, str]) -> str:
    """Texts as a JSON object in ASCII, which is all that the description field may hold."""
    return json.dumps(dict(texts))


def as_exif(texts: Mapping[str, str]) -> bytes:
    """An EXIF block with the texts in it and nothing else; empty without texts."""
    if not texts:
        return b""
    exif = Exif()
    exif[_DESCRIPTION] = as_description(texts)
    return exif.tobytes()


def _texts(image: ImageFile) -> dict[str, str]:
    if not isinstance(image, PngImageFile):
        return _from_description(image.getexif().get(_DESCRIPTION))
    assert image.png is not None  # until its pixels are decoded
    return {key: str(text) for key, text in image.png.im_text.items()}


def _from_description(value: object) -> dict[str, str]:
    """The texts in a description; none where a camera wrote it, and not `write`."""
    try:
        texts = json.loads(value) if isinstance(value, str) else None
    except ValueError:
        return {}
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        return {}
    return texts
