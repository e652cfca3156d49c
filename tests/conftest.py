"""Run-time checks of types and shapes, and one thread for each worker.

With one thread numbers do not depend on how many workers there are. The environment is set here,
before anything loads torch, and the checks before anything loads the packages.
"""

import os

import pytest
from jaxtyping import install_import_hook

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("GOMP_SPINCOUNT", "1000")

install_import_hook(
    ["swag", "swag_lab"], "beartype.beartype(conf=beartype.BeartypeConf(is_pep484_tower=True))"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take long come first: no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def _no_lines_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """However slow a machine is, tests see the lines that they ask for alone."""
    from swag.cli import bars

    monkeypatch.setattr(bars, "PAUSE", float("inf"))
