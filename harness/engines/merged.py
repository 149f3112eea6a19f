"""Whether a producer's checkpoint is what its adapter makes of the base: trust is measured, on a few prompts."""

from __future__ import annotations

from pathlib import Path

from harness.engines.models import ModelOptions, largest_difference, load_model, probe_logits
from harness.errors import CheckpointError

TOLERANCE = 1e-3
"""Largest relative logit difference in float32; bfloat16 weights get fifty times as much."""


def check_merged(base: str, adapter: Path, merged: Path) -> float:
    """Compare the base with its adapter against the merged checkpoint; the largest relative logit difference.

    The adapter is loaded on its base, which refuses a foreign or idle one, and merged in memory, which is checked
    against the unmerged weights.

    Raises:
        CheckpointError: The adapter does not fit, changes nothing, or the merged checkpoint is another one.
    """
    made = load_model(ModelOptions("hf", {"pretrained": base, "peft": str(adapter), "dtype": "float32"}, device="cpu"))
    found = load_model(ModelOptions("hf", {"pretrained": str(merged), "dtype": "float32"}, device="cpu"))
    difference = largest_difference(
        probe_logits(made.lm.model, made.tokenizer), probe_logits(found.lm.model, found.tokenizer)
    )
    stored = 1 if _stored_as_float32(merged) else 50
    if difference > TOLERANCE * stored:
        raise CheckpointError(
            f"Checkpoint {merged}", f"is not its adapter merged into {base} (relative difference {difference:.2g})",
            "produce it again",
        )  # fmt: skip
    return difference


def _stored_as_float32(folder: Path) -> bool:
    import json

    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    return config.get("dtype", config.get("torch_dtype", "float32")) == "float32"
