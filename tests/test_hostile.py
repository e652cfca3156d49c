"""Hostile files under limits of memory and time, a corpus of damaged ones, disks that fill up."""

import contextlib
import io
import json
import os
import resource
import shutil
import signal
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import forked
import hostile_pictures
import mutations
import numpy as np
import pytest
import tifffile
import torch
from PIL import Image
from typer.testing import CliRunner

import swag
from swag.cli import app
from swag.errors import SwagError
from swag.image import read, write

MEMORY = 150 << 20
"""Bytes by which a process may grow over a hostile file."""
ZEROS = zlib.compress(bytes(200 << 20), 1)
"""What takes more than that when it is inflated."""


def test_every_whole_file_of_the_corpus_is_read(tmp_path: Path):
    for file, make, reader in mutations.SEEDS.values():
        (tmp_path / file).write_bytes(make())
        assert mutations.outcome(tmp_path / file, reader) == "read"
        (tmp_path / file).unlink()


def test_damaged_files_of_every_kind_are_read_or_refused(tmp_path: Path):
    counts, faults = mutations.run(540, 1, tmp_path)
    assert faults == []
    for name in mutations.SEEDS:
        # These two pass damage over.
        assert counts[name, "refused"] > 0 or name in ("manifest", "words in a tiff")


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="needs Linux's /proc")
def test_hostile_pictures_are_read_or_refused_at_a_bounded_cost(capfd):
    counts, faults = hostile_pictures.run(600, 1)
    assert faults == []
    for kind in hostile_pictures.CHANGES:
        assert counts[kind, "read"] > 15 and counts[kind, "refused"] > 15
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(("slow", "faults"), [(1, 0), (2, 1)])
def test_a_file_is_at_fault_if_it_takes_too_long_each_time(monkeypatch, slow, faults):
    """The first case of a corpus of one takes too long so many times."""
    times = iter([2 * hostile_pictures.SECONDS] * slow + [0.0])
    monkeypatch.setattr(hostile_pictures, "cost", lambda *_: ("refused", next(times), 0))
    assert len(hostile_pictures.run(1, 1)[1]) == faults


# --- files that want too much ------------------------------------------------------------------


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(*extra: bytes) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", (8, 8)).save(stream, "PNG")
    whole = stream.getvalue()
    return whole[:33] + b"".join(extra) + whole[33:]


def pixels_bomb(path: Path) -> None:
    """A header of 10^10 pixels and a stream that inflates to a gigabyte."""
    head = struct.pack(">2I5B", 100_000, 100_000, 8, 2, 0, 0, 0)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1 << 24)))
    )


def data_bomb(path: Path) -> None:
    """A small picture whose data inflate to more than it needs."""
    path.write_bytes(png()[:33] + chunk(b"IDAT", ZEROS) + chunk(b"IEND", b""))


def words_bomb(path: Path) -> None:
    path.write_bytes(png(chunk(b"zTXt", b"swag\0\0" + ZEROS)))


def profile_bomb(path: Path) -> None:
    path.write_bytes(png(chunk(b"iCCP", b"x\0\0" + ZEROS)))


def profile_of_nonsense(path: Path) -> None:
    profile = struct.pack(">I", 1 << 31) + b"\xff" * 4000
    Image.new("RGB", (8, 8)).save(path, "PNG", icc_profile=profile)


def thousand_frames(path: Path) -> None:
    frames = [Image.new("RGB", (64, 64), (i % 256, 0, 0)) for i in range(1000)]
    frames[0].save(path, "WEBP", save_all=True, append_images=frames[1:])


def thousand_pages(path: Path) -> None:
    tifffile.imwrite(path, np.zeros((1000, 8, 8, 3), np.uint8), photometric="rgb")


def endless_pages(path: Path) -> None:
    """A TIFF whose first directory names itself as the next."""
    stream = io.BytesIO()
    tifffile.imwrite(stream, np.zeros((8, 8, 3), np.uint8), photometric="rgb", metadata=None)
    data = bytearray(stream.getvalue())
    (at,) = struct.unpack("<I", data[4:8])
    (entries,) = struct.unpack("<H", data[at : at + 2])
    data[at + 2 + 12 * entries : at + 6 + 12 * entries] = struct.pack("<I", at)
    path.write_bytes(data)


