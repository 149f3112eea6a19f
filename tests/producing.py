"""Command lines of ``harness produce`` for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main


def arguments(producer: str, base: Path, recipe: Path, out: Path) -> list[str]:
    """A command line."""
    return ["produce", producer, "--base", str(base), "-r", str(recipe), "-o", str(out)]


def made(producer: str, base: Path, recipe: Path, out: Path) -> dict[str, Any]:
    """The manifest of a production that succeeds."""
    with pytest.raises(SystemExit) as exit_:
        main(arguments(producer, base, recipe, out))
    assert exit_.value.code == 0
    manifest: dict[str, Any] = json.loads((out / "checkpoint.json").read_text(encoding="utf-8"))
    return manifest
