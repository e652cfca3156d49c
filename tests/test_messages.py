"""What a command says on standard error: lines of the program, whatever its libraries warn of."""

import struct
import subprocess
import sys
import zlib
from pathlib import Path

import pytest
import torch

from swag.image import write

NETWORK = """
import logging, warnings
import numpy as np
from torch import nn

def noisy():
    warnings.warn("raw words\\nfrom within a library")
    np.float64(1) / np.float64(0)
    np.array([1.0]) / 0
    logging.getLogger("some.library").warning("raw words of a logger")
    layers = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
    return nn.Sequential(layers, nn.Conv2d(8, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    random = torch.Generator().manual_seed(0)
    for name in ("photo.png", "painting.jpg"):
        write(tmp_path / name, torch.rand(3, 24, 32, generator=random))
    data = (tmp_path / "painting.jpg").read_bytes()
    at = data.index(b"ICC_PROFILE\0")  # its profile becomes one that cannot be used
    (tmp_path / "painting.jpg").write_bytes(data[: at + 14 + 36] + b"x" * 80 + data[at + 130 :])
    (tmp_path / "noisy.py").write_text(NETWORK)
    return tmp_path


def said(folder: Path, *words: str) -> list[str]:
    program = "from swag.cli import main; main()"
    command = [sys.executable, "-W", "default", "-c", program, *words]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    return result.stderr.splitlines()


WORDS = ["photo.png", "painting.jpg", "--backbone", "noisy.py:noisy", "--size", "32"]


def test_warnings_are_lines_of_the_program_or_silent(folder: Path):
    lines = said(folder, "stylize", *WORDS, "--steps", "2", "-o", "a.png")
    assert all(line.startswith("swag: ") for line in lines), lines
    assert not any("raw words" in line or "divide" in line for line in lines), lines
    assert any("color profile" in x or "color profile" in x for x in lines), lines


def test_quiet_says_nothing_of_warnings(folder: Path):
    assert said(folder, "stylize", *WORDS, "--steps", "2", "-o", "a.png", "--quiet") == []


def test_processes_of_a_batch_say_no_more(folder: Path):
    lines = said(
        folder, "batch", "--contents", "photo.png", "--styles", "painting.jpg", "--out", "out",
        "--workers", "2", "--steps", "2", *WORDS[2:],
    )  # fmt: skip
    assert all(line.startswith("swag: ") for line in lines), lines


def deep_png(
    *, compression: int = 0, more: tuple[bytes, bytes] = (b"gAMA", b"\0\0\xb1\x8f")
) -> bytes:
    """A black PNG of 16 bits, whose header names a method of compression, with one more chunk."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        checksum = zlib.crc32(kind + body)
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", checksum)

    header = chunk(b"IHDR", struct.pack(">2I5B", 8, 8, 16, 2, compression, 0, 0))
    rows = chunk(b"IDAT", zlib.compress(bytes(8 * (1 + 8 * 6))))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(*more) + rows + chunk(b"IEND", b"")


READ = """
import sys
from swag import image
from swag.errors import SwagError
for path in sys.argv[1:]:
    try:
        print(image.read(path).size)
    except SwagError as error:
        print(error)
"""
CHUNKS = [(b"sRGB", b"\x09"), (b"PLTE", b"ab"), (b"iCCP", b"x\0\0rubbish")]
"""What libpng has something to say about."""


def test_what_libpng_says_of_a_picture_is_not_printed(tmp_path: Path):
    """Neither of those that are read nor of the last, which is refused in one line of ours."""
    pictures = [*(deep_png(more=more) for more in CHUNKS), deep_png(compression=1)]
    for number, data in enumerate(pictures):
        (tmp_path / f"{number}.png").write_bytes(data)
    files = sorted(map(str, tmp_path.iterdir()))
    command = [sys.executable, "-W", "ignore", "-c", READ, *files]
    result = subprocess.run(command, capture_output=True, text=True, timeout=300, check=True)
    *read, refused = result.stdout.splitlines()
    assert (read, result.stderr) == (["(8, 8)"] * 3, "")
    assert refused.endswith("its header names compression method 1, and PNG has only method 0")
