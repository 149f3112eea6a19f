"""What a run's manifest tells of itself, in words; a record of another origin may hold anything, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def mapping(value: Any) -> Mapping[str, Any]:
    """The value where it is a mapping, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def engine_of(manifest: Mapping[str, Any]) -> str:
    """Model class, precision and batch size, which move scores a little; and where results were imported from."""
    engine = manifest["engine"]
    if not isinstance(engine, Mapping):
        return str(engine)
    batch, largest = engine.get("batch_size"), engine.get("largest_batch")
    auto = str(batch).startswith("auto") and largest
    parts = (
        engine.get("model"),
        str(engine.get("dtype") or "").removeprefix("torch."),
        "" if batch is None else f"batch {batch} ({largest})" if auto else f"batch {batch}",
        f"imported from {engine['imported']}" if engine.get("imported") else "",
    )
    return ", ".join(str(part) for part in parts if part)
