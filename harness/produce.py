"""``harness produce``: let a producer make something of a base checkpoint, and write down how it was made.

The producer is a plug-in like any stranger's and is not trusted: what it left is loaded again, hashed here, and held
against the adapter where there is one. What it says of itself is recorded beside what was measured.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from harness.engines.checkpoint import adapter_digest, checkpoint_digests, identify
from harness.engines.environment import versions
from harness.engines.merged import check_loads, check_merged
from harness.engines.tasks import quiet_lm_eval
from harness.errors import DataError, HarnessError, InterruptedRunError, MissingInputError, StoreError, UsageError
from harness.nouns import Checkpoint
from harness.plugins import PRODUCERS_GROUP, Producer, RecipeChecker, load
from harness.store import file_digest

MANIFEST, PRODUCTION, ADAPTER = "checkpoint.json", "production.json", "adapter"
SCHEMA = "harness.checkpoint/1"


def produce(producer: str, base: str, recipe: Path, out: Path) -> Mapping[str, Any]:
    """The manifest of what was made; it is also written to ``checkpoint.json`` in the folder.

    Args:
        producer: Name in the entry-point group ``harness.producers``.
        base: Folder or hub id of the base checkpoint.
        recipe: YAML file in the producer's own form.
        out: Folder to write into; what an interrupted call left there is continued.

    Raises:
        UsageError: There is no such producer, or the folder holds another one's work.
        MissingInputError: Base or recipe is not there.
        DataError: The producer is broken, changes its base, gives no Checkpoint, or a digest that is not the folder's.
        CheckpointError: What it left is no checkpoint, or not the merge of its adapter.
        StoreError: The folder cannot be written.
        InterruptedRunError: Ctrl-C; what was made so far stays.
    """
    maker = _maker(producer)
    if not recipe.is_file():
        raise MissingInputError(f"Recipe {recipe}", "is not there", "name a YAML file")
    with quiet_lm_eval():
        parent = identify("hf", {"pretrained": base})
        manifest: dict[str, Any] = {
            "schema": SCHEMA,
            "producer": producer,
            "parent": parent.digests.get("weights"),
            "base": asdict(parent),
            "recipe": {"file": recipe.name, "sha256": file_digest(recipe)},
        }
        _refuse_overwriting(manifest, base, out)
        started = time.time()
        made = _call(maker, producer, (base, recipe, out))
        found, difference = _looked_at(made, base, out)
        if identify("hf", {"pretrained": base}).digests != parent.digests:
            raise DataError(f"Producer {producer}", f"changed its base {base}", "restore the base, repair the producer")
    manifest |= {
        "checkpoint": asdict(replace(found, producer=producer, parent=parent.digests.get("weights"))),
        "merge_difference": difference,
        "production": _told(out),
        "versions": versions(),
        "seconds": round(time.time() - started, 3),
        "status": "complete",
    }
    _write(out, manifest)
    return manifest


def check_recipe(producer: str, recipe: Path) -> None:
    """Let a producer look at a recipe, where it can, without making anything.

    Args:
        producer: Name in the entry-point group ``harness.producers``.
        recipe: YAML file in the producer's own form.

    Raises:
        HarnessError: There is no such producer, or it refuses the recipe.
    """
    maker = _maker(producer)
    if isinstance(maker, RecipeChecker):
        maker.check(recipe)


def _call(maker: Producer, producer: str, arguments: tuple[str, Path, Path]) -> Checkpoint:
    """What the producer gives.

    Raises:
        DataError: It raises what is no HarnessError, or gives no Checkpoint.
        InterruptedRunError: Ctrl-C.
    """
    try:
        made: object = maker.produce(*arguments)
    except HarnessError:
        raise
    except KeyboardInterrupt:
        reason = "was interrupted; what it had made stays"
        raise InterruptedRunError(f"Producer {producer}", reason, "run the same command again to continue") from None
    except Exception as error:  # whatever a stranger's code raises, the user must learn whose it was
        reason = f"raises {type(error).__name__} ({error})"
        raise DataError(f"Producer {producer}", reason, "repair the producer; --debug shows where") from error
    if not isinstance(made, Checkpoint):
        raise DataError(f"Producer {producer}", f"gave a {type(made).__name__}, no Checkpoint", "repair the producer")
    return made


def _refuse_overwriting(manifest: Mapping[str, Any], base: str, out: Path) -> None:
    """Refuse a folder that is the base, or holds a checkpoint that was made in another way.

    Raises:
        UsageError: It is such a folder.
    """
    if Path(base).is_dir() and out.exists() and out.samefile(base):
        raise UsageError(f"Folder {out}", "is the base itself", "name another folder")
    told = out / MANIFEST
    before = json.loads(told.read_text(encoding="utf-8")) if told.is_file() else manifest
    same = [before[key] == manifest[key] for key in ("producer", "parent")]
    if "weights" in before.get("checkpoint", {}).get("digests", {}):  # a folder of data is made anew where needed
        same.append(before["recipe"]["sha256"] == manifest["recipe"]["sha256"])
    if not all(same):
        reason = f"holds what {before['producer']} made of {before['base']['reference']} by another recipe or base"
        raise UsageError(f"Folder {out}", reason, "name another folder, or remove it")


def _looked_at(made: Checkpoint, base: str, out: Path) -> tuple[Checkpoint, float | None]:
    """The checkpoint with the digests of what lies in the folder, and the largest logit difference to its adapter.

    Raises:
        CheckpointError: The folder holds no checkpoint, or another one than its adapter makes of the base.
        DataError: A digest that the producer gave is not that of the folder.
    """
    if "corpus" in made.digests and not (out / "config.json").is_file():
        return made, None  # it makes data alone, and says so
    measured, adapter = checkpoint_digests(out), out / ADAPTER
    if adapter.is_dir():
        measured["adapter"] = adapter_digest(adapter)
    wrong = [name for name, value in measured.items() if made.digests.get(name, value) != value]
    if wrong:
        reason = f"was given a digest of {', '.join(wrong)} that is not its own"
        raise DataError(f"Folder {out}", reason, "produce it again, or repair the producer")
    found = replace(made, digests={**made.digests, **measured})
    if adapter.is_dir():
        return found, check_merged(base, adapter, out)
    check_loads(out)
    return found, None


def _told(out: Path) -> Any:
    """What the producer says of the making, if it wrote ``production.json``.

    Raises:
        DataError: The file is no JSON.
    """
    path = out / PRODUCTION
    try:
        return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except ValueError as error:
        raise DataError(f"{path}", f"is no JSON ({error})", "repair the producer") from error


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
