"""A pack: a window of a prefix tree's rows that goes through the model at once, and who sees whom in it.

Rows are depth first, so the descendants of a row are the rows that follow it without a gap. Attention inside a tree
therefore falls into rectangles (all descendants of a segment see all of it, no mask) and squares (a segment sees itself,
causally; a small subtree sees itself, masked). Nothing is computed twice, and nearly nothing in vain.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.engines.tree.radix import Ints, PrefixTree

SMALL = 160
"""Rows up to which a subtree is one masked square: below, a second call costs more than the masked half."""


class Square(NamedTuple):
    """Rows that see themselves: causally where ``visible`` is None, else where it is true, (rows, rows)."""

    start: int
    stop: int
    visible: NDArray[np.bool_] | None


class Rectangle(NamedTuple):
    """Rows ``start:stop`` that all see keys ``first:last``: of the stored path, or of the pack itself."""

    start: int
    stop: int
    first: int
    last: int
    stored: bool


class Run(NamedTuple):
    """Consecutive rows of a pack on one path: ``start:stop``, whose first row is at position ``depth``."""

    start: int
    stop: int
    depth: int

    @property
    def end(self) -> int:
        """The position after its last row."""
        return self.depth + self.stop - self.start


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
    begin = int(np.searchsorted(tree.starts, first, side="right")) - 1
    end = int(np.searchsorted(tree.starts, last, side="left"))
    runs = [_run(tree, number, first, last) for number in range(begin, end)]
    runs = [run for run in runs if run.stop > run.start]
    positions = np.concatenate([np.arange(run.depth, run.end) for run in runs])
    following = _run(tree, int(np.searchsorted(tree.starts, last, side="right")) - 1, last, last + 1)
    needed = following.depth if last < tree.rows else 0
    shared = min(min((run.depth for run in runs)), needed)
    path = path_rows(runs)[:needed]
    stored = runs[0].depth
    kept = min(shared, stored)
    return Pack(first, tree.tokens[first:last], positions, tuple(runs), stored, kept, path[kept:])


def _run(tree: PrefixTree, number: int, first: int, last: int) -> Run:
    """The part of a sequence's own rows that lies in ``first:last``, counted from ``first``."""
    if number >= len(tree.depths):
        return Run(0, 0, 0)
    start, stop = max(int(tree.starts[number]), first), min(int(tree.starts[number + 1]), last)
    return Run(start - first, stop - first, int(tree.depths[number]) + start - int(tree.starts[number]))


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


def visible(runs: list[Run]) -> NDArray[np.bool_]:
    """Which rows of some consecutive runs each row sees, (rows, rows): its own path, itself included.

    Row ``j`` is on the path of row ``i`` where ``j <= i`` and no run between them branched off before ``j``.
    """
    base, rows = runs[0].start, runs[-1].stop - runs[0].start
    end = np.full(rows + 1, rows, dtype=np.int64)
    path = np.full(max(run.end for run in runs), rows, dtype=np.int64)  # the spare last entry stands for stored rows
    reach = 0
    for run in runs:
        end[path[run.depth : reach]] = run.start - base
        path[run.depth : run.end] = np.arange(run.start - base, run.stop - base)
        reach = run.end
    row = np.arange(rows)
    return (row[None, :] <= row[:, None]) & (row[:, None] < end[None, :-1])


def parts(pack: Pack) -> tuple[list[Square], list[Rectangle]]:
    """Squares, of which each row is in exactly one, and rectangles that together are the attention of a pack."""
    squares: list[Square] = []
    rectangles = _stored_rectangles(pack)
    siblings = [_split(list(pack.runs))]
    while siblings:
        group: list[Run] = []
        for block in siblings.pop():
            if group and block[-1].stop - group[0].start > SMALL:
                squares.append(_square(group))
                group = []
            if block[-1].stop - block[0].start <= SMALL or len(block) == 1:
                group += block
                continue
            shared = min(run.depth for run in block[1:]) - block[0].depth
            start, middle = block[0].start, block[0].start + shared
            squares.append(Square(start, middle, None))
            rectangles.append(Rectangle(middle, block[-1].stop, start, middle, stored=False))
            rest = Run(middle, block[0].stop, block[0].depth + shared)
            siblings.append(_split([rest, *block[1:]] if rest.stop > rest.start else block[1:]))
        if group:
            squares.append(_square(group))
    return squares, rectangles


def _square(runs: list[Run]) -> Square:
    return Square(runs[0].start, runs[-1].stop, None if len(runs) == 1 else visible(runs))


def _split(runs: list[Run]) -> list[list[Run]]:
    """Runs as blocks that do not see each other: a run that branches off no later than all before it opens one."""
    blocks: list[list[Run]] = []
    lowest = runs[0].depth
    for run in runs:
        if not blocks or run.depth <= lowest:
            blocks.append([])
            lowest = run.depth
        blocks[-1].append(run)
    return blocks


def _stored_rectangles(pack: Pack) -> list[Rectangle]:
    """What the pack sees of the stored path: less and less, as runs branch off nearer to its root."""
    found: list[Rectangle] = []
    depth = pack.stored
    for block in _split(list(pack.runs)):
        depth = min(depth, block[0].depth)
        start, stop = block[0].start, block[-1].stop
        if found and found[-1].last == depth:
            start = found.pop().start
        if depth:
            found.append(Rectangle(start, stop, 0, depth, stored=True))
    return found
