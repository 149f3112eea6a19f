"""Making a cell: its recipe is written down, its producer called, and what it was made from is noted beside it."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from harness.errors import DataError, UsageError
from harness.experiment.graph import Cell
from harness.produce import MANIFEST, produce
from harness.store.disk import replace_file

STATE = "cell.json"
MADE, BEGUN = "made", "begun"


def state_of(cell: Cell) -> Mapping[str, Any] | None:
    """What is noted of a cell: its key, ``begun`` or ``made``, seconds; None where nothing was begun.

    Raises:
        DataError: The note cannot be read.
        UsageError: The folder holds what was made from other inputs.
    """
    path = cell.folder / STATE
    if not path.is_file():
        return None
    try:
        state: Mapping[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        key, begun = state["key"], state["status"] == BEGUN
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"{path}", f"cannot be read ({error})", f"remove the folder {cell.folder}") from error
    if key != cell.key:
        if begun:
            return None  # the producer itself knows whether it can go on from there
        raise UsageError(
            f"Cell {cell.label}", "was made from another recipe, base or data than the matrix now has",
            f"name another folder with -o, or remove {cell.folder} to make it anew",
        )  # fmt: skip
    return state if begun or (cell.folder / MANIFEST).is_file() else None


def is_made(cell: Cell) -> bool:
    """Whether a cell has been made from these inputs.

    Raises:
        HarnessError: As :func:`state_of`.
    """
    state = state_of(cell)
    return state is not None and state["status"] == MADE


def make(cell: Cell, recipes: Path) -> float:
    """Make a cell; returns the seconds that its producer took.

    Args:
        cell: The cell; what an interrupted call left in its folder is continued.
        recipes: Folder that the filled recipe is written into.

    Raises:
        HarnessError: As ``harness.produce.produce``.
    """
    recipe = recipes / f"{cell.label}.yaml"
    write_recipe(cell, recipe)
    note(cell, BEGUN, {})
    started = time.perf_counter()
    produce(cell.producer, cell.start, recipe, cell.folder)
    seconds = time.perf_counter() - started
    note(cell, MADE, {})
    return seconds


def write_recipe(cell: Cell, path: Path) -> None:
    """Write the filled recipe of a cell, in the form that its producer reads."""
    replace_file(path, yaml.safe_dump(dict(cell.recipe), sort_keys=False, allow_unicode=True).encode())


def note(cell: Cell, status: str, seconds: Mapping[str, float]) -> None:
    """Write down how far a cell is, and the seconds that were measured of it."""
    state = {"key": cell.key, "status": status, "seconds": dict(seconds)}
    replace_file(cell.folder / STATE, (json.dumps(state, indent=1) + "\n").encode())


def add_seconds(cell: Cell, spent: Mapping[str, float]) -> None:
    """Add to the seconds noted of a cell: those of ``producing``, of ``scoring``, and the runner's ``own``."""
    state = state_of(cell)
    if state is not None and state["status"] == MADE:
        before = state["seconds"]
        note(cell, MADE, {name: before.get(name, 0.0) + value for name, value in spent.items()})


def digests_of(cell: Cell) -> Mapping[str, str]:
    """Digests of a checkpoint that was made, as ``harness.produce`` measured them."""
    manifest = json.loads((cell.folder / MANIFEST).read_text(encoding="utf-8"))
    digests: Mapping[str, str] = manifest["checkpoint"]["digests"]
    return digests
