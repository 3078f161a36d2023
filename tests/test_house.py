"""The house rules: plan, captions, documents and code say the same."""

from __future__ import annotations

import ast
import importlib.metadata
import importlib.util
import re
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
import typer

import leadml
from leadml.cli.app import app

ROOT = Path(__file__).parents[1]
SOURCE = ROOT / "src" / "leadml"
MODULES = sorted(SOURCE.rglob("*.py"))
DOCUMENTS = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *ROOT.glob("*/README.md")])
TOP_LEVEL = {"benchmarks", "data", "docs", "models", "notebooks", "serve", "src", "tests"}
SERVING = (
    "cli.app",
    "cli.demo",
    "api",
    "service",
    "settings",
    "registry",
    "thresholds",
    "monitoring",
)
HEAVY = ("pandas", "sklearn", "scipy", "lightgbm", "mlflow", "altair", "joblib", "optuna")

# Libraries that another one, which is declared, brings and documents as its own part.
COMPANIONS = {
    "httpcore": "httpx",
    "requests": "simple-salesforce",
    "starlette": "fastapi",
    "markupsafe": "jinja2",
    "threadpoolctl": "scikit-learn",
}
# Declared but not imported: the URL of a database names its driver, model-signing needs the other.
NAMED_ONLY = {"psycopg", "pyopenssl"}


def name_of(path: Path) -> str:
    """Dotted name of a module inside leadml; the package itself is ``leadml``."""
    parts = path.relative_to(SOURCE).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__") or "leadml"


def caption_of(path: Path) -> str:
    """First line of the module's docstring."""
    return (ast.get_docstring(ast.parse(path.read_text("utf-8"))) or "").split("\n")[0]


def tracked() -> list[Path]:
    """Files under version control that are still there."""
    found = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    paths = (ROOT / name for name in found.stdout.decode().split("\0") if name)
    return [path for path in paths if path.is_file()]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_has_a_caption(path: Path) -> None:
    """Every module opens with one sentence of at most 100 characters, ended by a full stop."""
    caption = caption_of(path)
    assert caption.endswith(".")
    assert len(caption) <= 100


def test_captions_are_unique() -> None:
    """No two modules say that they have the same job."""
    captions = [caption_of(path) for path in MODULES]
    assert sorted(captions) == sorted(set(captions))


def test_changelog_names_the_version() -> None:
    """The version of the package has a chapter in the change log and in pyproject.toml."""
    assert f"## [{leadml.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f'version = "{leadml.__version__}"' in (ROOT / "pyproject.toml").read_text("utf-8")


def test_no_path_of_a_machine_stands_in_the_tree() -> None:
    """No tracked text file names a directory of somebody's machine."""
    machine = re.compile(r"(?<![\w./-])/(?:work|root|farm|home|Users)/\w")
    found = []
    for path in tracked():
        if path.suffix in {".gz", ".png", ".parquet", ".lock"}:
            continue
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            if machine.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {line.strip()[:80]}")
    assert not found


def test_no_drawer_for_odds_and_ends() -> None:
    """No module is called utils, helpers, common, core, base, misc or manager."""
    drawers = {"utils", "util", "helpers", "common", "core", "base", "misc", "manager", "managers"}
    assert not [path for path in MODULES if drawers & set(path.with_suffix("").parts)]


def loaded(path: Path) -> ModuleType:
    """A script of the tree as a module."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_generated_documents_are_in_step() -> None:
    """Plan, errors, commands, settings and OpenAPI say what the code says (else: make format)."""
    refresh = loaded(ROOT / "docs" / "refresh.py")
    assert not refresh.stale()


def test_the_plan_names_every_room() -> None:
    """Rooms on the plan are the rooms of the linter's contract and the rooms on disk."""
    refresh = loaded(ROOT / "docs" / "refresh.py")
    contract = next(
        contract
        for contract in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["tool"][
            "importlinter"
        ]["contracts"]
        if contract["type"] == "layers"
    )
    layered = {
        room.strip() for layer in contract["layers"] for room in layer.split("|") if "(" not in room
    }
    on_disk = {path.stem for path in SOURCE.iterdir() if path.stem not in {"__init__", "py"}}
    on_disk -= {"__pycache__"}
    assert set(refresh.ROOMS) | {"__main__"} == layered == on_disk


def test_top_level_is_as_planned() -> None:
    """No directory under version control at the top that the plan does not name."""
    found = {
        path.relative_to(ROOT).parts[0]
        for path in tracked()
        if len(path.relative_to(ROOT).parts) > 1
    }
    assert {name for name in found if not name.startswith(".")} <= TOP_LEVEL
    named = (ROOT / "docs" / "architecture.md").read_text("utf-8")
    assert all(f"| `{name}/" in named for name in TOP_LEVEL)


