"""A bench of small checkpoints with random weights, one of each architecture, and of requests that share prefixes.

Every parameter is drawn anew, biases and norms too: a fresh model has zeros and ones there, and would hide a head's
bias or a soft cap that a scorer forgets.
"""

from __future__ import annotations

import itertools
import random
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

NANO = Path(str(files("harness") / "assets" / "nano"))
VOCABULARY = 6144
CONTEXT = 256
WINDOW = 24

_SHAPE = {
    "vocab_size": VOCABULARY, "hidden_size": 64, "intermediate_size": 128, "num_hidden_layers": 2,
    "num_attention_heads": 4, "max_position_embeddings": CONTEXT, "bos_token_id": 0, "eos_token_id": 0,
    "pad_token_id": 1,
}  # fmt: skip
_GROUPED = _SHAPE | {"num_key_value_heads": 2}
_WORDS = ("the", "harbour", "opened", "in", "spring", "and", "its", "ferries", "carried", "grain", "letters", "coast")


@dataclass(frozen=True)
class Family:
    """One architecture.

    Attributes:
        name: Test id.
        config: Name of its configuration class in transformers.
        settings: What is set in the configuration.
        reason: A word of the reason for which stock scores it, or None where the tree does.
    """

    name: str
    config: str
    settings: Mapping[str, Any] = field(default_factory=lambda: _GROUPED)
    reason: str | None = None


SUPPORTED = (
    Family("llama", "LlamaConfig"),
    Family("llama-biased", "LlamaConfig", _GROUPED | {"attention_bias": True, "mlp_bias": True}),
    Family("qwen2", "Qwen2Config"),
    Family("qwen2-window", "Qwen2Config", _GROUPED | {
        "use_sliding_window": True, "sliding_window": WINDOW, "max_window_layers": 1, "num_hidden_layers": 3,
    }),
    Family("qwen3", "Qwen3Config", _GROUPED | {"head_dim": 24}),
    Family("mistral-window", "MistralConfig", _GROUPED | {"sliding_window": WINDOW}),
    Family("mixtral", "MixtralConfig", _GROUPED | {"num_local_experts": 4, "num_experts_per_tok": 2}),
    Family("gemma", "GemmaConfig", _GROUPED | {"head_dim": 16}),
    Family("gemma2", "Gemma2Config", _GROUPED | {
        "head_dim": 16, "sliding_window": WINDOW, "num_hidden_layers": 3, "query_pre_attn_scalar": 32,
        "attn_logit_softcapping": 5.0, "final_logit_softcapping": 3.0,
    }),
    Family("gemma3", "Gemma3TextConfig", _GROUPED | {
        "head_dim": 16, "sliding_window": WINDOW, "num_hidden_layers": 3, "query_pre_attn_scalar": 32,
        "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
    }),
    Family("phi", "PhiConfig"),
    Family("phi3", "Phi3Config", _GROUPED | {"sliding_window": None}),
    Family("gpt2", "GPT2Config", {
        "vocab_size": VOCABULARY, "n_embd": 64, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, "bos_token_id": 0,
        "eos_token_id": 0,
    }),
    Family("gpt-neox", "GPTNeoXConfig", _SHAPE),
    Family("gpt-neox-serial", "GPTNeoXConfig", _SHAPE | {"use_parallel_residual": False}),
    Family("opt", "OPTConfig", {
        "vocab_size": VOCABULARY, "hidden_size": 64, "ffn_dim": 128, "num_hidden_layers": 2, "num_attention_heads": 4,
        "max_position_embeddings": CONTEXT, "word_embed_proj_dim": 64, "bos_token_id": 0, "eos_token_id": 0,
        "pad_token_id": 1,
    }),
    Family("olmo", "OlmoConfig", _GROUPED | {"clip_qkv": 2.0}),
    Family("olmo2", "Olmo2Config"),
    Family("cohere", "CohereConfig", _GROUPED | {"logit_scale": 0.3}),
    Family("granite", "GraniteConfig", _GROUPED | {"logits_scaling": 4.0, "attention_multiplier": 0.2}),
    Family("starcoder2", "Starcoder2Config", _GROUPED | {"sliding_window": None}),
    Family("falcon", "FalconConfig", _SHAPE | {"multi_query": True, "alibi": False, "new_decoder_architecture": False}),
    Family("falcon-new", "FalconConfig", _SHAPE | {
        "alibi": False, "new_decoder_architecture": True, "num_kv_heads": 2,
    }),
    Family("padded", "LlamaConfig", _GROUPED | {"vocab_size": VOCABULARY + 56, "tie_word_embeddings": True}),
)  # fmt: skip
"""Architectures that the tree scores."""

