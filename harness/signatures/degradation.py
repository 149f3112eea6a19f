"""Degradation of single tasks: how many of them are harmed after Holm's correction, and the worst of them.

A mean over tasks can hide one that broke. Each task has its own test of harm in the comparison; the correction keeps
the chance of naming any unharmed task below 5 %, and the interval of the worst task is widened for having been chosen.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from statistics import NormalDist

from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import Comparison, Interval, Signature, TaskComparison
from harness.show import percent, plural, signed
from harness.stats.intervals import t_quantile

LEVEL = 0.05
"""One-sided level of every claim."""

_NORMAL = NormalDist()


def degradation(comparison: Comparison, pairs: int | None = None) -> Iterator[Signature]:
    """One sign per suite; one of all tasks where the comparison has no suite as a whole.

    Args:
        comparison: The comparison.
        pairs: Pairs of training seeds that a comparison of recipes rests on.
    """
    by_name = {task.task: task for task in comparison.tasks}
    groups = {suite.name: [by_name[name] for name in suite.tasks] for suite in comparison.suites}
    for name, tasks in (groups or {"all tasks": list(comparison.tasks)}).items():
        scored = [task for task in tasks if task.fold not in LOWER_IS_BETTER]
        if scored:
            yield _worst(name, scored, math.inf if pairs is None else pairs - 1)


def _worst(subject: str, tasks: Sequence[TaskComparison], df: float) -> Signature:
    harmed = [task for task in tasks if task.p_harm_holm < LEVEL]
    worst = min(harmed or tasks, key=lambda task: task.delta)
    interval = _chosen(worst, len(tasks), df)
    return Signature(
        name="task_degradation",
        subject=subject,
        value=worst.candidate,
        interval=interval,
        items=sum(task.items for task in tasks),
        sentence=_sentence(subject, tasks, worst, interval),
        higher_is_worse=False,
        baseline=worst.baseline,
        delta=worst.delta,
        p_worse=min(task.p_harm_holm for task in tasks),
        tasks=tuple(task.task for task in tasks),
    )


def _chosen(task: TaskComparison, tasks: int, df: float) -> Interval:
    """The task's interval widened to hold for all tasks at once (Bonferroni), since it was chosen for its value."""
    levels = (1 - 0.025 / tasks, 0.975)
    wide, plain = (t_quantile(level, df) if math.isfinite(df) else _NORMAL.inv_cdf(level) for level in levels)
    stretch = wide / plain
    low, high = task.interval
    return max(-1.0, task.delta - stretch * (task.delta - low)), min(1.0, task.delta + stretch * (high - task.delta))


def _sentence(subject: str, tasks: Sequence[TaskComparison], worst: TaskComparison, interval: Interval) -> str:
    harmed = sum(task.p_harm_holm < LEVEL for task in tasks)
    naive = sum(task.p_harm < LEVEL for task in tasks)
    count = plural(len(tasks), "task")
    found = f"{harmed} of {count} {'is' if harmed == 1 else 'are'} harmed after Holm's correction"
    if worst.delta >= 0:
        return f"{subject}: {found}; none of them fell."
    return (
        f"{subject}: {found} ({naive} would be named without it). The largest fall is {signed(worst.delta)} points in "
        f"{worst.task}, {percent(worst.candidate)} against {percent(worst.baseline)} (interval {signed(interval[0])} "
        f"to {signed(interval[1])}, at 95 % for all {count} together)."
    )
