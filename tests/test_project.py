"""The habits that a machine can hold: sizes, names, the door, and what files must not say."""

import ast
import re
import subprocess
import sys
import tokenize
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
CODE = sorted(
    path for folder in ("src", "examples", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)
HEAVY = ("gradio", "matplotlib", "onnx", "pyvips", "ray", "rich", "timm", "torchmetrics", "typer")
HEAVY += ("starlette", "uvicorn", "av", "cv2")
IMPORTED_AS = {"opencv-python-headless": "cv2"}
EXTRAS_TESTED = ("timm", "metrics", "large", "docs", "web", "video", "ray", "dev")

# Written so that this file does not find itself.
FORBIDDEN = re.compile(
    r"py[p]i\.org|pythonhos[t]ed\.org|npm[j]s\.|conda\.ana[c]onda|pytorch\.org/w[h]l"
    r"|/(work|ro[o]t|farm)/|/(tm[p])/[a-z]"
)
MACHINE_PATHS = [f"/{name}/" for name in ("work", "root")] + ["/".join(("", "tmp", "x"))]


def named(path: Path) -> str:
    return str(path.relative_to(ROOT))


def run_python(code: str) -> str:
    command = [sys.executable, "-c", code]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def test_importing_the_package_imports_nothing_heavy():
    code = f"import sys, swag; print(*[name for name in {HEAVY} if name in sys.modules])"
    assert run_python(code).split() == []


def test_the_public_names_are_those_that_are_listed():
    code = """
import types, swag
[getattr(swag, name) for name in swag.__all__]
public = {n for n, v in vars(swag).items() if n[0] != "_" and type(v) is not types.ModuleType}
listed = set(swag.__all__)
print("unlisted", sorted(public - listed))
print("missing", sorted(n for n in listed if not hasattr(swag, n)))
print("order", swag.__all__ == sorted(swag.__all__, key=lambda n: (not n.isupper(), n)))
"""
    assert run_python(code).splitlines() == ["unlisted []", "missing []", "order True"]


@pytest.mark.parametrize("path", CODE, ids=named)
def test_no_file_is_long(path: Path):
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 300


def body_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of the statements as the formatter lays them out, without docstring and arguments.

    Calls that name their arguments may take a line for each.
    """
    promised = ast.get_docstring(function) is not None and len(function.body) > 1
    first = function.body[1 if promised else 0]
    return (function.end_lineno or 0) - first.lineno + 1


@pytest.mark.parametrize("path", CODE, ids=named)
def test_no_function_is_long(path: Path):
    functions = ast.FunctionDef | ast.AsyncFunctionDef
    nodes = ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    long = [n.name for n in nodes if isinstance(n, functions) and body_lines(n) > 50]
    assert long == []


def test_no_module_is_named_for_nothing():
    vague = {"utils", "util", "helpers", "helper", "misc", "common"}
    assert [named(path) for path in CODE if vague & {path.stem, path.parent.name}] == []


def kept_files() -> list[Path]:
    """Files that git keeps or would keep; outside a clone, everything but what is built."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode == 0:
        paths = [ROOT / name for name in done.stdout.split("\0") if name]
    else:
        paths = [p for p in ROOT.rglob("*") if not {".venv", "build", "dist"} & set(p.parts)]
    return [path for path in paths if path.is_file()]


def test_no_file_names_a_registry_or_a_path_of_one_machine():
    found = []
    for path in kept_files():
        data = path.read_bytes()
        if b"\0" in data:
            continue
        lines = data.decode("utf-8", errors="replace").splitlines()
        found += [f"{named(path)}:{i}" for i, line in enumerate(lines, 1) if FORBIDDEN.search(line)]
    assert found == []


@pytest.mark.parametrize("text", MACHINE_PATHS)
def test_a_path_of_one_machine_would_be_found(text: str):
    assert FORBIDDEN.search(f"see {text}")


def pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = [line.split("==") for line in lines if not line.startswith("#")]
    return {canonicalize_name(name): version for name, version in pairs}


def direct_dependencies() -> list[Requirement]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    texts = list(project["dependencies"])
    for extra in EXTRAS_TESTED:
        texts += project["optional-dependencies"][extra]
    requirements = [Requirement(text) for text in texts]
    return [one for one in requirements if one.name != project["name"]]


@pytest.mark.parametrize("requirement", direct_dependencies(), ids=lambda one: one.name)
def test_a_direct_dependency_is_pinned_within_its_range(requirement: Requirement):
    pinned = pins().get(canonicalize_name(requirement.name))
    assert pinned is not None, f"{requirement.name} is not in constraints.txt"
    assert requirement.specifier.contains(pinned, prereleases=True)


def test_every_extra_is_for_code_that_is_there():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    code = "\n".join(path.read_text(encoding="utf-8") for path in CODE)
    extras = project["optional-dependencies"]
    unused = [
        name
        for extra in extras
        if extra not in {"dev", "docs"}  # programs that read the code
        for name in (Requirement(text).name for text in extras[extra])
        if not re.search(rf"^\s*(import|from) {IMPORTED_AS.get(name, name)}\b", code, re.MULTILINE)
    ]
    assert unused == []


DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
NAMED_FILE = re.compile(r"(?<![\w<./{*-])[\w./-]+\.(?:py|md|toml|txt)\b(?![-\w])")


@pytest.mark.parametrize("path", DOCUMENTS, ids=named)
def test_documents_name_files_that_are_there(path: Path):
    """Whole paths, paths from the package or the tests, or from the folder of the document."""
    folders = [ROOT, ROOT / "src" / "swag", ROOT / "tests", path.parent]
    text = re.sub(r"https?://\S+", "", path.read_text(encoding="utf-8"))
    gone = {
        name
        for name in NAMED_FILE.findall(text)
        if not any((folder / name).is_file() for folder in folders)
    }
    assert gone == set()


TABLES = {"config/presets.py"}
"""Files with a table that reads better as it is laid out by hand."""


@pytest.mark.parametrize("path", CODE, ids=named)
def test_code_is_laid_out_by_the_formatter(path: Path):
    if str(path.relative_to(ROOT)).removeprefix("src/swag/") not in TABLES:
        assert "fmt: " + "skip" not in path.read_text(encoding="utf-8")


VARIADIC = {
    *("_features", "_in_blocks", "there", "vgg_names"),
    *("apply", "pack", "permute", "rand", "reshape", "submit"),
}
"""Functions that take any number of the same."""


def name_called(call: ast.Call) -> str:
    return ast.unparse(call.func).rpartition(".")[2]


@pytest.mark.parametrize("path", CODE, ids=named)
def test_calls_name_the_arguments_beyond_the_fourth(path: Path):
    calls = [n for n in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(n, ast.Call)]
    long = [f"line {call.lineno}: {name_called(call)}" for call in calls if len(call.args) > 4]
    assert [one for one in long if one.split(": ")[1] not in VARIADIC] == []


def test_the_readme_says_how_to_install_without_make():
    start = (ROOT / "README.md").read_text(encoding="utf-8").partition("## Start")[2]
    start = start.partition("\n## ")[0]
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    listed = set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\|(.*?)\|", start, re.MULTILINE))))
    assert "-m pip install" in start and "GB" in start
    assert listed == set(extras["optional-dependencies"]) - {"dev"}


BRITISH = re.compile(
    "colour|grey|neighbour|centre|favour|behaviour|(?:normal|optim|minim|maxim|parametr|styl"
    "|initial|random|regular|general|summar|recogn|visual|quant|penal|serial)is(?:e|ing|ation)"
)
OLD_SETTINGS = {"colours", "normalisation", "parametrisation"}
"""Names of earlier versions, which are still accepted."""


@pytest.mark.parametrize("path", CODE, ids=named)
def test_identifiers_have_american_spelling(path: Path):
    with open(path, "rb") as file:
        names = {t.string for t in tokenize.tokenize(file.readline) if t.type == tokenize.NAME}
    found = {name for name in names if BRITISH.search(name.lower())}
    assert found - OLD_SETTINGS == set()


def test_british_spelling_is_found():
    names = "grey colours normalise optimiser parametrisation stylised neighbours centre"
    assert all(BRITISH.search(name) for name in names.split())
    for name in (
        "raise",
        "rise",
        "precise",
        "noise",
        "exercise",
        "promise",
        "imprecise",
        "otherwise",
    ):
        assert BRITISH.search(name) is None