def one_pixel(path: Path) -> None:
    Image.new("RGB", (1, 1)).save(path, "PNG")


def thin(path: Path) -> None:
    Image.new("RGB", (20_000, 1)).save(path, "PNG")


def zip_of_zeros(path: Path) -> None:
    path.write_bytes(b"PK\x03\x04" + bytes(1 << 20))


FILES = [pixels_bomb, data_bomb, words_bomb, profile_bomb, profile_of_nonsense, thousand_frames,
         thousand_pages, endless_pages, one_pixel, thin, zip_of_zeros]  # fmt: skip


def limited(path: str, answer: Any) -> None:
    """Read a picture and stylize with it, in a process that may not grow by more than MEMORY."""
    torch.set_num_threads(1)
    photo = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(0))
    small = {"weights": "random", "size": 32, "steps": 1, "scales": 1, "device": "cpu"}
    swag.stylize(photo, photo.flip(-1).square(), **small)  # what a run needs anyhow is there
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * resource.getpagesize() + MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (most, most))
    resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
    try:
        result = swag.stylize(path, photo, **small)
        answer.send(f"read: {bool(torch.isfinite(result.image.pixels).all())}")
    except SwagError as error:
        answer.send("refused" if "\n" not in str(error) else f"lines: {error}")
    except BaseException as error:
        answer.send(f"{type(error).__name__}: {error}")


@pytest.mark.slow
@pytest.mark.parametrize("make", FILES, ids=lambda make: make.__name__)
def test_hostile_files_stay_within_memory_and_time(make: Callable[[Path], None], tmp_path: Path):
    make(tmp_path / "hostile.png")
    server = forked.server()
    ours, its = server.Pipe()
    process = server.Process(target=limited, args=(str(tmp_path / "hostile.png"), its))
    process.start()
    its.close()
    try:
        assert ours.poll(60), "no answer within a minute"
        answer = ours.recv()
    except EOFError:
        answer = f"died: {process.exitcode}"
    finally:
        process.kill()
        process.join()
    assert answer in ("refused", "read: True"), answer


@pytest.mark.parametrize("size", [(1, 1), (1, 20_000), (20_000, 1), (2, 1)])
def test_pictures_of_any_shape_are_stylized_or_refused_in_one_line(size, tmp_path: Path):
    picture = torch.rand(3, *size, generator=torch.Generator().manual_seed(0))
    other = torch.rand(3, 24, 32, generator=torch.Generator().manual_seed(1))
    small = {"weights": "random", "size": 64, "steps": 2, "scales": 1, "device": "cpu"}
    for pair in ((picture, other), (other, picture)):
        try:
            result = swag.stylize(*pair, **small)
            assert torch.isfinite(result.image.pixels).all()
        except SwagError as error:
            assert "\n" not in str(error)


# --- pickles -----------------------------------------------------------------------------------


