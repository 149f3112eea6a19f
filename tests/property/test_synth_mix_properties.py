"""What holds for every pool, however it is cut into shards and whatever the seed."""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synth_pools import examples, write_pool

from harness.errors import DataError
from harness.executors import Local
from synth.mix import mix
from synth.mix.pool import CLEAN, HELD_OUT, PASSED, ROW, STRATEGY_BITS
from synth.mix.selection import ABLATIONS, largest, quotas, select
from synth.recipe import MixSettings, Recipe, recipe_of
from synth.records import Family

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


SHARES = (None, {Family.NER: 0.7, Family.RE: 0.3})
pools = st.lists(
    st.tuples(
        st.integers(0, 2**64 - 1),
        st.integers(0, 2**64 - 1),
        st.sampled_from([0, *STRATEGY_BITS.values(), 3]),
        st.sampled_from([PASSED | CLEAN] * 6 + [CLEAN, 0, PASSED | CLEAN | HELD_OUT]),
        st.integers(0, 1),
    ),
    max_size=60,
)


@given(pools, st.sampled_from(ABLATIONS), st.sampled_from([0.0, 0.3]), st.sampled_from(SHARES), st.integers(0, 5))
def test_a_budget_is_met_exactly_or_refused(
    rows: list[tuple[int, int, int, int, int]], ablation: str, dev: float, families: Any, over: int
) -> None:
    """The largest budget that an error would propose works, with exact sizes and shares; a larger one is refused."""
    pool = np.array([(n, n, owner, 1, family, bits | flags, 0) for n, owner, bits, flags, family in rows], ROW)
    wanted = MixSettings(dev=dev, ablation=ablation, compound=0.4, families=families)
    size = largest(pool, wanted, ablation)
    if size:
        chosen = select(pool, wanted.model_copy(update={"records": size}))
        train, held = pool[chosen["train"]], pool[chosen["dev"]]
        assert (len(train), len(held)) == (size - round(size * dev), round(size * dev))
        assert not set(train["document"]) & set(held["document"])
        assert not np.any(train["flags"] & HELD_OUT)
        if families is None:
            compound = np.count_nonzero(train["flags"] & sum(STRATEGY_BITS.values()))
            assert compound == (0 if ablation == "basic_only" else quotas([0.6, 0.4], len(train))[1])
    with pytest.raises(DataError):
        select(pool, wanted.model_copy(update={"records": size + 1 + over}))
