"""Rows of token ids through a causal model's trunk, with an attention that the caller brings.

transformers lets a function stand in for its attention (``AttentionInterface``). Ours hands queries, keys and values
to the attention of the current call, which knows what each row sees and where earlier keys and values are kept. The
caches and masks of transformers play no part.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from transformers import AttentionInterface

NAME = "harness_tree"


@dataclass(frozen=True, slots=True)
class Rule:
    """What a layer asks of its attention beyond queries, keys and values.

    Attributes:
        scale: Factor of the scores.
        window: Positions that a row sees, itself included; None for all before it.
        softcap: Scores are bounded to this by a tanh; None where they are not.
    """

    scale: float
    window: int | None = None
    softcap: float | None = None


class RowAttention(Protocol):
    """What each row of a forward sees."""

    def attend(self, layer: int, queries: torch.Tensor, pair: tuple[torch.Tensor, torch.Tensor], rule: Rule) -> Any:
        """The attention output of the rows of one layer.

        Args:
            layer: Number of the attention layer in the order of the forward, from 0.
            queries: (query heads, rows, head size), rotary embedding applied.
            pair: Keys and values, (key heads, rows, head size) each.
            rule: Scale, window and soft cap.

        Returns:
            (rows, query heads, value size).
        """


class _Call:
    """The attention of the forward that is running, and its next layer."""

    def __init__(self, attention: RowAttention) -> None:
        self.attention = attention
        self.layer = 0


_running: ContextVar[_Call] = ContextVar("running")


def _interface(module: Any, query: Any, key: Any, value: Any, mask: Any, **options: Any) -> tuple[Any, None]:
    call = _running.get()
    scale = options.get("scaling")
    rule = Rule(
        scale=float(query.shape[-1] ** -0.5 if scale is None else scale),
        window=options.get("sliding_window"),
        softcap=options.get("softcap"),
    )
    out = call.attention.attend(call.layer, query[0], (key[0], value[0]), rule)
    call.layer += 1
    return out.unsqueeze(0), None


AttentionInterface.register(NAME, _interface)


@contextmanager
def tree_attention(model: Any) -> Iterator[None]:
    """The model's layers call our attention while this is open; then the one from before again."""
    inner = unwrapped(model)
    before = inner.config._attn_implementation
    inner.set_attn_implementation(NAME)
    try:
        yield
    finally:
        inner.set_attn_implementation(before)


def unwrapped(model: Any) -> Any:
    """The transformers model inside a PEFT model, whose layers hold the adapter; another model as it is."""
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model


@torch.inference_mode()
def forward_rows(model: Any, ids: torch.Tensor, positions: torch.Tensor, attention: RowAttention) -> torch.Tensor:
    """Final hidden states of rows, the input of the output head.

    Open ``tree_attention(model)`` around a series of calls. Keys and values go to ``attention``, layer by layer; it
    decides what to keep of them.

    Args:
        model: A causal language model of transformers, or a PEFT model around one.
        ids: (rows,) token ids, int64.
        positions: (rows,) position of each row in its own sequence, int64.
        attention: What each row sees.

    Returns:
        (rows, hidden size), in the type of the model, after the last norm.
    """
    token = _running.set(_Call(attention))
    try:
        trunk = unwrapped(model).get_decoder()
        hidden: torch.Tensor = trunk(input_ids=ids[None], position_ids=positions[None], use_cache=False)[0]
        return hidden[0]
    finally:
        _running.reset(token)
