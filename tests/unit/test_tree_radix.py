"""The prefix tree of token sequences."""

from __future__ import annotations

import random
import time
from collections.abc import Sequence

import pytest

from harness.engines.tree.radix import PrefixTree, build_tree


def spelled(tree: PrefixTree) -> list[list[int]]:
    """The sequences of a tree, read from its rows."""
    return [tree.tokens[path].tolist() for path in tree.paths()]


@pytest.mark.parametrize(
    ("sequences", "rows"),
    [
        ([[1, 2, 3]], 3),
        ([[1, 2, 3], [1, 2, 4]], 4),
        ([[1, 2], [1, 2, 3], [1]], 3),
        ([[5], [5], [5]], 1),
        ([[1, 2], [3, 4]], 4),
        ([[256, 1], [1, 256], [65536]], 5),
    ],
    ids=["one", "fork", "nested", "repeats", "strangers", "byte order"],
)
def test_each_shared_token_is_one_row(sequences: Sequence[list[int]], rows: int) -> None:
    """A token that several sequences have at one place after one beginning is one row, and nothing else is shared."""
    tree, numbers = build_tree(sequences)
    assert tree.rows == rows
    assert [spelled(tree)[number] for number in numbers] == list(sequences)


def test_an_empty_call_is_an_empty_tree() -> None:
    """No sequence makes no row."""
    tree, numbers = build_tree([])
    assert (tree.rows, tree.longest, list(numbers)) == (0, 0, [])


def test_sequences_are_in_the_order_of_their_tokens() -> None:
    """Depth-first order is lexicographic, so that results do not depend on the order of the requests."""
    rng = random.Random(0)
    sequences = [[rng.randrange(70000) for _ in range(rng.randrange(1, 5))] for _ in range(200)]
    tree, _ = build_tree(sequences)
    assert spelled(tree) == [list(sequence) for sequence in sorted({tuple(sequence) for sequence in sequences})]


@pytest.mark.slow
def test_a_million_requests_make_a_tree_in_seconds() -> None:
    """Building does not recurse, and takes a time that grows with the number of tokens."""
    rng = random.Random(0)
    beginnings = [[k, *(rng.randrange(1000) for _ in range(19))] for k in range(5000)]
    sequences = [beginnings[k % 5000] + [k, k // 7] for k in range(1_000_000)]
    started = time.process_time()
    tree, _ = build_tree(sequences)
    assert time.process_time() - started < 60
    assert tree.rows == 2_000_000 + 100_000