class Marker:
    """Unpickled, it leaves a file behind."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> Any:
        return os.system, (f"touch {self.path}",)


@pytest.mark.parametrize("name", ["a.pth", "a.pt", "a.safetensors", "a.bin", "a.ckpt"])
def test_code_in_a_file_is_never_run(name: str, tmp_path: Path):
    marker = tmp_path / "ran"
    for write_it in (torch.save, _pickled):
        write_it({"state_dict": Marker(marker)}, tmp_path / name)
        for words in (["--weights", tmp_path / name], ["--resume", tmp_path / name]):
            for path in ("x.png", "y.png"):
                write(tmp_path / path, torch.zeros(3, 24, 32))
            pictures = [tmp_path / "x.png", tmp_path / "y.png", "-o", tmp_path / "out.png"]
            said = CliRunner().invoke(app, [str(w) for w in ("stylize", *pictures, *words)])
            assert (said.exit_code, len(said.stderr.splitlines())) == (1, 1), said.output
            assert not marker.exists()


def _pickled(content: Any, path: Path) -> None:
    import pickle

    path.write_bytes(pickle.dumps(content))


# --- disks that fill up ------------------------------------------------------------------------


@contextlib.contextmanager
def small_disk(folder: Path, kilobytes: int) -> Iterator[str]:
    """A file system of its own where that is allowed, else a limit on the size of files."""
    folder.mkdir()
    mount = shutil.which("mount")
    options = ["-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", str(folder)]
    mounted = mount and subprocess.run([mount, *options], capture_output=True).returncode == 0
    if mounted:
        try:
            yield "No space left on device"
        finally:
            subprocess.run(["umount", str(folder)], check=True)
        return
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (kilobytes << 10, before[1]))
    try:
        yield "File too large"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def invoked(*words: object) -> Any:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def pair(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / "photo.png", tmp_path / "style.png"]
    for number, path in enumerate(paths):
        random = torch.Generator().manual_seed(number)
        write(path, torch.rand(3, 48, 64, generator=random))
    return paths


TINY = ["--weights", "random", "--size", 64, "--steps", 3, "--set", "scales=1"]


def test_a_disk_too_small_for_the_checkpoint_does_not_stop_a_run(pair, tmp_path: Path):
    with small_disk(tmp_path / "disk", 64) as reason:  # the picture has 12 kB, its state 900
        out = tmp_path / "disk/out.png"
        result = invoked("stylize", *pair, "-o", out, "--checkpoint-every", 0, *TINY)
        assert result.exit_code == 0, result.output
        assert f"cannot write the checkpoint {out}.ckpt: {reason}" in result.stderr
        assert [p.name for p in (tmp_path / "disk").iterdir()] == ["out.png"]
        assert read(out).size == (64, 48)


def test_a_disk_too_small_for_the_picture_keeps_no_half_and_says_so(pair, tmp_path: Path):
    with small_disk(tmp_path / "disk", 8) as reason:
        out = tmp_path / "disk/out.png"
        result = invoked("stylize", *pair, "-o", out, *TINY)
        assert (result.exit_code, result.stdout) == (1, "")
        assert result.stderr == f"swag: cannot write '{out}': {reason}\n"
        assert list((tmp_path / "disk").iterdir()) == []


def test_a_batch_on_a_full_disk_keeps_what_is_whole(pair, tmp_path: Path):
    table = tmp_path / "jobs.csv"
    rows = "".join(f"photo.png,style.png,{number}.png\n" for number in range(4))
    table.write_text("content,style,output\n" + rows)
    with small_disk(tmp_path / "disk", 40):
        result = invoked("batch", table, "--out", tmp_path / "disk", *TINY, "--json")
        names = {p.name for p in (tmp_path / "disk").iterdir()}
        for name in names - {"manifest.jsonl"}:
            assert read(tmp_path / "disk" / name).size == (64, 48)
    assert result.exit_code in (0, 3), result.output  # 0 where only the size of files is limited
    states = {
        job["output"]: job["state"] for job in map(json.loads, result.stdout.splitlines()[:-1])
    }
    assert {name for name, state in states.items() if state == "done"} == names - {"manifest.jsonl"}


def test_a_folder_that_cannot_be_written_is_told_before_any_work(pair, tmp_path: Path):
    began = time.perf_counter()
    for out in (tmp_path / "gone/out.png", Path("/proc/out.png"), tmp_path / "photo.png/out.png"):
        result = invoked("stylize", *pair, "-o", out, *TINY)
        assert (result.exit_code, len(result.stderr.splitlines())) == (1, 1), result.output
    assert time.perf_counter() - began < 10


def test_inputs_are_never_touched(pair, tmp_path: Path):
    before = [(p.read_bytes(), p.stat().st_mtime_ns) for p in pair]
    assert invoked("stylize", *pair, "-o", tmp_path / "out.png", *TINY).exit_code == 0
    assert [(p.read_bytes(), p.stat().st_mtime_ns) for p in pair] == before
    refused = invoked("stylize", *pair, "-o", pair[0], *TINY)
    assert refused.exit_code == 1 and "which this run reads" in refused.stderr
    assert pair[0].read_bytes() == before[0][0]
