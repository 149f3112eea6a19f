"""Token sequences as one prefix tree, in arrays: each shared prefix appears once, in depth-first order.

Sorted sequences and the lengths of the prefixes that neighbours share are a radix tree: sequence ``i`` adds the rows of
its tokens from ``depths[i]`` on, and hangs off the path of its predecessor. No node objects, no recursion.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from sys import byteorder

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


def build_tree(sequences: Iterable[Sequence[int]]) -> tuple[PrefixTree, Ints]:
    """The prefix tree of token sequences, and the sequence number in it of each of them.

    Args:
        sequences: Token ids, at least one each; repeats are merged.
    """
    return tree_of(map(key_of, sequences))


def key_of(sequence: Sequence[int]) -> bytes:
    """Token ids as big-endian bytes, four each, whose order is the order of the tokens."""
    numbers = array("i", sequence)
    if byteorder == "little":
        numbers.byteswap()
    return numbers.tobytes()


def tree_of(keys: Iterable[bytes]) -> tuple[PrefixTree, Ints]:
    """As ``build_tree``, of sequences in the form of ``key_of``."""
    found: dict[bytes, int] = {}
    order = np.fromiter((found.setdefault(key, len(found)) for key in keys), np.int64)
    ordered = sorted(found)
    place = np.empty(len(ordered), np.int64)
    place[np.fromiter((found[key] for key in ordered), np.int64, len(ordered))] = np.arange(len(ordered))
    found.clear()
    lengths = np.fromiter((len(key) // 4 for key in ordered), np.int64, len(ordered))
    depths = np.fromiter(map(_shared, chain([b""], ordered), ordered), np.int64, len(ordered))
    starts = np.concatenate([[0], np.cumsum(lengths - depths)]).astype(np.int64)
    own = b"".join(key[4 * depth :] for key, depth in zip(ordered, depths.tolist(), strict=True))
    return PrefixTree(np.frombuffer(own, ">i4").astype(np.int32), starts, depths, lengths), place[order]


def _shared(left: bytes, right: bytes) -> int:
    """Leading tokens that two keys have in common."""
    n = min(len(left), len(right)) // 4
    differs = np.frombuffer(left, np.int32, n) != np.frombuffer(right, np.int32, n)
    first = int(differs.argmax()) if n else 0
    return first if n and differs[first] else n
