"""The tree scores what stock scores, whatever the requests share; its attention sees exactly the path of each row."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import cycle
from typing import Any

import numpy as np
import pytest
from families import SUPPORTED, save
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.tree import parts as parts_module
from harness.engines.tree.pack import Pack, cut_pack, path_rows
from harness.engines.tree.parts import parts_of, visible
from harness.engines.tree.radix import PrefixTree, build_tree

TOKENS = st.integers(0, 2)
STRANGERS = st.lists(st.lists(TOKENS, min_size=1, max_size=30), min_size=1, max_size=25)
STEPS = st.lists(st.tuples(st.integers(0, 40), st.lists(TOKENS, min_size=1, max_size=20)), min_size=1, max_size=25)


def grown(steps: list[tuple[int, list[int]]]) -> list[list[int]]:
    """Sequences that each go back to some place of the one before and on from there: deep, often shared beginnings."""
    sequences: list[list[int]] = [[]]
    for kept, added in steps:
        sequences.append(sequences[-1][:kept] + added)
    return sequences[1:]


SEQUENCES = st.one_of(STRANGERS, STEPS.map(grown))


@st.composite
def grown(draw: st.DrawFn) -> list[list[int]]:
    """Sequences that each keep the beginning of an earlier one, as prompts with preambles and choices do."""
    made = [[draw(TOKENS)] * draw(st.integers(1, 40))]
    for _ in range(draw(st.integers(0, 12))):
        base = draw(st.sampled_from(made))
        tail = draw(st.lists(TOKENS, min_size=1, max_size=2)) * draw(st.integers(1, 20))
        made.append(base[: draw(st.integers(0, len(base)))] + tail)
    return made


def packs(tree: PrefixTree, budget: int) -> Iterator[Pack]:
    """The packs of a tree, one after the other."""
    first = 0
    while first < tree.rows:
        pack = cut_pack(tree, first, budget)
        yield pack
        first += pack.rows


@given(SEQUENCES)
def test_a_tree_spells_its_sequences(sequences: list[list[int]]) -> None:
    """Each sequence is read back from the rows of its path, and equal beginnings are equal rows."""
    tree, numbers = build_tree(sequences)
    paths = [path.copy() for path in tree.paths()]
    assert [tree.tokens[paths[number]].tolist() for number in numbers] == sequences
    assert tree.rows == len({tuple(sequence[: n + 1]) for sequence in sequences for n in range(len(sequence))})


@given(SEQUENCES, st.integers(1, 40))
def test_packs_carry_the_path_from_one_to_the_next(sequences: list[list[int]], budget: int) -> None:
    """The stored path of a pack is the kept part of the one before and the rows that it added."""
    tree, _ = build_tree(sequences)
    wanted = [path.copy() for path in tree.paths()]
    stored = np.zeros(0, np.int64)
    for pack in packs(tree, budget):
        assert 1 <= pack.rows <= budget
        number = int(np.searchsorted(tree.starts, pack.first, side="right")) - 1
        assert stored.tolist() == wanted[number][: pack.stored].tolist()
        stored = np.concatenate([stored[: pack.kept], pack.add + pack.first])


@settings(max_examples=300, deadline=None)
@given(SEQUENCES | grown(), st.integers(1, 120), st.integers(1, 20), st.integers(1, 6))
def test_parts_cover_each_path_once(sequences: list[list[int]], budget: int, small: int, few: int) -> None:
    """Squares and rectangles together show each row each token of its path once, and nothing else."""
    tree, _ = build_tree(sequences)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parts_module, "SMALL", small)
        patch.setattr(parts_module, "FEW", few)
        for pack in packs(tree, budget):
            assert (shown(pack) == on_path(pack)).all()


def on_path(pack: Pack) -> np.ndarray:
    """What each row has to see of the stored path and the pack, (rows, stored + rows), row by row."""
    seen = np.zeros((pack.rows, pack.stored + pack.rows), int)
    for number, run in enumerate(pack.runs):
        path = path_rows(list(pack.runs[: number + 1]))
        for row in range(run.start, run.stop):
            position = run.depth + row - run.start
            inside = path[: position + 1]
            seen[row, np.flatnonzero(inside < 0)] = 1
            seen[row, pack.stored + inside[inside >= 0]] = 1
    return seen


def shown(pack: Pack) -> np.ndarray:
    """How often the parts of a pack show each key to each row, (rows, stored + rows)."""
    parts = parts_of(pack.runs)
    seen = np.zeros((pack.rows, pack.stored + pack.rows), int)
    for start, stop, stored, before, own in parts.squares:
        seen[start:stop, stored[0] : stored[1]] += 1
        for first, last in before:
            seen[start:stop, pack.stored + first : pack.stored + last] += 1
        square = np.tri(stop - start, dtype=int) if own is None else own.astype(int)
        seen[start:stop, pack.stored + start : pack.stored + stop] += square
    for start, stop, first, last, is_stored in parts.rectangles:
        offset = 0 if is_stored else pack.stored
        seen[start:stop, offset + first : offset + last] += 1
    return seen


@given(SEQUENCES, st.integers(1, 60))
def test_the_mask_of_a_pack_is_its_paths(sequences: list[list[int]], budget: int) -> None:
    """The one mask that other devices use shows the same as the parts."""
    tree, _ = build_tree(sequences)
    for pack in packs(tree, budget):
        assert (visible(pack.runs) == on_path(pack)[:, pack.stored :]).all()


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any]:
    """Stock and tree on one small checkpoint with random weights.

    Stock's cache of logits is off: of requests with one input that is split in different places (``a`` + ``b c`` and
    ``a b`` + ``c``) it scores the shorter continuation at the wrong position (lm-eval 0.4.13).
    """
    from lm_eval.models.huggingface import HFLM

    from harness.engines.tree.model import TreeLM

    llama = next(family for family in SUPPORTED if family.name == "llama")
    folder = str(save(llama, tmp_path_factory.mktemp("property") / "llama"))
    stock = HFLM(pretrained=folder, device="cpu", batch_size=8, max_length=56, logits_cache=False)
    return stock, TreeLM(pretrained=folder, device="cpu", max_length=56)


CONTINUATIONS = st.lists(st.lists(TOKENS, min_size=1, max_size=12), min_size=1, max_size=25)
REQUESTS = st.builds(lambda contexts, said: list(zip(contexts, cycle(said), strict=False)), SEQUENCES, CONTINUATIONS)


@settings(max_examples=40)
@given(requests=REQUESTS, rows=st.integers(16, 64))
def test_random_requests_score_as_stock_scores_them(
    models: tuple[Any, Any], requests: list[tuple[list[int], list[int]]], rows: int
) -> None:
    """Any set of requests, cut to the context or not, in packs of any size: equal flags, equal to 1e-4."""
    stock, tree = models
    encoded = [(("", ""), context, continuation) for context, continuation in requests]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("harness.engines.tree.plan.CPU_ROWS", rows)
        patch.setattr(parts_module, "SMALL", 12)
        patch.setattr(parts_module, "FEW", 4)
        ours = tree._loglikelihood_tokens(encoded, disable_tqdm=True)
    for (value, greedy), (wanted, flag) in zip(
        ours, stock._loglikelihood_tokens(encoded, disable_tqdm=True), strict=True
    ):
        assert abs(value - wanted) <= 1e-4
        assert greedy == flag
