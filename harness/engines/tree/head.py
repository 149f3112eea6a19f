"""The output head, for the rows whose scores are read: a log-sum-exp over tiles of the vocabulary.

The logits of a tile stay in the cache of the processor; no row of the vocabulary's size is ever stored.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch

from harness.engines.tree.forward import unwrapped

TILE, DEVICE_TILE = 1024, 16384
"""Columns of the vocabulary per tile, on a CPU so that 512 rows of it stay in the second-level cache, and elsewhere."""

ROWS = 512
"""Rows that go through the head together."""


@dataclass(frozen=True, slots=True)
class Head:
    """How a family makes logits of hidden states: ``softcap(scale * (h W^T + b))``.

    Attributes:
        module: The output layer.
        weight: Its matrix, (vocabulary, hidden size); None where it is no plain linear layer and is called whole.
        bias: Its bias, (vocabulary,), or None.
        scale: Factor of the logits.
        softcap: Logits are bounded to this by a tanh; None where they are not.
    """

    module: Any
    weight: torch.Tensor | None
    bias: torch.Tensor | None
    scale: float
    softcap: float | None

    def logits(self, hidden: torch.Tensor) -> torch.Tensor:
        """All logits of rows, (rows, vocabulary), in float32."""
        return self._finished(self.module(hidden)).float()

    def tiles(self, hidden: torch.Tensor) -> Iterator[tuple[int, torch.Tensor]]:
        """The logits of rows, (rows, columns) at a time, each with its first column."""
        if self.weight is None:
            yield 0, self._finished(self.module(hidden))
            return
        width = TILE if hidden.device.type == "cpu" else DEVICE_TILE
        for first in range(0, len(self.weight), width):
            logits = hidden @ self.weight[first : first + width].t()
            if self.bias is not None:
                logits += self.bias[first : first + width]
            yield first, self._finished(logits)

    def _finished(self, logits: torch.Tensor) -> torch.Tensor:
        if self.scale != 1.0:
            logits = logits * self.scale
        return torch.tanh(logits / self.softcap) * self.softcap if self.softcap else logits


def read_head(model: Any) -> Head:
    """The output head of a causal language model, as its family uses it."""
    inner = unwrapped(model)
    module, config = inner.get_output_embeddings(), inner.config.get_text_config()
    plain = type(module) is torch.nn.Linear
    return Head(
        module=module,
        weight=module.weight.detach() if plain else None,
        bias=module.bias.detach() if plain and module.bias is not None else None,
        scale=_scale(config),
        softcap=getattr(config, "final_logit_softcapping", None),
    )


def _scale(config: Any) -> float:
    """Cohere multiplies by ``logit_scale``, Granite divides by ``logits_scaling``."""
    multiplied, divided = getattr(config, "logit_scale", None), getattr(config, "logits_scaling", None)
    return float(multiplied or 1.0) / float(divided or 1.0)


@dataclass(frozen=True, slots=True)
class Scores:
    """What the head says of (row, token) pairs.

    Attributes:
        logprobs: (pairs,) log-probability of each token.
        greedy: (pairs,) whether it is the most probable one; of equals, the first.
    """

    logprobs: torch.Tensor
    greedy: torch.Tensor


@torch.inference_mode()
def score_rows(
    head: Head, hidden: torch.Tensor, rows: torch.Tensor, tokens: torch.Tensor, wide: torch.dtype = torch.float32
) -> Scores:
    """Log-probabilities of tokens after rows, and whether they are greedy.

    Args:
        head: The output head.
        hidden: (rows, hidden size) final hidden states.
        rows: (pairs,) row of each pair, int64.
        tokens: (pairs,) its token, int64.
        wide: Type of the log-sum-exp.
    """
    order = torch.argsort(tokens)
    tokens, rows = tokens[order].contiguous(), rows[order]
    best = torch.full((len(hidden),), float("-inf"), dtype=wide, device=hidden.device)
    mass, best_tile = torch.zeros_like(best), torch.zeros(len(hidden), dtype=torch.int64, device=hidden.device)
    found, tiles = torch.empty(len(tokens), dtype=wide, device=hidden.device), torch.empty_like(tokens)
    leads = torch.zeros(len(tokens), dtype=torch.bool, device=hidden.device)
    for first, tile in head.tiles(hidden):
        logits = tile.to(wide)
        top = logits.amax(dim=1)
        low, high = torch.searchsorted(tokens, torch.tensor([first, first + tile.shape[1]]).to(tokens.device)).tolist()
        if low < high:
            here, columns = rows[low:high], tokens[low:high] - first
            found[low:high], tiles[low:high] = logits[here, columns], first
            leads[low:high] = _leads(logits, top, here, columns)
        best_tile.masked_fill_(top > best, first)
        higher = torch.maximum(best, top)
        mass = mass * torch.exp(best - higher) + logits.sub_(higher.unsqueeze(1)).exp_().sum(1)
        best = higher
    total = best + torch.log(mass)
    logprobs, greedy = torch.empty_like(found), torch.empty_like(leads)
    logprobs[order] = found - total[rows]
    greedy[order] = leads & (tiles == best_tile[rows])
    return Scores(logprobs, greedy)


def _leads(logits: torch.Tensor, top: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Whether columns hold the first of their rows' largest logits; the whole row is searched only where they may."""
    leads = logits[rows, columns] == top[rows]
    some = leads.nonzero().squeeze(1)
    leads[some] = logits[rows[some]].argmax(dim=1) == columns[some]
    return leads
