"""What a gate leaves behind for machines: ``gate.json``, one versioned document, which ``--json`` prints as well."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import NormalDist
from typing import Any

from harness.gate.rule import REAL_DECLINE
from harness.nouns import Claim, GroupComparison, Ruling, Run, TaskComparison, Verdict
from harness.policy import watched
from harness.show import plural
from harness.show.comparison import dropped_lines

SCHEMA = "harness.gate/1"
EXIT_CODES = {Ruling.PASS: 0, Ruling.FAIL: 1, Ruling.INCONCLUSIVE: 2}
WARNED = " It does not fail the job: the policy or --on-inconclusive says warn."

_MDE = NormalDist().inv_cdf(0.975) + NormalDist().inv_cdf(0.8)


def exit_code(verdict: Verdict, on_inconclusive: str) -> int:
    """0 PASS, 1 FAIL, 2 INCONCLUSIVE, which ``warn`` turns into 0."""
    if verdict.ruling is Ruling.INCONCLUSIVE and on_inconclusive == "warn":
        return 0
    return EXIT_CODES[verdict.ruling]


def headline(verdict: Verdict, on_inconclusive: str) -> str:
    """The verdict in one sentence."""
    required = [claim for claim in verdict.claims if not watched(claim)]
    if verdict.ruling is Ruling.FAIL:
        failed = [claim for claim in verdict.claims if claim.ruling is Ruling.FAIL]
        others = ", ".join(claim.claim.partition(" non-inferior")[0] for claim in failed[1:6])
        return f"FAIL: {failed[0].sentence}{f' Also failed: {others}.' if others else ''}"
    if verdict.ruling is Ruling.PASS:
        declined = [claim.sentence for claim in verdict.claims if REAL_DECLINE in claim.sentence]
        return " ".join([f"PASS: {plural(len(required), 'required claim')} shown, no task fails.", *declined])
    kind = "more item" if verdict.comparison.pairs is None else "more seed pair"
    return f"INCONCLUSIVE: {_open(required, kind)}{WARNED if on_inconclusive == 'warn' else ''}"


def _open(required: Sequence[Claim], kind: str) -> str:
    undecided = [claim for claim in required if claim.ruling is Ruling.INCONCLUSIVE]
    missing = [claim.items_needed - claim.items for claim in undecided if claim.items_needed is not None]
    advice = f"; about {plural(max(missing), kind)} would settle it" if missing else ""
    return f"{plural(len(undecided), 'required claim')} not settled ({undecided[0].claim}){advice}."


def verdict_document(verdict: Verdict, runs: Mapping[str, Run | None], on_inconclusive: str) -> dict[str, Any]:
    """What ``--json`` and ``--output`` write; the schema is ``assets/schemas/gate-1.json``.

    Args:
        verdict: The verdict.
        runs: ``candidate``, ``baseline``, ``anchor`` and ``aa``; None where there is none.
        on_inconclusive: ``fail`` or ``warn``.
    """
    comparison = verdict.comparison
    return {
        "schema": SCHEMA,
        "verdict": str(verdict.ruling),
        "sentence": headline(verdict, on_inconclusive),
        "exit_code": exit_code(verdict, on_inconclusive),
        "on_inconclusive": on_inconclusive,
        "claims": [claim_entry(claim) for claim in verdict.claims],
        "claim_type": comparison.claim_type,
        "tasks": [_task_entry(task) for task in comparison.tasks],
        "suites": [_group_entry(group) for group in comparison.suites],
        "policies": _plain(verdict.policy),
        "runs": {role: None if run is None else _provenance(run) for role, run in runs.items()},
        "warnings": [*comparison.warnings, *dropped_lines(comparison.tasks)],
    }


def claim_entry(claim: Claim) -> dict[str, Any]:
    """One claim."""
    return {
        "claim": claim.claim,
        "verdict": str(claim.ruling),
        "sentence": claim.sentence,
        "required": not watched(claim),
        "items": claim.items,
        "items_needed": claim.items_needed,
    }


def _task_entry(task: TaskComparison) -> dict[str, Any]:
    return {
        "task": task.task,
        "family": task.family,
        "metric": task.metric,
        "baseline": task.baseline,
        "candidate": task.candidate,
        "delta": task.delta,
        "interval": _ends(task.interval),
        "items": task.items,
        "clusters": task.clusters,
        "dropped": dict(task.dropped),
        "discordance": task.discordance,
        "smallest_effect": _finite(_MDE * task.standard_error),
        "p_harm": _finite(task.p_harm),
        "p_harm_holm": _finite(task.p_harm_holm),
        "p_improve": _finite(task.p_improve),
        "p_noninferior": _finite(task.p_noninferior),
        "margin": task.margin,
        "method": task.method,
        "rates": {
            rate.rate: {"baseline": rate.baseline, "candidate": rate.candidate, "interval": _ends(rate.interval)}
            for rate in task.rates
        },
    }


def _group_entry(group: GroupComparison) -> dict[str, Any]:
    return {
        "name": group.name,
        "baseline": group.baseline,
        "candidate": group.candidate,
        "delta": group.delta,
        "interval": _ends(group.interval),
        "smallest_effect": _finite(_MDE * group.standard_error),
        "p_harm": _finite(group.p_harm),
        "p_improve": _finite(group.p_improve),
        "p_noninferior": _finite(group.p_noninferior),
        "margin": group.margin,
    }


def _provenance(run: Run) -> dict[str, Any]:
    manifest = run.manifest
    return {
        "run_id": run.id,
        "date": manifest["date"],
        "signature": manifest["signature"],
        "reference": manifest["checkpoint"].get("reference"),
        "suites": {suite["name"]: suite["digest"] for suite in manifest["suites"]},
    }


def _ends(interval: tuple[float, float]) -> list[float | None]:
    return [_finite(end) for end in interval]


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(entry) for key, entry in value.items()}
    return [_plain(entry) for entry in value] if isinstance(value, list | tuple) else value
