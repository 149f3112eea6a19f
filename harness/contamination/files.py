"""Writing a check's two files, each whole or not at all."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.contamination.report import page_of
from harness.store.disk import writing

JSON, PAGE = "contamination.json", "contamination.md"


def write_report(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``contamination.json`` and ``contamination.md``.

    Raises:
        StoreError: The folder cannot be written.
    """
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    return [_write(folder / JSON, text), _write(folder / PAGE, page_of(document))]


def _write(path: Path, text: str) -> Path:
    with writing(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        draft.write_bytes(text.encode("utf-8", "surrogatepass"))
        draft.replace(path)
    return path
