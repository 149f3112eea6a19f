"""The range over renderings: its null by full enumeration, its p-value, and bounds that hold for the extreme pair."""

from __future__ import annotations

from itertools import permutations, product

import numpy as np
import pytest

from harness.metrics.folds import mean, micro_f1
from harness.stats.spread import PERMUTATIONS, p_of_range, range_interval, range_under_null, score_range

RNG = np.random.default_rng(5)


def every_range(counts: np.ndarray) -> list[float]:
    """Ranges of all ways in which the renderings of each document can change places."""
    places = list(permutations(range(counts.shape[1])))
    return [
        score_range(sum(table[list(order)] for table, order in zip(counts, orders, strict=True)), micro_f1.score)
        for orders in product(places, repeat=len(counts))
    ]


@pytest.mark.parametrize("clusters", [None, ["a", "a", "b", "c", "c"]])
def test_the_null_is_that_of_all_permutations(clusters: list[str] | None) -> None:
    """Share of ranges that reach the observed one: drawn and enumerated agree within the error of drawing."""
    counts = RNG.integers(0, 3, (5, 3, 3)).astype(float)
    observed = score_range(counts.sum(axis=0), micro_f1.score)
    units = counts if clusters is None else np.stack([counts[:2].sum(0), counts[2], counts[3:].sum(0)])
    exact = np.mean(np.array(every_range(units)) >= observed - 1e-12)
    drawn = p_of_range(observed, range_under_null(counts, micro_f1.score, clusters))
    assert drawn == pytest.approx(exact, abs=4 * np.sqrt(exact * (1 - exact) / PERMUTATIONS) + 1e-3)


def test_the_null_is_seeded() -> None:
    """The same counts give the same p-value on every machine and in every order of calls."""
    counts = RNG.integers(0, 3, (20, 4, 3)).astype(float)
    assert np.array_equal(range_under_null(counts, micro_f1.score), range_under_null(counts, micro_f1.score))


def test_a_p_value_is_never_zero() -> None:
    """(b + 1) / (m + 1): a range that no permutation reaches still has a p-value; ties count as reached."""
    assert p_of_range(0.5, np.zeros(PERMUTATIONS)) == 1 / (PERMUTATIONS + 1)
    assert p_of_range(0.25, np.full(3, 0.25)) == 1.0


def test_bounds_hold_the_observed_range() -> None:
    """The range lies between its bounds; two renderings give the t interval of their difference, folded at zero."""
    values = (RNG.random((60, 2)) < (0.8, 0.5)).astype(float)
    scores = values.mean(axis=0)
    low, high = range_interval(scores, values - scores)
    d = values[:, 0] - values[:, 1]
    half = 2.0009953780882688 * d.std(ddof=1) / np.sqrt(60)  # t quantile of 59 degrees of freedom
    assert (low, high) == (pytest.approx(abs(d.mean()) - half), pytest.approx(abs(d.mean()) + half))


def test_equal_renderings_have_no_certain_range() -> None:
    """Where no document differs the range is 0, and its upper bound is not."""
    values = np.repeat((RNG.random((40, 1)) < 0.5).astype(float), 3, axis=1)
    low, high = range_interval(values.mean(axis=0), values - values.mean(axis=0))
    assert low == 0.0
    assert 0.0 < high < 0.3
    assert range_interval(np.array([0.5, 0.5]), np.zeros((1, 2))) == (0.0, 1.0)


def test_a_range_of_rates_uses_the_mean() -> None:
    """Any fold serves: the range of two rates is the difference of their means."""
    table = np.array([[3.0, 4.0], [1.0, 4.0]])
    assert score_range(table, mean.score) == 0.5
