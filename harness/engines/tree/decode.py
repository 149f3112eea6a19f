"""Generation: prompts join as rows become free, each row ends by its own rule, no row waits for another.

A forward has one token of every row that is being generated, and where slots are free a pack of prompts beside them:
the matrix products are then as wide as those of scoring. While many slots are empty, at the beginning, only prompts are
forwarded: their first tokens then go through the output head together.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from harness.engines.tree.forward import Rule, forward_rows, tree_attention
from harness.engines.tree.head import Head
from harness.engines.tree.prefill import GROUP_COST, PromptAttention, Prompts, Ready
from harness.engines.tree.radix import build_tree
from harness.engines.tree.sampling import Recipe, choose
from harness.engines.tree.slots import GROWTH, Pair, Slots
from harness.engines.tree.stops import Stops

HEAD_ROWS = 128
"""Rows whose logits are held at once."""

Made = tuple[list[int], list[int]]
"""Numbers of the prompts that asked, and the tokens that were generated for them."""


@dataclass(frozen=True, slots=True)
class Engine:
    """What turns prompts into tokens.

    Attributes:
        model: The model.
        head: Its output head.
        stops: When a row ends.
        device: Where the model's input goes.
        rows: Most prompt tokens per forward.
        slots: Most rows at once.
        group_cost: What a shared prefix has to spare; see ``group_prompts``.
    """

    model: Any
    head: Head
    stops: Stops
    device: torch.device
    rows: int
    slots: int
    group_cost: int = GROUP_COST


@dataclass(slots=True)
class _Row:
    """A text that is being generated: who asked, the prompt, its random numbers, and the tokens so far."""

    owners: list[int]
    prompt: Sequence[int]
    rng: random.Random
    tokens: list[int] = field(default_factory=list)


class Decoder:
    """The texts of one recipe."""

    def __init__(self, prompts: Mapping[int, Sequence[int]], how: Recipe, engine: Engine, seed: int) -> None:
        """Plan the prefix tree of the prompts.

        Args:
            prompts: Token ids of each prompt by its number, at least one token each. Equal prompts are generated once
                where tokens are not drawn.
            how: The recipe.
            engine: The model.
            seed: Of the random numbers, where tokens are drawn. Those of a prompt depend on it and on the prompt's
                number, not on the rows beside it.
        """
        tree, numbers = build_tree(list(prompts.values()))
        self._how, self._engine, self._seed = how, engine, seed
        self._owners: list[list[int]] = [[] for _ in tree.lengths]
        for owner, number in zip(prompts, numbers.tolist(), strict=True):
            self._owners[number].append(owner)
        self._prompts = prompts
        self._waiting = Prompts(tree, engine.rows, engine.group_cost)
        self._slots = Slots(engine.slots, self._waiting.longest_own + min(how.tokens, GROWTH))
        self._rows: list[_Row] = []
        self._fresh: list[tuple[_Row, Ready, torch.Tensor]] = []
        self._ready: list[tuple[_Row, Ready]] = []

    def run(self) -> Iterator[Made]:
        """Yield the tokens of each text as soon as it ends.

        Raises:
            CheckpointError: A logit is NaN.
        """
        with tree_attention(self._engine.model):
            while self._rows or self._fresh or self._ready or self._waiting.left:
                yield from self._step()

    def _step(self) -> Iterator[Made]:
        self._admit()
        prompts = self._next_prompts()
        active = [] if prompts is not None and self._fits_twice(prompts) else self._rows
        hidden = self._forward(len(active), prompts)
        for ready in self._waiting.commit(prompts) if prompts is not None else ():
            last = hidden[len(active) + ready.row]
            self._fresh += [(row, ready, last) for row in self._asked(ready)]
        if active is self._rows:
            yield from self._extended(hidden[: len(active)])

    def _extended(self, hidden: torch.Tensor) -> Iterator[Made]:
        """Give each row that is being generated, and each fresh one, its next token; yield those that end with it."""
        active, fresh = len(self._rows), self._fresh
        self._fresh = []
        self._extend([*self._rows, *(row for row, _, _ in fresh)], [*hidden, *(last for _, _, last in fresh)])
        for place in reversed(range(active)):
            if self._ended(self._rows[place]):
                yield self._leave(place)
        for row, ready, _ in fresh:
            if self._ended(row):
                yield row.owners, row.tokens
            else:
                self._ready.append((row, ready))

    def _admit(self) -> None:
        while self._ready and self._slots.rows < self._slots.capacity:
            row, ready = self._ready.pop(0)
            self._slots.add(ready.shared, ready.own)
            self._rows.append(row)

    def _next_prompts(self) -> PromptAttention | None:
        """A pack of prompts, if slots for them are free."""
        if self._ready or (pack := self._waiting.next_pack()) is None:
            return None
        needed = min(self._waiting.ending_in(pack), self._slots.capacity)
        if (self._rows or self._fresh) and self._free < needed:
            return None
        return PromptAttention(pack, self._waiting.path, self._engine.device)

    @property
    def _free(self) -> int:
        return self._slots.capacity - self._slots.rows - len(self._fresh)

    def _fits_twice(self, prompts: PromptAttention) -> bool:
        """Whether slots stay free for a pack like this one behind it."""
        return 2 * self._waiting.ending_in(prompts.inner.pack) <= self._free and self._waiting.left_after(prompts)

    def _forward(self, active: int, prompts: PromptAttention | None) -> torch.Tensor:
        """Final hidden states of the rows that are being generated, if there are any active, then of the prompts."""
        ids = [row.tokens[-1] for row in self._rows[:active]]
        positions = self._slots.positions()[:active]
        if prompts is not None:
            ids += prompts.inner.pack.ids.tolist()
            positions += prompts.inner.pack.positions.tolist()
        device = self._engine.device
        if not ids:
            return torch.empty(0, device=device)
        if active:
            self._slots.open(device)
        both = torch.tensor(np.array([ids, positions]), device=device)
        hidden = forward_rows(self._engine.model, both[0], both[1], _Beside(self._slots, active, prompts))
        if active:
            self._slots.commit()
        return hidden

    def _asked(self, ready: Ready) -> Iterator[_Row]:
        """One row for all who ask for a greedy text; a row for each where tokens are drawn."""
        owners = self._owners[ready.number]
        for group in [[owner] for owner in owners] if self._how.sample else [owners]:
            yield _Row(group, self._prompts[owners[0]], random.Random(f"{self._seed} {group[0]}"))

    @torch.inference_mode()
    def _extend(self, rows: list[_Row], hidden: list[torch.Tensor]) -> None:
        for first in range(0, len(rows), HEAD_ROWS):
            some = rows[first : first + HEAD_ROWS]
            logits = self._engine.head.logits(torch.stack(hidden[first : first + HEAD_ROWS]))
            draws = torch.tensor([row.rng.random() for row in some], dtype=torch.float64)
            said = [[*row.prompt, *row.tokens] for row in some] if self._how.repetition_penalty != 1.0 else []
            for row, token in zip(some, choose(logits, self._how, said, draws), strict=True):
                row.tokens.append(token)

    def _ended(self, row: _Row) -> bool:
        return self._engine.stops.met(row.tokens) or len(row.tokens) >= self._how.tokens

    def _leave(self, place: int) -> Made:
        row, last = self._rows[place], self._rows.pop()
        if row is not last:
            self._rows[place] = last
        self._slots.drop(place)
        return row.owners, row.tokens


class _Beside:
    """Rows that are being generated, and behind them a pack of prompts."""

    def __init__(self, slots: Slots, active: int, prompts: PromptAttention | None) -> None:
        self._slots, self._active, self._prompts = slots, active, prompts

    def attend(self, layer: int, queries: torch.Tensor, pair: Pair, rule: Rule) -> torch.Tensor:
        """See ``RowAttention.attend``."""
        rows, (keys, values) = self._active, pair
        if self._prompts is None:
            return self._slots.attend(layer, queries, pair, rule)
        if not rows:
            return self._prompts.attend(layer, queries, pair, rule)
        first = self._slots.attend(layer, queries[:, :rows], (keys[:, :rows], values[:, :rows]), rule)
        then = self._prompts.attend(layer, queries[:, rows:], (keys[:, rows:], values[:, rows:]), rule)
        return torch.cat([first, then])
