"""Tensors on the disk: as those in memory, without a trace, and with the disk's own limits."""

import errno
import os
from pathlib import Path

import pytest
import torch

from swag import disk
from swag.errors import ResourceError


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    return tmp_path


@pytest.mark.parametrize("kind", [torch.float32, torch.bfloat16, torch.float64])
def test_a_tensor_in_a_file_is_a_tensor(here, kind):
    rows = disk.zeros((3, 1000), kind)
    assert rows.dtype == kind and rows.shape == (3, 1000) and not rows.any()
    ramp = torch.arange(1000).to(kind)
    rows[1] = ramp
    rows[2] += 2
    assert torch.equal(rows[1], ramp) and bool((rows[2] == 2).all()) and not rows[0].any()


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="tells by Linux's own list")
def test_it_lies_in_that_folder_and_its_file_has_no_name(here):
    rows = disk.zeros((5, 2**20), torch.bfloat16)
    maps = [line for line in Path("/proc/self/maps").read_text().splitlines() if str(here) in line]
    assert len(maps) == 1 and "(deleted)" in maps[0]
    assert list(here.iterdir()) == []
    del rows
    assert str(here) not in Path("/proc/self/maps").read_text()


def test_a_full_disk_is_one_line_before_anything_is_written(here, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    name = "posix_fallocate" if hasattr(os, "posix_fallocate") else "ftruncate"
    monkeypatch.setattr(os, name, full)
    with pytest.raises(ResourceError, match=r"cannot lay 2\.4 GB into .*No space.*TMPDIR") as got:
        disk.zeros((6, 200_000_000), torch.bfloat16)
    assert "\n" not in str(got.value) and str(here) in str(got.value)


def test_a_disk_without_room_is_noticed_where_blocks_cannot_be_reserved(here, monkeypatch):
    monkeypatch.delattr(os, "posix_fallocate", raising=False)
    monkeypatch.setattr(disk, "room", lambda: 100)
    with pytest.raises(ResourceError, match="no space left"):
        disk.zeros((200,), torch.uint8)
    assert disk.zeros((50,), torch.uint8).sum() == 0


def test_the_folder_is_one_that_outlasts_the_memory(monkeypatch, tmp_path):
    monkeypatch.delenv("TMPDIR", raising=False)
    monkeypatch.setattr(disk, "PERSISTENT", tmp_path)
    assert disk.folder() == tmp_path
    monkeypatch.setattr(disk, "PERSISTENT", tmp_path / "absent")
    assert disk.folder() != tmp_path / "absent"
    assert disk.room() > 0
