"""From counts to scores with intervals: what a task, a family and a suite have achieved.

Everything here is derived from records and can be derived again; nothing is measured.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.metrics.folds import FOLDS, Fold, influence
from harness.nouns import Interval, Limits, Record, Suite, SuiteScore, Task, TaskScore
from harness.stats.intervals import linear_interval, proportion_interval, stratified

HEALTH = frozenset(
    (
        "parse_failure", "repaired", "schema_violation", "absent_label", "duplicate", "off_list",
        "hallucinated_exact", "hallucinated_normalised", "hallucinated_near",
        "gold_hallucinated_exact", "gold_hallucinated_normalised", "gold_hallucinated_near",
        "not_in_context", "answered_unanswerable", "empty", "truncated_prompt", "truncated_output",
        "other_format", "rule_ignored", "unprompted_format", "repetition",
    )
)  # fmt: skip
"""Names that cards and the engine use for health rates (smaller is better); every other metric is a score."""

ENGINE_RATES = ("truncated_prompt", "empty", "truncated_output")
"""Rates that the engine adds to every task; their fold is the mean."""

Z_95 = 1.959963984540054


@dataclass(frozen=True)
class Tally:
    """Counts of one task as arrays, for folding.

    Attributes:
        items: Items with counts.
        failed: Items with an error.
        errors: Reasons of the failed items and how often each occurred.
        counts: Metric name to counts (items, k).
        clusters: Cluster of each item, or None where items are independent.
    """

    items: int
    failed: int
    errors: Mapping[str, int]
    counts: Mapping[str, np.ndarray]
    clusters: np.ndarray | None


def tally(records: Iterable[Record]) -> Tally:
    """Gather the records of one task, in any order."""
    columns: dict[str, list[tuple[float, ...]]] = {}
    clusters: list[str | None] = []
    errors: dict[str, int] = {}
    for record in records:
        if record.error is not None:
            errors[record.error] = errors.get(record.error, 0) + 1
            continue
        clusters.append(record.cluster)
        for name, counts in record.counts.items():
            columns.setdefault(name, []).append(tuple(counts))
    known = bool(clusters) and all(cluster is not None for cluster in clusters)
    return Tally(
        items=len(clusters),
        failed=sum(errors.values()),
        errors=errors,
        counts={name: np.asarray(rows, dtype=np.float64) for name, rows in columns.items()},
        clusters=np.unique(np.asarray(clusters, dtype=str), return_inverse=True)[1] if known else None,
    )


def task_score(task: Task, folds: Mapping[str, Fold], counted: Tally, seconds: float) -> TaskScore | None:
    """A task's score with its interval and health rates; None where no item gives the metric a value."""
    if task.metric not in counted.counts:
        return None
    fold = folds[task.metric]
    counts = counted.counts[task.metric]
    score = fold.score(counts.sum(axis=0))
    if score is None or not math.isfinite(score):
        return None
    return TaskScore(
        task=task.name,
        family=task.family,
        metric=task.metric,
        fold=fold.name,
        score=score,
        interval=interval(fold, counts, counted.clusters),
        chance=task.chance,
        items=counted.items,
        failed=counted.failed,
        metrics=_folded(counted, folds, lambda name: name not in HEALTH and name != task.metric),
        health=_folded(counted, folds, lambda name: name in HEALTH),
        seconds=seconds,
    )


def interval(fold: Fold, counts: np.ndarray, clusters: np.ndarray | None = None) -> Interval:
    """95 % interval of a folded score: Wilson for independent 0/1 items, linearised otherwise.

    Args:
        fold: The fold.
        counts: (n, k) counts per item.
        clusters: (n,) cluster numbers, or None.
    """
    counting = counts.any(axis=1)  # an item with no counts at all says nothing about this metric
    counts, clusters = counts[counting], None if clusters is None else clusters[counting]
    if fold.name == "mean" and clusters is None and _is_binary(counts):
        return proportion_interval(counts[:, 0])
    score = fold.score(counts.sum(axis=0))
    if score is None:
        raise ValueError(f"the fold {fold.name} is undefined on these counts")
    support = (0.0, 1.0) if fold.name in ("mean", "micro_f1", "macro_f1") else (0.0, math.inf)
    return linear_interval(score, influence(fold, counts), clusters, support=support)


