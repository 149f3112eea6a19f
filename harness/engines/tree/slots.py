"""Keys and values of texts that are being generated: one copy of each common prompt, a slot for each row's own tokens.

A row attends to the keys of its shared prefix, in one matrix product for all rows that share it, and to those of its
own slot, under one softmax. Rows that end leave by the last row taking their slot; nothing else is moved.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch

from harness.engines.tree.forward import Rule

Pair = tuple[torch.Tensor, torch.Tensor]
_HIDDEN = float("-inf")


@dataclass(frozen=True, slots=True, eq=False)
class Shared:
    """The prefix that some rows have in common.

    Attributes:
        layers: Keys and values of each layer, (key heads, length, size) each.
        length: Its tokens.
    """

    layers: Sequence[Pair]
    length: int


NOTHING = Shared((), 0)
"""The shared prefix of a row that shares nothing."""


@dataclass(slots=True)
class Slots:
    """The rows that are being generated now; ``attend`` makes it the attention of a forward of one token in each.

    Attributes:
        capacity: Most rows.
        room: Most own tokens of a row.
        layers: Keys and values of each layer, (capacity, key heads, room, size) each; made when the first row comes.
        shared: The shared prefix of each row.
        filled: Own tokens of each row.
    """

    capacity: int
    room: int
    layers: list[Pair] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)
    _step: _Step | None = None

    @property
    def rows(self) -> int:
        """Rows in use; they are the first ones."""
        return len(self.filled)

    def add(self, shared: Shared, own: Sequence[Pair]) -> None:
        """Take a row in.

        Args:
            shared: Its shared prefix.
            own: Keys and values of its other prompt tokens, per layer, (key heads, tokens, size) each.
        """
        row, length = self.rows, own[0][0].shape[1]
        for layer, pair in enumerate(own):
            if layer == len(self.layers):  # zeros: what no row sees has weight 0, and 0 times NaN is NaN
                shapes = [(self.capacity, part.shape[0], self.room, part.shape[2]) for part in pair]
                self.layers.append((pair[0].new_zeros(shapes[0]), pair[1].new_zeros(shapes[1])))
            for buffer, part in zip(self.layers[layer], pair, strict=True):
                buffer[row, :, :length] = part
        self.shared.append(shared)
        self.filled.append(length)

    def drop(self, row: int) -> None:
        """Let a row go; the last row takes its number."""
        last = self.rows - 1
        if row != last:
            length = self.filled[last]
            for pair in self.layers:
                for buffer in pair:
                    buffer[row, :, :length] = buffer[last, :, :length]
            self.shared[row], self.filled[row] = self.shared[last], length
        self.shared.pop()
        self.filled.pop()

    def positions(self) -> list[int]:
        """Where the next token of each row stands in its text."""
        return [shared.length + own for shared, own in zip(self.shared, self.filled, strict=True)]

    def open(self, device: torch.device) -> None:
        """Begin a forward that brings each row one token."""
        self._step = _Step(self.shared, self.filled, device)

    def commit(self) -> None:
        """Count the tokens of a forward that has succeeded."""
        self.filled = [own + 1 for own in self.filled]
        self._step = None

    def attend(self, layer: int, queries: torch.Tensor, pair: Pair, rule: Rule) -> torch.Tensor:
        """See ``RowAttention.attend``; stores the new keys and values on the way."""
        step = self._step
        assert step is not None, "open() comes before a forward"
        keys, values = (buffer[: self.rows] for buffer in self.layers[layer])
        for buffer, part in zip((keys, values), pair, strict=True):
            buffer[step.every, :, step.places] = part.transpose(0, 1)
        keys, values = keys[:, :, : step.longest], values[:, :, : step.longest]
        heads, size = keys.shape[1], queries.shape[2]
        folded = (queries * rule.scale).reshape(heads, -1, self.rows, size).permute(2, 0, 1, 3)
        own = step.masked(folded @ keys.transpose(2, 3), rule)
        if len(step.groups) == 1:
            return _mixed(step.groups[0], layer, (folded, own, values), rule).flatten(1, 2)
        mixed = queries.new_empty((*folded.shape[:3], values.shape[-1]))
        for group in step.groups:
            parts = (folded[group.rows], own[group.rows], values[group.rows])
            mixed[group.rows] = _mixed(group, layer, parts, rule)
        return mixed.flatten(1, 2)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of a step that share a prefix, a slice where they are neighbours, and the positions of their tokens."""

    shared: Shared
    rows: slice | torch.Tensor
    positions: torch.Tensor


