"""A pack: a window of a prefix tree's rows that goes through the model at once.

Its first row continues the path that the packs before it have left in the store; its own rows then leave the path on
which the next pack goes on. At any time one path is stored, however many requests there are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.engines.tree.radix import Ints, PrefixTree


class Run(NamedTuple):
    """Consecutive rows of a pack on one path: ``start:stop``, whose first row is at position ``depth``."""

    start: int
    stop: int
    depth: int

    @property
    def end(self) -> int:
        """The position after its last row."""
        return self.depth + self.stop - self.start

    def cut(self, rows: int) -> tuple[Run, Run]:
        """Its first rows, and the others."""
        middle = self.start + rows
        return Run(self.start, middle, self.depth), Run(middle, self.stop, self.depth + rows)


@dataclass(frozen=True, slots=True)
class Pack:
    """Rows of one forward.

    Attributes:
        first: Number of its first row in the tree.
        ids: (rows,) token ids.
        positions: (rows,) position of each row in its sequence.
        runs: The rows, path by path.
        stored: Length of the path that is stored when the pack begins; the first run continues it.
        kept: Positions of that path that the next pack still needs.
        add: (n,) rows of this pack that follow on the kept path, for the next pack.
    """

    first: int
    ids: NDArray[np.int32]
    positions: Ints
    runs: tuple[Run, ...]
    stored: int
    kept: int
    add: Ints

    @property
    def rows(self) -> int:
        """Number of rows."""
        return len(self.ids)


def cut_pack(tree: PrefixTree, first: int, budget: int) -> Pack:
    """The pack of a tree that begins at a row.

    It ends where the path is shortest in its last quarter, so that whole preambles and documents stay together.

    Args:
        tree: The tree.
        first: Row to begin at.
        budget: Most rows.
    """
    last = _cut(tree, first, budget)
    runs = [_run(tree, number, first, last) for number in range(_owner(tree, first), _owner(tree, last - 1) + 1)]
    positions = np.concatenate([np.arange(run.depth, run.end) for run in runs])
    needed = _run(tree, _owner(tree, last), last, last + 1).depth if last < tree.rows else 0
    kept = min(needed, *(run.depth for run in runs))
    add = path_rows(runs)[kept:needed]
    return Pack(first, tree.tokens[first:last], positions, tuple(runs), runs[0].depth, kept, add)


def _owner(tree: PrefixTree, row: int) -> int:
    """The sequence that added a row."""
    return int(np.searchsorted(tree.starts, row, side="right")) - 1


def _run(tree: PrefixTree, number: int, first: int, last: int) -> Run:
    """The part of a sequence's own rows that lies in ``first:last``, counted from ``first``."""
    begin = int(tree.starts[number])
    start, stop = max(begin, first), min(int(tree.starts[number + 1]), last)
    return Run(start - first, stop - first, int(tree.depths[number]) + start - begin)


def _cut(tree: PrefixTree, first: int, budget: int) -> int:
    last = first + budget
    if last >= tree.rows:
        return tree.rows
    low, high = np.searchsorted(tree.starts, [first + (3 * budget) // 4, last], side="right")
    if low >= high:
        return last
    depths = tree.depths[low:high]
    return int(tree.starts[high - 1 - int(depths[::-1].argmin())])


def path_rows(runs: list[Run]) -> Ints:
    """After the last of some runs, the row that stands at each position of the path; -1 where it is a stored one."""
    path = np.full(max(run.end for run in runs), -1, dtype=np.int64)
    for run in runs:
        path[run.depth : run.end] = np.arange(run.start, run.stop)
    return path[: runs[-1].end]
