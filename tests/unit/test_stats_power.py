"""Power and sizes against closed forms, published tables and simulation."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats as scipy_stats

from harness.stats.paired import binary
from harness.stats.power import (
    inflation,
    items_for_margin,
    items_for_mean,
    macro_error,
    mde,
    pairs_for_effect,
    power_all,
    power_from_error,
    power_harm,
    power_noninferior,
    power_seeds,
    provable_margin,
    resolution,
)

MDE_POINTS = {164: (4.89, 6.92, 8.47), 1000: (1.98, 2.80, 3.43), 1319: (1.72, 2.44, 2.99), 14042: (0.53, 0.75, 0.92)}
ITEMS = {
    0.01: ((3092, 4282), (6183, 8564), (9275, 12846)),
    0.02: ((773, 1071), (1546, 2141), (2319, 3212)),
    0.05: ((124, 172), (248, 343), (371, 514)),
}


@pytest.mark.parametrize("n", MDE_POINTS)
def test_smallest_effects_of_the_table(n: int) -> None:
    """The smallest effects at D = 5, 10, 15 % are those of the table in docs/statistics.md to .01 points."""
    assert [100 * mde(d, n) for d in (0.05, 0.10, 0.15)] == pytest.approx(MDE_POINTS[n], abs=0.0051)


@pytest.mark.parametrize("margin", ITEMS)
def test_items_of_the_table(margin: float) -> None:
    """6.18 D / M² and 8.56 D / M²: the closed form gives the table's items to one."""
    for d, expected in zip((0.05, 0.10, 0.15), ITEMS[margin], strict=True):
        assert [items_for_mean(d, margin, power) for power in (0.8, 0.9)] == pytest.approx(expected, abs=1)


def test_items_for_margin_deliver_their_power() -> None:
    """The items asked for have the power asked for, one item fewer has less; never fewer than the closed form."""
    for d in (0.01, 0.05, 0.1, 0.3):
        for margin in (0.005, 0.02, 0.05):
            for power in (0.5, 0.8, 0.95):
                n = items_for_margin(d, margin, power)
                assert power_noninferior(n, d, margin) >= power - 1e-9
                assert power_noninferior(n - 1, d, margin) < power
                assert n >= items_for_mean(d, margin, power)
                assert n <= 1.1 * items_for_mean(d, margin, power) or d < 3 * margin


def test_power_of_the_margin_is_what_the_test_delivers() -> None:
    """The formula is within 2 points of 4,000 simulated Tango tests for six designs."""
    rng = np.random.default_rng(0)
    for n, d, drop in ((200, 0.05, 0.0), (1000, 0.05, 0.0), (1000, 0.1, 0.0), (1000, 0.15, 0.0), (2141, 0.1, 0.0),
                       (3000, 0.1, 0.005)):  # fmt: skip
        counts = rng.multinomial(n, [(d + drop) / 2, (d - drop) / 2, 1 - d], 4_000)[:, :2]
        pairs, times = np.unique(counts, axis=0, return_counts=True)
        passed = sum(k for (lost, won), k in zip(pairs, times, strict=True)
                     if binary(int(lost), int(won), n, 0.02).p_noninferior <= 0.05)  # fmt: skip
        assert power_noninferior(n, d, 0.02, drop) == pytest.approx(passed / 4_000, abs=0.02)


@pytest.mark.parametrize(
    ("n", "d", "powers"),
    [(200, 0.05, (0.09, 0.23, 0.48, 0.97)), (1000, 0.1, (0.23, 0.60, 0.90, 1.0)), (14000, 0.15, (0.92, 1, 1, 1))],
)
def test_power_of_harm(n: int, d: float, powers: tuple[float, ...]) -> None:
    """Exact McNemar's power at drops of 1, 2, 3 and 5 points is the simulated table's to .01."""
    assert [power_harm(n, d, drop) for drop in (0.01, 0.02, 0.03, 0.05)] == pytest.approx(powers, abs=0.0101)


def test_power_of_harm_by_enumeration() -> None:
    """For 30 items it is the sum over all outcomes that McNemar rejects."""
    n, d, drop = 30, 0.4, 0.2
    total = 0.0
    for losses in range(n + 1):
        for gains in range(n + 1 - losses):
            if losses and scipy_stats.binomtest(losses, losses + gains, alternative="greater").pvalue <= 0.05:
                chances = [(d + drop) / 2, (d - drop) / 2, 1 - d]
                total += scipy_stats.multinomial.pmf([losses, gains, n - losses - gains], n, chances)
    assert power_harm(n, d, drop) == pytest.approx(total, abs=1e-9)


