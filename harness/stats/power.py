"""What n items can show: smallest effects, items needed, power.

The discordance D is the share of 0/1 items that flip between two models; for other scores it is the mean of d^2.
Shares, drops and margins are in [0, 1]; a drop is positive where the candidate is worse. Where clusters widen the
standard error, ``inflation`` is the factor (the function of that name measures it on a pilot). Tests are one-sided at
5 % unless said. All functions raise ValueError for an argument outside its range.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from harness.stats.intervals import Array, mean_standard_error

_NORMAL = NormalDist()
_Z = _NORMAL.inv_cdf(0.95)

MOST_PAIRS = 1000
"""Pairs of training seeds beyond which nobody trains."""


def mde(discordance: float, n: int, alpha: float = 0.05, power: float = 0.8, inflation: float = 1.0) -> float:
    """Smallest effect that n items show: ``(z_{1-alpha/2} + z_power) sqrt(D / n)``, 2.80 sqrt(D / n) by default.

    Args:
        discordance: D, in (0, 1].
        n: Items.
        alpha: Two-sided level.
        power: In (0, 1).
        inflation: Factor on the standard error.

    Returns:
        The difference that is found with that power.

    Source:
        Miller 2024, Adding Error Bars to Evals, arXiv 2411.00640, section 5, for paired differences.
    """
    _check(discordance=discordance, items=n, power=power)
    reach = _NORMAL.inv_cdf(1 - alpha / 2) + _NORMAL.inv_cdf(power)
    return reach * inflation * math.sqrt(discordance / n)


def power_noninferior(n: int, discordance: float, margin: float, drop: float = 0.0, inflation: float = 1.0) -> float:
    """Chance that n items show non-inferiority where the true drop is ``drop``.

    ``Phi((margin - drop - 1.645 sqrt(V_0 / n)) / sqrt(V / n))``: the test's variance ``V_0`` is the one under the null
    (Tango), that of the data is ``V = D - drop^2``. With ``V_0 = V = D`` it is the familiar
    ``Phi(margin / sqrt(D / n) - 1.645)``, which promises up to 3 points too much at small discordance.

    Args:
        n: Items.
        discordance: D, in (0, 1]; at least ``|drop|``.
        margin: Largest tolerated drop, in (0, 1).
        drop: The true drop; negative for a gain.
        inflation: Factor on the standard error.

    Returns:
        The power, in [0, 1].
    """
    _check(discordance=discordance, items=n, margin=margin, drop=drop)
    null, true = _variances(discordance, margin, drop)
    return _NORMAL.cdf(((margin - drop) * math.sqrt(n) / inflation - _Z * null) / max(true, 1e-9))


def items_for_margin(
    discordance: float, margin: float, power: float = 0.8, drop: float = 0.0, inflation: float = 1.0
) -> int:
    """Fewest items for which ``power_noninferior`` reaches the power.

    ``((1.645 sqrt(V_0) + z_power sqrt(V)) / (margin - drop))^2``; near ``items_for_mean``, and up to a tenth above it
    where few items flip.

    Args:
        discordance: D, in (0, 1]; at least ``|drop|``.
        margin: Largest tolerated drop, in (0, 1).
        power: In (0, 1).
        drop: The true drop; below the margin, negative for a gain.
        inflation: Factor on the standard error.

    Returns:
        Whole items.
    """
    _check(discordance=discordance, margin=margin, power=power, drop=drop)
    if drop >= margin:
        raise ValueError(f"a drop of {drop} cannot be shown to be smaller than {margin}")
    null, true = _variances(discordance, margin, drop)
    reach = inflation * max(0.0, _Z * null + _NORMAL.inv_cdf(power) * true) / (margin - drop)
    return max(2, math.ceil(reach**2 - 1e-9))


def items_for_mean(discordance: float, margin: float, power: float = 0.8, drop: float = 0.0) -> int:
    """Items for a mean that is tested with its own variance: ``(1.645 + z_power)^2 (D - drop^2) / (margin - drop)^2``.

    6.18 D / margin^2 for 80 % and 8.56 D / margin^2 for 90 % where nothing has changed. For the macro delta of K tasks
    of equal size and weight, D is their mean discordance and the items are those of all tasks together.

    Args:
        discordance: D, in (0, 1].
        margin: Largest tolerated drop, in (0, 1).
        power: In (0, 1).
        drop: The true drop, below the margin.

    Returns:
        Items, rounded to the next whole number above.
    """
    _check(discordance=discordance, margin=margin, power=power, drop=drop)
    if drop >= margin:
        raise ValueError(f"a drop of {drop} cannot be shown to be smaller than {margin}")
    reach = (_Z + _NORMAL.inv_cdf(power)) / (margin - drop)
    return max(2, math.ceil(reach**2 * (discordance - drop**2) - 1e-9))


def power_seeds(pairs: int, standard_error: float, effect: float, alpha: float = 0.05) -> float:
    """Chance that Student's t over pairs of training seeds shows an effect, one-sided.

    Args:
        pairs: Pairs of seeds, at least two.
        standard_error: Of the mean difference over these pairs; not finite where nothing varied.
        effect: What has to be shown, above zero.
        alpha: One-sided level.

    Returns:
        The power, by the noncentral t distribution; 0 where the standard error says nothing.
    """
    from scipy.special import nctdtr, stdtrit

    if not 0 < standard_error < math.inf:
        return 0.0
    bound = float(stdtrit(pairs - 1, 1 - alpha))
    return 1 - float(nctdtr(pairs - 1, effect / standard_error, bound))


def pairs_for_effect(
    pairs: int, standard_error: float, effect: float, alpha: float = 0.05, power: float = 0.8
) -> int | None:
    """Fewest pairs of training seeds for which ``power_seeds`` reaches the power.

    Args:
        pairs: Pairs of seeds that the standard error is of.
        standard_error: Of the mean difference over them.
        effect: What has to be shown, above zero.
        alpha: One-sided level.
        power: In (0, 1).

    Returns:
        Pairs in all, at least three; None where more than ``MOST_PAIRS`` would be needed.
    """
    if not 0 < standard_error < math.inf:
        return None

    def suffices(count: int) -> bool:
        return power_seeds(count, standard_error * math.sqrt(pairs / count), effect, alpha) >= power

    if not suffices(MOST_PAIRS):
        return None
    return bisect_left(range(MOST_PAIRS), True, lo=3, key=suffices)


def provable_margin(standard_error: float, power: float = 0.8) -> float:
    """Smallest margin that an unchanged model is shown to keep with that power: ``(1.645 + z_power) SE``.

    Args:
        standard_error: Of the difference: ``sqrt(D / n)`` for a task, ``macro_error`` for a suite.
        power: In (0, 1).
    """
    _check(power=power)
    return (_Z + _NORMAL.inv_cdf(power)) * standard_error


def power_harm(n: int, discordance: float, drop: float, alpha: float = 0.05, inflation: float = 1.0) -> float:
    """Chance that n items show harm: exact McNemar, or its normal approximation where clusters inflate.

    Args:
        n: Items.
        discordance: D, in (0, 1]; at least ``|drop|``.
        drop: The true drop.
        alpha: One-sided level; for the first step of Holm over K tasks, 0.05 / K.
        inflation: Factor on the standard error.

    Returns:
        The power, in [0, 1].
    """
    from scipy.stats import binom

    _check(discordance=discordance, items=n, drop=drop, power=alpha)
    if inflation != 1:
        null, true = math.sqrt(discordance), math.sqrt(max(discordance - drop**2, 1e-18))
        return _NORMAL.cdf((drop * math.sqrt(n) / inflation - _NORMAL.inv_cdf(1 - alpha) * null) / true)
    spread = 8 * math.sqrt(n * discordance * (1 - discordance)) + 1
    flips = np.arange(max(0, int(n * discordance - spread)), min(n, int(n * discordance + spread)) + 1)
    needed = binom.isf(alpha, flips, 0.5) + 1  # fewest losses with P(X >= losses) <= alpha
    caught = binom.sf(needed - 1, flips, (discordance + drop) / 2 / discordance)
    return min(1.0, float(binom.pmf(flips, n, discordance) @ caught))


def macro_error(
    discordances: Array, items: Array, weights: Array | None = None, inflations: Array | None = None
) -> float:
    """Standard error of a suite's macro delta, items resampled within tasks.

    Args:
        discordances: D of each task (K,).
        items: Items of each task (K,).
        weights: Weights of the tasks (K,), normalised to sum 1; equal by default.
        inflations: Factor on each task's standard error (K,).
    """
    shares = np.ones(len(items)) if weights is None else np.asarray(weights, dtype=np.float64)
    shares = shares / shares.sum() * (1.0 if inflations is None else np.asarray(inflations))
    return math.sqrt(float(np.sum(shares**2 * np.asarray(discordances) / np.asarray(items))))


def power_from_error(standard_error: float, margin: float, drop: float = 0.0) -> float:
    """Chance that a macro delta with this standard error is shown to be non-inferior.

    Args:
        standard_error: Of the delta, positive.
        margin: Largest tolerated drop, in (0, 1).
        drop: The true drop.
    """
    _check(margin=margin, drop=drop)
    return _NORMAL.cdf((margin - drop) / standard_error - _Z)


def power_all(powers: Array) -> float:
    """Chance that every one of independent tasks is shown non-inferior: the product of their powers (K,)."""
    return float(np.prod(np.asarray(powers, dtype=np.float64)))


def resolution(n: int, needed: int) -> float:
    """``q = n available / n needed``: from 1 on the design can show what it claims.

    Args:
        n: Items at hand.
        needed: Items needed, as from ``items_for_margin``.

    Source:
        arXiv 2605.30315.
    """
    _check(items=min(n, needed))
    return n / needed


def inflation(d: Array, clusters: npt.ArrayLike | None) -> float:
    """Factor by which clusters widen the standard error of a mean.

    Args:
        d: Differences of a pilot (n,).
        clusters: Cluster of each item (n,).

    Returns:
        Clustered over independent standard error, at least 1; 1 without clusters or where the pilot says nothing.
    """
    naive, _ = mean_standard_error(d)
    error, df = mean_standard_error(d, clusters)
    return max(1.0, error / naive) if df and math.isfinite(naive) and naive > 0 else 1.0


def _variances(discordance: float, margin: float, drop: float) -> tuple[float, float]:
    """Standard deviation of d per item, as Tango's test takes it under the null and as it is."""
    b = -discordance + (2 - drop) * margin
    gain = (math.sqrt(b * b + 4 * (discordance - drop) * margin * (1 - margin)) - b) / 4
    null = 2 * gain + margin * (1 - margin)
    return math.sqrt(null), math.sqrt(max(discordance - drop**2, 0.0))


def _check(
    discordance: float = 1.0, items: int = 1, margin: float = 0.5, power: float = 0.5, drop: float = 0.0
) -> None:
    if not 0 < discordance <= 1:
        raise ValueError(f"a discordance lies in (0, 1], not at {discordance}")
    if items < 1:
        raise ValueError(f"{items} items are none")
    if not 0 < margin < 1:
        raise ValueError(f"a margin lies between 0 and 1, not at {margin}")
    if not 0 < power < 1:
        raise ValueError(f"a power or level lies between 0 and 1, not at {power}")
    if not abs(drop) <= discordance:
        raise ValueError(f"a drop of {drop} does not fit a discordance of {discordance}")
