"""Another package adds a suite and a producer by entry points: installed as its users would, found, checked, used."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

PIP = (sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--no-build-isolation")
BROKEN = {
    "raises": ("ghost_package.missing:CARDS", "cannot be loaded"),
    "no folder": ("os:sep_is_no_folder", "cannot be loaded"),
    "no path": ("sys:byteorder", "no folder"),
}


def harness(site: Path, cwd: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A command line in a process of its own that also sees the packages in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "harness", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(site)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def site(repo: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that the plug-in package is installed into."""
    folder = tmp_path_factory.mktemp("site")
    command = [*PIP, "--target", str(folder), str(repo / "tests" / "plugin_pkg")]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def test_the_suite_of_a_package_is_listed(site: Path, tmp_path: Path) -> None:
    """Ls names the suites of installed packages beside ours."""
    done = harness(site, tmp_path, "ls", "suites")
    assert done.returncode == 0, done.stderr
    assert "weekdays" in done.stdout
    assert "quick" in done.stdout


def test_the_suite_of_a_package_keeps_the_contract(site: Path, tmp_path: Path) -> None:
    """Validate builds a stranger's card from its own rows and finds nothing wrong."""
    done = harness(site, tmp_path, "validate", "--suite", "weekdays", "--json")
    assert done.returncode == 0, done.stderr
    assert [(c["subject"], c["state"]) for c in json.loads(done.stdout)["checks"]] == [("card next_day", "ok")]


def test_the_suite_of_a_package_is_scored(site: Path, tmp_path: Path) -> None:
    """Run scores the embedded checkpoint on a stranger's suite and leaves a record."""
    done = harness(site, tmp_path, "run", "--suite", "weekdays", "--limit", "3", "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert [suite["name"] for suite in document["suites"]] == ["weekdays"]
    assert [(task["task"], task["items"]) for task in document["tasks"]] == [("next_day", 3)]
    assert (tmp_path / document["path"] / "run.json").is_file()


def test_the_producer_of_a_package_makes_a_checkpoint(site: Path, checkpoint: Path, tmp_path: Path) -> None:
    """Produce calls a stranger's producer and writes down what was measured of its work."""
    (tmp_path / "twice.yaml").write_text("tensor: model.norm.weight\nfactor: 2.0\n", encoding="utf-8")
    done = harness(
        site, tmp_path, "produce", "scaled", "--base", str(checkpoint), "-r", "twice.yaml", "-o", "out", "--json"
    )
    assert done.returncode == 0, done.stderr
    manifest = json.loads(done.stdout)
    assert manifest["producer"] == "scaled"
    assert manifest["parent"] == manifest["base"]["digests"]["weights"]
    assert manifest["checkpoint"]["digests"]["weights"] != manifest["parent"]
    assert (tmp_path / "out" / "checkpoint.json").is_file()


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_package_is_named(tmp_path: Path, kind: str) -> None:
    """A plug-in that cannot be used is an error with the package's name and a way out, not a warning."""
    value, reason = BROKEN[kind]
    info = tmp_path / "broken_cards-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: broken-cards\nVersion: 1.0\n", encoding="utf-8")
    (info / "entry_points.txt").write_text(f"[harness.suites]\nmine = {value}\n", encoding="utf-8")
    done = harness(tmp_path, tmp_path, "run", "--suite", "quick")
    (line,) = done.stderr.strip().splitlines()
    assert done.returncode == 65
    assert line.startswith("harness: Plug-in broken-cards (mine): ")
    assert reason in line
    assert "repair" in line
