"""Loading of bases: tokenizer, configuration and model, with what cannot be trained refused by name."""

from __future__ import annotations

from typing import Any

from harness.errors import CheckpointError, DataError, first_line

_PROBE_TOKENS = 64
_ROUNDED, _EQUAL = 0.05, 1e-4
"""Largest relative differences of logits: of sequences of another length, which bfloat16 rounds in another way, and of
the same sequence behind another neighbour, which is the same computation."""


def load_tokenizer(base: str) -> Any:
    """The tokenizer of a base; a missing pad token is the end token, as padding is never learned.

    Raises:
        CheckpointError: There is none, or it has no end token.
    """
    from transformers import AutoTokenizer

    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise CheckpointError(f"Base {base}", "has no tokenizer that loads", "save one beside the weights") from error
    if tokenizer.eos_token is None:
        raise CheckpointError(f"Base {base}", "has a tokenizer without an end token", "set its eos_token")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    return tokenizer


def load_model(base: str, dtype: str = "auto") -> Any:
    """The model of a base.

    Args:
        base: Folder or hub id.
        dtype: ``float32``, ``bfloat16``, or ``auto`` for the type that it is stored in.

    Raises:
        CheckpointError: It cannot be loaded.
    """
    from transformers import AutoModelForCausalLM

    try:
        return AutoModelForCausalLM.from_pretrained(base, dtype=dtype)
    except (OSError, ValueError, RuntimeError, KeyError) as error:
        raise CheckpointError(f"Base {base}", f"cannot be loaded ({first_line(error)})", "check its files") from error


def load_config(base: str) -> Any:
    """The configuration of a base.

    Raises:
        CheckpointError: It has none that loads.
    """
    from transformers import AutoConfig

    try:
        return AutoConfig.from_pretrained(base)
    except (OSError, ValueError, KeyError) as error:
        raise CheckpointError(f"Base {base}", f"cannot be loaded ({first_line(error)})", "check its files") from error


def context(config: Any) -> int | None:
    """Tokens that a model of a configuration can read at once; None where it does not say."""
    limit = getattr(config.get_text_config(), "max_position_embeddings", None)
    return limit if isinstance(limit, int) else None


def refuse_leaks(model: Any, rows: Any) -> None:
    """Refuse packing where a model lets one row see the row before it: measured, as libraries do not check.

    The logits of a row alone are held against those of the same row packed behind another, as TRL packs them: one
    sequence, positions that start again, no cache. Those are held against the logits behind another neighbour.

    Args:
        model: The model, in evaluation mode.
        rows: Rows with ``input_ids``.

    Raises:
        DataError: They differ.
    """
    import torch

    first, second = (rows[number % len(rows)]["input_ids"][:_PROBE_TOKENS] for number in (0, 1))
    with torch.no_grad():
        alone = _logits(model, [second])
        packed = _logits(model, [first, second])[:, len(first) :]
        moved = _logits(model, [first[::-1], second])[:, len(first) :]
    scale = alone.abs().max().clamp(min=1e-9)
    shifted, seen = (float((other - packed).abs().max() / scale) for other in (alone, moved))
    if shifted > _ROUNDED or seen > _EQUAL:
        kind = getattr(model.config, "_attn_implementation", None) or "its own"
        raise DataError(
            "Packing", f"lets one row see another in this {model.config.model_type} model with {kind} attention "
            f"(logits differ by {max(shifted, seen):.2g} of the largest)", "use packing: false",
        )  # fmt: skip


def _logits(model: Any, rows: list[list[int]]) -> Any:
    import inspect

    import torch

    ids = torch.tensor([[token for row in rows for token in row]], device=model.device)
    positions = torch.tensor([[number for row in rows for number in range(len(row))]], device=model.device)
    known = inspect.signature(model.forward).parameters
    given = {name: value for name, value in (("position_ids", positions), ("use_cache", False)) if name in known}
    return model(input_ids=ids, **given).logits.float()