class _Step:
    """Which rows there are in one forward, and where their new tokens go."""

    def __init__(self, shared: Sequence[Shared], filled: Sequence[int], device: torch.device) -> None:
        """Index the rows by shared prefix; ``filled`` are their own tokens before the step."""
        self.longest = max(filled) + 1
        self.places = torch.tensor(filled, device=device)
        self.every = torch.arange(len(filled), device=device)
        self._ages = (self.places[:, None] - torch.arange(self.longest, device=device))[:, None, None, :]
        self._hidden: dict[int | None, torch.Tensor] = {}
        members: dict[int, list[int]] = {}
        for row, prefix in enumerate(shared):
            members.setdefault(id(prefix), []).append(row)
        positions = self.places + torch.tensor([prefix.length for prefix in shared], device=device)
        self.groups = [_group(shared[rows[0]], rows, positions) for rows in members.values()]

    def masked(self, scores: torch.Tensor, rule: Rule) -> torch.Tensor:
        """Own scores under the soft cap, with minus infinity where a token does not see."""
        if rule.window not in self._hidden:
            later = self._ages < 0
            self._hidden[rule.window] = later if rule.window is None else later | (self._ages >= rule.window)
        return _capped(scores, rule).masked_fill_(self._hidden[rule.window], _HIDDEN)


def _group(shared: Shared, rows: list[int], positions: torch.Tensor) -> _Group:
    neighbours = rows[-1] - rows[0] + 1 == len(rows)
    index = slice(rows[0], rows[-1] + 1) if neighbours else torch.tensor(rows, device=positions.device)
    return _Group(shared, index, positions[index])


def _capped(scores: torch.Tensor, rule: Rule) -> torch.Tensor:
    return torch.tanh(scores / rule.softcap) * rule.softcap if rule.softcap else scores


def _mixed(group: _Group, layer: int, parts: tuple[torch.Tensor, ...], rule: Rule) -> torch.Tensor:
    """Values of a group's rows under one softmax over the shared prefix and their own tokens.

    Args:
        group: The group.
        layer: Number of the layer.
        parts: Scaled queries (rows, key heads, queries per key head, size), own scores (..., tokens) and own values.
        rule: Window and soft cap.

    Returns:
        (rows, key heads, queries per key head, value size).
    """
    queries, own, values = parts
    if not group.shared.length:
        return _weights(own, values) @ values
    keys, common = group.shared.layers[layer]
    rows, heads, each, size = queries.shape
    scores = _capped(queries.transpose(0, 1).reshape(heads, rows * each, size) @ keys.transpose(1, 2), rule)
    scores = scores.view(heads, rows, each, -1).transpose(0, 1)
    if rule.window:
        ages = group.positions[:, None] - torch.arange(group.shared.length, device=queries.device)
        scores = scores.masked_fill((ages >= rule.window)[:, None, None], _HIDDEN)
    weights = _weights(torch.cat([scores, own], dim=-1), values)
    before, after = weights[..., : group.shared.length], weights[..., group.shared.length :]
    mixed: torch.Tensor = before.transpose(0, 1).reshape(heads, rows * each, -1) @ common
    return mixed.view(heads, rows, each, -1).transpose(0, 1) + after @ values


def _weights(scores: torch.Tensor, like: torch.Tensor) -> torch.Tensor:
    return torch.softmax(scores, dim=-1, dtype=torch.float32).to(like.dtype)
