"""Many at once: the server answers, no run is lost, and memory stays within bounds."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from web_client import FAST, Client, picture

UPLOADS, RUNS, QUEUE = 50, 20, 12
SLOWEST = 2.0
"""Seconds that an answer may take throughout."""

LARGEST = 1_600
"""MiB that the process may take, torch with its libraries among them."""


def peak(process: int) -> float:
    """The most memory that a process has held, in MiB."""
    lines = Path(f"/proc/{process}/status").read_text().splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("VmHWM"))) / 1024


@pytest.fixture
def server():
    words = ["web", "--port", "0", "--queue", str(QUEUE)]
    command = [sys.executable, "-m", "swag", *words]
    with subprocess.Popen(command, env={**os.environ}, stdout=-1, text=True) as process:
        address = process.stdout.readline()
        yield process.pid, int(address.rstrip("/\n").rpartition(":")[2])
        process.terminate()


@contextmanager
def watched(client: Client) -> Iterator[list[float]]:
    """The seconds that answers take meanwhile, one request after the other."""
    waits: list[float] = []
    over = threading.Event()

    def look() -> None:
        while not over.wait(0.05):
            began = time.monotonic()
            assert client.ask("GET", "/api/choices")[0] == 200
            waits.append(time.monotonic() - began)

    with ThreadPoolExecutor(1) as alone:
        looking = alone.submit(look)
        try:
            yield waits
        finally:
            over.set()
            looking.result()


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_fifty_uploads_and_twenty_runs_at_once(server: tuple[int, int]):
    process, port = server
    client = Client(port)
    client.ask("GET", "/")
    with watched(client) as waits, ThreadPoolExecutor(UPLOADS) as pool:
        sent = list(pool.map(client.send, [picture(0, side=900)] * UPLOADS))
        wish = {"content": sent[0], "styles": [{"id": sent[1]}], "settings": FAST}
        asked = list(pool.map(lambda _: client.ask("POST", "/api/runs", wish), range(RUNS)))
        begun = next(client.events())["all"]
        told = [client.ended(run) for run in begun]
    assert len(set(sent)) == UPLOADS
    refused = [said for status, said in asked if status == 503]
    assert len(begun) + len(refused) == RUNS and len(begun) >= QUEUE
    assert all(b"runs are waiting" in said for said in refused)
    assert {facts["phase"] for facts in told} == {"done"}
    assert max(waits) < SLOWEST, sorted(waits)[-5:]
    assert peak(process) < LARGEST
    print(f"slowest answer {max(waits):.2f} s, memory {peak(process):.0f} MiB")
