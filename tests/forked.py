"""Processes forked from a server that has the packages at hand, which takes seconds to load."""

import multiprocessing
from multiprocessing.context import ForkServerContext

import pytest

LOADED = ["swag.cli", "swag.batch.work", "swag.cli.running", "imagecodecs", "tifffile", "pytest"]


def server() -> ForkServerContext:
    """Where processes are forked from; without one, the tests of a module are skipped."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        pytest.skip("there is no server to fork from on this system", allow_module_level=True)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(LOADED)
    return context
