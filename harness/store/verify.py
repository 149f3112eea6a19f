"""Checks that a run, or a whole store, is what was committed, byte for byte; damage is listed, not raised."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from harness.errors import HarnessError, MissingInputError, RunRecordError
from harness.nouns import Run
from harness.store.canonical import canonical, digest, file_digest
from harness.store.checked import checked_problems
from harness.store.items import read_items
from harness.store.ledger import LEDGER, Entry, order, read_ledger
from harness.store.manifest import MANIFEST, file_of, names, parse_manifest

_RUN_ID = re.compile(r"[0-9a-f]{64}")


class Problem(NamedTuple):
    """One thing that is not as it was committed.

    Attributes:
        file: Path below the folder that was verified.
        what: What is wrong with it, in words.
    """

    file: str
    what: str


def verify(path: Path) -> list[Problem]:
    """Return everything in a run folder or a store that is changed, missing, added, truncated or unlike.

    A run folder under another name than its id is held against its own ``run.json``, which nothing vouches
    for then; in its store the name of the folder does.

    Raises:
        MissingInputError: The path is neither a run folder nor a store.
    """
    if (path / MANIFEST).exists() or _RUN_ID.fullmatch(path.absolute().name):
        return verify_run(path)
    folders = _run_folders(path)
    if not folders and not (path / LEDGER).exists():
        raise MissingInputError(str(path), "is neither a run folder nor a store", "name one of them")
    found = [
        Problem(f"{folder.name}/{problem.file}", problem.what) for folder in folders for problem in verify_run(folder)
    ]
    found += [Problem(*problem) for problem in checked_problems(path)]
    return found + _ledger_problems(path, {folder.name for folder in folders})


def verify_run(folder: Path) -> list[Problem]:
    """Return what is wrong with one run folder."""
    try:
        data = (folder / MANIFEST).read_bytes()
    except OSError as error:
        return [Problem(MANIFEST, f"cannot be read ({error.strerror})")]
    problems = []
    name = folder.absolute().name
    if _RUN_ID.fullmatch(name) and digest(data) != name:
        problems.append(Problem(MANIFEST, f"changed: its SHA-256 is {digest(data)}, not the name of its folder"))
    try:
        manifest = parse_manifest(data, MANIFEST)
        if canonical(manifest) != data:
            problems.append(Problem(MANIFEST, "changed: it is no canonical JSON"))
    except RunRecordError as error:
        return [*problems, Problem(MANIFEST, error.reason)]
    problems += _file_problems(folder, manifest)
    return problems + _row_problems(folder, manifest, {problem.file for problem in problems})


def refuse_damaged(run: Run) -> None:
    """Refuse a run whose record is not what was committed.

    Raises:
        RunRecordError: A file is changed, missing or added.
    """
    if problems := verify_run(Path(run.path)):
        raise RunRecordError(f"{run.path}/{problems[0].file}", problems[0].what, "restore it from a copy")


def _file_problems(folder: Path, manifest: dict[str, Any]) -> Iterator[Problem]:
    listed = manifest["files"]
    present = set(_files_below(folder))
    for name in sorted(present - listed.keys() - {MANIFEST}):
        yield Problem(name, "added: run.json does not list it")
    for name, facts in listed.items():
        if name not in present:
            yield Problem(name, "missing")
        elif what := _difference(folder, name, facts):
            yield Problem(name, what)


def _difference(folder: Path, name: str, facts: dict[str, Any]) -> str | None:
    try:
        path = file_of(folder, name)
        size = path.stat().st_size
        if size != facts["size"]:
            return f"changed: it has {size} bytes instead of {facts['size']}"
        found = file_digest(path)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    return None if found == facts["sha256"] else f"changed: its SHA-256 is {found} instead of {facts['sha256']}"


def _row_problems(folder: Path, manifest: dict[str, Any], damaged: set[str]) -> list[Problem]:
    """Return what is wrong with the rows of the files whose bytes are as committed."""
    unlike = set(names(manifest["tasks"], "tasks")) ^ manifest["records"].keys()
    problems = [Problem(MANIFEST, f"has only the entry or only the records of {task}") for task in sorted(unlike)]
    for task, tally in manifest["records"].items():
        name = tally["file"]
        what = None if name in damaged else _row_problem(file_of(folder, name), task, tally)
        problems += [Problem(name, what)] if what else []
    return problems


def _row_problem(path: Path, task: str, tally: dict[str, Any]) -> str | None:
    rows = errors = 0
    last = None
    try:
        for record in read_items(path):
            if record.task != task or (last is not None and record.doc_id <= last):
                return f"row {rows + 1} is of another task or out of order"
            last = record.doc_id
            rows += 1
            errors += record.error is not None
    except HarnessError as error:
        return f"row {rows + 1} cannot be read ({error.reason})"
    if (rows, errors) != (tally["rows"], tally["errors"]):
        return f"has {rows} rows and {errors} errors instead of {tally['rows']} and {tally['errors']}"
    return None


def _ledger_problems(store: Path, runs: set[str]) -> list[Problem]:
    problems = [Problem(run, "not in the ledger") for run in sorted(runs - order(store).keys())]
    try:
        entries = read_ledger(store)
    except RunRecordError as error:
        return [*problems, Problem(LEDGER, f"{error.thing.rpartition(', ')[2]} {error.reason}")]
    except OSError as error:
        return [Problem(LEDGER, f"cannot be read ({error.strerror})")]
    seen: set[str] = set()
    for entry in entries:
        if what := _entry_problem(store, entry, runs, seen):
            problems.append(Problem(LEDGER, f"line {entry.seq + 1} {what}"))
        seen.add(entry.run)
    return problems


def _entry_problem(store: Path, entry: Entry, runs: set[str], seen: set[str]) -> str | None:
    if entry.run in seen:
        return f"names the run {entry.run} again"
    if entry.run not in runs:
        return f"names the run {entry.run}, whose folder is missing"
    try:
        manifest = parse_manifest((store / entry.run / MANIFEST).read_bytes(), MANIFEST)
    except (OSError, HarnessError):
        return None  # told by the run's own check
    told = (manifest["date"], tuple(names(manifest["suites"], "suites")))
    return None if told == (entry.date, entry.suites) else f"differs from the run {entry.run} that it names"


def _run_folders(store: Path) -> list[Path]:
    return sorted(path for path in store.glob("*") if _RUN_ID.fullmatch(path.name) and path.is_dir())


def _files_below(folder: Path) -> list[str]:
    """Return the relative path of every file and link below a folder, whatever it is."""
    found = []
    for place, folders, files in os.walk(folder):
        links = [name for name in folders if Path(place, name).is_symlink()]
        found += [Path(place, name).relative_to(folder).as_posix() for name in files + links]
    return found
