"""Imports point one way: a part of a package imports only from the rows above its own.

The laboratory imports the library and never the reverse.
"""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SOURCE = Path(__file__).parents[1] / "src"
LIBRARY, LABORATORY = "swag", "swag_lab"
ROWS = {
    LIBRARY: [
        {"errors", "types", "spec", "allocation", "threads", "messages"},
        {"registry", "files", "precision", "modes", "fallbacks", "maps", "distributed"}
        | {"layer_weights"},
        {"image", "features", "smoothing", "statistics", "losses"}
        | {"parametrization", "jitter", "colors", "regions"},
        {"backbones", "config", "objective", "optimize", "schedule", "checkpoint"},
        {"tiling", "instant"},
        {"run"},
        {"batch", "web", "video"},
        {"cli"},
    ],
    LABORATORY: [{"bench", "training", "evaluation"}, {"experiments"}, {"cli"}],
}
ROW_OF = {
    package: {name: row for row, names in enumerate(rows) for name in names}
    for package, rows in ROWS.items()
}


def modules() -> list[Path]:
    """The files of the parts; those that open a package stand below all rows."""
    doors = {SOURCE / package / name for package in ROWS for name in ("__init__.py", "__main__.py")}
    return sorted({path for package in ROWS for path in (SOURCE / package).rglob("*.py")} - doors)


def part_of(path: Path) -> tuple[str, str]:
    """Package and part of a file."""
    package, part, *_ = path.relative_to(SOURCE).parts
    return package, part.removesuffix(".py")


def imported(tree: ast.AST) -> Iterator[str]:
    """Dotted names that are imported, anywhere in the file; a relative import begins with a dot."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            source = "." * node.level + (node.module or "")
            yield from (f"{source}.{alias.name}" for alias in node.names)


def offences(package: str, part: str, source: str) -> list[str]:
    """The imports of a file of this part that point the wrong way."""
    wrong = []
    for name in imported(ast.parse(source)):
        other, _, rest = name.partition(".")
        if other in {"", package}:
            fine = other == package and points_up(package, part, rest.split(".")[0])
        else:
            fine = (package, other) != (LIBRARY, LABORATORY)
        if not fine:
            wrong.append(name)
    return wrong


def points_up(package: str, part: str, other: str) -> bool:
    """Whether a part of a package may import another; what is no part stands beside the last."""
    last = len(ROWS[package]) - 2
    above = ROW_OF[package].get(other, last) < ROW_OF[package][part]
    return above or other in {part, "__version__"}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_upwards(path: Path):
    package, part = part_of(path)
    assert part in ROW_OF[package], f"{part} has no row: say where it belongs"
    assert offences(package, part, path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("package", "part", "source"),
    [
        ("swag", "errors", "from swag.files import remove"),
        ("swag", "losses", "from swag.features import FeatureExtractor"),
        ("swag", "losses", "import swag.statistics"),
        ("swag", "losses", "from swag import statistics"),
        ("swag", "objective", "from swag.backbones import create"),
        ("swag", "optimize", "def f():\n    from swag.run import stylize"),
        ("swag", "run", "import swag"),
        ("swag", "run", "from swag import run, cli"),
        ("swag", "image", "from .read import read"),
        ("swag", "cli", "import swag_lab"),
        ("swag", "cli", "from swag_lab.experiments import Plan"),
        ("swag_lab", "training", "from swag_lab.experiments import Plan"),
        ("swag_lab", "bench", "from swag_lab import training"),
    ],
)
def test_an_import_that_points_down_or_sideways_is_found(package, part, source):
    assert len(offences(package, part, source)) == 1


@pytest.mark.parametrize(
    ("package", "part", "source"),
    [
        ("swag", "losses", "from swag.losses.precision import in_full_precision"),
        ("swag", "objective", "from swag import losses\nfrom swag.smoothing import parse"),
        ("swag", "run", "from swag import __version__"),
        ("swag", "cli", "import swag\nfrom swag import stylize"),
        ("swag", "cli", "import swagger"),
        ("swag_lab", "training", "import swag\nfrom swag.cli import options"),
        ("swag_lab", "experiments", "from swag_lab.training import loop"),
    ],
)
def test_an_import_that_points_up_is_allowed(package, part, source):
    assert offences(package, part, source) == []


def module_of(path: Path) -> str:
    return ".".join(path.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


TREES = {
    module_of(path): ast.parse(path.read_text(encoding="utf-8"))
    for package in ROWS
    for path in (SOURCE / package).rglob("*.py")
}


def loaded(tree: ast.Module) -> Iterator[str]:
    """Modules of the package that importing a file loads by its own lines."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").split(".")[0] in ROWS:
            for alias in node.names:
                inner = f"{node.module}.{alias.name}"
                yield inner if inner in TREES else str(node.module)


def circles() -> list[list[str]]:
    """Modules that load each other, each circle once per module that it is entered by."""
    graph = {module: set(loaded(tree)) - {*ROWS, module} for module, tree in TREES.items()}
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
    *("describe", "compare", "target_norm", "combine_targets", "paper_factor", "released_factor"),
    *("add", "compute", "encode", "decode", "jobs", "sections", "main"),
}
"""Functions that modules of one kind have by agreement: losses, forms, studies, programs."""


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
        if ".cli" not in module  # commands are named for what they call
        for name in set(public_names(tree))
        if not name.startswith("_")
    )
    return {name for name, count in counts.items() if count > 1} - PROTOCOLS


def test_no_public_name_means_two_things():
    assert names_with_two_meanings() == set()
