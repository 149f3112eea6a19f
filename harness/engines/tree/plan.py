"""How much memory a call may take, and how many rows it forwards at once."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from harness.engines.fit import free_bytes
from harness.engines.tree.forward import unwrapped
from harness.errors import UnavailableError, UsageError

CPU_ROWS, DEVICE_ROWS = 768, 4096
"""Rows per forward that keep the matrix products busy; torch's CPU attention takes wider blocks from 768 rows on."""

FEWEST_ROWS = 16
_SHARE = 0.8
"""Share of the free memory that a call takes where nobody says how much it may."""
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


@dataclass(frozen=True, slots=True)
class MemoryPlan:
    """How a call spends its memory.

    Attributes:
        rows: Rows per forward.
        path_bytes: Keys and values of the stored path.
        row_bytes: Activations of one row.
        limit: Bytes that both may take.
    """

    rows: int
    path_bytes: int
    row_bytes: int
    limit: int


def parse_bytes(text: str | int | None) -> int | None:
    """Bytes that a number or a text such as ``4GiB`` or ``500MB`` stands for; None for None.

    Raises:
        UsageError: It is no positive amount of memory.
    """
    if text is None:
        return None
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)\s*([kmg]?i?)b?", str(text).strip().lower())
    size = int(float(match[1]) * _UNITS[match[2]]) if match and match[2] in _UNITS else 0
    if size <= 0:
        raise UsageError(f"max_memory={text}", "is no amount of memory", "write bytes, or a unit as in 4GiB")
    return size


def plan_memory(model: Any, device: Any, longest: int, max_memory: int | None) -> MemoryPlan:
    """Rows per forward for a call whose longest path has a number of tokens.

    Args:
        model: The model.
        device: Its torch device.
        longest: Tokens.
        max_memory: Bytes, or None for a share of what is free.

    Raises:
        UnavailableError: Not even the smallest pack fits.
    """
    inner = unwrapped(model)
    config, item = inner.config.get_text_config(), next(inner.parameters()).dtype.itemsize
    most = CPU_ROWS if device.type == "cpu" else DEVICE_ROWS
    heads = config.num_attention_heads
    size = getattr(config, "head_dim", None) or config.hidden_size // heads
    keys = getattr(config, "num_key_value_heads", None) or heads
    position = 2 * config.num_hidden_layers * keys * size * item
    inside = getattr(config, "intermediate_size", None) or 4 * config.hidden_size
    row = item * (8 * config.hidden_size + 3 * inside + 4 * (heads + keys) * size) + position
    if getattr(config, "attn_logit_softcapping", None):
        row += 12 * heads * (longest + most)  # scores, three copies
    elif device.type != "cpu":
        row += item * (longest + most)  # the mask
    path = position * longest
    limit = max_memory or int(_SHARE * free_bytes(str(device)))
    rows = min(most, (limit - path) // row)
    if rows < FEWEST_ROWS:
        raise UnavailableError(
            f"Scoring {longest} tokens",
            f"needs {path + FEWEST_ROWS * row} bytes beside the weights, and {limit} may be used",
            "raise max_memory, or lower max_length",
        )  # fmt: skip
    return MemoryPlan(int(rows), path, row, limit)


def peak_bytes(device: Any) -> int:
    """Most memory that was taken so far: of the device, or of the process on a CPU."""
    if device.type == "cuda":
        import torch

        return int(torch.cuda.max_memory_allocated(device))
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
