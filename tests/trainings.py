"""Rows and recipes of trainings that take a second, for tests of producers."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

NAMES = ("Ada", "Bo", "Cleo", "Dan", "Eve")
SETTINGS = {"data": "rows.jsonl", "steps": 4, "batch": 4, "learning_rate": 0.01}
CHAT = (
    "{% for turn in messages %}<|{{ turn.role }}|>{{ turn.content }}{{ eos_token }}{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>{% endif %}"
)
MARKED = (
    "{% for turn in messages %}<|{{ turn.role }}|>{% if turn.role == 'assistant' %}{% generation %}{{ turn.content }}"
    "{{ eos_token }}{% endgeneration %}{% else %}{{ turn.content }}{{ eos_token }}{% endif %}{% endfor %}"
)


def rows(count: int = 24) -> list[dict[str, str]]:
    """Questions of about twenty tokens with an answer of a few."""
    pairs = [(NAMES[number % 5], NAMES[number * 7 % 4]) for number in range(count)]
    return [
        {"prompt": f"Who met on day {number}? {one} met {other}.\nAnswer:", "completion": f" {one}, {other}"}
        for number, (one, other) in enumerate(pairs)
    ]


def conversation(*turns: str) -> dict[str, Any]:
    """Messages of user and assistant in turn."""
    return {"messages": [{"role": ("user", "assistant")[n % 2], "content": turn} for n, turn in enumerate(turns)]}


def write(folder: Path, content: Iterable[Mapping[str, Any]] | None = None, **changes: Any) -> Path:
    """A recipe file and its data beside it; a setting of None is left out."""
    lines = [json.dumps(row) + "\n" for row in (rows() if content is None else content)]
    (folder / "rows.jsonl").write_text("".join(lines), encoding="utf-8")
    return write_recipe(folder, **{**SETTINGS, **changes})


def write_recipe(folder: Path, **settings: Any) -> Path:
    """A recipe file."""
    kept = {name: value for name, value in settings.items() if value is not None}
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump(kept), encoding="utf-8")
    return path
