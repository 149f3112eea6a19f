"""From a measure to a sign: of one run, or of how a candidate differs from its baseline on the same documents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from harness.nouns import Interval, Signature
from harness.show import percent, points, signed
from harness.signatures.words import above, evidence, share_evidence
from harness.signs import SIGNS
from harness.stats.estimates import Estimate

Null = Callable[[], tuple[float, str]]


@dataclass(frozen=True, slots=True)
class Measure:
    """What one run shows of one sign.

    Attributes:
        name: Name of the sign.
        subject: What it was seen on.
        tasks: Tasks that it was seen on.
        estimate: The measure.
        says: What it measures, in words with ``{}`` for the value: ``{} of the answers agree``.
        detail: What a reader of a single run should know besides.
        interval: Interval of the value, where it is not that of the estimate.
        null: P-value of the sign's null, and what it means in words; None where it has none.
    """

    name: str
    subject: str
    tasks: tuple[str, ...]
    estimate: Estimate
    says: str
    detail: str = ""
    interval: Interval | None = None
    null: Null | None = None

    @property
    def shown(self) -> str:
        """The value as a person reads it: a share in per cent, a distance or a signed difference in points."""
        value = self.estimate.value
        if not SIGNS[self.name].in_points:
            return f"{percent(value)} %"
        return above(value) if self.estimate.support[0] < 0 else points(value)

    @property
    def said(self) -> str:
        """What it measures, with its value."""
        return self.says.replace("{}", self.shown)


def sign_of(measure: Measure) -> Signature:
    """The sign of a single run."""
    estimate = measure.estimate
    ends = measure.interval or estimate.interval
    told = (evidence if estimate.support[0] < 0 else share_evidence)(ends, estimate.documents)
    p, meaning = measure.null() if measure.null is not None else (None, "")
    return Signature(
        name=measure.name,
        subject=measure.subject,
        value=estimate.value,
        interval=ends,
        items=estimate.documents,
        sentence=f"{measure.subject}: {measure.said} {told}.{measure.detail}{meaning}",
        higher_is_worse=SIGNS[measure.name].higher_is_worse,
        p_worse=p,
        tasks=measure.tasks,
    )


def change_of(candidate: Measure, baseline: Measure) -> Signature:
    """The sign of a comparison: both values, and the t interval and test of their difference, paired by document."""
    change = candidate.estimate.minus(baseline.estimate)
    test = change.tested()
    worse = SIGNS[candidate.name].higher_is_worse
    return Signature(
        name=candidate.name,
        subject=candidate.subject,
        value=candidate.estimate.value,
        interval=test.interval,
        items=change.documents,
        sentence=(
            f"{candidate.subject}: {candidate.said}, {baseline.shown} in the baseline: "
            f"{signed(change.value)} points {evidence(test.interval, change.documents)}."
        ),
        higher_is_worse=worse,
        baseline=baseline.estimate.value,
        delta=change.value,
        p_worse=test.p_improve if worse else test.p_harm,
        tasks=candidate.tasks,
    )
