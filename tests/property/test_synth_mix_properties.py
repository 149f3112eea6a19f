"""What holds for every pool, however it is cut into shards and whatever the seed."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from synth_pools import examples, write_pool

from harness.executors import Local
from synth.mix import mix
from synth.recipe import Recipe, recipe_of

ROWS = list(examples(60))


def recipe(**given: Any) -> Recipe:
    """A recipe over the pool."""
    return recipe_of({"sources": [{"dataset": "seeds"}], "seed": given.pop("seed", 0), "mix": given})


def made(folder: Path, order: list[int], size: int, wanted: Recipe) -> dict[str, list[dict[str, str]]]:
    """Rows of each split of a corpus from the pool in some order and some cut."""
    mix(write_pool(folder / "filtered", [ROWS[n] for n in order], size), folder / "corpus", wanted, Local(1))
    return {
        split: [
            json.loads(line)
            for path in sorted((folder / "corpus").glob(f"{split}-*.jsonl"))
            for line in path.read_text(encoding="utf-8").splitlines()
        ]
        for split in ("train", "dev")
    }


@given(st.integers(0, 2**32), st.floats(0, 0.9), st.permutations(range(len(ROWS))), st.integers(7, 400))
@settings(max_examples=15, deadline=None)
def test_no_document_is_on_both_sides(seed: int, dev: float, order: list[int], size: int) -> None:
    """Train and dev share no document, and no example occurs twice."""
    with tempfile.TemporaryDirectory() as folder:
        rows = made(Path(folder), order, size, recipe(seed=seed, dev=dev))
    sides = [{row["document"] for row in rows[split]} for split in ("train", "dev")]
    assert not sides[0] & sides[1]
    ids = [row["id"] for split in rows.values() for row in split]
    assert len(ids) == len(set(ids))


@given(st.permutations(range(len(ROWS))), st.integers(7, 400), st.integers(20, 80))
@settings(max_examples=15, deadline=None)
def test_the_corpus_does_not_depend_on_how_the_pool_lies(order: list[int], size: int, records: int) -> None:
    """Another order and another cut of the pool give the same bytes."""
    wanted = recipe(records=records, dev=0.1, shard=16)
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        made(Path(one), list(range(len(ROWS))), 50, wanted)
        made(Path(other), order, size, wanted)
        hashes = [
            {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (Path(folder) / "corpus").iterdir()}
            for folder in (one, other)
        ]
    assert hashes[0] == hashes[1]