REFUSED = (
    Family("falcon-alibi", "FalconConfig", _SHAPE | {"alibi": True, "new_decoder_architecture": False}, "alibi"),
    Family("bloom", "BloomConfig", {
        "vocab_size": VOCABULARY, "hidden_size": 64, "n_layer": 2, "n_head": 4, "bos_token_id": 0, "eos_token_id": 0,
        "pad_token_id": 1,
    }, "attention interface"),
    Family("mamba", "MambaConfig", {
        "vocab_size": VOCABULARY, "hidden_size": 64, "num_hidden_layers": 2, "state_size": 8, "bos_token_id": 0,
        "eos_token_id": 0, "pad_token_id": 1,
    }, "state"),
    Family("recurrent-gemma", "RecurrentGemmaConfig", _GROUPED | {
        "head_dim": 16, "lru_width": 64, "attention_window_size": WINDOW, "num_hidden_layers": 3,
    }, "state"),
    Family("lfm2", "Lfm2Config", _GROUPED | {
        "layer_types": ["conv", "full_attention"], "block_ff_dim": 128, "block_auto_adjust_ff_dim": False,
    }, "conv"),
    Family("gpt-oss", "GptOssConfig", _GROUPED | {
        "head_dim": 16, "sliding_window": WINDOW, "num_local_experts": 4, "num_experts_per_tok": 2,
        "rope_parameters": {"rope_type": "default", "rope_theta": 10000.0},
    }, "sink"),
    Family("longrope", "Phi3Config", _GROUPED | {
        "sliding_window": None, "original_max_position_embeddings": CONTEXT // 2,
        "rope_parameters": {
            "rope_type": "longrope", "rope_theta": 10000.0, "short_factor": [1.0] * 8, "long_factor": [2.0] * 8,
            "original_max_position_embeddings": CONTEXT // 2,
        },
    }, "length"),
    Family("t5", "T5Config", {
        "vocab_size": VOCABULARY, "d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4,
        "decoder_start_token_id": 1, "eos_token_id": 0, "pad_token_id": 1,
    }, "encoder"),
)  # fmt: skip
"""Architectures that stock scores in its stead."""


def save(family: Family, folder: Path, dtype: str = "float32") -> Path:
    """A checkpoint folder of one architecture, with nano's tokenizer.

    Args:
        family: The architecture.
        folder: Where it goes; nothing is done where it is there.
        dtype: Of the weights.

    Returns:
        The folder.
    """
    import torch
    import transformers

    if not folder.is_dir():
        config = getattr(transformers, family.config)(**family.settings)
        auto = transformers.AutoModelForSeq2SeqLM if config.is_encoder_decoder else transformers.AutoModelForCausalLM
        torch.manual_seed(len(family.name))
        model = auto.from_config(config).eval()
        draw(model)
        model.to(getattr(torch, dtype)).save_pretrained(folder)
        for name in ("tokenizer.json", "tokenizer_config.json"):
            shutil.copy(NANO / name, folder / name)
    return folder


def draw(model: Any) -> None:
    """Draw every parameter anew: matrices so that activations keep their size, vectors around what they were."""
    import torch

    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if parameter.ndim < 2:
                parameter.add_(torch.randn_like(parameter) * 0.2)
            elif "embed" in name or name.endswith(("wte.weight", "wpe.weight", "shared.weight", "lm_head.weight")):
                parameter.normal_(0.0, 0.3)
            else:
                parameter.normal_(0.0, parameter.shape[-1] ** -0.5)


def sentence(rng: random.Random, words: int) -> str:
    """So many words that mean nothing, with an odd letter here and there."""
    picked = [rng.choice(_WORDS) for _ in range(words)]
    picked[rng.randrange(words)] = rng.choice(("Zürich", "snow☃man", "x=3;", "NAÏVE", "42"))
    return " ".join(picked)


def questions(seed: int = 0, subjects: int = 3, each: int = 4) -> list[tuple[str, str]]:
    """Contexts and continuations as few-shot multiple choice makes them.

    Each subject has a preamble of its own that its questions share; choices have one to nine words, some begin alike,
    some are asked twice, and one context is the beginning of another.
    """
    rng = random.Random(seed)
    asked: list[tuple[str, str]] = []
    for subject in range(subjects):
        shots = [f"Question: {sentence(rng, 9)}\nAnswer: {rng.choice('ABCD')}" for _ in range(2 + subject)]
        preamble = "\n\n".join(shots)
        for _ in range(each):
            question = f"{preamble}\n\nQuestion: {sentence(rng, 5)}\nAnswer:"
            asked += [(question, f" {letter}") for letter in "ABCD"]
            stem = sentence(rng, 3)
            asked += [(question, f" {stem} {sentence(rng, n)}") for n in (1, 4, 6)]
        asked += [(preamble, " and"), asked[-1], (preamble, " and")]
    return asked


def prompts(seed: int = 0, number: int = 9) -> list[str]:
    """Generation prompts: one instruction that all share, a document each, two of them equal."""
    rng = random.Random(seed)
    instruction = f"List the places.\n\nText: {sentence(rng, 14)}\nPlaces: {sentence(rng, 3)}\n\n"
    made = [f"{instruction}Text: {sentence(rng, 3 + 3 * k)}\nPlaces:" for k in range(number - 1)]
    return [*made, made[1]]


def instances(kind: str, arguments: Sequence[tuple[Any, ...]]) -> list[Any]:
    """lm-eval's own request objects."""
    from lm_eval.api.instance import Instance

    return [
        Instance(request_type=kind, doc={}, arguments=args, idx=k)
        for args, k in zip(arguments, itertools.count(), strict=False)
    ]
