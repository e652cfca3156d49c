"""Labeled pictures for training: packed in one file, or a folder with one folder for each class.

A packed file is a NumPy `.npz` without pickled objects: `data` (uint8, encoded pictures end to
end), `offsets` (int64, n + 1) and `labels` (integers from 0).
"""

import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor
from torch.nn.functional import interpolate

from swag.errors import ImageError, SettingsError
from swag.image import extensions, read

MOST_CLASSES = 100_000
"""Classes of a source at most: the scores of more would fill the memory."""


@dataclass(frozen=True)
class PictureSource:
    """Pictures of any sizes with a class each; `classes` is one more than the largest label."""

    pictures: Sequence[UInt8[Tensor, "3 _h _w"]]
    labels: Int64[Tensor, " n"]
    classes: int

    def __len__(self) -> int:
        return len(self.pictures)


def load_source(*paths: Path) -> PictureSource:
    """Read packed files or folders of one class list into one source.

    Raises:
        ImageError: a path is neither, holds no pictures, or a picture in it cannot be read.
    """
    pictures: list[Tensor] = []
    labels: list[Tensor] = []
    for path in paths:
        source_pictures, source_labels = _read_folder(path) if path.is_dir() else _read_packed(path)
        pictures += source_pictures
        labels.append(source_labels)
    all_labels = torch.cat(labels)
    return PictureSource(pictures, all_labels, int(all_labels.max()) + 1)


def load_pictures(path: Path) -> dict[str, list[UInt8[Tensor, "3 _h _w"]]]:
    """Unlabeled pictures by source, from a packed file or a folder.

    Each packed file is a source named after it. The picture files in a folder and below it are one
    more, named after the folder.

    Raises:
        ImageError: there are no pictures, or one of them cannot be read.
    """
    if not path.exists():
        raise ImageError(f"{path}: no such file or folder; expected pictures to train on")
    if path.is_file():
        return {path.stem: _read_pictures(path)}
    sources = {file.stem: _read_pictures(file) for file in sorted(path.glob("*.npz"))}
    files = [file for file in sorted(path.rglob("*")) if file.suffix.lower() in extensions()]
    if files:
        sources[path.name] = [_decode(file) for file in files]
    if not sources:
        raise ImageError(f"{path}: no pictures and no packed .npz files found")
    return sources


def large_pictures(
    places: Sequence[Path], size: int, *, smaller: str
) -> list[UInt8[Tensor, "3 _h _w"]]:
    """The unlabeled pictures that hold a square of `size` pixels.

    Raises:
        ImageError: no pictures, or one that cannot be read.
        SettingsError: none is large enough; `smaller` names the alternative to larger pictures.
    """
    pictures = [p for path in places for source in load_pictures(path).values() for p in source]
    large = [picture for picture in pictures if min(picture.shape[1:]) >= size]
    if not large:
        raise SettingsError(
            f"{', '.join(map(str, places))}: none of {len(pictures)} pictures is at least {size} "
            f"pixels wide and high; give larger pictures or {smaller}"
        )
    return large


def _read_pictures(path: Path) -> list[UInt8[Tensor, "3 _h _w"]]:
    return _decode_all(*_read_arrays(path, "data", "offsets"))


def _decode_all(data: np.ndarray, offsets: np.ndarray) -> list[UInt8[Tensor, "3 _h _w"]]:
    return [_decode(data[a:b].tobytes()) for a, b in pairwise(offsets)]


def _decode(source: bytes | Path) -> UInt8[Tensor, "3 _h _w"]:
    return read(source).pixels.mul(255).round().to(torch.uint8)


def _read_packed(path: Path) -> tuple[list[Tensor], Tensor]:
    data, offsets, labels = _read_arrays(path, "data", "offsets", "labels")
    return _decode_all(data, offsets), torch.from_numpy(labels.astype(np.int64))


