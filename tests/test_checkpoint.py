"""Checkpoints as files: what goes in comes out, and nothing else is believed."""

import errno
import hashlib
import json
import os
import struct
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from swag.checkpoint import LARGEST_HEADER, load_tensors, save_tensors
from swag.errors import CheckpointError

TYPES = (torch.float64, torch.float32, torch.bfloat16, torch.float16, torch.int64, torch.uint8)


@pytest.fixture
def kept(tmp_path: Path) -> Path:
    picture = torch.rand(1, 3, 4, 5, generator=torch.Generator().manual_seed(0))
    tensors = {"image": picture, "best": picture, "count": torch.tensor(7)}
    save_tensors(tmp_path / "a.ckpt", tensors, {"step": 3, "loss": 0.1})
    return tmp_path / "a.ckpt"


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("shape", [(), (1,), (0, 3), (2, 3, 5)])
def test_tensors_come_back_with_type_shape_and_bits(kind, shape, tmp_path: Path):
    random = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 100
    tensors = {"a": random.to(kind), "b": torch.ones(3, dtype=torch.uint8)}
    save_tensors(tmp_path / "a.ckpt", tensors, {})
    found, _ = load_tensors(tmp_path / "a.ckpt")
    assert found.keys() == tensors.keys()
    for name, tensor in tensors.items():
        assert found[name].dtype == tensor.dtype
        assert torch.equal(found[name], tensor)


def test_numbers_come_back_exactly(tmp_path: Path):
    values = {"x": 0.1 + 0.2, "y": 1e-300, "z": 2**53 + 1, "words": "Grün", "list": [1, None, True]}
    save_tensors(tmp_path / "a.ckpt", {}, values)
    assert load_tensors(tmp_path / "a.ckpt")[1] == values


def test_a_tensor_with_two_names_is_written_once_and_is_one_again(kept: Path):
    tensors, _ = load_tensors(kept)
    assert tensors["best"] is tensors["image"]
    assert kept.stat().st_size < 1000


def test_a_view_is_kept_as_it_is_seen(tmp_path: Path):
    turned = torch.arange(6.0).view(2, 3).T
    save_tensors(tmp_path / "a.ckpt", {"a": turned}, {})
    assert torch.equal(load_tensors(tmp_path / "a.ckpt")[0]["a"], turned)


def test_any_other_program_can_read_the_tensors(kept: Path):
    from safetensors.numpy import load_file

    assert set(load_file(kept)) == {"image", "count"}


def test_numbers_that_are_not_finite_are_not_written(tmp_path: Path):
    with pytest.raises(ValueError, match="JSON"):
        save_tensors(tmp_path / "a.ckpt", {}, {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_every_flipped_bit_is_found(kept: Path):
    whole = kept.read_bytes()
    random = np.random.default_rng(0)
    for place in [*range(0, len(whole), 7), *range(8), len(whole) - 1]:
        damaged = bytearray(whole)
        damaged[place] ^= 1 << random.integers(8)
        kept.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="damaged"):
            load_tensors(kept)


def test_the_beginning_of_a_checkpoint_is_refused(kept: Path):
    whole = kept.read_bytes()
    for length in (0, 1, 7, 8, 9, 100, len(whole) - 1):
        kept.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="damaged"):
            load_tensors(kept)
    kept.write_bytes(whole + b"\0")
    with pytest.raises(CheckpointError, match="damaged"):
        load_tensors(kept)


@pytest.mark.parametrize(
    "header",
    [
        b"[]",
        b"{}",
        b'{"__metadata__": 3}',
        b'{"__metadata__": {"sha256": 3}}',
        b'{"__metadata__": {"sha256": "' + b"0" * 64 + b'"}}',
        b"[" * 100_000,
        b"\xff\xfe",
    ],
)
def test_a_hostile_header_is_refused(header: bytes, tmp_path: Path):
    (tmp_path / "a.ckpt").write_bytes(struct.pack("<Q", len(header)) + header)
    with pytest.raises(CheckpointError, match="is not a checkpoint, or is damaged"):
        load_tensors(tmp_path / "a.ckpt")