def documented() -> Iterator[tuple[str, str]]:
    """Lines of code blocks and inline code that call leadml or make, with their place."""
    for document in DOCUMENTS:
        text = document.read_text("utf-8")
        blocks = re.findall(r"^```[a-z]*\n(.*?)^```", text, re.DOTALL | re.MULTILINE)
        inline = re.findall(
            r"(?<!`)`([^`\n]+)`(?!`)", re.sub(r"^```.*?^```", "", text, flags=re.S | re.M)
        )
        for line in [line for block in blocks for line in block.splitlines()] + inline:
            call = re.search(r"(?:^|\s|&& )((?:leadml|make) .*)$", re.sub(r"\s#.*", "", line))
            if call and re.match(r"\s*(?:\$ )?(?:[A-Z_]+=\S* )*(?:leadml|make) [a-z-]", line):
                yield str(document.relative_to(ROOT)), call[1].strip()


@pytest.mark.parametrize(("place", "line"), sorted(set(documented())))
def test_documented_commands_exist(place: str, line: str) -> None:
    """Every leadml or make call in a document names a real command and real options."""
    words = shlex.split(re.sub(r"[|<>;].*", "", line.rstrip("\\")))
    if words[0] == "make":
        targets = re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text("utf-8"), re.M)
        assert words[1] in targets, f"{place}: {line}"
        return
    command = typer.main.get_command(app)
    rest = words[1:]
    while rest and hasattr(command, "commands") and rest[0] in command.commands:
        command = command.commands[rest.pop(0)]
    assert command.name != "leadml" or rest[:1] in (["--help"], []), f"{place}: {line}"
    options = {name for parameter in command.params for name in parameter.opts} | {"--help"}
    given = {word.split("=")[0] for word in rest if re.match(r"--?[a-z]", word)}
    assert not hasattr(command, "commands") or not [word for word in rest if word[0].isalpha()]
    assert given <= options, f"{place}: {line}"


@pytest.mark.parametrize("room", SERVING)
def test_serving_rooms_import_nothing_heavy(room: str) -> None:
    """Importing a room that a scorer uses loads no data, learning, tracking or chart library."""
    program = f"import sys, leadml.{room}; print(sorted(set({HEAVY!r}) & set(sys.modules)))"
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert said.stdout.strip() == "[]", said.stderr


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_importing_does_nothing(path: Path) -> None:
    """No module calls print, open, logging set-up or the environment at its top level."""
    doing = {"print", "open", "basicConfig", "getenv", "mkdir", "read_text", "urlopen", "run"}
    for statement in ast.parse(path.read_text("utf-8")).body:
        if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef | ast.If):
            continue
        called = {
            getattr(node.func, "id", getattr(node.func, "attr", ""))
            for node in ast.walk(statement)
            if isinstance(node, ast.Call)
        }
        assert not called & doing


def test_links_between_documents_lead_somewhere() -> None:
    """Every relative link of a document points at a file that is there."""
    broken = [
        f"{document.relative_to(ROOT)}: {link}"
        for document in DOCUMENTS
        for link in re.findall(r"\]\(([^)#\s]+)", document.read_text("utf-8"))
        if "://" not in link and not (document.parent / link).exists()
    ]
    assert not broken


def test_decisions_are_numbered_in_a_row() -> None:
    """Decision records carry numbers without a gap, and the same number in their title."""
    records = sorted((ROOT / "docs" / "decisions").glob("*.md"))
    assert [int(record.name[:4]) for record in records] == list(range(1, len(records) + 1))
    assert all(record.read_text("utf-8").startswith(f"# {record.name[:4]} ") for record in records)


def test_every_library_is_declared() -> None:
    """What the package imports from outside stands in pyproject.toml, and nothing else does."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    extras = project["optional-dependencies"]
    asked = [*project["dependencies"], *extras["train"], *extras["crm"]]
    declared = {re.split(r"[\[<>=; ]", name)[0].lower() for name in asked}
    owners = importlib.metadata.packages_distributions()
    used: set[str] = set()
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in (
                {name.split(".")[0] for name in names} - sys.stdlib_module_names - {"leadml"}
            ):
                found = {owner.lower().replace("_", "-") for owner in owners.get(name, [name])}
                used |= found & declared or found
    assert used - set(COMPANIONS) <= declared
    assert {COMPANIONS[name] for name in used & set(COMPANIONS)} <= declared
    assert declared - used <= NAMED_ONLY
