"""Falcon's attention through transformers' attention interface, which its modelling file does not use.

Source: transformers 5.23, ``models/falcon/modeling_falcon.py``: the same projections, head splits, rotary embedding and
scale as there.
"""

from __future__ import annotations

from typing import Any


def is_falcon(model: Any) -> bool:
    """Whether a model has the attention that ``adapt`` can replace."""
    from transformers import FalconPreTrainedModel

    return isinstance(model, FalconPreTrainedModel)


def adapt(model: Any) -> None:
    """Let a Falcon model take its attention function from the interface; other models are left as they are.

    Its weights stay; under ``eager``, ``sdpa`` and ``flash_attention_2`` it computes as before.
    """
    from transformers.models.falcon.modeling_falcon import FalconAttention

    if not is_falcon(model):
        return
    for module in model.modules():
        if isinstance(module, FalconAttention) and type(module).__module__ == FalconAttention.__module__:
            module.__class__ = _interfaced(type(module))
    model.__class__ = type(type(model).__name__, (type(model),), {"_supports_attention_backend": True})


def _interfaced(stock: Any) -> Any:
    """A subclass of one of Falcon's attention classes that asks the interface for what it does not do itself."""
    from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS
    from transformers.models.falcon.modeling_falcon import apply_rotary_pos_emb

    class InterfacedFalconAttention(stock):  # type: ignore[misc]
        def forward(self, hidden_states: Any, *args: Any, **kwargs: Any) -> tuple[Any, Any]:
            name = self.config._attn_implementation
            if name in ("eager", "sdpa", "flash_attention_2"):
                attended, weights = super().forward(hidden_states, *args, **kwargs)
                return attended, weights
            query, key, value = _heads(self, hidden_states)
            query, key = apply_rotary_pos_emb(query, key, *kwargs["position_embeddings"])
            mixed, _ = ALL_ATTENTION_FUNCTIONS[name](
                self, query, key, value, None, scaling=self.inv_norm_factor, dropout=0.0
            )
            return self.dense(mixed.reshape(*hidden_states.shape[:2], -1)), None

    return InterfacedFalconAttention


def _heads(attention: Any, hidden_states: Any) -> tuple[Any, Any, Any]:
    """Queries, keys and values, each of shape (rows, heads, tokens, head size); keys and values once per group."""
    fused = attention.query_key_value(hidden_states)
    if not attention.new_decoder_architecture:
        query, key, value = attention._split_heads(fused)
        return query.transpose(1, 2), key.transpose(1, 2), value.transpose(1, 2)
    groups = attention.num_kv_heads
    parts = fused.unflatten(-1, (groups, attention.num_heads // groups + 2, attention.head_dim))
    query = parts[..., :-2, :].flatten(2, 3)
    return query.transpose(1, 2), parts[..., -2, :].transpose(1, 2), parts[..., -1, :].transpose(1, 2)
