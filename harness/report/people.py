"""How runs are called on a page, and which of them are shown as one."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePath

from harness.nouns import Run
from harness.report.content import Report
from harness.show import plural
from harness.show.facts import mapping

SHORT_ID = 12
"""Characters of a run id that name it on the page and on the command line."""


@dataclass(frozen=True, slots=True)
class Series:
    """What is shown as one line, column or colour: a run, or the runs of an arm over training seeds.

    Attributes:
        label: Its name.
        number: From 1, in the order of the page; it gives the colour.
        runs: Its runs.
    """

    label: str
    number: int
    runs: tuple[Run, ...]


def labels_of(runs: Sequence[Run], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """A name per run id, no two alike.

    Args:
        runs: Runs that are named after their checkpoints.
        given: Names by run id, which come first.
    """
    found = {**{run.id: _checkpoint(run) for run in runs}, **(given or {})}
    repeated = {label for label, times in Counter(found.values()).items() if times > 1}
    return {run: f"{label} · {run[:8]}" if label in repeated else label for run, label in found.items()}


def series_of(report: Report) -> list[Series]:
    """The series of a page, in the order of its runs."""
    labels = labels_of(report.runs, report.labels)
    members: dict[str, list[Run]] = {}
    for run in report.runs:
        members.setdefault(report.arms.get(run.id) or labels[run.id], []).append(run)
    return [Series(label, number, tuple(runs)) for number, (label, runs) in enumerate(members.items(), 1)]


def name_of(report: Report, labels: Mapping[str, str], runs: str) -> str:
    """What one side of a comparison is called: a run, or the recipe behind several, joined by ``+``."""
    ids = list(dict.fromkeys(runs.split("+")))
    if len(ids) == 1:
        return labels.get(ids[0], ids[0][:SHORT_ID])
    arms = {report.arms.get(run, "") for run in ids}
    if len(arms) == 1 and (arm := arms.pop()):
        return f"{arm} ({plural(len(ids), 'seed')})"
    return " + ".join(labels.get(run, run[:SHORT_ID]) for run in ids)


def _checkpoint(run: Run) -> str:
    """A hub id as it is, of a folder its name; with the adapter's name."""
    checkpoint = mapping(run.manifest["checkpoint"])
    parts = [checkpoint.get("reference"), checkpoint.get("adapter")]
    return " + ".join(_last(str(part)) for part in parts if part) or run.id[:SHORT_ID]


def _last(reference: str) -> str:
    is_folder = re.match(r"[/.~]|[A-Za-z]:\\", reference) or len(PurePath(reference).parts) > 2
    return PurePath(reference).name or reference if is_folder else reference
