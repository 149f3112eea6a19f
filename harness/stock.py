"""What stock lm-eval offers, read from its folder without importing it: a listing must not pay for torch."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from harness.errors import MissingInputError

_NAME = r"""["']?([^\s"'#\[\]{},!&*|>]+)["']?"""
_TASK = re.compile(rf"""^["']?(?:task|group)["']?:[ \t]*{_NAME}[ \t]*(?:#.*)?$""", re.MULTILINE)
_TAG = re.compile(rf"""^["']?tag["']?:[ \t]*{_NAME}[ \t]*(?:#.*)?$""", re.MULTILINE)
_TAGS = re.compile(r"""^["']?tag["']?:[ \t]*(?:\[([^\]]*)\]|\n((?:[ \t]*-[^\n]*(?:\n|\Z))+))""", re.MULTILINE)


def stock_folder() -> Path:
    """The folder of lm-eval's own task cards.

    Raises:
        MissingInputError: lm-eval is not installed.
    """
    return _lm_eval_folder() / "tasks"


def stock_definitions() -> Iterator[tuple[Path, str]]:
    """(file, name) of every task, group and tag that lm-eval's cards define, by the text of the cards.

    A tag may stand in a file that cards include, which has no suffix; a task or group may not.
    """
    for path in sorted(stock_folder().rglob("*")):
        if path.suffix not in ("", ".yaml") or not path.is_file():
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        names = _TAG.findall(text)
        for inline, lines in _TAGS.findall(text):
            names += [_bare(entry) for entry in inline.split(",") + lines.splitlines() if _bare(entry)]
        if path.suffix == ".yaml":
            names += _TASK.findall(text)
        for name in names:
            yield path, name


def stock_task_names() -> list[str]:
    """Every task, group and tag name that lm-eval's own cards define, sorted."""
    return sorted({name for _, name in stock_definitions()})


def model_names() -> list[str]:
    """Every model name of lm-eval's registry and our ``tree``, sorted, from the source text of lm-eval's table.

    Raises:
        MissingInputError: lm-eval is not installed, or of a version whose registry has another form.
    """
    source = _lm_eval_folder() / "models" / "__init__.py"
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        names = [target.id for target in getattr(node, "targets", ()) if isinstance(target, ast.Name)]
        if isinstance(node, ast.Assign) and "MODEL_MAPPING" in names and isinstance(node.value, ast.Dict):
            keys = [key.value for key in node.value.keys if isinstance(key, ast.Constant)]
            return sorted([*map(str, keys), "tree"])
    raise MissingInputError("lm-eval's table of models", "is not where it was", "install the pinned version of lm-eval")


def _bare(entry: str) -> str:
    """An entry of a YAML list without dash, quotes and comment."""
    return entry.partition("#")[0].strip().removeprefix("-").strip(" \t\"'")


def _lm_eval_folder() -> Path:
    spec = find_spec("lm_eval")
    if spec is None or not spec.submodule_search_locations:
        raise MissingInputError("lm-eval", "is not installed", "install hum-harness again")
    return Path(next(iter(spec.submodule_search_locations)))