def test_power_of_harm_with_clusters() -> None:
    """The normal approximation is close to the exact power, and clusters lower it."""
    assert power_harm(14_000, 0.1, 0.01, inflation=1 + 1e-9) == pytest.approx(power_harm(14_000, 0.1, 0.01), abs=0.01)
    assert power_harm(14_000, 0.1, 0.01, inflation=1.5) < power_harm(14_000, 0.1, 0.01)


def test_macro_by_hand() -> None:
    """Ten tasks of 1,000 items at D = 10 %: error .1 point, power .935 at one point, product .0098 for all at once."""
    error = macro_error(np.full(10, 0.1), np.full(10, 1000))
    assert error == pytest.approx(math.sqrt(0.1 / 10_000))
    assert power_from_error(error, 0.01) == pytest.approx(0.935, abs=2e-3)
    assert power_from_error(error, 0.005) == pytest.approx(0.47, abs=6e-3)
    assert power_all(np.full(10, power_noninferior(1000, 0.1, 0.02))) == pytest.approx(0.011, abs=2e-3)
    assert macro_error(np.array([0.1, 0.2]), np.array([100, 50]), np.array([3.0, 1.0]), np.array([1.0, 2.0])) == (
        pytest.approx(math.sqrt((0.75 * math.sqrt(0.001)) ** 2 + (0.25 * 2 * math.sqrt(0.004)) ** 2))
    )


def test_provable_margin_inverts_items_for_mean() -> None:
    """The margin that 1,000 items prove at D = 10 % is 2.49 points, and asks for 1,000 items."""
    margin = provable_margin(math.sqrt(0.1 / 1000))
    assert 100 * margin == pytest.approx(2.49, abs=0.005)
    assert items_for_mean(0.1, margin) == pytest.approx(1000, abs=1)
    assert resolution(500, 1000) == 0.5


def test_inflation() -> None:
    """Items that are copies within clusters of four double the error; independent ones do not change it."""
    rng = np.random.default_rng(0)
    d = rng.normal(size=500)
    clusters = np.repeat(np.arange(500), 4)
    assert inflation(np.repeat(d, 4), clusters) == pytest.approx(2.0, rel=1e-3)
    assert inflation(d, None) == inflation(np.zeros(9), np.arange(9)) == inflation(d, np.zeros(500)) == 1.0
    assert items_for_margin(0.1, 0.02, inflation=2.0) == pytest.approx(4 * items_for_margin(0.1, 0.02), abs=4)
    assert mde(0.1, 1000, inflation=2.0) == 2 * mde(0.1, 1000)


def test_out_of_range() -> None:
    """Shares, powers, margins and items outside their range are refused."""
    for call in (
        lambda: mde(0.0, 100),
        lambda: mde(1.1, 100),
        lambda: mde(0.1, 0),
        lambda: mde(0.1, 10, power=1.0),
        lambda: items_for_margin(0.1, 0.0),
        lambda: items_for_margin(0.1, 0.02, drop=0.02),
        lambda: items_for_mean(0.1, 0.02, drop=0.03),
        lambda: power_noninferior(100, 0.1, 1.0),
        lambda: power_harm(100, 0.1, 0.2),
        lambda: resolution(0, 10),
    ):
        with pytest.raises(ValueError, match=r"lies|none|fit|shown"):
            call()


@pytest.mark.parametrize(("pairs", "effect"), [(3, 2.0), (5, 1.0), (8, 0.7)])
def test_power_over_seeds_is_that_of_simulated_t_tests(pairs: int, effect: float) -> None:
    """The share of 20,000 simulated samples of normal differences whose t test shows the effect, to one point."""
    rng = np.random.default_rng(pairs)
    samples = rng.normal(effect, 1.0, size=(20_000, pairs))
    shown = scipy_stats.ttest_1samp(samples, 0.0, axis=1, alternative="greater").pvalue < 0.05
    assert power_seeds(pairs, 1 / math.sqrt(pairs), effect) == pytest.approx(shown.mean(), abs=0.01)


@pytest.mark.parametrize("effect", [0.3, 1.0, 3.0])
def test_pairs_are_the_fewest_with_the_power(effect: float) -> None:
    """One pair fewer has less than 80 %; what no thousand pairs show has no answer, nor has an error of nothing."""
    error = 1 / math.sqrt(4)
    found = pairs_for_effect(4, error, effect)
    assert found is not None
    assert power_seeds(found, 1 / math.sqrt(found), effect) >= 0.8
    assert found == 3 or power_seeds(found - 1, 1 / math.sqrt(found - 1), effect) < 0.8
    assert pairs_for_effect(4, error, 0.01) is None
    assert pairs_for_effect(4, math.inf, effect) is None
    assert power_seeds(4, 0.0, effect) == 0.0
