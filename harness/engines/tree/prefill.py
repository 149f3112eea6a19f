"""Prompts of texts to be generated, through the model pack by pack; each leaves with its keys and values.

What many prompts share (an instruction, its examples) is kept once for all of them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch

from harness.engines.tree.attention import PackAttention, StoredPath
from harness.engines.tree.forward import Rule
from harness.engines.tree.pack import Pack, cut_pack
from harness.engines.tree.radix import Ints, PrefixTree
from harness.engines.tree.slots import NOTHING, Pair, Shared

GROUP_COST = 1024
"""Tokens that a further group must spare the rows of a step: each group costs two more matrix products per layer."""
_MOST_COUNTED = 64
"""Rows of a group that are in one step, at most."""


@dataclass(frozen=True, slots=True)
class Ready:
    """A prompt that has been through the model.

    Attributes:
        number: Its sequence number in the tree.
        row: The row of the pack where its last token stands.
        shared: What it shares with its group.
        own: Keys and values of its other tokens, per layer, (key heads, tokens, size) each.
    """

    number: int
    row: int
    shared: Shared
    own: list[Pair]


class Prompts:
    """The prompts of a prefix tree on their way through the model."""

    def __init__(self, tree: PrefixTree, rows: int, group_cost: int = GROUP_COST) -> None:
        """Plan the groups.

        Args:
            tree: The prompts.
            rows: Most rows per pack.
            group_cost: See ``group_prompts``.
        """
        self.tree, self.path = tree, StoredPath(tree.longest)
        self._rows, self._first = rows, 0
        self._group, self._length = group_prompts(tree.depths, group_cost)
        self._shared: tuple[int, Shared] = (-1, NOTHING)

    @property
    def left(self) -> bool:
        """Whether prompts are left."""
        return self._first < self.tree.rows

    @property
    def longest_own(self) -> int:
        """Tokens of the longest prompt beyond what its group shares."""
        return int((self.tree.lengths - self._length).max(initial=0))

    def next_pack(self) -> Pack | None:
        """The pack that comes next; None where all are through."""
        return cut_pack(self.tree, self._first, self._rows) if self.left else None

    def left_after(self, attention: PromptAttention) -> bool:
        """Whether prompts are left behind a pack."""
        return self._first + attention.inner.pack.rows < self.tree.rows

    def ending_in(self, pack: Pack) -> int:
        """Prompts whose last token is in a pack."""
        low, high = np.searchsorted(self.tree.starts[1:], [pack.first, pack.first + pack.rows], side="right")
        return int(high - low)

    def commit(self, attention: PromptAttention) -> list[Ready]:
        """The prompts that ended in a pack whose forward has succeeded."""
        ready = list(self._ready(attention))
        attention.inner.commit()
        self._first += attention.inner.pack.rows
        return ready

    def _ready(self, attention: PromptAttention) -> Iterator[Ready]:
        pack = attention.inner.pack
        number = int(np.searchsorted(self.tree.starts, pack.first, side="right")) - 1
        path, stored = np.empty(self.tree.longest, np.int64), pack.stored
        for run in pack.runs:
            path[run.depth : run.end] = np.arange(run.start, run.stop)
            stored = min(stored, run.depth)
            if pack.first + run.stop == self.tree.starts[number + 1]:
                states = _States(self.path, attention.pairs, path, stored)
                shared = self._shared_of(number, states)
                yield Ready(number, run.stop - 1, shared, states.between(shared.length, run.end))
            number += 1

    def _shared_of(self, number: int, states: _States) -> Shared:
        group, length = int(self._group[number]), int(self._length[number])
        if length == 0:
            return NOTHING
        if self._shared[0] != group:
            self._shared = group, Shared(states.between(0, length), length)
        return self._shared[1]


class PromptAttention:
    """The attention of a pack of prompts, which keeps the keys and values of its rows."""

    def __init__(self, pack: Pack, path: StoredPath, device: torch.device) -> None:
        """Plan the attention of a pack."""
        self.inner = PackAttention(pack, path, device)
        self.pairs: list[Pair] = []

    def attend(self, layer: int, queries: torch.Tensor, pair: Pair, rule: Rule) -> torch.Tensor:
        """See ``RowAttention.attend``."""
        self.pairs.append(pair)
        return self.inner.attend(layer, queries, pair, rule)


@dataclass(frozen=True, slots=True)
class _States:
    """Keys and values along one path: positions before ``stored`` are in the stored path, others in rows of a pack."""

    path: StoredPath
    pairs: list[Pair]
    rows: Ints
    stored: int

    def between(self, first: int, last: int) -> list[Pair]:
        """Copies of the keys and values of positions ``first:last``, per layer."""
        middle = min(max(first, self.stored), last)
        rows = torch.from_numpy(self.rows[middle:last]).to(self.pairs[0][0].device)
        return [self._joined(layer, (first, middle), rows) for layer in range(len(self.pairs))]

    def _joined(self, layer: int, stored: tuple[int, int], rows: torch.Tensor) -> Pair:
        keys, values = (part.index_select(1, rows) for part in self.pairs[layer])
        if stored[0] < stored[1]:
            before = self.path.read(layer, *stored)
            keys, values = torch.cat([before[0], keys], 1), torch.cat([before[1], values], 1)
        return keys, values


def group_prompts(depths: Ints, cost: int) -> tuple[Ints, Ints]:
    """Which prompts share how much: groups of neighbours that spare the most work, nested ones weighed.

    Args:
        depths: (prompts,) tokens that each prompt, in the order of a tree, shares with the one before it.
        cost: Tokens that a group has to spare the rows of a step.

    Returns:
        The group of each prompt, (prompts,), and the length of what its group shares, (prompts,), 0 for none.
    """
    group, length = np.arange(len(depths)), np.zeros(len(depths), np.int64)
    waiting = [_intervals(depths, cost)] if len(depths) > 1 else []
    while waiting:
        span = waiting.pop()
        if span.worth > max(0, span.inside_worth):
            group[span.first : span.last], length[span.first : span.last] = span.first, span.depth
        else:
            waiting += span.inside
    return group, length


@dataclass(slots=True)
class _Interval:
    """Prompts ``first:last``, which all share ``depth`` tokens, and the intervals inside that share more."""

    depth: int
    first: int
    last: int
    inside: list[_Interval]
    worth: int = 0
    inside_worth: int = 0

    def close(self, last: int, cost: int) -> None:
        """Set its end, and how many tokens sharing spares a step, here or inside; all inside are closed."""
        self.last = last
        self.worth = self.depth * (min(last - self.first, _MOST_COUNTED) - 1) - cost
        self.inside_worth = sum(max(0, inner.worth, inner.inside_worth) for inner in self.inside)


def _intervals(depths: Ints, cost: int) -> _Interval:
    """The outermost interval of prompts; the others are inside it.

    Source: intervals of equal prefixes from one pass with a stack, Abouelhoda, Kurtz and Ohlebusch 2004,
    https://doi.org/10.1016/S1570-8667(03)00065-0.
    """
    stack = [_Interval(0, 0, 0, [])]
    for place, depth in enumerate(depths.tolist()[1:], 1):
        first, closed = place - 1, None
        while depth < stack[-1].depth:
            closed = stack.pop()
            closed.close(place, cost)
            first = closed.first
            if depth <= stack[-1].depth:
                stack[-1].inside.append(closed)
                closed = None
        if depth > stack[-1].depth:
            stack.append(_Interval(depth, first, 0, [closed] if closed else []))
    while len(stack) > 1:
        stack[-1].close(len(depths), cost)
        stack[-2].inside.append(stack.pop())
    stack[0].close(len(depths), cost)
    return stack[0]
