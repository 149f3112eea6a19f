"""How long a run will take, from one timed forward pass: a guess that the live view then replaces."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Any

from harness.engines.batches import new_bytes
from harness.engines.items import Item
from harness.engines.models import LoadedModel

_PROBE_TOKENS = 128
_GENERATED = 48
"""Tokens that a generation is taken to have; most stop early."""

_AT_ONCE = 8
"""Generations of the tree that take the time of one."""


def estimate_seconds(model: LoadedModel, items: Sequence[Item]) -> float | None:
    """Seconds that the items will take, or None where the model cannot be probed (an endpoint)."""
    call = getattr(model.lm, "_model_call", None)
    if call is None or model.tokenizer is None or not items:
        return None
    one_token = _forward_seconds(model, call, 1)
    if model.shares:
        call = _without_head(model)
    per_token = _forward_seconds(model, call, _PROBE_TOKENS) / _PROBE_TOKENS
    requests = [instance for item in items for instance in item.instances]
    generations = sum(instance.request_type == "generate_until" for instance in requests)
    decoding = generations * _GENERATED * one_token
    if model.shares:
        tokens = new_bytes(sorted(text for item in items for text in item.texts)) / _bytes_per_token(model, items)
        return float(tokens * per_token + decoding / _AT_ONCE)
    tokens = sum(item.bytes for item in items) / _bytes_per_token(model, items)
    return float(tokens * per_token + len(requests) * one_token + decoding)


def _without_head(model: LoadedModel) -> Callable[[Any], Any]:
    """A forward pass that projects nothing onto the vocabulary, as the tree does for most tokens."""
    body = model.lm.model.base_model
    return lambda batch: body(batch).last_hidden_state


def _forward_seconds(model: LoadedModel, call: Any, tokens: int) -> float:
    import torch

    batch = torch.ones((1, tokens), dtype=torch.long, device=model.lm.device)
    best = float("inf")
    with torch.no_grad():
        for _ in range(3):
            started = time.perf_counter()
            float(call(batch)[0, -1, 0])  # reading a number waits for the device
            best = min(best, time.perf_counter() - started)
    return best


def _bytes_per_token(model: LoadedModel, items: Sequence[Item]) -> float:
    prompts = [str(item.instances[0].args[0]) for item in items[:: max(1, len(items) // 20)]]
    tokens = sum(len(model.lm.tok_encode(prompt)) for prompt in prompts)
    return max(1.0, sum(len(prompt.encode()) for prompt in prompts) / max(1, tokens))
