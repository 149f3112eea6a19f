"""What ``compare`` prints: two scores per task, what lies between them, and the claims in words."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.nouns import Comparison, GroupComparison, Interval, Signature, TaskComparison
from harness.show.lists import show_notes
from harness.show.signatures import show_signatures, signatures_document
from harness.show.words import percent, print_json, signed, stdout

LEVEL = 0.05
"""Results below this Holm-adjusted p-value are set in bold."""


def show_comparison(comparison: Comparison, as_json: bool, signs: Sequence[Signature] = ()) -> int:
    """Print a comparison and its failure signatures; returns the exit code of one that was made."""
    if as_json:
        print_json(comparison_document(comparison) | signatures_document(signs))
        return 0
    show_notes(comparison.warnings)
    console = stdout()
    console.print(task_table(comparison.tasks))
    if comparison.families:
        console.print(group_table((*comparison.families, *comparison.suites)))
    for sentence in comparison.sentences:
        console.print(f"\n{escape(sentence)}")
    for line in dropped_lines(comparison.tasks):
        console.print(f"[dim]{escape(line)}[/dim]")
    show_signatures(signs)
    console.print(
        "\n[dim]Scores in per cent, Δ = candidate − baseline in points. Above chance: (score − chance) / (1 − chance). "
        'p harm and p better are one-sided and Holm-adjusted over the tasks; p margin is that of "not worse by the '
        'margin".[/dim]'
    )
    return 0


def task_table(tasks: Sequence[TaskComparison]) -> Table:
    """One row per task."""
    names = ("Task", "Metric", "Baseline", "Candidate", "Δ", "95 % interval", "Above chance", "Flips", "p harm",
             "p better", "p margin", "Items")  # fmt: skip
    table = Table(*names, box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for task in tasks:
        style = "bold" if min(task.p_harm_holm, task.p_improve_holm) < LEVEL else ""
        cells = (
            escape(task.task), escape(task.metric), percent(task.baseline), percent(task.candidate),
            signed(task.delta), _ends(task.interval),
            f"{percent(normalised(task.baseline, task.chance))} → {percent(normalised(task.candidate, task.chance))}",
            "" if task.discordance is None else f"{percent(task.discordance)} %",
            _p(task.p_harm_holm), _p(task.p_improve_holm), _p(task.p_noninferior), f"{task.items:,}",
        )  # fmt: skip
        table.add_row(*cells, style=style)
    return table


def group_table(groups: Sequence[GroupComparison]) -> Table:
    """One row per family and suite."""
    table = Table("Family, suite", "Baseline", "Candidate", "Δ", "95 % interval", "p harm", "p better", "p margin",
                  box=None)  # fmt: skip
    for column in table.columns[1:]:
        column.justify = "right"
    for group in groups:
        table.add_row(
            escape(group.name), percent(group.baseline), percent(group.candidate), signed(group.delta),
            _ends(group.interval), _p(group.p_harm), _p(group.p_improve), _p(group.p_noninferior),
        )  # fmt: skip
    return table


def dropped_lines(tasks: Sequence[TaskComparison]) -> list[str]:
    """Which items were left out, per task."""
    return [
        f"{task.task} leaves out: {', '.join(f'{number:,} {reason}' for reason, number in task.dropped.items())}"
        for task in tasks
        if task.dropped
    ]


def normalised(score: float, chance: float) -> float:
    """Share of the way from a guesser's score to 1; below 0 for less than a guesser, never clipped."""
    return (score - chance) / (1 - chance) if chance < 1 else score


def comparison_document(comparison: Comparison) -> dict[str, Any]:
    """What ``--json`` of ``compare`` prints; scripts rely on it."""
    return {
        "claim_type": comparison.claim_type,
        "candidate": comparison.candidate,
        "baseline": comparison.baseline,
        "tasks": [_task_row(task) for task in comparison.tasks],
        "families": [_finite(asdict(family)) for family in comparison.families],
        "suites": [_finite(asdict(suite)) for suite in comparison.suites],
        "warnings": list(comparison.warnings),
        "sentences": list(comparison.sentences),
    }


def _task_row(task: TaskComparison) -> dict[str, Any]:
    extra = {
        "baseline_normalised": normalised(task.baseline, task.chance),
        "candidate_normalised": normalised(task.candidate, task.chance),
    }
    return dict(_finite({**asdict(task), **extra}))


def _finite(value: Any) -> Any:
    """The value with null where a number is not finite, which JSON has no form for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, list | tuple) else value


def _ends(ends: Interval) -> str:
    return f"{signed(ends[0])} to {signed(ends[1])}"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
