"""Which checkpoints the tree can score, told by what they are made of and not by their names.

The tree runs rows of tokens against stored keys and values. That is exact where a layer reads the past through keys
and values alone, where these depend on a token's prefix and position alone, and where transformers lets the attention
function be replaced. Whatever else a model does is caught by the self-check.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from harness.engines.tree import falcon

LAYER_KINDS = {"full_attention", "sliding_attention"}
"""Kinds of layer, in transformers' ``layer_types``, whose past is keys and values and nothing else."""


def unsupported(model: Any, tokenizer: Any, arguments: Mapping[str, Any]) -> str | None:
    """Why stock has to score this checkpoint.

    Args:
        model: A loaded transformers or PEFT model.
        tokenizer: Its tokenizer.
        arguments: What the lm-eval model was built with.

    Returns:
        The reason in words, to follow "because it has" or "is scored by stock: "; None where the tree can do it.
    """
    if tokenizer is None:
        return "no tokenizer"
    checks: tuple[Callable[[Any, Mapping[str, Any]], str | None], ...] = (
        _placement, _kind, _memory, _attention, _positions, _head,
    )  # fmt: skip
    return next((reason for check in checks if (reason := check(model, arguments))), None)


def _placement(model: Any, arguments: Mapping[str, Any]) -> str | None:
    devices = set((getattr(model, "hf_device_map", None) or {}).values())
    if arguments.get("parallelize") or arguments.get("tp_plan") or len(devices) > 1:
        return "weights that are spread over several devices"
    if devices & {"cpu", "disk"} and model.device.type != "cpu":
        return "weights that are moved to the device layer by layer"
    if arguments.get("mixed_precision_dtype"):
        return "mixed precision (mixed_precision_dtype)"
    return None


def _kind(model: Any, arguments: Mapping[str, Any]) -> str | None:
    config = text_config(model)
    if arguments.get("backend") == "seq2seq" or getattr(model.config, "is_encoder_decoder", False):
        return "an encoder and a decoder"
    if getattr(config, "is_causal", True) is False or getattr(config, "use_bidirectional_attention", None):
        return "attention that looks ahead"
    if any(adapter.is_prompt_learning for adapter in getattr(model, "peft_config", {}).values()):
        return "an adapter of virtual tokens"
    return None


def _memory(model: Any, arguments: Mapping[str, Any]) -> str | None:
    """Layers that remember by other means than keys and values of their own."""
    config = text_config(model)
    if any(getattr(module, "_is_stateful", False) for module in model.modules()):
        return "layers with a recurrent state"
    if other := set(getattr(config, "layer_types", None) or ()) - LAYER_KINDS:
        return f"layers of the kind {', '.join(sorted(other))}"
    if getattr(config, "num_kv_shared_layers", None):
        return "layers that share keys and values"
    return None


def _attention(model: Any, arguments: Mapping[str, Any]) -> str | None:
    if getattr(text_config(model), "alibi", False):
        return "attention with position biases (alibi)"
    inner = _transformer(model)
    if not (getattr(inner, "_supports_attention_backend", False) or falcon.is_falcon(inner)):
        return "attention that does not go through transformers' attention interface"
    if any("sink" in name.rpartition(".")[2] for name, _ in model.named_parameters()):
        return "attention sinks"
    return None


def _positions(model: Any, arguments: Mapping[str, Any]) -> str | None:
    """Keys of a prefix must not depend on what follows it, and the caller must be able to say where a token stands."""
    if "position_ids" not in inspect.signature(_transformer(model).get_decoder().forward).parameters:
        return "positions that cannot be given"
    config = text_config(model)
    length = arguments.get("max_length") or getattr(config, "max_position_embeddings", None) or 0
    if any(int(length) > limit for limit in _rotary_limits(model)):
        return "rotary positions that change with the length of the text"
    return None


def _rotary_limits(model: Any) -> Iterator[int]:
    """Lengths in tokens past which a rotary embedding changes for every position."""
    for module in model.modules():
        kinds = getattr(module, "rope_type", None)
        if kinds is None or not hasattr(module, "config"):
            continue
        parameters = module.config.rope_parameters or {}
        for layer, kind in (kinds if isinstance(kinds, dict) else {None: kinds}).items():
            own = parameters if layer is None else parameters[layer]
            if kind == "longrope":
                yield int(own["original_max_position_embeddings"])
            elif "dynamic" in str(kind):
                yield int(module.original_max_seq_len)


def _head(model: Any, arguments: Mapping[str, Any]) -> str | None:
    return "no output head" if model.get_output_embeddings() is None else None


def _transformer(model: Any) -> Any:
    """The transformers model inside a PEFT wrapper."""
    return model.get_base_model() if hasattr(model, "peft_config") and hasattr(model, "get_base_model") else model


def text_config(model: Any) -> Any:
    """The configuration of the part that reads text; the model's own where it has no other part."""
    return model.config.get_text_config(decoder=True)
