"""Whether a producer's checkpoint is what its adapter makes of the base: trust is measured, on a few prompts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.engines.models import ModelOptions, largest_difference, load_model, probe_logits
from harness.errors import CheckpointError

TOLERANCE = 1e-3
"""Largest relative logit difference in float32; weights stored in half precision get fifty times as much."""


def check_merged(base: str, adapter: Path, merged: Path) -> float:
    """Compare the base with its adapter against the merged checkpoint; the largest relative logit difference.

    The adapter is loaded on its base, which refuses a foreign or idle one, and merged in memory, which is checked
    against the unmerged weights.

    Args:
        base: Folder or hub id.
        adapter: Folder of the adapter.
        merged: Folder of the checkpoint.

    Raises:
        CheckpointError: The adapter does not fit, changes nothing, or the merged checkpoint is another one.
    """
    expected = _logits({"pretrained": base, "peft": str(adapter)})
    difference = largest_difference(expected, _logits({"pretrained": str(merged)}))
    if difference > TOLERANCE * (1 if _stored_as_float32(merged) else 50):
        raise CheckpointError(
            f"Checkpoint {merged}", f"is not its adapter merged into {base} (relative difference {difference:.2g})",
            "produce it again",
        )  # fmt: skip
    return difference


def check_loads(folder: Path) -> None:
    """Load a checkpoint and let it answer.

    Raises:
        HarnessError: It cannot be loaded, or has weights that are no numbers.
    """
    _logits({"pretrained": str(folder)})


def _logits(arguments: Mapping[str, Any]) -> list[Any]:
    """Logits of the probes, in float32 on the CPU; the model is let go.

    Raises:
        HarnessError: It cannot be loaded.
    """
    model = load_model(ModelOptions("hf", {**arguments, "dtype": "float32"}, device="cpu"))
    return probe_logits(model.lm.model, model.tokenizer)


def _stored_as_float32(folder: Path) -> bool:
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    stored: str = config.get("dtype", config.get("torch_dtype", "float32"))
    return stored == "float32"
