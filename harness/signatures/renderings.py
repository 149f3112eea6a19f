"""Format consistency: whether a model answers alike, and rightly, however the same document is asked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

import numpy as np

from harness.metrics.agreement import agreement, facts_of
from harness.metrics.folds import FOLDS, Fold, influence
from harness.show import percent, plural
from harness.signatures.groups import Asked
from harness.signatures.measures import Measure
from harness.stats.estimates import Estimate, Mask, ratio
from harness.stats.intervals import Array
from harness.stats.spread import p_of_range, range_interval, range_under_null

KINDS: Mapping[str, str] = {"format": "formats", "phrasing": "phrasings"}
"""Kinds of probes whose variants ask for the same answer, and what the variants are called."""

OTHER_FORMAT = "other_format"
"""Health rate of a probe, and the sign that gathers it over the formats."""

CORRECT = "correct"
"""Metric of a probe that is 1 where the answer equals the gold."""


def consistency(asked: Asked) -> Iterator[Measure]:
    """Agreement, all-correct rate and range over the variants of a group; nothing for other kinds or one variant."""
    group = asked.group
    if group.kind in KINDS and len(group.entries) > 1:
        yield from filter(None, (_agreement(asked), _all_correct(asked), _range(asked), _other_format(asked)))


def _agreement(asked: Asked) -> Measure | None:
    group = asked.group
    answers = [[facts_of(told) for told in asked.predictions(variant)] for variant in group.entries]
    counts = [agreement(each) for each in zip(*answers, strict=True)]
    estimate = ratio(np.array(counts, dtype=np.float64), asked.clusters)
    if estimate is None:
        return None
    silent = len(asked.docs) - estimate.documents
    note = f" {plural(silent, 'more document')} got no answer in any of them." if silent else ""
    says = f"{{}} agreement between the answers to {len(group.entries)} {KINDS[group.kind]} of a document"
    return Measure(f"{group.kind}_consistency", group.of, group.tasks, estimate, says, note)


def _other_format(asked: Asked) -> Measure | None:
    group, counts = asked.group, asked.summed(OTHER_FORMAT)
    estimate = None if counts is None else ratio(counts, asked.clusters)
    if counts is None or estimate is None or group.kind != "format":
        return None
    says = "{} of the answers come in another format than the one that was asked for"
    detail = f" {plural(int(counts[:, 1].sum()), 'answer')} in all."
    return Measure(OTHER_FORMAT, group.of, group.tasks, estimate, says, detail)


def _all_correct(asked: Asked) -> Measure | None:
    group = asked.group
    tables = [asked.of(variant, CORRECT) for variant in group.entries]
    counts = [table for table in tables if table is not None]
    if len(counts) < len(tables):
        return None
    right = np.stack([table[:, 0] for table in counts], axis=1)
    told = np.all([table[:, 1] > 0 for table in counts], axis=0)
    joint = np.stack([right.min(axis=1) * told, told], axis=1).astype(np.float64)
    estimate = ratio(joint, asked.clusters)
    if estimate is None:
        return None
    says = f"{{}} of the documents are answered rightly in all {len(tables)} {KINDS[group.kind]}"
    single = percent(float(right[told].mean()))
    detail = f" In a single one {single} % are on average."
    return Measure(f"{group.kind}_all_correct", group.of, group.tasks, estimate, says, detail)


def _range(asked: Asked) -> Measure | None:
    found = scores_of(asked)
    if found is None:
        return None
    fold, counts, estimates = found
    values = np.array([each.value for each in estimates.values()])
    pulls = np.stack([each.influence for each in estimates.values()], axis=1)
    names, top, bottom = list(estimates), int(values.argmax()), int(values.argmin())
    value = float(values[top] - values[bottom])
    estimate = Estimate(value, pulls[:, top] - pulls[:, bottom], _told(counts.values()), asked.clusters)
    group = asked.group
    says = f"{{}} lie between the best and the worst of {len(names)} {KINDS[group.kind]}"
    detail = (
        f" Best {names[top]} {percent(values[top])}, worst {names[bottom]} {percent(values[bottom])}, standard "
        f"deviation {percent(float(values.std(ddof=1)))} points."
        if value
        else f" All score {percent(values[top])}."
    )

    def null() -> tuple[float, str]:
        ranges = range_under_null(np.stack(list(counts.values()), axis=1), fold.score, asked.clusters)
        usual = percent(float(np.median(ranges)))
        return p_of_range(value, ranges), f" Where the {group.kind} does not matter, {usual} points are usual."

    return Measure(
        f"{group.kind}_spread", group.of, group.tasks, estimate, says, detail,
        range_interval(values, pulls, asked.clusters), null,
    )  # fmt: skip


def scores_of(asked: Asked) -> tuple[Fold, dict[str, Array], dict[str, Estimate]] | None:
    """The headline of every variant: its fold, counts and scores; None where they differ in kind or are undefined."""
    entries = asked.group.entries
    folds = {entry["folds"][entry["metric"]] for entry in entries.values()}
    tables = {variant: asked.of(variant, entry["metric"]) for variant, entry in entries.items()}
    counts = {variant: table for variant, table in tables.items() if table is not None}
    if len(folds) > 1 or len(counts) < len(tables) or len({table.shape for table in counts.values()}) > 1:
        return None
    fold = FOLDS[folds.pop()]
    scores = {variant: fold.score(table.sum(axis=0)) for variant, table in counts.items()}
    estimates = {
        variant: Estimate(score, influence(fold, counts[variant]), _told([counts[variant]]), asked.clusters)
        for variant, score in scores.items()
        if score is not None
    }
    return (fold, counts, estimates) if len(estimates) == len(entries) else None


def _told(tables: Iterable[Array]) -> Mask:
    """Documents for which any of the tables counts anything (n,)."""
    told: Mask = np.logical_or.reduce([table.any(axis=1) for table in tables])
    return told
