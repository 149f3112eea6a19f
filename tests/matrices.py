"""Matrices for tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

ARMS: dict[str, Any] = {
    "base": {"producer": None},
    "tuned": {"producer": "lora", "recipe": {"data": "rows.jsonl", "seed": "{seed}"}},
}


def content(**changes: Any) -> dict[str, Any]:
    """A small sound matrix with fields replaced; a field of None is left out."""
    fields = {"matrix": "small", "arms": ARMS, "suites": ["quick-general"], **changes}
    return {name: value for name, value in fields.items() if value is not None}


def write(folder: Path, **changes: Any) -> Path:
    """The file of such a matrix."""
    path = folder / "matrix.yaml"
    path.write_text(yaml.safe_dump(content(**changes), sort_keys=False), encoding="utf-8")
    return path
