"""One thread for each worker, so that numbers do not depend on how many there are.

The environment is set here, before anything loads torch.
"""

import os

import pytest

os.environ["OMP_NUM_THREADS"] = "1"
os.environ.setdefault("GOMP_SPINCOUNT", "1000")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that take long come first: no worker is left alone with them at the end."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)
