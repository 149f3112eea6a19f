"""Token sequences as one prefix tree, in arrays: each shared prefix appears once, in depth-first order.

Sorted sequences and the lengths of the prefixes that neighbours share are a radix tree: sequence ``i`` adds the rows of
its tokens from ``depths[i]`` on, and hangs off the path of its predecessor. No node objects, no recursion.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class PrefixTree:
    """A forest of token sequences; a row is one token at one place of the tree.

    Attributes:
        tokens: (rows,) int32 token of each row, depth first.
        starts: (sequences + 1,) first row of each sequence's own rows; the last entry is the number of rows.
        depths: (sequences,) tokens that a sequence shares with the path of the one before it.
        lengths: (sequences,) tokens of each sequence.
    """

    tokens: NDArray[np.int32]
    starts: Ints
    depths: Ints
    lengths: Ints

    @property
    def rows(self) -> int:
        """Rows, that is tokens that have to be computed."""
        return int(self.starts[-1])

    @property
    def longest(self) -> int:
        """Tokens of the longest sequence; 0 for an empty tree."""
        return int(self.lengths.max(initial=0))

    def paths(self) -> Iterator[Ints]:
        """Yield for each sequence the rows of its tokens, first to last; a view that the next step overwrites."""
        path = np.zeros(self.longest, dtype=np.int64)
        for start, stop, depth, length in zip(
            self.starts[:-1].tolist(),
            self.starts[1:].tolist(),
            self.depths.tolist(),
            self.lengths.tolist(),
            strict=True,
        ):
            path[depth:length] = np.arange(start, stop)
            yield path[:length]


def build_tree(sequences: Sequence[Sequence[int]]) -> tuple[PrefixTree, Ints]:
    """The prefix tree of token sequences, and where each went.

    Args:
        sequences: Token ids, at least one each; repeats are merged. A list that stands in several places may be the
            same object.

    Returns:
        The tree, and for each input its sequence number in the tree, (len(sequences),).
    """
    keys = [_key(sequence) for sequence in sequences]
    ordered = sorted(set(keys))
    number = {key: place for place, key in enumerate(ordered)}
    lengths = np.fromiter((len(key) // 4 for key in ordered), np.int64, len(ordered))
    depths = np.zeros(len(ordered), np.int64)
    own: list[bytes] = []
    before = b""
    for place, key in enumerate(ordered):
        depths[place] = shared = _shared(before, key)
        own.append(key[4 * shared :])
        before = key
    starts = np.concatenate([[0], np.cumsum(lengths - depths)]).astype(np.int64)
    tokens = np.frombuffer(b"".join(own), ">i4").astype(np.int32)
    return PrefixTree(tokens, starts, depths, lengths), np.fromiter((number[key] for key in keys), np.int64, len(keys))


def _key(sequence: Sequence[int]) -> bytes:
    """Big-endian bytes, whose order is the order of the tokens."""
    numbers = array("i", sequence)
    numbers.byteswap()
    return numbers.tobytes()


def _shared(left: bytes, right: bytes) -> int:
    """Leading tokens that two keys have in common."""
    n = min(len(left), len(right)) // 4
    differs = np.frombuffer(left, np.int32, n) != np.frombuffer(right, np.int32, n)
    first = int(differs.argmax()) if n else 0
    return first if n and differs[first] else n
