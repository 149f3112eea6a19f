"""The attention of a pack as a few dense pieces: what sees what, without computing in vain.

Rows are depth first, so the descendants of a row are the rows that follow it without a gap. Attention inside a tree
therefore falls into rectangles (all descendants of a segment see all of it: no mask) and squares (a segment sees
itself, causally, or a small subtree sees itself, masked). A segment of few tokens is not worth a rectangle: it stands
as some more columns before the squares of its descendants.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from harness.engines.tree.pack import Run
from harness.engines.tree.radix import Ints

SMALL = 160
"""Rows up to which a subtree is one masked square: below, a second call costs more than the masked half."""

FEW = 16
"""Keys below which a rectangle costs more than as many columns in each square under it."""


class Square(NamedTuple):
    """Rows that see themselves, and a few keys before them that all of them see.

    Attributes:
        start: First row.
        stop: The row after its last.
        stored: Positions of the stored path that all see, first and end.
        before: Earlier rows of the pack that all see, as (start, stop).
        visible: (rows, rows) what they see of themselves; None where they are one run, which sees causally.
    """

    start: int
    stop: int
    stored: tuple[int, int]
    before: tuple[tuple[int, int], ...]
    visible: NDArray[np.bool_] | None


class Rectangle(NamedTuple):
    """Rows ``start:stop`` that all see keys ``first:last``: of the stored path, or of the pack itself."""

    start: int
    stop: int
    first: int
    last: int
    stored: bool


@dataclass(frozen=True, slots=True)
class Parts:
    """Squares, of which each row is in exactly one, and rectangles; together they are the attention of a pack."""

    squares: list[Square] = field(default_factory=list)
    rectangles: list[Rectangle] = field(default_factory=list)


Block = list[Run]
"""Runs that all descend from the first row of the first."""


def parts_of(runs: Sequence[Run]) -> Parts:
    """The attention of a pack.

    Args:
        runs: Its rows, path by path; the first continues the stored path.
    """
    parts = Parts()
    covered = path = 0  # what the last rectangle over the stored path has of it, and its number
    levels = [list(level) for _, level in groupby(_split(list(runs)), key=lambda block: block[0].depth)]
    for level in reversed(levels):  # what is seen of the stored path becomes shorter from block to block
        start, stop, depth = level[0][0].start, level[-1][-1].stop, level[0][0].depth
        if depth - covered >= FEW:
            path = len(parts.rectangles)
            parts.rectangles.append(Rectangle(start, stop, 0, depth, stored=True))
            covered = depth
        elif covered:
            parts.rectangles[path] = parts.rectangles[path]._replace(start=start)
        _cover(level, (covered, depth), parts)
    return parts


def _cover(blocks: list[Block], stored: tuple[int, int], parts: Parts) -> None:
    """Add what the rows of consecutive blocks see of each other, and of the stored path beside its rectangle."""
    waiting: list[tuple[list[Block], tuple[tuple[int, int], ...]]] = [(blocks, ())]
    while waiting:
        siblings, before = waiting.pop()
        for block in _joined(siblings):
            if len(block) == 1 or _rows(block) <= SMALL:
                parts.squares.append(_square(block, stored, before))
                continue
            shared = min(run.depth for run in block[1:]) - block[0].depth
            head, rest = block[0].cut(shared)
            below = _split([rest, *block[1:]] if rest.stop > rest.start else block[1:])
            if shared < FEW:
                waiting.append(([[head], *below], (*before, (head.start, head.stop))))
                continue
            parts.squares.append(_square([head], stored, before))
            parts.rectangles.append(Rectangle(head.stop, block[-1].stop, head.start, head.stop, stored=False))
            waiting.append((below, before))


def _joined(blocks: list[Block]) -> list[Block]:
    """Neighbouring blocks put together as long as they stay small."""
    joined: list[Block] = []
    for block in blocks:
        if joined and block[-1].stop - joined[-1][0].start <= SMALL:
            joined[-1] = joined[-1] + block
        else:
            joined.append(block)
    return joined


def _rows(block: Block) -> int:
    return block[-1].stop - block[0].start


def _square(runs: Block, stored: tuple[int, int], before: tuple[tuple[int, int], ...]) -> Square:
    start = runs[0].start
    seen = tuple(part for part in before if part[1] <= start)
    return Square(start, runs[-1].stop, stored, seen, None if len(runs) == 1 else visible(runs))


def _split(runs: list[Run]) -> list[Block]:
    """Runs as blocks that do not see each other: a run that branches off no later than all before it opens one."""
    blocks: list[Block] = []
    lowest = runs[0].depth
    for run in runs:
        if not blocks or run.depth <= lowest:
            blocks.append([])
            lowest = run.depth
        blocks[-1].append(run)
    return blocks


def visible(runs: Sequence[Run]) -> NDArray[np.bool_]:
    """Which rows of some consecutive runs each row sees, (rows, rows): its own path, itself included."""
    row = np.arange(runs[-1].stop - runs[0].start)
    return (row[None, :] <= row[:, None]) & (row[:, None] < ends(runs)[None, :])


def ends(runs: Sequence[Run]) -> Ints:
    """The row after the last descendant of each row of some consecutive runs, (rows,), counted from the first.

    Row ``j`` is on the path of row ``i`` where ``j <= i < ends[j]``.
    """
    base, rows = runs[0].start, runs[-1].stop - runs[0].start
    end = np.full(rows + 1, rows, dtype=np.int64)
    path = np.full(max(run.end for run in runs), rows, dtype=np.int64)  # the spare last entry stands for rows outside
    reach = 0
    for run in runs:
        end[path[run.depth : reach]] = run.start - base
        path[run.depth : run.end] = np.arange(run.start - base, run.stop - base)
        reach = run.end
    return end[:-1]
