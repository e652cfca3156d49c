"""What benchmarks share: the memory of a process, the machine in words, a table in a document."""

import os
from pathlib import Path

import torch


def held(field: str) -> int:
    """Bytes that this process holds (VmRSS; RssAnon is no file), or held at most (VmHWM)."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(1024 * int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def one_thread() -> str:
    """The machine and torch, to end a sentence with."""
    isa = torch.backends.cpu.get_cpu_capability()
    version = torch.__version__.partition("+")[0]
    return f"one thread of a machine of {os.cpu_count()} cores ({isa}), torch {version}"


def write(document: Path | None, mark: str, made: str) -> None:
    """Print a table; if a document is given, put it there after its mark and before `/cost`."""
    print(made)
    if document:
        before, rest = document.read_text().split(mark)
        _, after = rest.split("<!-- /cost -->")
        document.write_text(f"{before}{mark}\n{made}\n<!-- /cost -->{after}")
