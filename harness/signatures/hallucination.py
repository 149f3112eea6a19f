"""Hallucinated spans: predicted spans that do not occur in their document, above the gold spans that do not either.

The gold floor matters: annotations that were normalised or corrected are not in the text, and a model that has learned
them is right. Definition: docs/signatures.md; levels of grounding: ``harness.metrics.grounding``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from harness.nouns import Comparison, RateComparison, Run, Signature, TaskComparison
from harness.show import percent, plural, signed
from harness.signatures.words import above, evidence
from harness.stats.estimates import nothing, ratio
from harness.store import Columns, read_columns

LEVELS = {"hallucinated_spans": "hallucinated_exact", "hallucinated_spans_normalised": "hallucinated_normalised"}
"""Health rate of each sign; the gold's own rate has ``gold_`` before it."""

_WHERE = {
    "hallucinated_spans": "do not occur in their text",
    "hallucinated_spans_normalised": "do not occur in their text, case and spacing aside",
}


def hallucinations(run: Run) -> Iterator[Signature]:
    """The signs of every task that predicts spans."""
    for entry in run.manifest["tasks"]:
        if LEVELS["hallucinated_spans"] in entry["folds"]:
            rates = [rate for level in LEVELS.values() for rate in (level, f"gold_{level}")]
            columns = read_columns(run, entry["name"], rates)
            yield from (sign for name in LEVELS if (sign := _of_task(name, entry, columns)) is not None)


def hallucination_changes(comparison: Comparison) -> Iterator[Signature]:
    """The signs of a comparison. On the same documents the floor is the same: it cancels in the change."""
    for task in comparison.tasks:
        rates = {rate.rate: rate for rate in task.rates}
        for name, level in LEVELS.items():
            if level in rates:
                floor = rates.get(f"gold_{level}")
                yield _change(name, task, rates[level], 0.0 if floor is None else floor.candidate)


def _of_task(name: str, entry: Mapping[str, Any], columns: Columns) -> Signature | None:
    """The excess on the documents for which spans are predicted: the others are no evidence of it."""
    predicted, gold = (columns.counts.get(rate) for rate in (LEVELS[name], f"gold_{LEVELS[name]}"))
    if predicted is None:
        return None
    gold = np.zeros_like(predicted) if gold is None else gold
    told = predicted[:, 1] > 0  # NaN, where a document failed, is not
    clusters = columns.clusters[told] if entry["unit"] != "item" and columns.clusters is not None else None
    rate, floor = ratio(predicted[told], clusters), ratio(gold[told], clusters)
    if rate is None:
        return None
    excess = rate.minus(nothing(int(told.sum()), clusters) if floor is None else floor)
    spans = int(predicted[told][:, 1].sum())
    return Signature(
        name=name,
        subject=entry["name"],
        value=excess.value,
        interval=excess.interval,
        items=int(told.sum()),
        sentence=(
            f"{entry['name']}: {percent(rate.value)} % of {plural(spans, 'predicted span')} {_WHERE[name]}, against "
            f"{percent(rate.value - excess.value)} % of the gold spans: {above(excess.value)} that floor "
            f"{evidence(excess.interval, int(told.sum()))}."
        ),
        p_worse=excess.tested().p_improve,
        tasks=(entry["name"],),
    )


def _change(name: str, task: TaskComparison, rate: RateComparison, floor: float) -> Signature:
    return Signature(
        name=name,
        subject=task.task,
        value=rate.candidate - floor,
        interval=rate.interval,
        items=rate.items,
        sentence=(
            f"{task.task}: {percent(rate.candidate)} % of the candidate's predicted spans {_WHERE[name]}, "
            f"{percent(rate.baseline)} % of the baseline's ({percent(floor)} % of the gold's): {signed(rate.delta)} "
            f"points {evidence(rate.interval, rate.items)}."
        ),
        baseline=rate.baseline - floor,
        delta=rate.delta,
        p_worse=rate.p_worse,
        tasks=(task.task,),
    )
