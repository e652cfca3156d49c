"""Pictures that are sent to the server: how they are received, judged and kept."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from swag.errors import ImageError, SwagError
from swag.image import read, read_metadata, write
from swag.run.provenance import from_texts
from swag.web.choices import offered
from swag.web.limits import WebLimits

PREVIEW = 960
"""Long side in pixels of the picture that the page shows."""

SECONDS_TO_SEND = 120.0


class TooLargeError(ImageError):
    """A picture of more bytes than the server takes."""


@dataclass(frozen=True)
class SentPicture:
    """A picture as it was sent, its preview, and the settings in it if it is one of ours."""

    id: str
    path: Path
    preview: Path
    size: tuple[int, int]
    bytes: int
    settings: dict[str, Any] | None

    @property
    def facts(self) -> dict[str, Any]:
        """What the page is told."""
        width, height = self.size
        return {"id": self.id, "width": width, "height": height, "settings": self.settings}

    def remove(self) -> None:
        """Remove its files."""
        self.path.unlink(missing_ok=True)
        self.preview.unlink(missing_ok=True)


async def receive(chunks: AsyncIterator[bytes], path: Path, limits: WebLimits) -> None:
    """Write what is sent to a new file; nothing is left of it if it is too large or breaks off."""
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
    """Read a picture that was sent, as far as the page shows it; ImageError if it is none.

    It is read from its bytes, so that no message names a file of the server. The file goes where
    it is refused.
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
        settings = offered(from_texts(read_metadata(path), path.name)[0].model_dump(mode="json"))
    return SentPicture(path.name, path, preview, size=picture.size, bytes=count, settings=settings)
