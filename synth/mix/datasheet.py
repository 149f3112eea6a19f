"""Counts of a corpus and of the pool that it was selected from."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import numpy as np

from synth.mix.pool import PASSED, Survey
from synth.mix.selection import ABLATIONS, SPLITS, Places, largest
from synth.mix.shuffle import COUNTED, Cube
from synth.recipe import Recipe


def datasheet(pool: Survey, chosen: Mapping[str, Places], cube: Cube, recipe: Recipe) -> dict[str, Any]:
    """What ``datasheet.json`` holds.

    Args:
        pool: The filtered examples.
        chosen: Places in the pool of each split.
        cube: Rows of the corpus by split and the columns of ``COUNTED``.
        recipe: The recipe.
    """
    return {
        "name": recipe.name,
        "records": cube.total(),
        "families": _marginal(cube, "family"),
        "strategies": _strategies(cube),
        "rejected": _ordered(pool.rejected),
        "splits": {split: _split(pool, chosen[split], cube, split) for split in SPLITS},
        "combinations": _marginal(cube, "strategies"),
        "formats": _marginal(cube, "format"),
        "phrasings": _marginal(cube, "phrasing"),
        "sources": _sources(cube),
        "pool": _pool(pool),
        "selection": {
            **recipe.mix.model_dump(mode="json"),
            "seed": recipe.seed,
            "largest": {name: largest(pool.rows, recipe.mix, name) for name in ABLATIONS},
        },
        "recipe": recipe.digest,
        "notes": _notes(chosen, recipe),
    }


def _notes(chosen: Mapping[str, Places], recipe: Recipe) -> list[str]:
    """What a user should know without having asked."""
    if recipe.mix.dev and not len(chosen["dev"]):
        return ["the dev split is empty: too few documents fall to it; raise mix.dev or add sources"]
    return []


def _marginal(cube: Cube, column: str) -> dict[str, int]:
    place = 1 + COUNTED.index(column)
    counts = Counter[str]()
    for key, rows in cube.items():
        counts[key[place]] += rows
    return _ordered(counts)


def _strategies(cube: Cube) -> dict[str, int]:
    """Examples that each strategy shaped; one can be shaped by several. ``basic``: by none."""
    counts = Counter[str]()
    for names, rows in _marginal(cube, "strategies").items():
        for name in names.split("+"):
            counts[name] += rows
    return _ordered(counts)


def _sources(cube: Cube) -> dict[str, Any]:
    source, licence = 1 + COUNTED.index("source"), 1 + COUNTED.index("licence")
    licences: dict[str, set[str]] = {}
    for key in cube:
        licences.setdefault(key[source], set()).add(key[licence])
    rows = _marginal(cube, "source")
    return {name: {"records": rows[name], "licence": ", ".join(sorted(licences[name]))} for name in rows}


def _split(pool: Survey, places: Places, cube: Cube, split: str) -> dict[str, Any]:
    rows = pool.rows[places]
    return {
        "records": sum(count for key, count in cube.items() if key[0] == split),
        "documents": len(np.unique(rows["document"])),
        "tokens": int(rows["tokens"].sum(dtype=np.int64)) if pool.measured else None,
    }


def _pool(pool: Survey) -> dict[str, Any]:
    flags = pool.rows["flags"]
    return {
        "records": len(pool.rows),
        "passed": int(np.count_nonzero(flags & PASSED)),
        "repeated": len(pool.rows) - len(np.unique(pool.rows["pick"])),
        "held_out": _ordered(pool.held_out),
    }


def _ordered(counts: Counter[str]) -> dict[str, int]:
    """Most frequent first, equal ones by name."""
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
