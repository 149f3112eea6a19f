"""``harness produce``: let a producer make something of a base checkpoint, and write down how it was made.

The producer is a plug-in like any stranger's. What it says of itself is recorded beside what was measured here: the
digests of the base and of the recipe, versions, time.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.engines.checkpoint import identify
from harness.engines.environment import versions
from harness.errors import DataError, InterruptedRunError, MissingInputError, StoreError
from harness.nouns import Checkpoint
from harness.plugins import PRODUCERS_GROUP, Producer, load
from harness.store import file_digest

MANIFEST = "checkpoint.json"
SCHEMA = "harness.checkpoint/1"


def produce(producer: str, base: str, recipe: Path, out: Path) -> Mapping[str, Any]:
    """The manifest of what was made; it is also written to ``checkpoint.json`` in the folder.

    Args:
        producer: Name in the entry-point group ``harness.producers``.
        base: Folder or hub id of the base checkpoint.
        recipe: YAML file in the producer's own form.
        out: Folder to write into; what an interrupted call left there is continued.

    Raises:
        UsageError: There is no such producer.
        MissingInputError: Base or recipe is not there.
        DataError: The producer is broken, or gives no Checkpoint.
        StoreError: The folder cannot be written.
        InterruptedRunError: Ctrl-C; what was made so far stays.
    """
    maker = _maker(producer)
    if not recipe.is_file():
        raise MissingInputError(f"Recipe {recipe}", "is not there", "name a YAML file")
    parent = identify("hf", {"pretrained": base})
    started = time.time()
    try:
        made = maker.produce(base, recipe, out)
    except KeyboardInterrupt:
        reason = "was interrupted; what it had made stays"
        raise InterruptedRunError(f"Producer {producer}", reason, "run the same command again to continue") from None
    if not isinstance(made, Checkpoint):
        raise DataError(f"Producer {producer}", f"gave a {type(made).__name__}, no Checkpoint", "repair the producer")
    manifest = {
        "schema": SCHEMA,
        "producer": producer,
        "parent": parent.digests.get("weights"),
        "base": asdict(parent),
        "recipe": {"file": recipe.name, "sha256": file_digest(recipe)},
        "checkpoint": asdict(made),
        "versions": versions(),
        "seconds": round(time.time() - started, 3),
        "status": "complete",
    }
    _write(out, manifest)
    return manifest


def _maker(name: str) -> Producer:
    found = load(PRODUCERS_GROUP, name)
    maker = found() if isinstance(found, type) else found
    if not isinstance(maker, Producer):
        raise DataError(f"Producer {name}", "has no method produce(base, recipe, out)", "repair its package")
    return maker


def _write(out: Path, manifest: Mapping[str, Any]) -> None:
    temporary = out / f"{MANIFEST}.partial"
    try:
        out.mkdir(parents=True, exist_ok=True)
        temporary.write_text(json.dumps(manifest, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temporary.replace(out / MANIFEST)
    except OSError as error:
        raise StoreError(f"Folder {out}", f"cannot be written ({error.strerror})", "name another folder") from error
