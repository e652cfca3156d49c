"""Pictures that are sent to the server: how they are received, checked and stored."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swag.errors import ImageError, SwagError
from swag.image import read, read_metadata, write
from swag.run.provenance import from_texts
from swag.web.choices import offered_settings
from swag.web.limits import WebLimits

PREVIEW = 960
"""Long side in pixels of the picture that the page shows."""

SECONDS_TO_SEND = 120.0


class TooLargeError(ImageError):
    """A picture of more bytes than the server takes."""


@dataclass(frozen=True)
class SentPicture:
    """A picture as it was sent, its preview, and the settings in it if SWAG made it."""

    id: str
    path: Path
    preview: Path
    size: tuple[int, int]
    bytes: int
    settings: dict[str, Any] | None

    @property
    def facts(self) -> dict[str, Any]:
        """Id, size and settings of the picture, for the page."""
        width, height = self.size
        return {"id": self.id, "width": width, "height": height, "settings": self.settings}

    def remove(self) -> None:
        """Remove the picture and its preview."""
        self.path.unlink(missing_ok=True)
        self.preview.unlink(missing_ok=True)


async def receive(chunks: AsyncIterator[bytes], path: Path, limits: WebLimits) -> None:
    """Write an upload to a new file, which is removed if the upload is too large or breaks off."""
    count = 0
    try:
        with path.open("xb") as file:
            async with asyncio.timeout(SECONDS_TO_SEND):
                async for chunk in chunks:
                    count += len(chunk)
                    if count > limits.most_bytes:
                        raise TooLargeError(too_large(limits))
                    file.write(chunk)
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def too_large(limits: WebLimits) -> str:
    """The error about a picture with too many bytes."""
    return f"the picture has more than {limits.megabytes:g} megabytes; save it as a smaller one"


def admit(path: Path, limits: WebLimits) -> SentPicture:
    """Read an upload at the size that the page shows; ImageError if it is no picture.

    It is read from its bytes, so that no message names a file of the server. A refused file is
    removed.
    """
    preview = path.with_name(f"{path.name}.jpg")
    try:
        picture = read(path.read_bytes(), size=PREVIEW, max_pixels=limits.pixels)
        write(preview, picture, quality=88)
    except SwagError:
        path.unlink(missing_ok=True)
        raise
    count = path.stat().st_size + preview.stat().st_size
    settings = None
    with contextlib.suppress(SwagError):
        settings = offered_settings(
            from_texts(read_metadata(path), path.name)[0].model_dump(mode="json")
        )
    return SentPicture(path.name, path, preview, size=picture.size, bytes=count, settings=settings)
