"""What a run scores on the items that its training data does not hold, against its score on all of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.contamination.against import Overlap, TaskOverlap
from harness.contamination.tally import HEADLINE
from harness.errors import RunRecordError
from harness.metrics.folds import FOLDS, LOWER_IS_BETTER, Fold, influence
from harness.nouns import Interval, Run
from harness.stats.intervals import Array
from harness.stats.paired import Paired, linearised
from harness.stats.subset import subset_influence
from harness.store import Columns, read_columns

FEWEST_CLEAN = 30
"""Clean items below which nothing is said of a task: the interval of a difference would be too narrow."""

_MARGIN = 0.02  # only there because the test wants one: nothing is tested for non-inferiority here

Flags = npt.NDArray[np.bool_]
Clusters = npt.NDArray[np.object_] | None
Differ = Callable[[Fold, tuple[Array, Array], Clusters, float], Paired]
"""Compares the counts of candidate and baseline by a fold; comparing is another verb's work, so it is handed in."""


@dataclass(frozen=True, slots=True)
class Change:
    """A difference of scores.

    Attributes:
        delta: The difference.
        interval: Its 95 % interval.
        standard_error: Its standard error; 0 where there is no difference by construction.
    """

    delta: float
    interval: Interval
    standard_error: float


NONE = Change(0.0, (0.0, 0.0), 0.0)
"""The difference between a score and itself: no item is touched."""


@dataclass(frozen=True, slots=True)
class Scores:
    """One run.

    Attributes:
        full: Score on all items.
        clean: Score on the clean ones.
        touched: Score on the touched ones; None where it is undefined.
        change: clean - full.
    """

    full: float
    clean: float
    touched: float | None
    change: Change


@dataclass(frozen=True, slots=True)
class Gain:
    """A candidate against a baseline.

    Attributes:
        full: candidate - baseline on all items.
        clean: candidate - baseline on the clean ones.
        change: What of the gain is lost without touched items: ``clean - full``.
    """

    full: Change
    clean: Change
    change: Change


