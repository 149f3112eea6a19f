"""Measure a corpus and write what was found: ``stats.json``, ``README.md`` with its plots, ``index.html``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import StoreError
from synth.recipe import Recipe
from synth.stats.measure import measure
from synth.stats.page import html, markdown
from synth.stats.plots import plots
from synth.stats.survey import look


def stats(
    filtered: Path, corpus: Path, out: Path, recipe: Recipe, usage: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """Write the statistics of a corpus; the content of ``stats.json``.

    Args:
        filtered: Folder of shards of annotated examples.
        corpus: Folder of the corpus that was selected from them.
        out: Folder to write.
        recipe: The recipe, for the name and the seed of the sample.
        usage: What the teacher did and cost, as ``synth.teachers.Usage`` has it; None where nothing was recorded.

    Raises:
        MissingInputError: One of the folders is not there.
        DataError: A shard is torn.
        StoreError: The folder cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _unwritable(out, error) from error
    found = look(filtered, corpus, recipe.seed)
    numbers = measure(found, usage)
    drawn = plots(numbers, found)
    pages = {
        "stats.json": json.dumps(numbers, ensure_ascii=False, indent=1) + "\n",
        "README.md": markdown(recipe.name, numbers),
        "index.html": html(recipe.name, numbers, drawn),
        **{f"{name}.svg": svg for name, svg in drawn.items()},
    }
    try:
        for old in out.glob("*.svg"):
            old.unlink()
        for name, text in pages.items():
            (out / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise _unwritable(out, error) from error
    return numbers


def _unwritable(out: Path, error: OSError) -> StoreError:
    return StoreError(f"Folder {out}", f"cannot be written ({error.strerror})", "free space or name another folder")
