"""The least time that the unique work can take: its floating-point operations over the measured matrix-product rate.

Unique work: each token of the prefix tree of all inputs goes through the layers once, attention to its own prefix
included, and only scored positions through the output head. Generation has no such limit here: what is decoded is not
known beforehand.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Limit:
    """Counts of one set of requests.

    Attributes:
        forwarded: Tokens that stock forwards: equal inputs once, as its logits cache has them.
        unique: Tokens of the prefix tree.
        scored: Positions whose logits are needed, equal ones once.
        flops: Floating-point operations of the unique work.
        stock_flops: Floating-point operations of the forwarded tokens, all through the output head.
    """

    forwarded: int
    unique: int
    scored: int
    flops: float
    stock_flops: float

    def seconds(self, gflops: float) -> float:
        """Seconds at a rate in GFLOP/s."""
        return self.flops / gflops / 1e9

    def told(self) -> dict[str, float]:
        """The counts for a record."""
        counts = {"forwarded": self.forwarded, "unique": self.unique, "scored": self.scored}
        return {**counts, "gflop": self.flops / 1e9, "stock gflop": self.stock_flops / 1e9}


def limit_of(lm: Any, requests: Sequence[Any]) -> Limit:
    """Count the unique work of requests, with stock's own tokens."""
    from harness.engines.tree.tokens import encoder_of

    if requests[0].request_type == "generate_until":
        pairs = [(ids, [0]) for ids in encoder_of(lm).prompts([request.args[0] for request in requests])]
    else:
        pairs = encoder_of(lm).pairs([request.args for request in requests])
    inputs = [(context + continuation)[-(lm.max_length + 1) :][:-1] for context, continuation in pairs]
    scored = [len(continuation) for _, continuation in pairs]
    depths, heads = _tree(inputs, scored)
    apart = [depth for ids in set(map(tuple, inputs)) for depth in range(len(ids))]
    unique, stock = _flops(lm.model, depths, heads), _flops(lm.model, apart, len(apart))
    return Limit(len(apart), len(depths), heads, unique, stock)


def _flops(model: Any, depths: Sequence[int], heads: int) -> float:
    """Operations of tokens at some depths, each through all layers, and of rows through the output head."""
    config = model.config.get_text_config()
    layers = sum(p.numel() for n, p in model.named_parameters() if ".layers." in n and p.ndim == 2)
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    attention = 4 * config.num_hidden_layers * config.num_attention_heads * head * sum(depth + 1 for depth in depths)
    return float(2 * layers * len(depths) + attention + 2 * heads * config.hidden_size * config.vocab_size)


def _tree(inputs: Sequence[list[int]], scored: Sequence[int]) -> tuple[list[int], int]:
    """Depth of every node of the inputs' prefix tree, and the number of nodes that are scored."""
    depths: list[int] = []
    heads: set[int] = set()
    before: list[int] = []
    path: list[int] = []
    for ids, count in sorted(zip(inputs, scored, strict=True)):
        same = next((place for place, (a, b) in enumerate(zip(ids, before, strict=False)) if a != b), None)
        kept = min(len(ids), len(before)) if same is None else same
        path = path[:kept] + list(range(len(depths), len(depths) + len(ids) - kept))
        depths.extend(range(kept, len(ids)))
        heads.update(path[max(0, len(ids) - count) :])
        before = ids
    return depths, len(heads)


def gflops(width: int, seconds: float = 1.0) -> float:
    """GFLOP/s of float32 matrix products in the shapes of a layer, one thread, the best of a second of tries."""
    import torch

    left, right = torch.randn(512, width), torch.randn(width, 4 * width)
    best, until = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        started = time.process_time()
        for _ in range(4):
            left @ right
        best = max(best, 4 * 2 * 512 * width * 4 * width / max(time.process_time() - started, 1e-9) / 1e9)
    return best
