"""Claims about a recipe: the unit is the pair of training seeds, so every error and every test is over pairs.

Items do not enter: however many there are, a recipe's claim gets surer only by more seeds. With few pairs the normal
reference would be far too sure (three pairs: 1.64 in place of Student's 2.92), so everything here is Student's t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from harness.gate.rule import Measure, points
from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import GroupComparison, Interval, TaskComparison


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


def seed_means(measure: Measure, ends: Sequence[Interval], pairs: int) -> Measure:
    """A claim on the mean of rates or signs over several tasks, with its error taken over pairs of seeds.

    How the tasks move together from seed to seed is not kept. The error of a mean is never larger than the mean of the
    errors, so that is what counts.

    Args:
        measure: The claim as it is over items: its name, its difference and its goal.
        ends: Interval of each change over the pairs.
        pairs: Number of pairs.
    """
    from scipy.special import stdtrit

    wide = float(stdtrit(pairs - 1, 0.975))
    error = math.fsum(high - low for low, high in ends) / 2 / wide / len(ends)
    return replace(
        measure,
        interval=(measure.delta - wide * error, measure.delta + wide * error),
        standard_error=error,
        items=pairs,
        p_shown=_p_above(measure.delta + measure.goal, error, pairs),
        p_harm=_p_above(-measure.delta, error, pairs),
        pairs=pairs,
    )


def _p_above(distance: float, error: float, pairs: int) -> float:
    """One-sided p-value of "the mean is above zero", from its distance and error over pairs."""
    from scipy.special import stdtr

    if not error > 0 or not math.isfinite(error):
        return 1.0
    return float(stdtr(pairs - 1, -distance / error))