def suite_score(suite: Suite, scores: Sequence[TaskScore]) -> SuiteScore | None:
    """A suite's headline: the mean of its family means; None unless every task has a score.

    Items are resampled within tasks: the variance is the weighted sum of the tasks' own variances.
    """
    by_task = {score.task: score for score in scores}
    families: dict[str, list[TaskScore]] = {}
    for task in suite.tasks:
        if task.name not in by_task:
            return None
        families.setdefault(task.family, []).append(by_task[task.name])
    values, errors, weights, means = [], [], [], {}
    for family, members in families.items():
        shares = _shares(members, pooled=family in suite.pooled)
        means[family] = sum(share * member.score for share, member in zip(shares, members, strict=True))
        for share, member in zip(shares, members, strict=True):
            values.append(member.score)
            errors.append((member.interval[1] - member.interval[0]) / (2 * Z_95))
            weights.append(share / len(families))
    score, error = stratified(np.array(values), np.array(errors), np.array(weights))
    ends = (max(0.0, score - Z_95 * error), min(1.0, score + Z_95 * error))
    return SuiteScore(suite.name, score, ends, means)


def broken_suite_limits(
    suites: Sequence[Suite], counted: Mapping[str, Tally], scores: Mapping[str, TaskScore]
) -> list[str]:
    """Why a run fails: every limit that is exceeded, and every task without a score; the first suite's limits hold.

    Args:
        suites: Suites of the run.
        counted: Tally by task name.
        scores: Task score by task name, where there is one.
    """
    limits: dict[str, Limits] = {task.name: suite.limits for suite in reversed(suites) for task in suite.tasks}
    reasons = []
    for name, limit in limits.items():
        health = scores[name].health if name in scores else {}
        broken = broken_limits(name, counted[name], health, limit)
        if name not in scores and not broken:
            broken = [f"{name}: no item gives its metric a value"]
        reasons.extend(broken)
    return reasons


def broken_limits(task: str, counted: Tally, health: Mapping[str, float], limits: Limits) -> list[str]:
    """Sentences for every limit of the suite that a task's shares exceed."""
    asked = counted.items + counted.failed
    if asked == 0:
        return [f"{task}: no item was scored"]
    shares = {
        "failed": counted.failed / asked,
        "empty": health.get("empty", 0.0),
        "truncated": health.get("truncated_prompt", 0.0),
        "unparseable": health.get("parse_failure", 0.0),
    }
    broken = []
    for name, share in shares.items():
        limit = getattr(limits, name)
        if share > limit:
            why = f" (most often: {max(counted.errors, key=counted.errors.__getitem__)})" if name == "failed" else ""
            broken.append(f"{task}: {share:.1%} of items {name}, limit {limit:.1%}{why}")
    return broken


def _shares(members: Sequence[TaskScore], pooled: bool) -> list[float]:
    total = sum(member.items for member in members)
    return [member.items / total if pooled else 1 / len(members) for member in members]


def _is_binary(counts: np.ndarray) -> bool:
    return bool(np.all(counts[:, 1] == 1) and np.all((counts[:, 0] == 0) | (counts[:, 0] == 1)))


def _folded(counted: Tally, folds: Mapping[str, Fold], wanted: Callable[[str], bool]) -> dict[str, float]:
    folded = {}
    for name, counts in counted.counts.items():
        fold = folds.get(name) or (FOLDS["mean"] if name in ENGINE_RATES else None)
        value = fold.score(counts.sum(axis=0)) if fold is not None and wanted(name) else None
        if value is not None and math.isfinite(value):
            folded[name] = value
    return folded
