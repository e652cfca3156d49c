"""Run-time checks of types and shapes, and one thread for each worker.

With one thread numbers do not depend on how many workers there are. The environment is set here,
before anything loads torch, and the checks before anything loads the packages.
"""

import os
from typing import Any

import jaxtyping
import pytest
import run_time_checks

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

run_time_checks.install()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take long come first: no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow a machine is, tests see the lines that they ask for alone."""
    from swag.cli import bars

    monkeypatch.setattr(bars, "PAUSE", float("inf"))


@pytest.fixture
def rng() -> Any:
    """Random numbers of torch, for every test the same."""
    import torch

    return torch.Generator().manual_seed(0)


@pytest.fixture
def pair(rng: Any) -> Any:
    """Two batches of two feature maps, of 3 channels and 4 x 5 positions, in float64."""
    import torch

    return torch.randn(2, 2, 3, 4, 5, generator=rng, dtype=torch.float64)


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the checks of arrays, which only tests have."""
    kind = type(jaxtyping.AbstractArray)
    monkeypatch.setattr(kind, "__instancecheck_str__", lambda _hint, _given: "")