def _read_arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays of a packed file; ImageError if it is none, or arrays are missing or odd."""
    folder = "with a folder for each class" if "labels" in names else "of pictures"
    expected = (
        f"expected a folder {folder}, or a packed .npz file with "
        f"{', '.join(names[:-1])} and {names[-1]}"
    )
    try:
        # Opened here, since NumPy would leave a file that is no archive open.
        with path.open("rb") as file:
            if not zipfile.is_zipfile(file):
                raise ImageError(f"{path} is not a packed .npz file; {expected}")
            file.seek(0)
            with np.load(file, allow_pickle=False) as packed:
                arrays = {name: packed[name] for name in names}
        _check_packed(arrays["offsets"], arrays.get("labels"))
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, zlib.error) as error:
        raise ImageError(f"{path}: {expected} ({type(error).__name__}: {error})") from error
    return list(arrays.values())


def _check_packed(offsets: np.ndarray, labels: np.ndarray | None) -> None:
    """ValueError unless there is a picture, and each has a class if there are labels."""
    if offsets.ndim != 1 or offsets.dtype.kind not in "iu" or len(offsets) < 2:
        raise ValueError("offsets are not whole numbers of at least one picture")
    if labels is None:
        return
    count = len(offsets) - 1
    if labels.size != count:
        raise ValueError(f"{labels.size} labels for {count} pictures")
    whole = labels.ndim == 1 and labels.dtype.kind in "iu"
    if not (whole and 0 <= labels.min() <= labels.max() < MOST_CLASSES):
        raise ValueError(f"labels are not whole numbers from 0 to {MOST_CLASSES - 1}")


def _read_folder(path: Path) -> tuple[list[Tensor], Tensor]:
    classes = sorted(folder for folder in path.iterdir() if folder.is_dir())
    files = [
        (file, label)
        for label, folder in enumerate(classes)
        for file in sorted(folder.iterdir())
        if file.suffix.lower() in extensions()
    ]
    if not files:
        raise ImageError(f"{path}: no pictures found; expected one folder for each class")
    return [_decode(file) for file, _ in files], torch.tensor([label for _, label in files])


def random_crop(
    picture: UInt8[Tensor, "3 _h _w"], size: int, smallest_area: float, generator: torch.Generator
) -> UInt8[Tensor, "3 {size} {size}"]:
    """A random region of a picture, resized without aliasing and mirrored half of the time.

    The region holds `smallest_area` to all of the picture's area and is up to 4/3 times as wide
    as high, or the reverse (Szegedy et al. 2015).
    """
    area, aspect, top, left, mirror = torch.rand(5, generator=generator).tolist()
    height, width = picture.shape[1:]
    share = smallest_area + (1 - smallest_area) * area
    ratio = (4 / 3) ** (2 * aspect - 1)
    h = min(height, max(1, round((height * width * share / ratio) ** 0.5)))
    w = min(width, max(1, round((height * width * share * ratio) ** 0.5)))
    y, x = round(top * (height - h)), round(left * (width - w))
    crop = picture[:, y : y + h, x : x + w][None]
    resized = interpolate(crop, (size, size), mode="bilinear", antialias=True)[0]
    return resized.flip(-1) if mirror < 0.5 else resized


def center(picture: UInt8[Tensor, "3 _h _w"], size: int) -> UInt8[Tensor, "3 {size} {size}"]:
    """The largest square in the middle of a picture, resized without aliasing."""
    height, width = picture.shape[1:]
    side = min(height, width)
    y, x = (height - side) // 2, (width - side) // 2
    crop = picture[:, y : y + side, x : x + side][None]
    if side == size:
        return crop[0]
    return interpolate(crop, (size, size), mode="bilinear", antialias=True)[0]


def as_images(pictures: Sequence[UInt8[Tensor, "3 h w"]]) -> Float[Tensor, "b 3 h w"]:
    """Stack pictures of one size as sRGB in [0, 1]."""
    return torch.stack(list(pictures)).float().div(255)
