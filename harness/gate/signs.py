"""Claims on failure signatures: a sign may not have become worse by more than the policy tolerates."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from harness.errors import DataError
from harness.gate.rule import NORMAL, Measure, points
from harness.nouns import Signature
from harness.signs import SIGNS
from harness.stats.paired import stratified_difference

_Z_95 = NORMAL.inv_cdf(0.975)


def sign_measure(suite: str, name: str, signs: Sequence[Signature], margin: float) -> Measure:
    """The mean change of a sign over what it was seen on; a worsening by the margin has to be ruled out.

    A sign without a baseline of its own (the flip rate) is held against the margin itself; one that is worse in both
    directions (the length of answers) counts by its size.

    Args:
        suite: Name of the suite.
        name: Name of the sign.
        signs: The changes of that sign on tasks of the suite.
        margin: Largest tolerated worsening, in (0, 1).

    Raises:
        DataError: The runs do not have the sign.
    """
    if not signs:
        raise DataError(
            f"The sign {name}", f"is gated, but the runs have none on the tasks of {suite}",
            "score the suite that shows it (docs/signatures.md says which), or remove it from the policy",
        )  # fmt: skip
    deltas = np.array([_better(sign) for sign in signs])
    errors = np.array([_error(sign, margin) for sign in signs])
    test = stratified_difference(deltas, errors, np.ones(len(signs)), margin)
    title = f"{suite}: {name.replace('_', ' ')}"
    return Measure(
        name=f"{title} not worse by {points(margin)}",
        subject=title,
        change=_change(signs),
        delta=test.estimate,
        interval=test.interval,
        standard_error=test.standard_error,
        items=sum(sign.items for sign in signs),
        goal=margin,
        p_shown=test.p_noninferior,
        p_harm=_p_harm(signs, test.p_harm, (test.estimate + margin) / test.standard_error),
    )


def _better(sign: Signature) -> float:
    """Change of a sign, positive where the candidate is better."""
    change = sign.value if sign.delta is None else sign.delta
    if SIGNS[sign.name].either_way:
        return -abs(change)
    return -change if sign.higher_is_worse else change


def _error(sign: Signature, margin: float) -> float:
    """Standard error of the change; where nothing has moved, that of a worsening of the margin's size."""
    if sign.delta == 0 and sign.p_worse is not None and sign.p_worse >= 1:
        return math.sqrt(margin * (1 - margin) / sign.items)  # as in harness.gate.health
    return (sign.interval[1] - sign.interval[0]) / (2 * _Z_95)


def _p_harm(signs: Sequence[Signature], normal: float, beyond: float) -> float:
    """P-value of a worsening: the sign's own test where there is one sign; of exceeding the margin without a baseline.

    Args:
        signs: The signs.
        normal: P-value by the normal reference of their mean.
        beyond: Standard errors by which their mean is better than the margin.
    """
    first = signs[0]
    if first.delta is None:
        return NORMAL.cdf(beyond)
    if len(signs) == 1 and first.p_worse is not None:
        return first.p_worse
    return min(1.0, 2 * normal) if SIGNS[first.name].either_way else normal


def _change(signs: Sequence[Signature]) -> str:
    after = 100 * float(np.mean([sign.value for sign in signs]))
    direction = "less" if signs[0].higher_is_worse else "more"
    told = [sign.baseline for sign in signs if sign.baseline is not None]
    before = f"{100 * float(np.mean(told)):.1f} % → " if told else ""
    return f"{before}{after:.1f} % ({direction} is better)"
