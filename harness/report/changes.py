"""What has changed: a comparison as one table of suites, families and tasks, with what a doubter needs beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import Comparison, GroupComparison, Ruling, TaskComparison, Verdict
from harness.policy import watched
from harness.report.axis import Axis, change_axis
from harness.report.content import Report
from harness.report.people import SHORT_ID, name_of
from harness.show import Flip, p_cell, percent, signed, signed_interval
from harness.show.comparison import LEVEL, dropped_lines

WITHIN, OPEN = "≈", "?"
_MARKS = {"gain": "▲", "loss": "▼", "flat": ""}


def comparison_of(report: Report, number: int, labels: Mapping[str, str]) -> dict[str, Any]:
    """One comparison of a report.

    Args:
        report: The report.
        number: Place of the comparison in it, from 0.
        labels: Names of runs by id.
    """
    found = report.comparisons[number]
    pair = (found.candidate, found.baseline)
    rows, flips = list(_rows(found)), _flips(report.flips.get(pair, ()), number + 1)
    return {
        "id": f"comparison-{number + 1}",
        "candidate": name_of(report, labels, found.candidate),
        "baseline": name_of(report, labels, found.baseline),
        "pairs": found.pairs,
        "verdicts": [verdict_of(verdict) for verdict in report.verdicts if _pair(verdict.comparison) == pair],
        "sentences": found.sentences,
        "warnings": [*found.warnings, *dropped_lines(found.tasks)],
        "rows": rows,
        "axis": _axis([row for row in rows if row["bounded"]]),
        "rates": _rates(found.tasks),
        "command": _command(found),
        "flips": flips,
        "shown_flips": {task["task"]: task["id"] for task in flips},
        "has_flips": pair in report.flips,
        "told": any(task["told"] for task in flips),
    }


def _axis(rows: Sequence[Mapping[str, Any]]) -> Axis:
    deltas, intervals, margins = ([row[name] for row in rows] for name in ("delta", "interval", "margin"))
    return change_axis(deltas, intervals, margins)


def verdict_of(verdict: Verdict) -> dict[str, Any]:
    """A verdict with its claims: those that decide it, what fails first; and the tasks that are only watched."""
    fails = [claim for claim in verdict.claims if claim.ruling is Ruling.FAIL]
    required = [claim for claim in verdict.claims if not watched(claim) and claim not in fails]
    open_ones = [claim for claim in required if claim.ruling is verdict.ruling is Ruling.INCONCLUSIVE]
    policies = list(_policies(verdict))
    return {
        "ruling": str(verdict.ruling),
        "policies": ", ".join(f"{own['policy']} {own['version']} on {suite}" for suite, own in policies),
        "pinned": ", ".join(dict.fromkeys(f"{own['policy']} {own['digest'][:SHORT_ID]}" for _, own in policies)),
        "units": "Items" if verdict.comparison.pairs is None else "Pairs",
        "reason": next((claim.sentence for claim in (*fails, *open_ones)), ""),
        "claims": [*fails, *required],
        "watched": [claim for claim in verdict.claims if watched(claim) and claim not in fails],
    }


def _policies(verdict: Verdict) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Name, version and digest of the policy of each suite."""
    for suite, policy in verdict.policy.items():
        given = policy if isinstance(policy, Mapping) else {}
        yield suite, {name: str(given.get(name, "")) for name in ("policy", "version", "digest")}


def _pair(comparison: Comparison) -> tuple[str, str]:
    return comparison.candidate, comparison.baseline


def _rows(found: Comparison) -> Iterator[dict[str, Any]]:
    """Suites, and below each its families with their tasks; then the tasks that no suite claims.

    A family of one task has no row of its own, since it would repeat the task's.
    """
    tasks = {task.task: task for task in found.tasks}
    left = dict(tasks)
    for suite in found.suites:
        yield _group_row(suite, "suite", tasks)
        families = [family for family in found.families if family.name.partition("/")[0] == suite.name]
        for family in families:
            members = [tasks[name] for name in family.tasks if name in tasks]
            if len(members) > 1:
                yield _group_row(family, "family", tasks)
            yield from (_task_row(task, nested=len(members) > 1) for task in members)
            left = {name: task for name, task in left.items() if name not in family.tasks}
    yield from (_task_row(task, nested=False) for task in left.values())


