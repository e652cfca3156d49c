"""The pictures of a study: a square from the middle of each, named and hashed."""

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from jaxtyping import Float
from torch import Tensor

from swag.errors import ImageError, SettingsError
from swag.image import Picture, extensions, read, resize
from swag_lab.experiments import painted


@dataclass(frozen=True)
class Sample:
    """A picture by name; `file` is None for one that the package paints."""

    name: str
    digest: str
    file: Path | None = None

    def at(self, size: int) -> Float[Tensor, "1 3 size size"]:
        """The square in the middle of the picture, `size` pixels wide, sRGB in [0, 1]."""
        return _load_square(self, size)


def painted_samples(kind: str) -> tuple[Sample, ...]:
    """The pictures of a kind, `contents` or `styles`, that the package paints."""
    painters = painted.CONTENTS if kind == "contents" else painted.STYLES
    return tuple(Sample(name, f"painted/{name}") for name in painters)


def samples_in(folder: Path, count: int | None = None) -> tuple[Sample, ...]:
    """The pictures of a folder in the order of their names; `count` of them, spread over it.

    Raises:
        SettingsError: no folder, or no pictures in it.
    """
    files = list(_picture_files(folder))
    if not files:
        raise SettingsError(
            f"{folder} holds no pictures ({', '.join(extensions())}); give a folder with some"
        )
    number = len(files) if count is None else min(count, len(files))
    chosen = [files[i * len(files) // number] for i in range(number)]
    stems = Counter(file.stem for file in chosen)  # runs are paired by the names of pictures
    names = [file.stem if stems[file.stem] == 1 else file.name for file in chosen]
    return tuple(Sample(name, _digest(f), f) for name, f in zip(names, chosen, strict=True))


def _picture_files(folder: Path) -> Iterator[Path]:
    if not folder.is_dir():
        raise SettingsError(f"{folder} is no folder; give a folder of pictures")
    suffixes = extensions()
    return (file for file in sorted(folder.iterdir()) if file.suffix.lower() in suffixes)


def _digest(file: Path) -> str:
    try:
        return hashlib.sha256(file.read_bytes()).hexdigest()
    except OSError as error:
        raise ImageError(f"{file}: cannot be read: {error.strerror or error}") from error


@lru_cache(maxsize=64)
def _load_square(sample: Sample, size: int) -> Tensor:
    if sample.file is None:
        return painted.paint(sample.name, size)
    return resize(_center_square(read(sample.file)), (size, size)).clamp(0, 1)


def _center_square(picture: Picture) -> Tensor:
    width, height = picture.size
    side = min(width, height)
    top, left = (height - side) // 2, (width - side) // 2
    return picture.batch[..., top : top + side, left : left + side]
