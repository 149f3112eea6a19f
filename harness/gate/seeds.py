"""Claims about a recipe: the unit is the pair of training seeds, so every error and every test is over pairs.

Items do not enter: however many there are, a recipe's claim gets surer only by more seeds. With few pairs the normal
reference would be far too sure (three pairs: 1.64 in place of Student's 2.92), so everything here is Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.errors import DataError
from harness.gate.rule import Measure, points
from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import GroupComparison, RateComparison, TaskComparison


def seed_measure(found: GroupComparison | TaskComparison, fold: str, title: str, margin: float, pairs: int) -> Measure:
    """What pairs of seeds say of a group or task; positive is better.

    Args:
        found: The group or task in a comparison of recipes.
        fold: Fold of its metric.
        title: What the claim is about.
        margin: The fall that has to be ruled out.
        pairs: Number of pairs.
    """
    less = fold in LOWER_IS_BETTER
    low, high = found.interval
    delta, interval = (-found.delta, (-high, -low)) if less else (found.delta, found.interval)
    same = margin == found.margin
    return Measure(
        name=f"{title} non-inferior at {points(margin)}",
        subject=title,
        change=f"{100 * found.baseline:.1f} → {100 * found.candidate:.1f}",
        delta=delta,
        interval=interval,
        standard_error=found.standard_error,
        items=pairs,
        goal=margin,
        p_shown=found.p_noninferior if same else _p_above(delta + margin, found.standard_error, pairs),
        p_harm=found.p_harm,
        pairs=pairs,
    )


def seed_rate_measure(suite: str, rate: str, tasks: Sequence[TaskComparison], margin: float, pairs: int) -> Measure:
    """The mean of a health rate over the tasks that have it; a rise by the margin has to be ruled out.

    How the tasks' rates move together from seed to seed is not kept. The error of a mean is never larger than the mean
    of the errors, so that is what counts.

    Args:
        suite: Name of the suite.
        rate: Name of the rate.
        tasks: Tasks of the suite.
        margin: Largest tolerated rise, in [0, 1].
        pairs: Number of pairs.

    Raises:
        DataError: No task has the rate.
    """
    from scipy.special import stdtrit

    found: list[RateComparison] = [entry for task in tasks for entry in task.rates if entry.rate == rate]
    if not found:
        raise DataError(f"The rate {rate}", f"is gated, but no task of {suite} has it", "remove it from the policy")
    wide = float(stdtrit(pairs - 1, 0.975))
    error = math.fsum((one.interval[1] - one.interval[0]) / 2 / wide for one in found) / len(found)
    delta = -math.fsum(one.delta for one in found) / len(found)
    before = 100 * math.fsum(one.baseline for one in found) / len(found)
    after = 100 * math.fsum(one.candidate for one in found) / len(found)
    title = f"{suite}: {rate.replace('_', ' ')}"
    return Measure(
        name=f"{title} not up by {points(margin)}",
        subject=title,
        change=f"{before:.1f} % → {after:.1f} % (less is better)",
        delta=delta,
        interval=(delta - wide * error, delta + wide * error),
        standard_error=error,
        items=pairs,
        goal=margin,
        p_shown=_p_above(delta + margin, error, pairs),
        p_harm=_p_above(-delta, error, pairs),
        pairs=pairs,
    )


def _p_above(distance: float, error: float, pairs: int) -> float:
    """One-sided p-value of "the mean is above zero", from its distance and error over pairs."""
    from scipy.special import stdtr

    if not error > 0 or not math.isfinite(error):
        return 1.0
    return float(stdtr(pairs - 1, -distance / error))