def _group_row(group: GroupComparison, kind: str, tasks: Mapping[str, TaskComparison]) -> dict[str, Any]:
    gain, loss = group.p_improve < LEVEL, group.p_harm < LEVEL
    bounded = all(tasks[name].fold not in LOWER_IS_BETTER for name in group.tasks if name in tasks)
    return {
        "name": group.name.partition("/")[2] or group.name,
        "kind": kind,
        "p_harm": p_cell(group.p_harm),
        "p_improve": p_cell(group.p_improve),
        "count": "",
        "left_out": "",
        "flips": "",
        **_change(group, bounded, "gain" if gain else "loss" if loss else "flat"),
    }


def _task_row(task: TaskComparison, nested: bool) -> dict[str, Any]:
    gain, loss = task.p_improve_holm < LEVEL, task.p_harm_holm < LEVEL
    left_out = sum(task.dropped.values())
    return {
        "name": task.task,
        "kind": "nested" if nested else "task",
        "p_harm": p_cell(task.p_harm_holm),
        "p_improve": p_cell(task.p_improve_holm),
        "count": f"{task.items:,}",
        "left_out": f"{left_out:,}" if left_out else "",
        "flips": _flipped(task),
        **_change(task, task.fold not in LOWER_IS_BETTER, "gain" if gain else "loss" if loss else "flat"),
    }


def _change(found: TaskComparison | GroupComparison, bounded: bool, tone: str) -> dict[str, Any]:
    within = WITHIN if found.p_noninferior < LEVEL and tone != "gain" else ""
    return {
        "bounded": bounded,
        "mark": " ".join(filter(None, (_MARKS[tone], within))) or OPEN,
        "tone": tone,
        "delta": found.delta,
        "interval": found.interval,
        "margin": found.margin,
        "p_margin": p_cell(found.p_noninferior),
        "change": signed(found.delta) if bounded else f"{found.delta:+.3g}",
        "ends": signed_interval(found.interval) if bounded else " to ".join(f"{end:+.3g}" for end in found.interval),
        "from": percent(found.baseline) if bounded else f"{found.baseline:,.3g}",
        "to": percent(found.candidate) if bounded else f"{found.candidate:,.3g}",
    }


def _flipped(task: TaskComparison) -> str:
    if task.losses is not None and task.gains is not None:
        return f"{task.losses:,} lost, {task.gains:,} won"
    return "" if task.discordance is None else f"{percent(task.discordance)} %"


def _rates(tasks: Sequence[TaskComparison]) -> list[dict[str, Any]]:
    """Health rates that differ, the surest rise first."""
    moved = [(task.task, rate) for task in tasks for rate in task.rates if rate.delta]
    return [
        {
            "task": task,
            "rate": rate.rate.replace("_", " "),
            "from": percent(rate.baseline),
            "to": percent(rate.candidate),
            "change": signed(rate.delta),
            "ends": signed_interval(rate.interval),
            "p": p_cell(rate.p_worse),
            "count": f"{rate.items:,}",
        }
        for task, rate in sorted(moved, key=lambda pair: pair[1].p_worse)
    ]


def _command(found: Comparison) -> str:
    """What shows the items behind a difference; of the pairs behind a recipe's claim it shows the first."""
    first = (runs.split("+")[0][:SHORT_ID] for runs in (found.candidate, found.baseline))
    return f"harness compare {' '.join(first)} --show_flips 5"


def _flips(flips: Sequence[Flip], comparison: int) -> list[dict[str, Any]]:
    """Flips by task: what was lost, then what was won."""
    by_task: dict[str, list[Flip]] = {}
    for flip in flips:
        by_task.setdefault(flip.task, []).append(flip)
    return [
        {
            "id": f"items-{comparison}-{place}",
            "task": task,
            "lost": [flip for flip in own if flip.change < 0],
            "won": [flip for flip in own if flip.change > 0],
            "told": any(flip.text is not None for flip in own),
        }
        for place, (task, own) in enumerate(by_task.items(), 1)
    ]
