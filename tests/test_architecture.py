"""The architecture as a test: layers, sizes, docstrings, light start, and documentation that keeps up with the code."""

from __future__ import annotations

import ast
import math
import re
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from harness.catalog import CARD_FIELDS, STOCK_FIELDS, SUITE_FIELDS
from harness.cli import COMMANDS
from harness.plugins import COMMANDS_GROUP, EXECUTORS_GROUP, PRODUCERS_GROUP, SUITES_GROUP
from synth.cli import command as synthesis
from synth.recipe import Recipe, Settings
from synth.tuning import recipe as tuning

REPO = Path(__file__).resolve().parent.parent
SOURCES = sorted(path for package in ("harness", "synth") for path in (REPO / package).rglob("*.py"))
LONGER = {"harness/nouns.py": 490}  # the whole vocabulary, in one place by design
MAX_FILE_LINES, MAX_FUNCTION_LINES, P90_FUNCTION_LINES = 400, 60, 30
HEAVY = {"torch", "transformers", "peft", "datasets", "lm_eval", "pandas", "sklearn"}
LINK = re.compile(r"(?<!!)\[[^\]]*\]\(([^)\s]+)\)")
MACHINE_PATH = re.compile(r"(?<![\w.~}])/(?:work|root|farm|tmp)/\w")
INDEX_HOST = re.compile(r"(?:pypi|pythonhosted)\.org|download\.pytorch\.org|/simple/?[\"'\s]")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def tracked(*patterns: str) -> list[Path]:
    """Files that git tracks or would add, of the given glob patterns; skips where the tree is no checkout."""
    if shutil.which("git") is None or not (REPO / ".git").exists():
        pytest.skip("not a git checkout (an unpacked sdist): the set of tracked files is unknown")
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    names = subprocess.run(command, cwd=REPO, capture_output=True, text=True, check=True).stdout.splitlines()
    return [REPO / name for name in names if (REPO / name).is_file()]


def functions() -> Iterator[tuple[str, Function]]:
    """Every function of the package, nested ones too, with the place where it stands."""
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{path.relative_to(REPO)}:{node.lineno} {node.name}", node


def undocumented(path: Path) -> Iterator[str]:
    """Public classes, functions and methods of a file that have no docstring."""
    bodies: list[ast.Module | ast.ClassDef] = [ast.parse(path.read_text(encoding="utf-8"))]
    for body in bodies:
        for node in body.body:
            if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef) or node.name[0] == "_":
                continue
            if ast.get_docstring(node) is None:
                yield f"{path.relative_to(REPO)}:{node.lineno} {node.name}"
            if isinstance(node, ast.ClassDef):
                bodies.append(node)


def documentation() -> str:
    """README and docs/, joined."""
    pages = [REPO / "README.md", *sorted((REPO / "docs").rglob("*.md"))]
    return "\n".join(page.read_text(encoding="utf-8") for page in pages)


