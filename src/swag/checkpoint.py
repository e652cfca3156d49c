"""Checkpoints: tensors and other values of a run, in one file that is whole or absent.

    save_tensors("out.png.ckpt", {"image": latents}, {"step": 12})
    tensors, values = load_tensors("out.png.ckpt")

The file is of the format safetensors, with the values as JSON in its header, and a SHA-256 over
all of it. Nothing in it is ever run.
"""

import hashlib
import json
import math
import os
import struct
from collections.abc import Mapping
from itertools import accumulate, chain
from typing import IO, Any

import torch
from torch import Tensor

from swag.errors import CheckpointError
from swag.files import open_at_once, write_atomically
from swag.types import StrPath

LARGEST_HEADER = 1 << 20
"""Bytes of names, shapes and values: no run has more than some 100 kB."""

_DIGEST = "sha256"
_UNKNOWN = "0" * 64
_TYPES = {
    torch.float64: "F64",
    torch.int64: "I64",
    torch.float32: "F32",
    torch.int32: "I32",
    torch.bfloat16: "BF16",
    torch.float16: "F16",
    torch.uint8: "U8",
}


def save_tensors(path: StrPath, tensors: Mapping[str, Tensor], values: Mapping[str, Any]) -> None:
    """Write a checkpoint, whole or not at all; a tensor that has two names is written once.

    CheckpointError, one line, if it cannot be written; an older file then stays.
    """
    unique, aliases = _unique_tensors(tensors)
    # Wide numbers first, so that each lies at a multiple of its size.
    unique = dict(sorted(unique.items(), key=lambda item: -item[1].element_size()))
    texts = {"values": json.dumps(values, allow_nan=False), "same": json.dumps(aliases)}
    blank = _header(unique, {**texts, _DIGEST: _UNKNOWN})
    if len(blank) > LARGEST_HEADER:
        raise CheckpointError(f"cannot write {path}: what is known takes {len(blank)} bytes")
    digest = hashlib.sha256(blank)
    for tensor in unique.values():
        digest.update(_bytes(tensor))
    header = _header(unique, {**texts, _DIGEST: digest.hexdigest()})
    try:
        parts = chain([header], map(_bytes, unique.values()))  # one tensor's bytes at a time
        write_atomically(path, lambda file: file.writelines(parts))
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise CheckpointError(f"cannot write the checkpoint {path}: {reason}") from error


def load_tensors(path: StrPath) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and values of a checkpoint; CheckpointError if it is damaged or is none."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            tensors, texts = _read(file)
        aliases, values = json.loads(texts["same"]), json.loads(texts["values"])
        tensors |= {name: tensors[twin] for name, twin in aliases.items()}
    except FileNotFoundError as error:
        raise CheckpointError(f"there is no checkpoint {path}") from error
    except (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError) as error:
        raise CheckpointError(f"{path} is not a checkpoint, or is damaged") from error
    return tensors, values


def _unique_tensors(tensors: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, str]]:
    """Each tensor under its first name, and for each further name the first."""
    first_names: dict[int, str] = {}
    unique, aliases = {}, {}
    for name, tensor in tensors.items():
        if id(tensor) in first_names:
            aliases[name] = first_names[id(tensor)]
        else:
            first_names[id(tensor)] = name
            unique[name] = tensor
    return unique, aliases


def _header(tensors: Mapping[str, Tensor], texts: Mapping[str, str]) -> bytes:
    """The length of the header and the header, as safetensors defines them."""
    lengths = [tensor.numel() * tensor.element_size() for tensor in tensors.values()]
    ends = list(accumulate(lengths))
    entries: dict[str, Any] = {"__metadata__": dict(texts)}
    for (name, tensor), end, length in zip(tensors.items(), ends, lengths, strict=True):
        entries[name] = {
            "dtype": _TYPES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [end - length, end],
        }
    text = json.dumps(entries).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text


def _bytes(tensor: Tensor) -> Any:
    flat = tensor.detach().cpu().contiguous().reshape(-1)
    return flat.view(torch.uint8).numpy().data


def _read(file: IO[bytes]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """The tensors and the texts; ValueError if the digest is not that of all bytes.

    Tensors are copies: a mapped file that is cut short meanwhile would end the process.
    """
    (length,) = struct.unpack("<Q", (file.read(8) + bytes(8))[:8])
    if length > LARGEST_HEADER:
        raise ValueError("too long a header")
    header = file.read(length)
    entries: dict[str, Any] = json.loads(header)
    texts: dict[str, Any] = entries.pop("__metadata__")
    digest = hashlib.sha256(struct.pack("<Q", length))
    digest.update(header.replace(texts[_DIGEST].encode(), _UNKNOWN.encode(), 1))
    size, position = os.fstat(file.fileno()).st_size - file.tell(), 0
    tensors = {}
    for name, entry in sorted(entries.items(), key=lambda item: item[1]["data_offsets"]):
        tensors[name] = _empty_tensor(entry, position, size)
        part = _bytes(tensors[name])
        position += file.readinto(part)  # type: ignore[attr-defined] # of a buffered file
        digest.update(part)
    if position != size or file.read(1) or digest.hexdigest() != texts[_DIGEST]:
        raise ValueError("damaged")
    return tensors, texts


def _empty_tensor(entry: Mapping[str, Any], position: int, size: int) -> Tensor:
    """Zeros for a tensor that begins at `position` of `size` bytes; ValueError if it does not."""
    (dtype,) = (kind for kind, name in _TYPES.items() if name == entry["dtype"])
    start, end = entry["data_offsets"]
    length = math.prod(entry["shape"]) * dtype.itemsize
    if not (start == position <= end <= size and length == end - start):
        raise ValueError("a tensor that is not where it says")
    return torch.zeros(entry["shape"], dtype=dtype)
