"""Models to measure on: the embedded checkpoint and seeded random weights in three published shapes.

Speed does not depend on what the weights say, only on their shape. All read text through the embedded tokenizer, whose
ids are the first of their vocabularies.
"""

from __future__ import annotations

import shutil
from importlib.resources import files
from pathlib import Path
from typing import Any

NANO = Path(str(files("harness") / "assets" / "nano"))
TOKENIZER = ("tokenizer.json", "tokenizer_config.json")
SHAPES: dict[str, dict[str, Any]] = {
    "A": {  # Llama 15M, vocabulary 32,000
        "type": "llama", "hidden_size": 288, "intermediate_size": 768, "num_hidden_layers": 6,
        "num_attention_heads": 6, "num_key_value_heads": 6, "vocab_size": 32000, "tie_word_embeddings": True,
    },
    "B": {  # as Qwen2, 100M, vocabulary 151,936
        "type": "qwen2", "hidden_size": 512, "intermediate_size": 1408, "num_hidden_layers": 8,
        "num_attention_heads": 8, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True,
    },
    "C": {  # Qwen2.5-0.5B
        "type": "qwen2", "hidden_size": 896, "intermediate_size": 4864, "num_hidden_layers": 24,
        "num_attention_heads": 14, "num_key_value_heads": 2, "vocab_size": 151936, "tie_word_embeddings": True,
    },
}  # fmt: skip
CONTEXT = 4096


def folder_of(name: str, scratch: Path) -> Path:
    """The folder of a model: nano's own, or one below ``scratch`` that is made where it is missing."""
    if name == "nano":
        return NANO
    folder = scratch / name
    if not (folder / "tokenizer.json").is_file():
        _made(name).save_pretrained(folder)
        for file in TOKENIZER:
            shutil.copy(NANO / file, folder / file)
    return folder


def _made(name: str) -> Any:
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    shape = dict(SHAPES[name])
    kind = shape.pop("type")
    ids = {"bos_token_id": 0, "eos_token_id": 0, "pad_token_id": 1, "max_position_embeddings": CONTEXT}
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **shape, **ids), dtype=torch.float32)
