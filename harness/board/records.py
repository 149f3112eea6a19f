"""The records that a board rests on: every run folder of a store and what is beside it, verified byte for byte."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from harness.errors import MissingInputError
from harness.nouns import Run
from harness.store import CHECKED, Problem, checked_problems, load_run, verify

_RUN_ID = re.compile(r"[0-9a-f]{64}")


def read_store(store: Path, allow_texts: bool) -> tuple[list[Run], list[Problem]]:
    """Return the runs of a store, by date, and what forbids publishing them.

    Args:
        store: Folder whose folders are runs.
        allow_texts: Let records pass that hold documents, prompts and answers.

    Raises:
        MissingInputError: The store is no folder.
    """
    if not store.is_dir():
        raise MissingInputError(f"{store}", "is no folder", "name the store with --store, or copy records there")
    runs, problems = [], []
    for folder in sorted(store.iterdir()):
        if not _is_record(folder):
            continue
        found = [Problem(f"{folder.name}/{problem.file}", problem.what) for problem in verify(folder)]
        if not found:
            run = load_run(str(folder), store)
            found = list(_unfit(run, folder, allow_texts))
            runs.append(run)
        problems += found
    problems += [Problem(*problem) for problem in checked_problems(store)]
    return sorted(runs, key=lambda run: (run.manifest["date"], run.id)), problems


def remedy(problem: Problem) -> str:
    """What the user can do about a problem of :func:`read_store`."""
    if problem.file.startswith(CHECKED):
        return "check again with harness contamination, or remove the record"
    if "texts" in problem.what:
        return "score it again with --no_log_samples, or pass --allow_texts"
    return "rename the folder" if "named" in problem.what else "restore it from a copy, or remove the record"


def _is_record(folder: Path) -> bool:
    named = _RUN_ID.fullmatch(folder.name) is not None
    return folder.is_dir() and not folder.name.startswith(".") and (named or (folder / "run.json").exists())


def _unfit(run: Run, folder: Path, allow_texts: bool) -> Iterator[Problem]:
    if folder.name != run.id:
        yield Problem(f"{folder.name}", f"is not named by its run id {run.id}, which vouches for its content")
    texts = [name for name in sorted(run.manifest["files"]) if name.startswith("raw/samples")]
    if texts and not allow_texts:
        yield Problem(f"{folder.name}/{texts[0]}", "holds texts of third parties, which a published board must not")
