"""Imports point one way: a part of the package imports only from the rows above its own."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = "swag"
ROOT = Path(__file__).parents[1] / "src" / PACKAGE
ROWS = [
    {"errors", "types", "spec", "allocation", "threads"},
    {"registry", "files", "precision", "modes"},
    {"image", "features", "smoothing", "statistics", "losses"}
    | {"parametrization", "jitter", "colors", "regions", "tiling", "disk"},
    {"backbones", "config", "objective", "optimize", "schedule", "checkpoint"},
    {"run", "training"},
    {"experiments", "distributed", "batch", "bench"},
    {"cli"},
]
ROW_OF = {name: row for row, names in enumerate(ROWS) for name in names}
SHELLS = len(ROWS) - 1


def modules() -> list[Path]:
    """The files of the parts; the two that open the package stand below all rows."""
    doors = {ROOT / "__init__.py", ROOT / "__main__.py"}
    return sorted(set(ROOT.rglob("*.py")) - doors)


def part_of(path: Path) -> str:
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are imported, anywhere in the file; a relative import begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield from (f"{source}.{alias.name}" for alias in node.names)


def offences(part: str, source: str) -> list[str]:
    """The imports of a file of this part that point the wrong way."""
    row, wrong = ROW_OF[part], []
    for name in imported(ast.parse(source)):
        package, _, rest = name.partition(".")
        if package not in {PACKAGE, ""}:
            continue
        other = rest.split(".")[0]
        above = ROW_OF.get(other, SHELLS - 1) < row
        if package == "" or not (above or other == part or other == "__version__"):
            wrong.append(name)
    return wrong


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_upwards(path: Path):
    assert part_of(path) in ROW_OF, f"{part_of(path)} has no row: say where it belongs"
    assert offences(part_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("errors", "from swag.files import remove"),
        ("losses", "from swag.features import FeatureExtractor"),
        ("losses", "import swag.statistics"),
        ("losses", "from swag import statistics"),
        ("objective", "from swag.backbones import create"),
        ("optimize", "def f():\n    from swag.run import stylize"),
        ("run", "import swag"),
        ("run", "from swag import run, cli"),
        ("image", "from .read import read"),
    ],
)
def test_an_import_that_points_down_or_sideways_is_found(part: str, source: str):
    assert len(offences(part, source)) == 1


@pytest.mark.parametrize(
    ("part", "source"),
    [
        ("losses", "from swag.losses.precision import in_full_precision"),
        ("objective", "from swag import losses\nfrom swag.smoothing import parse"),
        ("run", "from swag import __version__"),
        ("cli", "import swag\nfrom swag import stylize"),
        ("cli", "import swagger"),
    ],
)
def test_an_import_that_points_up_is_allowed(part: str, source: str):
    assert offences(part, source) == []
