"""The package as users get it: built, installed into an environment of its own, run outside the checkout."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

JSON_KEYS = {"run_id", "path", "suites", "tasks", "status", "reasons"}
NEW_SUITE = "suite: a_new_suite\ntitle: Added after the installation\nversion: '1.0'\ntasks: [quick_ner]\n"
BUILD_INPUTS = ("harness", "synth", "tasks", "tests", "pyproject.toml", "README.md", "CHANGELOG.md", "CITATION.cff",
                "LICENSE", "constraints.txt", ".gitignore")  # fmt: skip


def sh(*command: str | Path, cwd: Path) -> str:
    """What a command that must succeed prints, run without the caller's Python settings."""
    env = {key: value for key, value in os.environ.items() if not key.startswith("PYTHON")}
    done = subprocess.run(
        [str(part) for part in command], cwd=cwd, env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    return done.stdout


def environment(folder: Path) -> Path:
    """The Python of a new environment that borrows the libraries of this one, but not its editable installs.

    A path line in a ``.pth`` file adds the borrowed folder without running the ``.pth`` files inside it.
    """
    sh(sys.executable, "-m", "venv", "--without-pip", folder, cwd=folder.parent)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    borrowed = {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}
    (folder / "lib" / version / "site-packages" / "borrowed.pth").write_text("\n".join(sorted(borrowed)) + "\n")
    return folder / "bin" / "python"


def install(python: Path, *what: str | Path) -> None:
    """Install without dependencies, build isolation or network."""
    options = ["--no-deps", "--no-index", "--no-build-isolation", "--ignore-installed", "--quiet"]
    sh(sys.executable, "-m", "pip", "--python", python, "install", *options, *what, cwd=python.parent)


def copied(repo: Path, folder: Path) -> Path:
    """A copy of what the package is built from, which a test may change."""
    folder.mkdir(exist_ok=True)
    for name in BUILD_INPUTS:
        source, ignore = repo / name, shutil.ignore_patterns("__pycache__", ".*_cache")
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=ignore)
        else:
            shutil.copy2(source, folder / name)
    return folder


@pytest.fixture(scope="module")
def checkout(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The copy that the distributions are built from."""
    return copied(repo, tmp_path_factory.mktemp("checkout"))


@pytest.fixture(scope="module")
def wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from the tree."""
    out = tmp_path_factory.mktemp("wheel")
    sh(sys.executable, "-m", "build", "--no-isolation", "--wheel", "--outdir", out, checkout, cwd=out)
    return next(out.glob("*.whl"))


@pytest.fixture(scope="module")
def sdist_and_wheel(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the sdist and the wheel that was built from it."""
    out = tmp_path_factory.mktemp("sdist")
    sh(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, checkout, cwd=out)
    return out


def names_in(wheel: Path) -> set[str]:
    """The files in a wheel."""
    return set(zipfile.ZipFile(wheel).namelist())


def test_the_wheel_holds_the_package_and_its_cards_and_nothing_else(wheel: Path, repo: Path) -> None:
    """Two import names, cards below harness/_tasks and in synth, the licence, the embedded assets, no caches."""
    names = names_in(wheel)
    tops = {name.split("/")[0] for name in names}
    cards = {f"harness/_tasks/{p.relative_to(repo / 'tasks')}" for p in (repo / "tasks").rglob("*.yaml")}
    cards |= {str(p.relative_to(repo)) for p in (repo / "synth").rglob("*.yaml")}
    assert len(tops) == 3
    assert {top.split("-")[0] for top in tops} == {"harness", "hum_harness", "synth"}
    assert cards <= names
    assert "harness/assets/nano/model.safetensors" in names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in names)
    assert [name for name in names if "cache" in str(Path(name).parent) or name.endswith(".pyc")] == []


def test_the_sdist_gives_the_same_wheel(wheel: Path, sdist_and_wheel: Path) -> None:
    """A wheel built from the sdist holds the files of the one built from the tree."""
    assert names_in(next(sdist_and_wheel.glob("*.whl"))) == names_in(wheel)


def test_the_sdist_holds_the_tests_and_the_pinned_set(sdist_and_wheel: Path) -> None:
    """Whoever repackages it can test it."""
    with tarfile.open(next(sdist_and_wheel.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert {"tests/conftest.py", "constraints.txt", "CITATION.cff", "LICENSE", "pyproject.toml"} <= names


def test_the_installed_wheel_runs_outside_the_checkout(wheel: Path, tmp_path: Path) -> None:
    """A bare run in an empty folder scores the embedded checkpoint and prints one JSON document."""
    python = environment(tmp_path / "venv")
    install(python, wheel)
    place = sh(python, "-c", "import harness; print(harness.__file__)", cwd=tmp_path)
    assert Path(place.strip()).is_relative_to(tmp_path / "venv")
    outcome = json.loads(sh(python.parent / "harness", "run", "--limit", "5", "--json", cwd=tmp_path))
    assert set(outcome) >= JSON_KEYS
    assert outcome["status"] == "complete"
    assert {suite["name"] for suite in outcome["suites"]} == {"quick"}
    assert "probe-formats" in sh(python.parent / "harness", "ls", "suites", cwd=tmp_path)
    assert all(task["items"] <= 5 for task in outcome["tasks"])
    assert (tmp_path / outcome["path"]).is_dir()


def test_an_editable_install_reads_the_cards_live(repo: Path, tmp_path: Path) -> None:
    """A suite added to tasks/ after the installation is known at once, and none is copied into the package."""
    checkout = copied(repo, tmp_path / "checkout")
    python = environment(tmp_path / "venv")
    install(python, "--editable", checkout)
    (checkout / "tasks" / "suites" / "a_new_suite.yaml").write_text(NEW_SUITE, encoding="utf-8")
    assert "a_new_suite" in sh(python.parent / "harness", "ls", "suites", cwd=tmp_path)
    assert not (checkout / "harness" / "_tasks").exists()
