"""Texts in a picture's file: the settings that made it, so that it can be made again.

PNG holds each text in a chunk of its own. The other formats hold all of them as one JSON object in
the image description, the one text field that JPEG, WebP, AVIF and TIFF share. The kind of the
picture's source, which other programs are to find, is in XMP, in its usual place in each format.
"""

import io
import json
from collections.abc import Mapping

from PIL.Image import Exif
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile

from swag.errors import ImageError
from swag.image import tiff
from swag.image.decode import guarded, open_header
from swag.image.formats import HEAD_BYTES, container
from swag.image.limits import BYTES_BESIDES, Limits
from swag.image.source import File, label, open_path, read_start
from swag.types import StrPath

_DESCRIPTION, _EXIF, _COMMENT = 0x010E, 0x8769, 0x9286
_UNICODE = b"UNICODE\0"
PARAMETERS = "parameters"
"""Name of the text that other programs look for: in PNG by name, elsewhere in Exif's comment."""
XMP = "XML:com.adobe.xmp"
"""The name under which PNG holds XMP, and `read_metadata` returns it."""

_XMP = (
    '<?xpacket begin="\ufeff" id="W5M0MpCehiHzreSzNTczkc9d"?>'
    '<x:xmpmeta xmlns:x="adobe:ns:meta/">'
    '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
    '<rdf:Description rdf:about="" '
    'xmlns:Iptc4xmpExt="http://iptc.org/std/Iptc4xmpExt/2008-02-29/" '
    'Iptc4xmpExt:DigitalSourceType="http://cv.iptc.org/newscodes/digitalsourcetype/{}"/>'
    '</rdf:RDF></x:xmpmeta><?xpacket end="r"?>'
)
_LONGEST_COMMENT = 2000
MAX_TEXT_BYTES = 60_000
"""Text that every format holds: EXIF in JPEG has 65,533 bytes, its own structure included."""


def read_metadata(path: StrPath) -> dict[str, str]:
    """The texts in a picture's file by name, as `write` was given them; empty if it has none.

    Of a PNG these are all its text chunks ahead of the pixels, whoever wrote them; of another
    format, only what `write` put there. ImageError as for `read`, but pixels are not decoded.
    """
    name = label(path)
    with open_path(path) as file, guarded(name):
        kind = container(file.read(HEAD_BYTES), name)
        if kind == "PNG":
            png = PngImageFile(_start(file)).png
            assert png is not None  # until its pixels are decoded
            return {key: str(text) for key, text in png.im_text.items()}
        if kind == "TIFF":
            description, xmp = tiff.texts(file, name)
            return _from_description(description) | _from_xmp(xmp)
        if kind == "JPEG":
            image: ImageFile = JpegImageFile(_start(file))
        else:
            image, _ = open_header(file, kind, name, Limits())
        exif = image.getexif()
        texts = _from_description(exif.get(_DESCRIPTION)) or _from_comment(exif)
        return texts | _from_xmp(image.info.get("xmp"))


def _start(file: File) -> io.BytesIO:
    """The first bytes of a file, which hold its texts."""
    return io.BytesIO(read_start(file, BYTES_BESIDES))


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


def as_xmp(source_type: str) -> str:
    """An XMP packet that says nothing but IPTC's digital source type; ImageError if it is none."""
    if not (source_type.isascii() and source_type.isalpha()):
        raise ImageError(
            f"{source_type!r} is no digital source type of IPTC; expected one word, as "
            "trainedAlgorithmicMedia"
        )
    return _XMP.format(source_type)


def xmp_of(texts: Mapping[str, str]) -> bytes:
    """The XMP among the texts, as bytes; empty if there is none."""
    return texts.get(XMP, "").encode()


def as_description(texts: Mapping[str, str]) -> str:
    """Texts as a JSON object in ASCII, which is all that the description field may hold."""
    return json.dumps({name: text for name, text in texts.items() if name != XMP})


def as_exif(texts: Mapping[str, str]) -> bytes:
    """An EXIF block with the texts in it and nothing else; empty without texts."""
    if not texts.keys() - {XMP}:
        return b""
    exif = Exif()
    exif.endian = ">"  # so that all readers take the comment's letters in this order
    exif[_DESCRIPTION] = as_description(texts)
    if 0 < len(comment := texts.get(PARAMETERS, "")) < _LONGEST_COMMENT:
        exif.get_ifd(_EXIF)[_COMMENT] = _UNICODE + comment.encode("utf-16-be")
    return exif.tobytes()


def _from_xmp(value: object) -> dict[str, str]:
    """The XMP in a file, under its name in PNG."""
    if not isinstance(value, bytes) or not 0 < len(value) <= MAX_TEXT_BYTES:
        return {}
    return {XMP: value.decode(errors="replace")}


def _from_comment(exif: Exif) -> dict[str, str]:
    """The text `parameters` that programs that make pictures write into Exif's comment."""
    comment = exif.get_ifd(_EXIF).get(_COMMENT)
    if not isinstance(comment, bytes) or not comment.startswith(_UNICODE):
        return {}
    encoding = "utf-16-be" if exif.endian == ">" else "utf-16-le"
    text = comment[len(_UNICODE) : MAX_TEXT_BYTES].decode(encoding, errors="replace").strip("\0 ")
    return {PARAMETERS: text} if text else {}


def _from_description(value: object) -> dict[str, str]:
    """The texts in a description; none if a camera wrote it, and not `write`."""
    if not isinstance(value, str) or len(value) > MAX_TEXT_BYTES:
        return {}
    try:
        texts = json.loads(value)
    except ValueError:
        return {}
    if not isinstance(texts, dict) or not all(isinstance(text, str) for text in texts.values()):
        return {}
    return texts