@dataclass(frozen=True, slots=True)
class Contrast:
    """A task or a suite on clean items against all items.

    Attributes:
        name: Task or suite.
        metric: Headline metric of a task; empty for a suite.
        items: Items that are compared, those without any count (nothing to find, nothing found) among them.
        touched: Those of them that are touched.
        lower_is_better: Whether less is better.
        candidate: The run.
        baseline: The run that it is held against, if any.
        gain: The difference of the two, if there are two.
    """

    name: str
    metric: str
    items: int
    touched: int
    lower_is_better: bool
    candidate: Scores
    baseline: Scores | None = None
    gain: Gain | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One task of one run, by row number of its items.

    Attributes:
        docs: Row numbers (n,), ascending.
        counts: Counts of the headline metric (n, k).
        clusters: Cluster of each item (n,); None where items are independent.
        missing: Items of the record that are not those of the data at hand, or have no value.
    """

    docs: npt.NDArray[np.int64]
    counts: Array
    clusters: Clusters
    missing: int


def contrasts(
    overlap: Overlap, runs: Sequence[Run], differ: Differ
) -> tuple[tuple[Contrast, ...], tuple[tuple[str, str], ...]]:
    """Every task of the overlap that the runs have scored, and the tasks of which nothing can be said, with the reason.

    Args:
        overlap: What the training data holds.
        runs: The candidate, and the baseline if there is one.
        differ: Compares candidate and baseline.

    Raises:
        RunRecordError: A record is damaged, or none of the tasks was scored.
    """
    entries = [{entry["name"]: entry for entry in run.manifest["tasks"]} for run in runs]
    scored = [task for task in overlap.tasks if all(task.task in known for known in entries)]
    if not scored:
        which = " and ".join(f"{run.id[:12]}" for run in runs)
        reason = f"scored no task of {', '.join(overlap.suites)} whose data is on this machine"
        raise RunRecordError(f"Run {which}", reason, "name the suites that it was scored on with --suite")
    found, silent = [], []
    for task in scored:
        one = _contrast(task, [(run, known[task.task]) for run, known in zip(runs, entries, strict=True)], differ)
        if isinstance(one, Contrast):
            found.append(one)
        else:
            silent.append((task.task, one))
    return tuple(found), tuple(silent)


def read_side(run: Run, entry: Mapping[str, Any], task: TaskOverlap) -> Side:
    """The items of a run that are items of the data at hand, by row number and id.

    Raises:
        RunRecordError: The record is damaged.
    """
    metric = entry["metric"]
    columns = read_columns(run, task.task, [metric])
    known = np.array([0 <= doc < task.items and task.ids[doc] == item for doc, item in _items(columns)], dtype=bool)
    counts = columns.counts.get(metric, np.full((len(columns.items), 1), np.nan))
    usable = known & ~columns.failed & ~np.isnan(counts[:, 0])
    clusters = columns.clusters[usable] if columns.clusters is not None and entry["unit"] != "item" else None
    if clusters is not None:
        own = [
            item if cluster is None else cluster for cluster, item in zip(clusters, columns.items[usable], strict=True)
        ]
        clusters = np.array([*own, None], dtype=object)[:-1]
    return Side(columns.doc_ids[usable], counts[usable], clusters, int(np.count_nonzero(~usable)))


def _items(columns: Columns) -> Iterator[tuple[int, str]]:
    return zip(columns.doc_ids.tolist(), columns.items, strict=True)


def _contrast(task: TaskOverlap, runs: Sequence[tuple[Run, Mapping[str, Any]]], differ: Differ) -> Contrast | str:
    entry = runs[0][1]
    fold = FOLDS[entry["folds"][entry["metric"]]]
    if any(
        FOLDS[other["folds"][other["metric"]]] is not fold or other["metric"] != entry["metric"] for _, other in runs
    ):
        return "the runs score it by different metrics"
    sides = [read_side(run, one, task) for run, one in runs]
    docs = sides[0].docs if len(sides) == 1 else np.intersect1d(sides[0].docs, sides[1].docs)
    counts = [side.counts[np.isin(side.docs, docs)] for side in sides]
    told = np.any([one.any(axis=1) for one in counts], axis=0) if len(docs) else np.zeros(0, dtype=bool)
    clusters = None if sides[0].clusters is None else sides[0].clusters[np.isin(sides[0].docs, docs)][told]
    seen = np.isin(docs, np.fromiter(task.touched[HEADLINE], np.int64))
    touched = seen[told]
    if not len(docs):
        return f"no item of the record is one of the data at hand ({sides[0].missing:,} are others or have no value)"
    if why := _why_silent(touched, [(fold, one[told], touched) for one in counts]):
        return why
    scores = [scores_of(fold, one[told], touched, clusters) for one in counts]
    pair = (counts[0][told], counts[-1][told])
    return Contrast(
        task.task, entry["metric"], len(seen), int(seen.sum()), fold.name in LOWER_IS_BETTER, scores[0],
        scores[1] if len(runs) > 1 else None,
        gain_of(fold, pair, touched, clusters, differ) if len(runs) > 1 else None,
    )  # fmt: skip


def _why_silent(touched: Flags, sides: Sequence[tuple[Fold, Array, Flags]]) -> str:
    """Why nothing is said of a task; empty where something is."""
    clean = len(touched) - int(touched.sum())
    if not len(touched):
        return "its items have nothing to find, and nothing was found in them"
    if touched.any() and clean < FEWEST_CLEAN:
        return f"only {clean:,} of {len(touched):,} items are clean, and at least {FEWEST_CLEAN} are needed"
    undefined = any(_score(fold, counts[~flags]) is None for fold, counts, flags in sides)
    return "its score on the clean items is undefined" if undefined else ""


def _score(fold: Fold, counts: Array) -> float | None:
    score = fold.score(counts.sum(axis=0)) if len(counts) else None
    return score if score is not None and math.isfinite(score) else None


def scores_of(fold: Fold, counts: Array, touched: Flags, clusters: Clusters) -> Scores:
    """One run's scores on all, clean and touched items, and the difference of the first two.

    Args:
        fold: The fold.
        counts: Counts (n, k), none of them all 0.
        touched: Which items are touched (n,).
        clusters: Cluster of each item (n,), or None.
    """
    full, clean = fold.score(counts.sum(axis=0)), fold.score(counts[~touched].sum(axis=0))
    if full is None or clean is None:
        raise ValueError(f"{fold.name} is undefined")
    if not touched.any():
        return Scores(full, clean, None, NONE)
    pull = subset_influence(influence(fold, counts), influence(fold, counts[~touched]), ~touched)
    change = _change(linearised(clean - full, pull, _MARGIN, clusters, _span(fold, full, clean)))
    return Scores(full, clean, _score(fold, counts[touched]), change)


def gain_of(fold: Fold, pair: tuple[Array, Array], touched: Flags, clusters: Clusters, differ: Differ) -> Gain:
    """Candidate minus baseline on all and on clean items, and the difference of the two differences.

    Args:
        fold: The fold.
        pair: Counts (n, k) of candidate and baseline, row i the same item.
        touched: Which items are touched (n,).
        clusters: Cluster of each item (n,), or None.
        differ: Compares candidate and baseline.
    """
    whole = _change(differ(fold, pair, clusters, _MARGIN))
    if not touched.any():
        return Gain(whole, whole, NONE)
    kept = (pair[0][~touched], pair[1][~touched])
    clean = _change(differ(fold, kept, None if clusters is None else clusters[~touched], _MARGIN))
    everywhere = influence(fold, pair[0]) - influence(fold, pair[1])
    pull = subset_influence(everywhere, influence(fold, kept[0]) - influence(fold, kept[1]), ~touched)
    span = _span(fold, *(fold.score(counts.sum(axis=0)) or 0.0 for counts in pair))
    return Gain(whole, clean, _change(linearised(clean.delta - whole.delta, pull, _MARGIN, clusters, span)))


def _span(fold: Fold, *scores: float) -> float:
    """Largest change that an item can show: 1, or infinity for scores that are not in [0, 1]."""
    return math.inf if fold.name in LOWER_IS_BETTER or max(scores) > 1 else 1.0


def _change(paired: Paired) -> Change:
    return Change(paired.estimate, paired.interval, paired.standard_error)
