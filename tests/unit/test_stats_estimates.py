"""Linear measures: their intervals and tests against scipy, closed forms and a bootstrap over documents."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from harness.metrics.folds import influence, micro_f1
from harness.stats.estimates import Estimate, mean_of, nothing, ratio

RNG = np.random.default_rng(11)


def f1_of(counts: np.ndarray, clusters: np.ndarray | None = None) -> Estimate:
    """The micro-F1 of counts as an estimate."""
    score = micro_f1.score(counts.sum(axis=0))
    assert score is not None
    return Estimate(score, influence(micro_f1, counts), counts.any(axis=1), clusters)


def test_independent_outcomes_get_wilsons_interval() -> None:
    """A share of 0/1 documents has the interval that scipy gives."""
    found = ratio(np.array([[1.0, 1.0]] * 7 + [[0.0, 1.0]] * 13 + [[0.0, 0.0]] * 5))
    assert found is not None
    direct = stats.binomtest(7, 20).proportion_ci(method="wilson")
    assert (found.value, found.documents) == (0.35, 20)
    assert found.interval == (pytest.approx(direct.low), pytest.approx(direct.high))


def test_a_difference_of_rates_is_a_paired_t_test() -> None:
    """Interval and one-sided p-values of two 0/1 rates on the same documents are scipy's."""
    ours, theirs = (RNG.random(80) < 0.6).astype(float), (RNG.random(80) < 0.5).astype(float)
    sides = [ratio(np.stack([x, np.ones(80)], axis=1)) for x in (ours, theirs)]
    assert sides[0] is not None
    assert sides[1] is not None
    found = sides[0].minus(sides[1]).tested()
    direct = stats.ttest_rel(ours, theirs, alternative="greater")
    low, high = stats.ttest_rel(ours, theirs).confidence_interval()
    assert (found.p_improve, found.interval) == (
        pytest.approx(direct.pvalue),
        (pytest.approx(low), pytest.approx(high)),
    )


def test_documents_that_are_not_counted_are_no_evidence() -> None:
    """Rows without counts change neither the interval nor the test."""
    counts = np.stack([RNG.integers(0, 2, 30), np.ones(30)], axis=1).astype(float)
    padded = np.vstack([counts, np.zeros((20, 2))])
    one, other = ratio(counts), ratio(padded)
    assert one is not None
    assert other is not None
    assert one.interval == pytest.approx(other.interval)
    first, second = one.minus(nothing(30)).tested(), other.minus(nothing(50)).tested()
    assert (first.interval, first.p_improve) == (pytest.approx(second.interval), pytest.approx(second.p_improve))


def test_nothing_counted_is_no_rate() -> None:
    """0/0 is absent."""
    assert ratio(np.zeros((4, 2))) is None


def test_difference_in_differences_agrees_with_a_bootstrap_over_documents() -> None:
    """The standard error of [seen - held out] of two systems in micro-F1 is that of resampled documents."""
    n, renderings = 150, 4
    ease = RNG.random(n)
    base = np.stack([counted(RNG, 0.4 + 0.3 * ease) for _ in range(renderings)])
    tuned = np.stack([counted(RNG, 0.6 + 0.3 * ease) for _ in range(2)] + [counted(RNG, 0.45 + 0.3 * ease)] * 2)

    def gap(counts: np.ndarray) -> Estimate:
        scores = [f1_of(table) for table in counts]
        return mean_of(scores[:2]).minus(mean_of(scores[2:]))

    found = gap(tuned).minus(gap(base))
    draws = []
    for _ in range(2000):
        weights = RNG.multinomial(n, np.full(n, 1 / n))
        folded = [[micro_f1.score(weights @ table) or 0.0 for table in system] for system in (tuned, base)]
        ours, theirs = (np.mean(scores[:2]) - np.mean(scores[2:]) for scores in folded)
        draws.append(ours - theirs)
    assert found.tested().standard_error == pytest.approx(np.std(draws), rel=0.1)
    assert found.tested().interval == pytest.approx(np.quantile(draws, [0.025, 0.975]), abs=0.015)


def test_clusters_are_the_units() -> None:
    """Documents repeated as a cluster give the interval of the documents alone."""
    counts = np.stack([RNG.random(40), np.ones(40)], axis=1)
    names = np.array([f"passage {i}" for i in range(40)], dtype=object)
    once, thrice = ratio(counts), ratio(np.repeat(counts, 3, axis=0), np.repeat(names, 3))
    assert once is not None
    assert thrice is not None
    assert thrice.interval == pytest.approx(once.interval)


def counted(rng: np.random.Generator, p: np.ndarray) -> np.ndarray:
    """Counts (n, 3) of documents with four gold facts each, found with probability p."""
    found = rng.binomial(4, np.clip(p, 0, 1))
    return np.stack([found, rng.binomial(2, 0.3, len(p)), 4 - found], axis=1).astype(float)
