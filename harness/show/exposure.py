"""What boards and pages say of contamination: how many of a suite's items stand in the training data of a run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from harness.show.words import percent, plural
from harness.store import Checked

NOT_CHECKED = "not checked"

_HEADLINE = "13-gram"


def exposure(entry: Mapping[str, Any], checks: Sequence[Checked]) -> str:
    """The cell of a run: ``0.4 % (ner 2.1 %)``, ``none found``, ``not checked``; one part per corpus.

    Args:
        entry: What the run's manifest says of the suite.
        checks: What the run's training data was checked for.
    """
    parts = [_cell(entry, check) for check in checks if _known(entry, check)]
    return "; ".join(parts) or NOT_CHECKED


def exposure_notes(entry: Mapping[str, Any], checks: Sequence[Checked]) -> list[list[str]]:
    """What was checked against what: per corpus the parts of a sentence."""
    return [_note(entry, check) for check in checks if _known(entry, check)]


def _known(entry: Mapping[str, Any], check: Checked) -> list[str]:
    return [task for task in entry["tasks"] if check.tasks.get(task, {}).get("items")]


def _cell(entry: Mapping[str, Any], check: Checked) -> str:
    known = _known(entry, check)
    touched, items = _sum(check, known)
    part = f", {len(known)} of {plural(len(entry['tasks']), 'task')}" if len(known) < len(entry["tasks"]) else ""
    if not touched:
        return f"none found{part}"
    shares = {family: share for family, (share, _) in _families(entry, check).items()}
    worst = max(shares, key=lambda family: shares[family])
    return f"{percent(touched / items)} % ({worst} {percent(shares[worst])} %){part}"


def _note(entry: Mapping[str, Any], check: Checked) -> list[str]:
    known = _known(entry, check)
    found = [
        f"{percent(share)} % of {items:,} {family} items"
        for family, (share, items) in _families(entry, check).items()
        if share
    ]
    lost = [task for task in entry["tasks"] if task not in known]
    more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
    data = f"training data {check.corpus}, {check.rows:,} rows, digest {check.digest[:12]}"
    return [
        f"{data}, checked by method {check.method}",
        *(found or [f"none of {_sum(check, known)[1]:,} items found"]),
        *([f"not checked: {', '.join(lost[:3])}{more}"] if lost else []),
    ]


def _families(entry: Mapping[str, Any], check: Checked) -> dict[str, tuple[float, int]]:
    """Share of touched items and number of items, by family."""
    named = entry["families"]
    members: dict[str, list[str]] = {}
    for task in _known(entry, check):
        members.setdefault(named[task], []).append(task)
    sums = {family: _sum(check, tasks) for family, tasks in members.items()}
    return {family: (touched / items, items) for family, (touched, items) in sums.items()}


def _sum(check: Checked, tasks: Sequence[str]) -> tuple[int, int]:
    """Touched items and items of several tasks."""
    return sum(check.tasks[task][_HEADLINE] for task in tasks), sum(check.tasks[task]["items"] for task in tasks)
