"""The reference of the Python API is made from docstrings, without a warning."""

import importlib.util
import inspect
import os
import re
import subprocess
import sys

import pytest

import swag

COMMAND = ["-W", "error", "-m", "pdoc", "--docformat", "google", "--output-directory"]


@pytest.fixture(scope="module")
def pages(tmp_path_factory):
    """The pages by name. Continuous integration has the generator; others may do without."""
    if importlib.util.find_spec("pdoc") is None and "CI" not in os.environ:
        pytest.skip("needs the extra docs")
    folder = tmp_path_factory.mktemp("reference")
    done = subprocess.run(
        [sys.executable, *COMMAND, str(folder), "swag"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stderr == ""
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.rglob("*.html")}


def test_every_public_name_is_in_the_reference(pages):
    names = [name for name in swag.__all__ if not inspect.ismodule(getattr(swag, name))]
    anchors = set(re.findall(r'id="([\w.]+)"', pages["swag"]))
    assert {name for name in names if name != "__version__"} <= anchors
    modules = set(swag.__all__) - set(names)
    assert modules and modules <= pages.keys()


def test_arguments_are_laid_out_and_keywords_listed(pages):
    assert "RunKeywords.content_mask" in pages["swag"]
    assert "<h6" in pages["swag"] and ">Arguments:<" in pages["swag"]


def undocumented():
    for name in swag.__all__:
        thing = getattr(swag, name)
        if callable(thing) and not inspect.getdoc(thing):
            yield name
        if inspect.isclass(thing) and thing.__module__.startswith("swag"):
            for method, value in vars(thing).items():
                if not method.startswith("_") and callable(value) and not inspect.getdoc(value):
                    yield f"{name}.{method}"


def test_every_public_name_has_a_docstring():
    assert list(undocumented()) == []
