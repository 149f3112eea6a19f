"""An adapter on its base: merged in memory before scoring, and the base read once for all of its adapters.

lm-eval's own ``peft=`` path resizes embeddings, passes the base's revision to the adapter and scores slower. The merge
is checked against the unmerged model on a few prompts.
"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines.fit import free_bytes
from harness.engines.models import largest_difference, probe_logits, refuse_nan
from harness.errors import CheckpointError, first_line

_TOLERANCE = 1e-3
"""Largest relative logit difference between merged and unmerged fp32 weights; facts measured 4e-7 on small models."""

_LOADING = ("revision", "dtype", "trust_remote_code")
_SOURCE = ("pretrained", "tokenizer", *_LOADING)

_ROOM = 4
"""A base is kept for its next adapter where this many times its weights is free."""


@dataclass(frozen=True)
class Base:
    """A base on the CPU, as it was read.

    Attributes:
        source: Name, tokenizer and arguments of loading that it was read by.
        model: The model, which no adapter has touched.
        tokenizer: Its tokenizer.
        kept: Whether memory allows to keep it, so that adapters are put on a copy.
    """

    source: Mapping[str, Any]
    model: Any
    tokenizer: Any
    kept: bool


@dataclass(frozen=True)
class Merged:
    """An adapter merged into its base.

    Attributes:
        model: The merged model, on the CPU.
        tokenizer: That of the base.
        difference: Largest relative logit difference to the unmerged model.
        rest: Arguments that are left for the class of the model.
        base: The untouched base for the next adapter; None where memory does not allow to keep it.
    """

    model: Any
    tokenizer: Any
    difference: float
    rest: Mapping[str, Any]
    base: Base | None


def merge_adapter(arguments: Mapping[str, Any], known: Base | None = None) -> Merged:
    """Put an adapter on its base and merge it.

    Args:
        arguments: ``--model_args`` with ``pretrained`` and ``peft``.
        known: A base that was read before; used where it is the one that is asked for.

    Raises:
        CheckpointError: NaN weights, a foreign or idle adapter, a merge that changes outputs.
    """
    from peft import PeftConfig

    name = str(arguments["peft"])
    refuse_foreign(str(arguments["pretrained"]), name, PeftConfig.from_pretrained(name).base_model_name_or_path)
    base = _base(arguments, known)
    adapted, unmerged = _adapted(base, name)
    merged = adapted.merge_and_unload()
    difference = largest_difference(unmerged, probe_logits(merged, base.tokenizer))
    if difference > _TOLERANCE * (1 if merged.dtype.itemsize == 4 else 50):
        reason = f"gives other logits once merged (relative difference {difference:.2g})"
        raise CheckpointError(f"Adapter {name}", reason, "score the checkpoint that its trainer merged")
    rest = {key: value for key, value in arguments.items() if key not in {"peft", *_SOURCE}}
    return Merged(merged, base.tokenizer, difference, rest, base if base.kept else None)


def refuse_foreign(base: str, adapter: str, trained_on: str | None) -> None:
    """Refuse an adapter of another base, by the name that its configuration gives.

    Raises:
        CheckpointError: The names differ.
    """
    if not trained_on or trained_on == base or Path(trained_on).name == Path(base).name:
        return
    raise CheckpointError(
        f"Adapter {adapter}", f"was trained on {Path(trained_on).name}, not on {Path(base).name}",
        "pass that base as pretrained=",
    )  # fmt: skip


def _adapted(base: Base, name: str) -> tuple[Any, list[Any]]:
    """The base, or a copy of one that is kept, with its adapter, and the logits of the probes."""
    from peft import PeftModel

    plain = probe_logits(base.model, base.tokenizer)
    try:
        adapted = PeftModel.from_pretrained(copy.deepcopy(base.model) if base.kept else base.model, name)
    except (RuntimeError, ValueError, KeyError) as error:
        reason = f"does not fit {base.source['pretrained']} ({first_line(error)})"
        raise CheckpointError(f"Adapter {name}", reason, "name the base it was trained on") from error
    logits = probe_logits(adapted, base.tokenizer)
    if all(bool((before == after).all()) for before, after in zip(plain, logits, strict=True)):
        raise CheckpointError(f"Adapter {name}", "changes nothing on the probes", "train it, or leave out peft=")
    return adapted, logits


def _base(arguments: Mapping[str, Any], known: Base | None) -> Base:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    source = {key: arguments[key] for key in _SOURCE if key in arguments}
    if known is not None and known.source == source:
        return known
    name = str(arguments["pretrained"])
    model = AutoModelForCausalLM.from_pretrained(name, **{key: source[key] for key in _LOADING if key in source})
    refuse_nan(model, name)
    tokenizer = AutoTokenizer.from_pretrained(source.get("tokenizer") or name)
    weights = sum(values.numel() * values.dtype.itemsize for values in model.parameters())
    return Base(source, model, tokenizer, kept=_ROOM * weights <= free_bytes("cpu"))
