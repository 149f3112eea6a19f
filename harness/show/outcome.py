"""What ``run`` and ``import`` print: the scores of one run."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.nouns import Outcome, Signature, Status, SuiteScore, TaskScore
from harness.show.signatures import show_signatures, signatures_document
from harness.show.words import FAILED_RUN, duration, interval, percent, plural, print_json, stdout

HEALTH_SHOWN = 0.05
"""Health rates from here on are flagged beside the score."""


def show_outcome(outcome: Outcome, as_json: bool, signs: Sequence[Signature] = ()) -> int:
    """Print a run's result and its failure signatures; returns the exit code."""
    code = 0 if outcome.status is Status.COMPLETE else FAILED_RUN
    if as_json:
        print_json(run_document(outcome) | signatures_document(signs))
        return code
    console = stdout()
    console.print(task_table(outcome.tasks))
    for suite in outcome.suites:
        console.print(suite_sentence(suite))
    show_signatures(signs)
    console.print("\n[dim]Score and 95 % interval in per cent; a dim score cannot be told from chance.[/dim]")
    console.print(f"[dim]{escape(str(outcome.run.manifest['signature']))}[/dim]", soft_wrap=True)
    console.print(f"\nrecord  {escape(outcome.run.path)}", soft_wrap=True)
    console.print(f"next    harness verify {escape(outcome.run.path)}", soft_wrap=True)
    for reason in outcome.reasons:
        console.print(f"[red]failed[/red]  {escape(reason)}")
    return code


def task_table(scores: Sequence[TaskScore]) -> Table:
    """Family, task, metric, score with interval, chance, items, health flags, time."""
    table = Table("Family", "Task", "Metric", "Score", "95 % interval", "Chance", "Items", "Health", "Time")
    for index in (3, 4, 5, 6, 8):
        table.columns[index].justify = "right"
    last = None
    for score in sorted(scores, key=lambda score: list(dict.fromkeys(s.family for s in scores)).index(score.family)):
        if last is not None and score.family != last:
            table.add_section()
        style = "bold" if score.interval[0] > score.chance else "dim"
        table.add_row(
            escape(score.family) if score.family != last else "",
            escape(score.task),
            escape(score.metric),
            f"[{style}]{percent(score.score)}[/{style}]",
            interval(score.interval),
            percent(score.chance),
            f"{score.items:,}",
            health(score),
            duration(score.seconds),
        )
        last = score.family
    return table


def health(score: TaskScore) -> str:
    """The rates that a reader must know before trusting the score, in words."""
    flags = [
        f"{percent(rate)} % {name.replace('_', ' ')}" for name, rate in score.health.items() if rate >= HEALTH_SHOWN
    ]
    if score.failed:
        flags.insert(0, f"[red]{score.failed} failed[/red]")
    return ", ".join(flags)


def suite_sentence(suite: SuiteScore) -> str:
    """``quick: 41.2 (38.0 – 44.4), mean of 5 family means: ner 12.0, …``."""
    families = ", ".join(f"{escape(name)} {percent(value)}" for name, value in suite.families.items())
    count = plural(len(suite.families), "family mean")
    headline = f"[bold]{escape(suite.name)}: {percent(suite.score)}[/bold] ({interval(suite.interval)})"
    return f"{headline}, mean of {count}: {families}"


def run_document(outcome: Outcome) -> dict[str, Any]:
    """What ``--json`` of ``run`` and ``import`` prints; scripts rely on it."""
    return {
        "run_id": outcome.run.id,
        "path": outcome.run.path,
        "suites": [{"name": s.name, "score": s.score, "interval": list(s.interval)} for s in outcome.suites],
        "tasks": [
            {
                "task": score.task,
                "family": score.family,
                "metric": score.metric,
                "score": score.score,
                "interval": [end if math.isfinite(end) else None for end in score.interval],
                "chance": score.chance,
                "items": score.items,
                "health": dict(score.health),
            }
            for score in outcome.tasks
        ],
        "status": str(outcome.status),
        "reasons": list(outcome.reasons),
    }
