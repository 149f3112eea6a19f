"""The range of a score over several renderings of the same documents, and what of it is chance.

The largest of K noisy scores minus the smallest is never 0, and it grows with K: a range needs a null. Where the
rendering does not matter, a document's K answers may change places; so the range is held against the ranges that arise
when they do. FormatSpread: Sclar et al. 2024 (arXiv 2310.11324), which reports the range without such a null.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import combinations

import numpy as np
import numpy.typing as npt

from harness.stats.intervals import Array, Interval, mean_standard_error, t_quantile
from harness.stats.restricted import flat_interval, units_of

PERMUTATIONS = 1999
"""Random permutations of a null; the smallest p-value is 1 / 2000."""

_SEED = 2310_11324
_CELLS = 1 << 22
"""Numbers that are held at once."""

_ROUNDING = 1e-12

Score = Callable[[Array], float | None]


def score_range(totals: Array, score: Score) -> float:
    """Largest minus smallest score.

    Args:
        totals: Summed counts of each rendering (K, k).
        score: Summed counts (k,) to a score; None where it is undefined, which counts as 0 here.
    """
    scores = [score(total) or 0.0 for total in totals]
    return max(scores) - min(scores)


def range_under_null(counts: Array, score: Score, clusters: npt.ArrayLike | None = None) -> Array:
    """Ranges that arise where the renderings of each document change places at random; seeded.

    Args:
        counts: Counts per document and rendering (n, K, k).
        score: As in :func:`score_range`.
        clusters: Cluster of each document (n,); the documents of a cluster change places together.

    Returns:
        Ranges (PERMUTATIONS,).
    """
    units = _unit_sums(counts, clusters)
    rng = np.random.default_rng(_SEED)
    at_once = max(1, _CELLS // max(1, units.size))
    ranges: list[float] = []
    while len(ranges) < PERMUTATIONS:
        draws = min(at_once, PERMUTATIONS - len(ranges))
        order = rng.random((draws, *units.shape[:2])).argsort(axis=2)
        totals = np.take_along_axis(units[None], order[..., None], axis=2).sum(axis=1)
        ranges += [score_range(total, score) for total in totals]
    return np.array(ranges)


def p_of_range(observed: float, null: Array) -> float:
    """``(b + 1) / (m + 1)`` with b the number of the m null ranges that reach the observed one.

    Source:
        Phipson and Smyth 2010, Permutation p-values should never be zero.
    """
    reached = int(np.count_nonzero(null >= observed - _ROUNDING))
    return (reached + 1) / (len(null) + 1)


def range_interval(scores: Array, influences: Array, clusters: npt.ArrayLike | None = None) -> Interval:
    """Bounds of the range of the true scores that hold at 95 % or more, whichever renderings are the extreme ones.

    Every pair of renderings has a t interval at ``1 - 0.05 / pairs`` (Bonferroni). The true range is at least the
    largest lower end and at most the largest upper end.

    Args:
        scores: Score of each rendering (K,), in [0, 1].
        influences: Influences of the documents on each (n, K).
        clusters: Cluster of each document (n,), or None.
    """
    pairs = list(combinations(range(len(scores)), 2))
    low, high = 0.0, 0.0
    for one, other in pairs:
        pull = influences[:, one] - influences[:, other]
        least, most = _pair_interval(float(scores[one] - scores[other]), pull, clusters, 1 - 0.05 / len(pairs))
        low, high = max(low, least, -most), max(high, most, -least)
    return low, min(1.0, high)


def _pair_interval(distance: float, pull: Array, clusters: npt.ArrayLike | None, level: float) -> Interval:
    error, df = mean_standard_error(pull, clusters)
    if df and error > _ROUNDING:
        half = t_quantile(0.5 + level / 2, df) * error
        return distance - half, distance + half
    return flat_interval(units_of(distance + pull, clusters), level, span=1.0)


def _unit_sums(counts: Array, clusters: npt.ArrayLike | None) -> Array:
    if clusters is None:
        return counts
    _, index = np.unique(np.asarray(clusters), return_inverse=True)
    sums = np.zeros((int(index.max()) + 1, *counts.shape[1:]))
    np.add.at(sums, index, counts)
    return sums
