"""``harness gate``: a policy applied to a comparison, PASS, FAIL or INCONCLUSIVE, with reasons.

FAIL where a claim fails. PASS where every claim that has to be shown is shown and none fails. Otherwise INCONCLUSIVE.
All harm tests of a verdict (headlines, tasks, gated rates) form one Holm family, so that an unchanged
checkpoint fails with at most the policy's alpha, however many tasks it has.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

from harness.errors import DataError
from harness.gate.claims import measures_of
from harness.gate.health import noise_finding
from harness.gate.rule import Finding, Levels, rule
from harness.nouns import Comparison, Ruling, Signature, Verdict
from harness.policy import Policy

__all__ = ["Evidence", "gate"]


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a gate looks at.

    Attributes:
        comparison: Candidate against baseline; suite and task margins are those of the policies.
        anchor: Candidate against a fixed older baseline.
        noise: Two runs of the baseline's checkpoint.
        signs: How the failure signatures have changed against the baseline; only a policy that gates them needs them.
    """

    comparison: Comparison
    anchor: Comparison | None = None
    noise: Comparison | None = None
    signs: tuple[Signature, ...] = ()


def gate(evidence: Evidence, policies: Mapping[str, Policy], allow_underpowered: bool = False) -> Verdict:
    """Apply policies to a comparison.

    Args:
        evidence: The comparison with the baseline and, where the policy asks for them, those of anchor and A/A run.
        policies: Policy per suite; each must be in the comparison, since a missing suite is no PASS.
        allow_underpowered: Rule INCONCLUSIVE where the plan lacked the power, instead of refusing.

    Raises:
        DataError: A policy names a task, a rate or a sign that the runs lack, or asks for evidence that is not there;
            or the plan lacks the power to settle a claim that the data leave open.

    Source:
        The rule of docs/gating.md; Holm 1979 for the family of harm tests.
    """
    findings = [
        rule(measure, Levels(policies[suite].alpha, policies[suite].power))
        for suite, measure in measures_of(evidence.comparison, evidence.anchor, policies, evidence.signs)
    ]
    floors = [policy.require_aa for policy in policies.values() if policy.require_aa is not None]
    findings += noise_finding(evidence.noise, min(floors, default=None))
    ruling = _overall(findings)
    if ruling is Ruling.INCONCLUSIVE and not allow_underpowered:
        _refuse_underpowered(findings, policies, "items" if evidence.comparison.pairs is None else "pairs of seeds")
    claims = tuple(finding.claim for finding in findings)
    return Verdict(ruling, claims, evidence.comparison, {suite: asdict(policy) for suite, policy in policies.items()})


def _overall(findings: Sequence[Finding]) -> Ruling:
    if any(finding.claim.ruling is Ruling.FAIL for finding in findings):
        return Ruling.FAIL
    required = [finding.claim.ruling for finding in findings if finding.required]
    passed = bool(required) and all(ruling is Ruling.PASS for ruling in required)
    return Ruling.PASS if passed else Ruling.INCONCLUSIVE


def _refuse_underpowered(findings: Sequence[Finding], policies: Mapping[str, Policy], kind: str) -> None:
    wanted = max(policy.power for policy in policies.values())
    weak = [
        finding
        for finding in findings
        if finding.required and finding.claim.ruling is Ruling.INCONCLUSIVE and finding.power < wanted
    ]
    if not weak:
        return
    worst = min(weak, key=lambda finding: finding.power)
    raise DataError(
        f"The claim “{worst.claim.claim}”",
        f"has a planned power of {worst.power:.0%} with {worst.claim.items:,} {kind}, the policy asks for {wanted:.0%}",
        f"score {worst.planned_items:,} {kind}, widen the margin, or pass --allow-underpowered",
    )
