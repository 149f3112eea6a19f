"""Signs of a recipe: Student's t over three or more pairs of training seeds, as in ``harness.compare.recipe``."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.nouns import Signature
from harness.show import percent, plural, signed
from harness.signs import SIGNS, Sign
from harness.stats.paired import seeds

_ANY_MARGIN = 0.5
"""Only there because the test wants one: no claim of non-inferiority is read from it."""


def over_seeds(pairs: Sequence[Sequence[Signature]]) -> Iterator[Signature]:
    """One sign per name and subject that every pair has, with the pair as the unit.

    Args:
        pairs: The changes of each pair, three or more.
    """
    tables = [{(sign.name, sign.subject): sign for sign in signs if sign.delta is not None} for signs in pairs]
    for key in tables[0]:
        if all(key in table for table in tables):
            yield _sign([table[key] for table in tables])


def _sign(own: Sequence[Signature]) -> Signature:
    first, sign = own[0], SIGNS[own[0].name]
    found = seeds(np.array([each.delta for each in own]), _ANY_MARGIN)
    value, baseline = (_mean([getattr(each, name) for each in own]) for name in ("value", "baseline"))
    p = found.p_improve if sign.higher_is_worse else found.p_harm
    low, high = found.interval
    return Signature(
        name=first.name,
        subject=first.subject,
        value=value,
        interval=found.interval,
        items=min(each.items for each in own),
        sentence=(
            f"{first.subject}: {sign.title}: {_shown(sign, value)}, against {_shown(sign, baseline)} in the baseline "
            f"recipe, over {plural(len(own), 'pair')} of training seeds: {signed(found.estimate)} points (95 % "
            f"interval {signed(low)} to {signed(high)})."
        ),
        higher_is_worse=sign.higher_is_worse,
        baseline=baseline,
        delta=found.estimate,
        p_worse=min(1.0, 2 * min(found.p_harm, found.p_improve)) if sign.either_way else p,
        tasks=first.tasks,
    )


def _shown(sign: Sign, value: float) -> str:
    return f"{signed(value)} points" if sign.in_points else f"{percent(value)} %"


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