def test_a_header_of_a_thousand_gigabytes_is_not_waited_for(tmp_path: Path):
    with open(tmp_path / "a.ckpt", "wb") as file:
        file.write(struct.pack("<Q", 1 << 40))
        file.truncate(1 << 30)  # sparse: takes no room
    began = time.perf_counter()
    with pytest.raises(CheckpointError):
        load_tensors(tmp_path / "a.ckpt")
    assert time.perf_counter() - began < 1


def test_more_than_a_header_holds_is_not_written(tmp_path: Path):
    with pytest.raises(CheckpointError, match="bytes"):
        save_tensors(tmp_path / "a.ckpt", {}, {"words": "x" * LARGEST_HEADER})


def test_what_is_no_file_is_refused_without_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", tmp_path, Path("/dev/zero")):
        with pytest.raises(CheckpointError, match="not a checkpoint"):
            load_tensors(path)
    with pytest.raises(CheckpointError, match="there is no checkpoint"):
        load_tensors(tmp_path / "nowhere")


def test_a_full_disk_leaves_the_checkpoint_before(kept: Path, monkeypatch):
    whole = kept.read_bytes()

    def no_space(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(CheckpointError, match="No space left on device"):
        save_tensors(kept, {"image": torch.zeros(9)}, {})
    assert kept.read_bytes() == whole
    assert [p.name for p in kept.parent.iterdir()] == ["a.ckpt"]


def test_the_values_stand_in_the_header_as_json(kept: Path):
    data = kept.read_bytes()
    (length,) = struct.unpack("<Q", data[:8])
    texts = json.loads(data[8 : 8 + length])["__metadata__"]
    assert json.loads(texts["values"]) == {"step": 3, "loss": 0.1}


def test_a_file_cut_short_after_it_was_read_harms_nobody(tmp_path: Path):
    """A mapped file would end the process with SIGBUS."""
    path, values = tmp_path / "a.ckpt", torch.arange(1 << 20)
    save_tensors(path, {"a": values, "b": torch.zeros(0, 3), "c": values.to(torch.bfloat16)}, {})
    tensors, _ = load_tensors(path)
    os.truncate(path, 100)
    assert torch.equal(tensors["a"], values)
    assert torch.equal(tensors["c"], values.to(torch.bfloat16))
    tensors["a"] += 1  # and it can be written to


def forged(path: Path, entries: dict, data: bytes) -> None:
    """A checkpoint whose digest is right."""
    texts = {"values": "{}", "same": "{}", "sha256": "0" * 64}
    text = json.dumps({"__metadata__": texts, **entries}).encode()
    blank = struct.pack("<Q", len(text)) + text
    right = hashlib.sha256(blank + data).hexdigest().encode()
    path.write_bytes(blank.replace(b"0" * 64, right, 1) + data)


def entry(shape, start, end, dtype="F32"):
    return {"dtype": dtype, "shape": shape, "data_offsets": [start, end]}


@pytest.mark.parametrize(
    "entries",
    [
        {"a": entry([4], 0, 8)},
        {"a": entry([2], 0, 16)},
        {"a": entry([4], 4, 20)},
        {"a": entry([2], 0, 8)},
        {"a": entry([2], 0, 8), "b": entry([4], 0, 16)},
        {"a": entry([-4, -1], 0, 16)},
        {"a": entry([10**30], 0, 4 * 10**30)},
        {"a": entry([10**30, 0], 0, 0), "b": entry([4], 0, 16)},
        {"a": entry(["4"], 0, 16)},
        {"a": entry([4], 0, 16, "Q4")},
        {"a": entry([4], 0, 16, None)},
        {"a": {}},
        {"a": 3},
        {"a": entry([2.0, 2], 0, 16)},
    ],
)
def test_forged_entries_are_refused(entries, tmp_path: Path):
    forged(tmp_path / "a.ckpt", {"a": entry([4], 0, 16)}, bytes(16))
    assert load_tensors(tmp_path / "a.ckpt")[0]["a"].shape == (4,)
    forged(tmp_path / "a.ckpt", entries, bytes(16))
    with pytest.raises(CheckpointError, match="is not a checkpoint, or is damaged"):
        load_tensors(tmp_path / "a.ckpt")
