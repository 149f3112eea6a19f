"""Keys and values of texts that are being generated: one copy of each common prompt, a slot for each row's own tokens.

A row attends to the keys of its shared prefix, in one matrix product for all rows that share it, and to those of its
own slot, under one softmax. Rows that end leave by the last row taking their slot; nothing else is moved.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import torch

from harness.engines.tree.attention import additive, flash, grouped, has_kernel
from harness.engines.tree.forward import Rule

Pair = tuple[torch.Tensor, torch.Tensor]
_HIDDEN = float("-inf")
GROWTH = 64
"""Tokens by which the rows grow: most texts end long before they may."""


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
        room: Own tokens for which there is room in each row; grows as texts do.
        layers: Keys and values of each layer, (capacity, key heads, room, size) each; made when the first row comes.
        shared: The shared prefix of each row.
        filled: Own tokens of each row.
    """

    capacity: int
    room: int
    layers: list[Pair] = field(default_factory=list)
    shared: list[Shared] = field(default_factory=list)
    filled: list[int] = field(default_factory=list)
    _clean: int = 0
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
        self._clean_up_to(length)
        for layer, pair in enumerate(own):
            if layer == len(self.layers):
                self.layers.append((self._empty(pair[0]), self._empty(pair[1])))
            for buffer, part in zip(self.layers[layer], pair, strict=True):
                buffer[row, :, :length] = part
                buffer[row, :, length : self._clean] = 0
        self.shared.append(shared)
        self.filled.append(length)

    def _empty(self, like: torch.Tensor) -> torch.Tensor:
        return like.new_empty((self.capacity, like.shape[0], self.room, like.shape[2]))

    def _grow(self) -> None:
        """Make room for more tokens in each row."""
        before, self.room = self.room, self.room + GROWTH
        for layer, pair in enumerate(self.layers):
            wider = (self._empty(pair[0][0]), self._empty(pair[1][0]))
            for buffer, old in zip(wider, pair, strict=True):
                buffer[: self.rows, :, :before] = old[: self.rows]
            self.layers[layer] = wider

    def _clean_up_to(self, length: int) -> None:
        """Put zeros where a longer row makes others read: what is not seen has weight 0, and 0 times NaN is NaN."""
        if length > self._clean:
            for buffer in itertools.chain(*self.layers):
                buffer[: self.rows, :, self._clean : length] = 0
            self._clean = length

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
        if max(self.filled) >= self.room:
            self._grow()
        self._clean_up_to(max(self.filled) + 1)
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
        own = keys[:, :, : step.longest], values[:, :, : step.longest]
        queries = queries.reshape(keys.shape[1], -1, *queries.shape[1:])
        rule = rule if rule.window and rule.window <= step.last else replace(rule, window=None)
        mixed = (_merged if has_kernel(queries, own, rule) else _together)(step, layer, queries, own, rule)
        return mixed.flatten(0, 1).transpose(0, 1)


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows of a step that share a prefix, a slice where they are neighbours, and the positions of their tokens."""

    shared: Shared
    rows: slice | torch.Tensor
    positions: torch.Tensor

    def hidden(self, window: int | None) -> torch.Tensor | None:
        """Which shared tokens a row does not see, (rows, length); None where each sees all."""
        if not window:
            return None
        ages = self.positions[:, None] - torch.arange(self.shared.length, device=self.positions.device)
        return ages >= window


class _Step:
    """Which rows there are in one forward, and where their new tokens go."""

    def __init__(self, shared: Sequence[Shared], filled: Sequence[int], device: torch.device) -> None:
        """Index the rows by shared prefix; ``filled`` are their own tokens before the step."""
        self.longest = max(filled) + 1
        self.places = torch.tensor(filled, device=device)
        self.every = torch.arange(len(filled), device=device)
        self._ages = (self.places[:, None] - torch.arange(self.longest, device=device))[:, None, None, :]
        self._hidden: dict[int | None, torch.Tensor] = {}
        self._mask: torch.Tensor | None = None
        members: dict[int, list[int]] = {}
        for row, prefix in enumerate(shared):
            members.setdefault(id(prefix), []).append(row)
        positions = self.places + torch.tensor([prefix.length for prefix in shared], device=device)
        self.last = int(positions.max())
        self.groups = [_group(shared[rows[0]], rows, positions) for rows in members.values()]

    def hidden(self, window: int | None) -> torch.Tensor:
        """Which own tokens a row does not see, (rows, 1, 1, tokens)."""
        if window not in self._hidden:
            later = self._ages < 0
            self._hidden[window] = later | (self._ages >= window) if window else later
        return self._hidden[window]

    def mask(self, like: torch.Tensor) -> torch.Tensor:
        """``hidden(None)`` as minus infinities to be added to scores, in the type of another tensor."""
        if self._mask is None:
            self._mask = additive(~self.hidden(None), like)
        return self._mask


def _group(shared: Shared, rows: list[int], positions: torch.Tensor) -> _Group:
    neighbours = rows[-1] - rows[0] + 1 == len(rows)
    index = slice(rows[0], rows[-1] + 1) if neighbours else torch.tensor(rows, device=positions.device)
    return _Group(shared, index, positions[index])


def _merged(step: _Step, layer: int, queries: torch.Tensor, own: Pair, rule: Rule) -> torch.Tensor:
    """Attention in two calls of torch's flash kernel, merged by their log-sum-exps.

    Args:
        step: The step.
        layer: Number of the layer.
        queries: (key heads, queries per key head, rows, size).
        own: Keys and values of the rows' own tokens, (rows, key heads, tokens, size) each.
        rule: The scale; windows and soft caps are for ``_together``.

    Returns:
        Like ``queries``.
    """
    mask = step.mask(queries).expand(-1, 1, queries.shape[1], -1)
    mixed: torch.Tensor
    mixed, mass = flash(queries.permute(2, 0, 1, 3), *own, 0.0, False, attn_mask=mask, scale=rule.scale)
    mixed, mass = mixed.permute(1, 2, 0, 3), mass.permute(1, 2, 0)
    for group in step.groups:
        if not group.shared.length:
            continue
        keys, values = (grouped(part, queries) for part in group.shared.layers[layer])
        more, weight = flash(queries[:, :, group.rows], keys, values, 0.0, False, scale=rule.scale)
        share = torch.sigmoid(weight - mass[:, :, group.rows]).unsqueeze(-1).to(mixed.dtype)
        mixed[:, :, group.rows] = mixed[:, :, group.rows].lerp(more, share)
    return mixed


def _together(step: _Step, layer: int, queries: torch.Tensor, own: Pair, rule: Rule) -> torch.Tensor:
    """Attention under one softmax; see ``_merged``."""
    keys, values = own
    scores = queries.permute(2, 0, 1, 3) @ keys.transpose(2, 3)
    scores = _capped(scores, rule).masked_fill_(step.hidden(rule.window), _HIDDEN).permute(1, 2, 0, 3)
    values = values.transpose(0, 1)
    mixed = queries.new_empty((*queries.shape[:3], values.shape[-1]))
    for group in step.groups:
        rows = queries[:, :, group.rows]
        common, before = None, scores[:, :, group.rows]
        if group.shared.length:
            keys, common = (part[:, None] for part in group.shared.layers[layer])
            shared = _capped(rows @ keys.transpose(2, 3), rule)
            if (hidden := group.hidden(rule.window)) is not None:
                shared = shared.masked_fill_(hidden, _HIDDEN)
            before = torch.cat([before, shared], dim=-1)
        weights = torch.softmax(before, dim=-1, dtype=torch.float32).to(values.dtype)
        after = weights[..., : values.shape[2]].transpose(1, 2) @ values[:, group.rows]
        mixed[:, :, group.rows] = after.transpose(1, 2)
        if common is not None:
            mixed[:, :, group.rows] += weights[..., values.shape[2] :] @ common
    return mixed


def _capped(scores: torch.Tensor, rule: Rule) -> torch.Tensor:
    scores = scores * rule.scale
    return torch.tanh(scores / rule.softcap) * rule.softcap if rule.softcap else scores
