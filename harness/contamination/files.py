"""Writing a check's two files, each whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.contamination.report import page_of
from harness.store.disk import replace_file

JSON, PAGE = "contamination.json", "contamination.md"


def write_report(document: Mapping[str, Any], folder: Path) -> list[Path]:
    """Write ``contamination.json`` and ``contamination.md``.

    Raises:
        StoreError: The folder cannot be written.
    """
    text = json.dumps(document, ensure_ascii=False, indent=1, allow_nan=False) + "\n"
    paths = []
    for name, content in ((JSON, text), (PAGE, page_of(document))):
        replace_file(folder / name, content.encode("utf-8", "surrogatepass"))
        paths.append(folder / name)
    return paths
