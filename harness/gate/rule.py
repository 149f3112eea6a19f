"""One claim and its ruling: what was measured, what the policy demands of it, and the sentence that says so.

The rule of a claim with a margin: PASS where a fall by the margin is ruled out; otherwise FAIL where a fall is shown;
otherwise INCONCLUSIVE. PASS comes first: a small but real decline inside the margin passes, and the sentence says it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

from harness.nouns import Claim, Interval, Ruling
from harness.show import signed
from harness.stats.power import MOST_PAIRS, pairs_for_effect, power_seeds

NORMAL = NormalDist()
REAL_DECLINE = "there is a real decline, but inside the margin"


@dataclass(frozen=True, slots=True)
class Levels:
    """Errors that a policy accepts.

    Attributes:
        alpha: One-sided level.
        power: Chance with which the plan must settle a claim.
    """

    alpha: float
    power: float

    def reach(self, tests: int = 1) -> float:
        """Standard errors that an effect needs to be shown with the power as one of so many tests: 2.49 for one."""
        return NORMAL.inv_cdf(1 - self.alpha / tests) + NORMAL.inv_cdf(self.power)


@dataclass(frozen=True, slots=True)
class Measure:
    """What the data say of one claim; positive is better.

    Attributes:
        name: The claim in words.
        subject: What it is about, at the beginning of the sentence.
        change: ``from → to`` in words.
        delta: candidate - baseline, positive where the candidate is better.
        interval: 95 % interval of delta.
        standard_error: Of delta.
        items: Items that it rests on.
        goal: What has to be ruled out (a fall by this much) or, for an improvement, what the plan must show.
        p_shown: One-sided p-value of what the policy demands.
        p_harm: One-sided p-value of a fall.
        p_family: The same, Holm-adjusted over all harm tests of the verdict.
        tests: How many those are.
        improvement: Whether a rise is demanded, instead of "no fall by the margin".
        required: Whether the verdict needs it to pass; otherwise it can only fail the verdict.
        planned_error: Standard error that the policy's declared discordance gives, if it declares one.
        flat: Whether nothing varies at all; the standard error then stands for what so many ties leave open.
        pairs: Pairs of training seeds, where they are the units and not the items.
    """

    name: str
    subject: str
    change: str
    delta: float
    interval: Interval
    standard_error: float
    items: int
    goal: float
    p_shown: float
    p_harm: float
    p_family: float = 1.0
    tests: int = 1
    improvement: bool = False
    required: bool = True
    planned_error: float | None = None
    flat: bool = False
    pairs: int | None = None

    def scaled(self, factor: float, alpha: float) -> int:
        """Items that divide the standard error by a factor: it falls as 1 / sqrt(n), over ties as 1 / n.

        So few ties that ``(1 - goal)^n`` exceeds alpha never pass, however small their error seems.
        """
        if not self.flat:
            return math.ceil(self.items * factor**2)
        return math.ceil(max(self.items * factor, math.log(alpha) / math.log1p(-self.goal)))


@dataclass(frozen=True, slots=True)
class Finding:
    """A claim, whether the verdict needs it, and whether its plan had the power.

    Attributes:
        claim: The claim.
        required: Whether the verdict needs it to pass.
        power: Chance with which the plan settles it where nothing has changed (or the planned gain is real).
        planned_items: Items in all that would have given the policy's power.
    """

    claim: Claim
    required: bool = True
    power: float = 1.0
    planned_items: int = 0


def rule(measure: Measure, levels: Levels) -> Finding:
    """Rule on a claim.

    Args:
        measure: What the data say.
        levels: The policy's errors.
    """
    ruling = _ruling(measure, levels.alpha)
    needed = items_needed(measure, levels) if ruling is Ruling.INCONCLUSIVE else None
    sentence = _sentence(measure, ruling, levels.alpha, needed)
    claim = Claim(measure.name, ruling, sentence, measure.items, needed)
    return Finding(claim, measure.required, *planned_power(measure, levels))


def _ruling(measure: Measure, alpha: float) -> Ruling:
    if shown(measure.p_shown, alpha):
        return Ruling.PASS
    return Ruling.FAIL if shown(measure.p_family, alpha) else Ruling.INCONCLUSIVE


def shown(p: float, alpha: float) -> bool:
    """Whether a p-value shows its claim; one that is undefined shows nothing."""
    return math.isfinite(p) and p < alpha


def planned_power(measure: Measure, levels: Levels) -> tuple[float, int]:
    """Chance with which the plan shows its claim, and the items in all that would give the policy's power.

    ``Phi(goal / SE - z_alpha)``: for a margin, where nothing has changed; for an improvement, where the gain is real.
    SE is that of the discordance which the policy declares, or else of the comparison itself. The number is
    ``items (reach SE / goal)^2``, which is ``(z_alpha + z_power)^2 D / margin^2`` for 0/1 items.
    """
    if measure.pairs is not None:
        power = power_seeds(measure.pairs, measure.standard_error, measure.goal, levels.alpha)
        return power, _pairs_needed(measure, [(measure.goal, levels.alpha)], levels) or MOST_PAIRS
    declared = measure.planned_error is not None
    error = measure.planned_error if measure.planned_error is not None else measure.standard_error
    if not math.isfinite(error):
        return 0.0, measure.items + 1
    if error <= 0:
        return 1.0, measure.items
    power = NORMAL.cdf(measure.goal / error - NORMAL.inv_cdf(1 - levels.alpha))
    factor = levels.reach() * error / measure.goal
    return power, math.ceil(measure.items * factor**2) if declared else measure.scaled(factor, levels.alpha)


def items_needed(measure: Measure, levels: Levels) -> int | None:
    """Items in all that settle a claim with the policy's power, either way, if the difference seen is the true one.

    For a margin M and a difference d, M + d has to be told from nothing to pass and -d to fail; of either at most M is
    counted on, and the cheaper way is taken. An improvement is settled by its own size. None where no number of
    items would settle it.
    """
    gain = measure.delta if measure.improvement else measure.goal + measure.delta
    if measure.pairs is not None:
        ways = [(gain, levels.alpha), (-measure.delta, levels.alpha / measure.tests)]
        return _pairs_needed(measure, ways, levels)
    reaches = [(gain, levels.reach()), (-measure.delta, levels.reach(measure.tests))]
    reachable = [reach / min(distance, measure.goal) for distance, reach in reaches if distance > 0]
    if not reachable or not math.isfinite(measure.standard_error):
        return None
    return max(measure.items + 1, measure.scaled(min(reachable) * measure.standard_error, levels.alpha))


def _pairs_needed(measure: Measure, ways: Sequence[tuple[float, float]], levels: Levels) -> int | None:
    """Pairs of seeds in all that settle a claim by the cheapest of several (distance, level); None for too many."""
    assert measure.pairs is not None
    found = [
        pairs_for_effect(measure.pairs, measure.standard_error, min(distance, measure.goal), alpha, levels.power)
        for distance, alpha in ways
        if distance > 0
    ]
    least = min((pairs for pairs in found if pairs is not None), default=None)
    return None if least is None else max(measure.pairs + 1, least)


def _sentence(measure: Measure, ruling: Ruling, alpha: float, needed: int | None) -> str:
    low, high = map(signed, measure.interval)
    seen = f"{measure.change}, {signed(measure.delta)} (95 %: {low} to {high})"
    if ruling is Ruling.PASS:
        return f"{measure.subject}: {_pass(measure, alpha)}; {seen}, {p_value(measure.p_shown)}."
    if ruling is Ruling.FAIL:
        reason = "" if measure.improvement else f", and {points(measure.goal)} or more is not ruled out"
        adjusted = f"{p_value(measure.p_family)} after Holm"
        return f"{measure.subject}: a decline is shown{reason}; {seen}, {adjusted}."
    return f"{measure.subject}: {_open(measure)}; {seen}; {_advice(measure, needed)}."


def _pass(measure: Measure, alpha: float) -> str:
    if measure.improvement:
        return "a gain is shown"
    if shown(measure.p_harm, alpha):
        return f"{REAL_DECLINE} of {points(measure.goal)}"
    return f"a decline of {points(measure.goal)} or more is ruled out"


def _open(measure: Measure) -> str:
    if measure.improvement:
        return "neither a gain nor a decline is shown"
    return f"neither a decline nor its staying below {points(measure.goal)} is shown"


def _advice(measure: Measure, needed: int | None) -> str:
    if needed is None:
        if measure.pairs is not None:
            return f"not even {MOST_PAIRS:,} pairs of seeds would settle it"
        return "no difference is seen, so more items alone would not settle it"
    kind = "items" if measure.pairs is None else "pairs of seeds"
    return f"about {needed - measure.items:,} more {kind} ({needed:,} in all) would settle it"


def points(value: float) -> str:
    """A difference in points, with as many digits as it needs: ``1.0 points``, ``0.25 points``."""
    text = f"{100 * value:.2f}"
    return f"{text.removesuffix('0')} points"


def shown_in_points(value: float) -> str:
    """A signed difference: ``-0.4 points``."""
    return f"{signed(value)} points"


def p_value(p: float) -> str:
    """A p-value with the digits that matter: ``p = 0.031``, ``p < 0.001``."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.2g}" if p < 0.1 else f"p = {p:.2f}"
