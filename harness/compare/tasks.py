"""One task in two runs: which test its counts call for, and what the test says.

- 0/1 outcomes of independent items: exact McNemar for harm and improvement, Tango's score test and interval
- numbers per item, and 0/1 outcomes in clusters: t, over clusters where the task's unit names one
- every other fold (F1, perplexity): t on the difference of the linearised influences, likewise
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.compare.align import Aligned, Array
from harness.metrics.folds import FOLDS, LOWER_IS_BETTER, Fold, influence
from harness.nouns import RateComparison, TaskComparison
from harness.scores import ENGINE_RATES, HEALTH
from harness.stats.paired import Paired, binary, continuous, linearised

RATE_MARGIN = 0.02
"""Only there because the test wants one: a health rate is tested for "higher", not for non-inferiority."""


class UndefinedScoreError(ValueError):
    """A fold that is 0/0 or infinite on the paired items of one run; the message says whose."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What the paired counts of one metric show.

    Attributes:
        candidate: Score of the candidate.
        baseline: Score of the baseline.
        paired: The difference and its tests; positive is candidate above baseline.
        losses: 0/1 items that the candidate lost; None where outcomes are not 0/1.
        gains: Likewise won.
        method: Test used.
    """

    candidate: float
    baseline: float
    paired: Paired
    losses: int | None
    gains: int | None
    method: str


def metrics_of(entry: Mapping[str, Any]) -> list[str]:
    """Counts that the comparison of a task reads: its headline metric and its health rates."""
    rates = sorted({name for name in entry["folds"] if name in HEALTH} | set(ENGINE_RATES))
    return [entry["metric"], *(name for name in rates if name != entry["metric"])]


def compare_task(entry: Mapping[str, Any], aligned: Aligned, margin: float) -> TaskComparison:
    """Compare one task; its Holm-adjusted p-values are those of a family of one.

    Args:
        entry: The task as the manifest has it.
        aligned: Its paired items, at least one.
        margin: Non-inferiority margin.

    Raises:
        UndefinedScoreError: A score is undefined on the paired items.
    """
    metric = entry["metric"]
    fold = FOLDS[entry["folds"][metric]]
    found = difference(fold, (aligned.candidate[metric], aligned.baseline[metric]), aligned.clusters, margin)
    items, flips = len(aligned.doc_ids[0]), None if found.losses is None else found.losses + (found.gains or 0)
    return TaskComparison(
        task=entry["name"],
        family=entry["family"],
        metric=metric,
        fold=fold.name,
        baseline=found.baseline,
        candidate=found.candidate,
        delta=found.paired.estimate,
        interval=found.paired.interval,
        standard_error=found.paired.standard_error,
        items=items,
        clusters=None if aligned.clusters is None else len(set(aligned.clusters)),
        dropped=aligned.dropped,
        discordance=None if flips is None else flips / items,
        losses=found.losses,
        gains=found.gains,
        p_harm=found.paired.p_harm,
        p_harm_holm=found.paired.p_harm,
        p_improve=found.paired.p_improve,
        p_improve_holm=found.paired.p_improve,
        p_noninferior=found.paired.p_noninferior,
        margin=margin,
        chance=entry["chance"],
        method=found.method,
        rates=tuple(_rates(entry, aligned)),
    )


def one_sided_rates(entry: Mapping[str, Any], aligned: Aligned) -> list[str]:
    """Health rates that only one of the runs tells, so that they cannot be compared."""
    return [name for name in metrics_of(entry)[1:] if (name in aligned.candidate) != (name in aligned.baseline)]


def difference(
    fold: Fold, counts: tuple[Array, Array], clusters: npt.NDArray[np.object_] | None, margin: float
) -> Difference:
    """Test the difference of one metric, with harm on the side that is worse for its fold.

    Args:
        fold: The fold.
        counts: Counts (n, k) of candidate and baseline, row i the same item.
        clusters: Cluster of each item (n,), or None.
        margin: Non-inferiority margin.

    Raises:
        UndefinedScoreError: A score is undefined.
    """
    told = counts[0].any(axis=1) | counts[1].any(axis=1)  # no counts in either run: the item says nothing here
    ours, theirs = counts[0][told], counts[1][told]
    groups = None if clusters is None else clusters[told]
    scores = _score(fold, ours, "candidate"), _score(fold, theirs, "baseline")
    if fold.name in LOWER_IS_BETTER:
        paired = linearised(scores[1] - scores[0], influence(fold, theirs) - influence(fold, ours), margin, groups,
                            span=math.inf)  # fmt: skip
        return Difference(*scores, _mirrored(paired), None, None, _method("linearised", groups))
    if fold.name == "mean" and bool(np.all(ours[:, 1] == 1) and np.all(theirs[:, 1] == 1)):
        return _of_means(scores, (ours[:, 0], theirs[:, 0]), groups, margin)
    pull = influence(fold, ours) - influence(fold, theirs)
    paired = linearised(scores[0] - scores[1], pull, margin, groups)
    return Difference(*scores, paired, None, None, _method("linearised", groups))


def changes(fold: Fold, ours: Array, theirs: Array) -> Array:
    """How far each item moved (n,), positive where the candidate did better: the terms whose mean is the delta.

    Args:
        fold: The fold.
        ours: Counts of the candidate (n, k).
        theirs: Counts of the baseline (n, k).
    """
    if fold.name == "mean" and bool(np.all(ours[:, 1] == 1) and np.all(theirs[:, 1] == 1)):
        return np.asarray(ours[:, 0] - theirs[:, 0])
    pull = influence(fold, ours) - influence(fold, theirs)
    return -pull if fold.name in LOWER_IS_BETTER else pull


def _of_means(
    scores: tuple[float, float],
    values: tuple[Array, Array],
    clusters: npt.NDArray[np.object_] | None,
    margin: float,
) -> Difference:
    d = values[0] - values[1]
    losses = gains = None
    if all(bool(np.isin(side, (0.0, 1.0)).all()) for side in values):
        losses, gains = int(np.count_nonzero(d < 0)), int(np.count_nonzero(d > 0))
        if clusters is None:
            return Difference(*scores, binary(losses, gains, len(d), margin), losses, gains, "mcnemar+tango")
    if bool(np.abs(d).max() <= 1):
        paired = continuous(d, margin, clusters)
    else:  # a stock metric on a scale of its own, such as 0 to 100
        paired = linearised(float(d.mean()), d - d.mean(), margin, clusters, span=math.inf)
    return Difference(*scores, paired, losses, gains, _method("t", clusters))


def _score(fold: Fold, counts: Array, role: str) -> float:
    score = fold.score(counts.sum(axis=0)) if len(counts) else None
    if score is None or not math.isfinite(score):
        raise UndefinedScoreError(f"{fold.name} is undefined on the paired items of the {role}")
    return score


def _rates(entry: Mapping[str, Any], aligned: Aligned) -> Iterator[RateComparison]:
    for name in metrics_of(entry)[1:]:
        ours, theirs = aligned.candidate.get(name), aligned.baseline.get(name)
        if ours is None or theirs is None or ours.shape != theirs.shape:
            continue
        known = ~(np.isnan(ours[:, 0]) | np.isnan(theirs[:, 0]))
        fold = FOLDS[entry["folds"].get(name, "mean")]
        if not any(fold.score(side[known].sum(axis=0)) is None for side in (ours, theirs)):
            yield _rate(name, fold, (ours[known], theirs[known]), None if aligned.clusters is None
                        else aligned.clusters[known])  # fmt: skip


def _rate(
    name: str, fold: Fold, counts: tuple[Array, Array], clusters: npt.NDArray[np.object_] | None
) -> RateComparison:
    told = counts[0].any(axis=1) | counts[1].any(axis=1)  # a rate of spans learns nothing where neither run wrote one
    ours, theirs = (side[told] for side in counts)
    clusters = None if clusters is None else clusters[told]
    rates = _score(fold, ours, "candidate"), _score(fold, theirs, "baseline")
    pull = influence(fold, ours) - influence(fold, theirs)
    paired = linearised(rates[0] - rates[1], pull, RATE_MARGIN, clusters)
    return RateComparison(
        name, rates[1], rates[0], paired.estimate, paired.interval, p_worse=paired.p_improve, items=len(ours)
    )


def _mirrored(paired: Paired) -> Paired:
    low, high = paired.interval
    return replace(paired, estimate=-paired.estimate, interval=(-high, -low))


def _method(name: str, clusters: npt.NDArray[np.object_] | None) -> str:
    return name if clusters is None else f"{name}/clusters"
