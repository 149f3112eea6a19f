"""The record of a check that a leaderboard shows: which of the items that a run was scored on are touched."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from harness.contamination.against import METHOD, Overlap
from harness.contamination.clean import read_side
from harness.contamination.tally import LEVELS
from harness.nouns import Run
from harness.store import Checked, write_checked


def checked_of(overlap: Overlap, run: Run) -> Checked:
    """What the training data holds of the items that a run was scored on.

    Raises:
        RunRecordError: The record of the run is damaged.
    """
    entries = {entry["name"]: entry for entry in run.manifest["tasks"]}
    tasks = {}
    for task in overlap.tasks:
        if task.task in entries:
            docs = read_side(run, entries[task.task], task).docs
            touched = {level: np.isin(docs, np.fromiter(task.touched[level], np.int64)) for level in LEVELS}
            tasks[task.task] = {"items": len(docs)} | {level: int(flags.sum()) for level, flags in touched.items()}
    trained = overlap.trained
    return Checked(run.id, METHOD, trained.name, trained.digest, trained.rows, dict(overlap.suites), tasks)


def write_record(overlap: Overlap, run: Run) -> Path | None:
    """Write the record beside the run; None where the run's folder is not that of a store."""
    folder = Path(run.path)
    return write_checked(folder.parent, checked_of(overlap, run)) if folder.absolute().name == run.id else None
