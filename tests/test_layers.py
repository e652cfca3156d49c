"""Imports point one way: a part of the package imports only from the rows above its own."""

import ast
from collections import Counter
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


def module_of(path: Path) -> str:
    return ".".join((PACKAGE, *path.relative_to(ROOT).with_suffix("").parts)).removesuffix(
        ".__init__"
    )


TREES = {
    module_of(path): ast.parse(path.read_text(encoding="utf-8")) for path in ROOT.rglob("*.py")
}


def loaded(tree: ast.Module) -> Iterator[str]:
    """Modules of the package that importing a file loads by its own lines."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] == PACKAGE:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in TREES else str(node.module)


def circles() -> list[list[str]]:
    """Modules that load each other, each circle once per module that it is entered by."""
    graph = {module: set(loaded(tree)) - {PACKAGE, module} for module, tree in TREES.items()}
    found: list[list[str]] = []
    done: set[str] = set()

    def visit(module: str, way: list[str]) -> None:
        if module in way:
            found.append([*way[way.index(module) :], module])
        elif module not in done:
            for other in sorted(graph.get(module, ())):
                visit(other, [*way, module])
            done.add(module)

    for module in sorted(graph):
        visit(module, [])
    return found


def test_no_module_loads_itself_by_way_of_others():
    assert circles() == []


PROTOCOLS = {
    *("describe", "compare", "target_norm", "combine_targets", "poster_factor", "released_factor"),
    *("add", "compute", "encode", "decode", "jobs", "sections"),
}
"""Functions that modules of one kind have by agreement: losses, parametrizations, studies."""

TWO_MEANINGS = set(
    """
    Array Batch Block Colours Distances Item Job Kind Layers Pair Part Preset Result Row
    Run Source State Values Weight Weights
    averaged directions distances effects fronts grid label load mean missing names
    networks parse pooled read resized save settings_of sheet trainings unit unknown
    """.split()
)
"""Names that still mean two things; none may be added."""


def public_names(tree: ast.Module) -> Iterator[str]:
    """Classes, functions and types that a module defines for others; constants are its own."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef):
            yield node.name
        elif isinstance(node, ast.Assign | ast.AnnAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            yield from (t.id for t in targets if isinstance(t, ast.Name) and not t.id.isupper())


def names_with_two_meanings() -> set[str]:
    counts = Counter(
        name
        for module, tree in TREES.items()
        if not module.startswith(f"{PACKAGE}.cli")  # commands are named for what they call
        for name in set(public_names(tree))
        if not name.startswith("_")
    )
    return {name for name, count in counts.items() if count > 1} - PROTOCOLS


def test_no_public_name_means_two_things():
    """A name that no longer does leaves the list."""
    assert names_with_two_meanings() == TWO_MEANINGS
