"""What is to be generated, read as stock reads it, and the choice of the next token.

Greedy choices are stock's. Samples are of stock's distribution: temperature, top k, top p and min p act in the order
in which transformers applies them; the numbers drawn are others, one stream for each request, so that a sample does
not depend on which requests are beside it.

Source: lm-eval 0.4.13, ``HFLM.generate_until`` and ``_model_generate``; transformers 5.23, ``generation/utils.py:
_prepare_generation_config`` and ``_get_logits_processor``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from lm_eval.models.utils import handle_stop_sequences, normalize_gen_kwargs

from harness.errors import CheckpointError

_DEFAULTS: Mapping[str, Any] = {"temperature": 1.0, "top_k": 50, "top_p": 1.0, "min_p": None, "repetition_penalty": 1.0}
_HANDLED = {*_DEFAULTS, "do_sample", "eos_token_id"}
_NEUTRAL: Mapping[str, tuple[Any, ...]] = {
    "num_beams": (1,), "num_return_sequences": (1,), "num_beam_groups": (1,), "typical_p": (1.0,),
    "length_penalty": (1.0,), "encoder_repetition_penalty": (1.0,), "guidance_scale": (1, 1.0), "min_length": (0,),
    "min_new_tokens": (0,), "no_repeat_ngram_size": (0,), "encoder_no_repeat_ngram_size": (0,),
    "epsilon_cutoff": (0.0,), "eta_cutoff": (0.0,), "diversity_penalty": (0.0,),
}  # fmt: skip
"""Values under which a setting of transformers changes nothing."""
_SILENT = {
    "max_length", "use_cache", "cache_implementation", "cache_config", "bos_token_id", "pad_token_id",
    "decoder_start_token_id", "transformers_version", "_from_model_config", "num_assistant_tokens",
    "num_assistant_tokens_schedule", "assistant_confidence_threshold", "assistant_lookbehind", "target_lookbehind",
    "max_new_tokens", "compile_config", "disable_compile",
}  # fmt: skip
"""Settings of a checkpoint's generation_config.json that do not change what is generated, or that lm-eval overrides."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to generate one kind of request.

    Attributes:
        until: Stop strings, the end-of-text string among them.
        tokens: Most tokens to generate.
        ends: Token ids that end a text.
        sample: Whether tokens are drawn; otherwise the likeliest is taken.
        temperature: Divides the logits.
        top_k: Number of likeliest tokens kept, or 0 for all.
        top_p: Probability mass kept.
        min_p: Least probability kept, relative to the likeliest, or None.
        repetition_penalty: Divides positive and multiplies negative logits of tokens that occurred.
    """

    until: tuple[str, ...]
    tokens: int
    ends: frozenset[int]
    sample: bool
    temperature: float
    top_k: int
    top_p: float
    min_p: float | None
    repetition_penalty: float


def recipe(lm: Any, gen_kwargs: Mapping[str, Any]) -> Recipe | str:
    """A request's generation arguments as stock understands them.

    Args:
        lm: lm-eval's HFLM or a subclass.
        gen_kwargs: The second argument of a ``generate_until`` request.

    Returns:
        The recipe; or, in words, what in it only stock can do.
    """
    asked = dict(normalize_gen_kwargs(dict(gen_kwargs), lm.max_gen_toks))
    until = handle_stop_sequences(asked.pop("until"), eos=lm.tok_decode(lm.eot_token_id, skip_special_tokens=False))
    tokens = asked.pop("max_gen_toks")
    if "max_length" in asked or tokens < 1:
        return "a max_length of prompt and text together" if "max_length" in asked else "max_gen_toks below 1"
    own = lm.model.generation_config.to_dict()
    settings = {key: value for key, value in {**own, **asked}.items() if value is not None}
    if odd := _odd(settings, asked):
        return odd
    if settings["do_sample"] and not asked.get("temperature"):
        return "do_sample=True without a temperature"
    values = {key: settings.get(key, default) for key, default in _DEFAULTS.items()}
    ends = settings.get("eos_token_id", ())
    return Recipe(
        until=tuple(until), tokens=tokens, sample=bool(settings["do_sample"]),
        ends=frozenset(ends if isinstance(ends, Sequence) else (int(ends),)), **values,
    )  # fmt: skip


def _odd(settings: Mapping[str, Any], asked: Mapping[str, Any]) -> str | None:
    """The first setting that is neither handled nor without effect."""
    for key, value in settings.items():
        known = key in _HANDLED or value in _NEUTRAL.get(key, ()) or value is False
        if not known and (key in asked or key not in _SILENT):
            return f"{key}={value!r}"
    return None


def choose(logits: Any, how: Recipe, rows: Sequence[Sequence[int]], draws: Any) -> list[int]:
    """The next token of each row.

    Args:
        logits: Of shape (rows, vocabulary), in float32; changed in place.
        how: The recipe that all rows share.
        rows: Tokens so far of each row, prompt and generated; read only for a repetition penalty.
        draws: One number in [0, 1) per row, of shape (rows,); read only where tokens are drawn.

    Returns:
        Token ids.

    Raises:
        CheckpointError: A logit is NaN.
    """
    best, picked = logits.max(dim=-1)
    if bool(best.isnan().any()):
        raise CheckpointError(
            "The model", "gives NaN logits", "score it in float32, or save it again from a healthy step"
        )
    if how.repetition_penalty != 1.0:
        _penalise(logits, how.repetition_penalty, rows)
        picked = logits.argmax(dim=-1)
    if how.sample:
        mass = torch.cumsum(torch.softmax(_narrowed(logits, how), dim=-1), dim=-1, dtype=torch.float64)
        picked = torch.searchsorted(mass, (draws.to(mass) * mass[:, -1])[:, None], right=True)[:, 0]
    return [int(token) for token in picked.tolist()]


def _penalise(logits: Any, penalty: float, rows: Sequence[Sequence[int]]) -> None:
    for scores, tokens in zip(logits, rows, strict=True):
        seen = torch.tensor(sorted(set(tokens)), device=logits.device)
        found = scores[seen]
        scores[seen] = torch.where(found < 0, found * penalty, found / penalty)


def _narrowed(logits: Any, how: Recipe) -> Any:
    """Logits after transformers' own warpers, in its order."""
    from transformers import MinPLogitsWarper, TemperatureLogitsWarper, TopKLogitsWarper, TopPLogitsWarper

    if how.temperature != 1.0:
        logits = TemperatureLogitsWarper(float(how.temperature))(None, logits)
    if how.top_k:
        logits = TopKLogitsWarper(how.top_k)(None, logits)
    if how.top_p < 1.0:
        logits = TopPLogitsWarper(how.top_p)(None, logits)
    return logits if how.min_p is None else MinPLogitsWarper(how.min_p)(None, logits)
