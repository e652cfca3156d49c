"""Tensors that lie in a file without a name: as many as the disk holds, gone with the process.

    rows = zeros((6, 300_000_000), torch.bfloat16)

The system keeps in memory what of them there is room for. The folder is `TMPDIR`, or /var/tmp:
/tmp is memory itself on many systems.
"""

import mmap
import os
import shutil
import tempfile
from collections.abc import Sequence
from math import prod
from pathlib import Path

import torch
from torch import Tensor

from swag.errors import ResourceError

PERSISTENT = Path("/var/tmp")


def folder() -> Path:
    """Where the files are made."""
    if "TMPDIR" not in os.environ and os.access(PERSISTENT, os.W_OK):
        return PERSISTENT
    return Path(tempfile.gettempdir())


def room() -> int:
    """Bytes that are free there."""
    return shutil.disk_usage(folder()).free


def zeros(shape: Sequence[int], dtype: torch.dtype) -> Tensor:
    """A tensor of zeros whose memory is a file; on a processor only.

    Raises:
        ResourceError: the disk has no room for it, or no file can be made there.
    """
    size = prod(shape) * dtype.itemsize
    where = folder()
    try:
        with tempfile.TemporaryFile(dir=where) as file:
            _reserve(file.fileno(), size)
            memory = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise ResourceError(
            f"cannot lay {size / 1e9:.1f} GB into {where}: {error.strerror or error}; set TMPDIR "
            "to a folder with more room"
        ) from error
    return torch.frombuffer(memory, dtype=dtype).view(*shape)


def _reserve(file: int, size: int) -> None:
    """Make a file so long, its blocks taken: a full disk shows here, not as a signal later on."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(file, 0, size)
        return
    if size > room():
        raise OSError("no space left on the disk")
    os.ftruncate(file, size)