def anchors(page: Path) -> set[str]:
    """The anchors that the headings of a Markdown page give."""
    headings = re.findall(r"^#+ +(.+?) *$", page.read_text(encoding="utf-8"), flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_imports_go_one_way() -> None:
    """Every import-linter contract in pyproject.toml is kept."""
    code = "from importlinter.cli import lint_imports; raise SystemExit(lint_imports(no_cache=True))"
    done = subprocess.run([sys.executable, "-c", code], cwd=REPO, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]


def test_files_hold_one_idea() -> None:
    """No source file is longer than its budget."""
    lengths = {str(p.relative_to(REPO)): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert {name: n for name, n in lengths.items() if n > LONGER.get(name, MAX_FILE_LINES)} == {}


def test_functions_are_short() -> None:
    """No function is longer than its budget, and nine in ten are half of that."""
    lengths = {place: (node.end_lineno or node.lineno) - node.lineno + 1 for place, node in functions()}
    p90 = sorted(lengths.values())[math.ceil(0.9 * len(lengths)) - 1]
    assert {place: n for place, n in lengths.items() if n > MAX_FUNCTION_LINES} == {}
    assert p90 <= P90_FUNCTION_LINES, dict(sorted(lengths.items(), key=lambda item: -item[1])[:15])


def test_functions_take_few_parameters() -> None:
    """More than five positional parameters ask for a dataclass."""
    counts = {place: len([a for a in node.args.args if a.arg not in ("self", "cls")]) for place, node in functions()}
    assert {place: n for place, n in counts.items() if n > 5} == {}


def test_everything_public_says_what_it_is() -> None:
    """Every public class, function and method of the package has a docstring."""
    assert [place for path in SOURCES for place in undocumented(path)] == []


@pytest.mark.parametrize(
    "arguments",
    [["-c", "import harness.cli"], ["-m", "harness", "--help"], ["-m", "harness", "ls", "suites"]],
    ids=["import", "help", "ls suites"],
)
def test_light_commands_start_without_the_heavy_libraries(arguments: list[str], tmp_path: Path) -> None:
    """Neither help nor a listing pays for torch and its kin."""
    command = [sys.executable, "-X", "importtime", *arguments]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    loaded = {line.rsplit("|", 1)[1].strip().split(".")[0] for line in lines}
    assert loaded & HEAVY == set()


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_is_documented(command: str) -> None:
    """A command that no page mentions does not exist for users."""
    assert f"harness {command}" in documentation()


@pytest.mark.parametrize("field", sorted({*CARD_FIELDS, *SUITE_FIELDS, *STOCK_FIELDS}))
def test_every_card_field_is_documented(field: str) -> None:
    """docs/cards.md explains each field that a card or suite file may have."""
    assert f"`{field}`" in (REPO / "docs" / "cards.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("group", [SUITES_GROUP, PRODUCERS_GROUP, EXECUTORS_GROUP, COMMANDS_GROUP])
def test_every_entry_point_group_is_documented(group: str) -> None:
    """The names under which other packages plug in are in the documentation."""
    assert f"`{group}`" in documentation()


@pytest.mark.parametrize("step", sorted(synthesis.commands))
def test_every_step_of_synthesis_is_documented(step: str) -> None:
    """Each command below ``harness synth`` is on a page."""
    assert f"harness synth {step}" in documentation()


PARTS = [kind for kind in Settings.__subclasses__() if kind.__module__ == Recipe.__module__]
"""Settings of a recipe; prompt files are settings too, once something has imported them."""


@pytest.mark.parametrize("kind", PARTS, ids=lambda kind: kind.__name__)
def test_every_key_of_a_recipe_is_documented(kind: type[Settings]) -> None:
    """docs/synthesis explains each key that a corpus recipe may have, docs/producers.md each of the other recipes."""
    docs = REPO / "docs"
    files = [docs / "producers.md"] if kind.__module__ == tuning.__name__ else (docs / "synthesis").glob("*.md")
    pages = "\n".join(page.read_text(encoding="utf-8") for page in files)
    assert [key for key in kind.model_fields if f"`{key}`" not in pages] == []


def test_every_producer_of_ours_is_documented() -> None:
    """docs/producers.md names each producer that pyproject.toml registers."""
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    page = (REPO / "docs" / "producers.md").read_text(encoding="utf-8")
    assert [name for name in project["entry-points"][PRODUCERS_GROUP] if f"| `{name}` |" not in page] == []


def test_links_between_pages_resolve() -> None:
    """Each relative link leads to a file of the checkout, and its anchor to a heading there."""
    broken = []
    for page in tracked("*.md"):
        for target in LINK.findall(page.read_text(encoding="utf-8")):
            if re.match(r"[a-z]+:", target):
                continue
            name, _, anchor = target.partition("#")
            goal = (page.parent / name).resolve() if name else page
            if not goal.exists() or (anchor and goal.suffix == ".md" and anchor not in anchors(goal)):
                broken.append(f"{page.relative_to(REPO)}: {target}")
    assert broken == []


def test_the_citation_is_of_this_version() -> None:
    """CITATION.cff names the version, the title and the licence of pyproject.toml."""
    citation = yaml.safe_load((REPO / "CITATION.cff").read_text(encoding="utf-8"))
    project = tomllib.loads((REPO / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    facts = [citation[key] for key in ("version", "title", "license")]
    assert facts == [project["version"], project["name"], project["license"]]


def test_no_file_names_the_machine_that_it_was_written_on() -> None:
    """No absolute machine path and no package-index host is in the repository."""
    found = []
    for path in tracked():
        try:
            lines = path.read_text(encoding="utf-8").splitlines()
        except UnicodeDecodeError:
            continue
        patterns = (INDEX_HOST,) if path.is_relative_to(REPO / "tests") else (INDEX_HOST, MACHINE_PATH)
        hits = (n for n, line in enumerate(lines, 1) if any(p.search(line) for p in patterns))
        found += [f"{path.relative_to(REPO)}:{n}" for n in hits]
    assert found == []
