"""What the training data of a run was checked for: small records beside the runs, for boards.

    <store>/contamination/<run id>.<16 digits>.json    canonical JSON; the digits begin its SHA-256

A run is immutable, and what it was trained on is looked at later, so the record lies beside it. It holds counts and
digests, no text of anybody. Whoever has the corpus can make it again.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from harness.errors import HarnessError, RunRecordError
from harness.store.canonical import canonical, digest, parse
from harness.store.disk import replace_file, writing
from harness.store.manifest import MANIFEST, parse_manifest

CHECKED = "contamination"
"""Folder of the records in a store."""

SCHEMA = "harness.checked/1"

_NAME = re.compile(r"([0-9a-f]{64})\.([0-9a-f]{16})\.json")
_LEVELS = ("text", "sentence", "13-gram", "8-gram")


@dataclass(frozen=True, slots=True)
class Checked:
    """A run's training data against the items that it was scored on.

    Attributes:
        run: Run id.
        method: Version of the method.
        corpus: Name of the training data; never a path.
        digest: SHA-256 of the training data.
        rows: Its rows.
        suites: Digests of the suites that it was checked against, by name.
        tasks: By task: ``items`` that were looked at, and how many of them are touched, by level.
    """

    run: str
    method: str
    corpus: str
    digest: str
    rows: int
    suites: Mapping[str, str]
    tasks: Mapping[str, Mapping[str, int]]


def write_checked(store: Path, checked: Checked) -> Path:
    """Write a record beside its run; one of the same run and corpus is replaced.

    Raises:
        StoreError: It cannot be written.
    """
    folder = store / CHECKED
    data = canonical({"schema": SCHEMA, **asdict(checked)})
    path = folder / f"{checked.run}.{digest(data)[:16]}.json"
    replace_file(path, data)
    with writing(folder):
        for other in folder.glob(f"{checked.run}.*.json"):
            if other != path and _corpus(other) == checked.digest:
                other.unlink()
    return path


def read_checked(store: Path) -> dict[str, tuple[Checked, ...]]:
    """Records of a store by run id, as they are; :func:`checked_problems` says whether they may be believed.

    Raises:
        RunRecordError: One cannot be read.
    """
    found: dict[str, tuple[Checked, ...]] = {}
    for path in _files(store):
        try:
            one = _parsed(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            raise RunRecordError(f"{path}", f"cannot be read ({error})", "remove it and check again") from error
        found[one.run] = (*found.get(one.run, ()), one)
    return found


def checked_problems(store: Path) -> Iterator[tuple[str, str]]:
    """(file below the store, what is wrong with it) of every record that is not what was written, or fits no run."""
    for path in _files(store):
        what = _problem(path, store)
        if what:
            yield f"{CHECKED}/{path.name}", what


def _files(store: Path) -> list[Path]:
    folder = store / CHECKED
    return sorted(path for path in folder.iterdir() if not path.name.startswith(".")) if folder.is_dir() else []


def _corpus(path: Path) -> str | None:
    try:
        return _parsed(path).digest
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _parsed(path: Path) -> Checked:
    content = parse(path.read_bytes())
    if content["schema"] != SCHEMA:
        raise ValueError(f"schema {content['schema']} instead of {SCHEMA}")
    return Checked(**{name: value for name, value in content.items() if name != "schema"})


def _problem(path: Path, store: Path) -> str | None:
    named = _NAME.fullmatch(path.name)
    if named is None:
        return "is no record of a check of contamination"
    try:
        data = path.read_bytes()
        if digest(data)[:16] != named[2]:
            return f"changed: its SHA-256 begins with {digest(data)[:16]}, not with {named[2]}"
        one = _parsed(path)
        manifest = parse_manifest((store / named[1] / MANIFEST).read_bytes(), MANIFEST)
    except FileNotFoundError:
        return f"names the run {named[1]}, whose folder is missing"
    except (OSError, ValueError, TypeError, KeyError, HarnessError) as error:
        return f"cannot be read ({' '.join(str(error).split())})"
    return _unlike(one, named[1], manifest)


def _unlike(one: Checked, run: str, manifest: Mapping[str, Any]) -> str | None:
    """What a record says that its run cannot have."""
    if one.run != run:
        return f"is of the run {one.run}, not of the one that it is named by"
    for task, counts in one.tasks.items():
        tally = manifest["records"].get(task)
        if tally is None:
            return f"names the task {task}, which the run has not scored"
        numbers = [counts.get(name) for name in ("items", *_LEVELS)]
        if not all(isinstance(number, int) and 0 <= number <= tally["rows"] for number in numbers):
            return f"has numbers for {task} that do not fit its {tally['rows']} items"
        if not counts["text"] <= counts["13-gram"] <= counts["8-gram"] <= counts["items"]:
            return f"has numbers for {task} that contradict each other"
    return None
