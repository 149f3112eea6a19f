"""From filtered examples to a corpus on disk: select, shuffle, write, describe."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import DataError
from harness.plugins import Executor
from synth.formats import held_out_formats, held_out_phrasings
from synth.mix.card import card
from synth.mix.datasheet import datasheet
from synth.mix.pool import Lens, Pool, survey, together
from synth.mix.selection import SPLITS, Places, select
from synth.mix.shuffle import Cube, Gather, Scatter, Written, gather, scatter, unwritable, write
from synth.recipe import MixSettings, Recipe
from synth.records import Family
from synth.shards import shards


def mix(
    filtered: Path,
    corpus: Path,
    recipe: Recipe,
    executor: Executor,
    *,
    held_out_rules: Collection[str] = (),
    refused: Collection[str] = (),
) -> dict[str, Any]:
    """Write the corpus that a recipe selects from filtered examples; its datasheet.

    The folder is replaced as a whole at the end: what an earlier call wrote stays until then, and after an error.

    Args:
        filtered: Folder of shards of annotated examples.
        corpus: Folder to write: ``train-*``, ``dev-*``, ``README.md``, ``datasheet.json``, ``manifest.json``.
        recipe: The recipe.
        executor: Where shards are worked on.
        held_out_rules: Ids of preference rules that are kept for evaluation.
        refused: Ids of examples that a person rejected.

    Raises:
        MissingInputError: There are no filtered examples.
        DataError: The pool has too few examples for the budget or the shares, or a shard is torn.
        StoreError: The folder cannot be written.
    """
    paths = shards(filtered)
    surveys = list(executor.map(partial(survey, lens=_lens(recipe, held_out_rules, refused)), paths))
    pool = together(surveys)
    if recipe.mix.tokens is not None and not pool.measured:
        reason = "is a budget of tokens, and the filter length has not counted those of every example"
        raise DataError("The recipe (mix.tokens)", reason, "use the filter length, or a budget of records")
    chosen = select(pool.rows, recipe.mix)
    building = corpus.with_name(corpus.name + ".partial")
    shutil.rmtree(building, ignore_errors=True)
    try:
        spills = [building / "spills" / path.name for path in paths]
        (building / "spills").mkdir(parents=True)
        edges = np.cumsum([0, *(len(item.rows) for item in surveys)])
        jobs = _scatters(paths, spills, edges, _ranked(pool.rows, chosen), len(chosen["train"]))
        cube: Cube = sum(executor.map(scatter, jobs), Counter())
        files = list(executor.map(gather, list(_gathers(building, spills, chosen, recipe.mix))))
        shutil.rmtree(building / "spills")
        found = datasheet(pool, chosen, cube, recipe)
        _describe(building, files, found, recipe)
        _replace(building, corpus)
    except OSError as error:
        raise unwritable(corpus, error) from error
    finally:
        shutil.rmtree(building, ignore_errors=True)
    return found


def _lens(recipe: Recipe, held_out_rules: Collection[str], refused: Collection[str]) -> Lens:
    return Lens(
        seed=recipe.seed,
        formats=frozenset(held_out_formats(recipe.formats)),
        phrasings=frozenset(name for family in Family for name in held_out_phrasings(family)),
        rules=frozenset(held_out_rules),
        refused=frozenset(refused),
    )


def _ranked(pool: Pool, chosen: Mapping[str, Places]) -> Places:
    """Places of the chosen rows in the order of the corpus: train, then dev, each shuffled by digest."""
    return np.concatenate([chosen[split][np.argsort(pool["place"][chosen[split]])] for split in SPLITS])


def _scatters(
    paths: Sequence[Path], spills: Sequence[Path], edges: Places, ranked: Places, train: int
) -> list[Scatter]:
    """One job per filtered shard."""
    ranks = np.argsort(ranked)  # of the chosen rows in the order of the pool
    places = ranked[ranks]
    cuts = np.searchsorted(places, edges)
    return [
        Scatter(path, places[start:stop] - edge, ranks[start:stop], train, spill)
        for path, spill, edge, start, stop in zip(paths, spills, edges[:-1], cuts[:-1], cuts[1:], strict=True)
    ]


def _gathers(
    folder: Path, spills: Sequence[Path], chosen: Mapping[str, Places], settings: MixSettings
) -> Iterator[Gather]:
    """One job per shard of the corpus."""
    offset = 0
    for split in SPLITS:
        size = len(chosen[split])
        count = -(-size // settings.shard)
        for number in range(count):
            path = folder / f"{split}-{number:05}-of-{count:05}.{settings.form}"
            first = number * settings.shard
            yield Gather(path, offset + first, offset + min(first + settings.shard, size), tuple(spills))
        offset += size


def _describe(folder: Path, files: Sequence[Written], found: Mapping[str, Any], recipe: Recipe) -> None:
    """Write card, datasheet, and the manifest that lists the hashes of every other file."""
    written = [
        *files,
        write(folder / "README.md", card(found, recipe).encode()),
        write(folder / "datasheet.json", _json(found)),
    ]
    listed = {file.name: {"sha256": file.sha256, "bytes": file.size, "rows": file.rows} for file in written}
    write(folder / "manifest.json", _json({"recipe": recipe.digest, "files": listed}))


def _replace(new: Path, corpus: Path) -> None:
    """Put a complete folder where the corpus belongs; the old one goes last."""
    old = corpus.with_name(corpus.name + ".old")
    shutil.rmtree(old, ignore_errors=True)
    if corpus.exists():
        corpus.replace(old)
    new.replace(corpus)
    shutil.rmtree(old, ignore_errors=True)


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, ensure_ascii=False, indent=1) + "\n").encode()
