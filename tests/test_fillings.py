"""Nothing depends on what the process had in its memory: pictures, and runs.

glibc fills what it hands out with a byte that is given (`MALLOC_PERTURB_`), if it is asked for all
of it: Python and the caches of threads are told to keep none.
"""

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

FILLINGS = (0x55, 0xAA)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc fills its memory"),
]

UNFILLED = "import numpy; print(numpy.empty(1 << 20, numpy.uint8)[0])"

RUN = """
import hashlib, sys, torch, swag
torch.set_num_threads(1)

def noise(*size):
    return torch.rand(3, *size, generator=torch.Generator().manual_seed(sum(size)))

path = sys.argv[1]
small = {"weights": "random", "size": 64, "scales": 1, "steps": 3, "device": "cpu"}
tiled = {"tile": 32, "optimizer": "adam", "style_loss": "mrf"}
runs = ({"scales": 2, "steps": 5}, {"tile": 32}, tiled)
for options in runs:
    for update in swag.iterate(noise(36, 48), noise(40, 44), **small | options):
        if update.index == 1:
            update.save_checkpoint(path)
    rest = swag.iterate(noise(36, 48), noise(40, 44), resume=path)
    for last in (update, *rest):
        pass
    for image in (update.image.pixels, last.image.pixels):
        print(hashlib.sha256(image.numpy().tobytes()).hexdigest())
"""


def said(*words: object) -> list[str]:
    """What a Python program prints under each filling of the memory."""
    answers = []
    for byte in FILLINGS:
        environment = os.environ | {
            "MALLOC_PERTURB_": str(byte),
            "GLIBC_TUNABLES": "glibc.malloc.tcache_count=0",
            "PYTHONMALLOC": "malloc",
        }
        done = subprocess.run(
            [sys.executable, *map(str, words)], env=environment, capture_output=True, text=True
        )
        assert (done.returncode, done.stderr) == (0, ""), done.stderr[-2000:]
        answers.append(done.stdout)
    return answers


def test_the_fillings_are_seen_in_memory_that_nothing_wrote_to():
    assert said("-c", UNFILLED) == [f"{byte ^ 0xFF}\n" for byte in FILLINGS]


def test_hostile_pictures_are_read_to_the_same_bits_whatever_was_in_the_memory():
    script = Path(__file__).with_name("hostile_pictures.py")
    one, other = (text.splitlines() for text in said(script, "--cases", 600, "--digests"))
    assert len(one) == 600
    assert sum(len(line.split()[2]) == 64 for line in one) > 150  # were read
    assert [pair for pair in zip(one, other, strict=True) if pair[0] != pair[1]] == []


def test_runs_give_the_same_bits_whatever_was_in_the_memory(tmp_path: Path):
    """Whole and in tiles, at once and resumed."""
    one, other = said("-c", RUN, tmp_path / "a.ckpt")
    assert one == other
    whole, resumed = one.split()[::2], one.split()[1::2]
    assert whole == resumed
    assert len(set(whole)) == 3
