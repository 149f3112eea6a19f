"""A gate that scores its candidate while it looks, and stops as soon as the verdict stands.

The items of a stored baseline are drawn in a seeded random order; the design is fixed in the policy before the first.
It judges one claim: the mean over the suite's items. A score that is no mean over items (F1) cannot be judged so.
"""

from __future__ import annotations

import hashlib
import math
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from harness.errors import DataError, FailedRunError, RunRecordError
from harness.gate.rule import points, shown_in_points
from harness.nouns import Claim, Comparison, Record, Ruling, Run, Verdict
from harness.policy import Policy, Sequential
from harness.stats.intervals import Array
from harness.stats.sequential import BettingTest, GroupSequentialTest
from harness.store import read_records

if TYPE_CHECKING:
    from harness.engines.items import Item
    from harness.engines.job import Job

Draw = Callable[[int, int], Array]
"""Score the items from one place in the random order to another: candidate - baseline of each."""

_EQUAL = ("digest", "version", "num_fewshot", "metric", "filter")


@dataclass(frozen=True, slots=True)
class Decision:
    """Where a sequential test stopped.

    Attributes:
        ruling: PASS, FAIL, or INCONCLUSIVE where the items ran out.
        items: Items scored.
        delta: Mean of candidate - baseline over them.
    """

    ruling: Ruling
    items: int
    delta: float


@dataclass(frozen=True, slots=True)
class Pair:
    """An item of the candidate and what the baseline scored on it."""

    task: str
    item: Item
    baseline: float


def decide(design: Sequential, policy: Policy, total: int, draw: Draw) -> Decision:
    """Draw items until the verdict stands.

    Args:
        design: The design.
        policy: Margin and alpha.
        total: Items that can be drawn.
        draw: Scores them.
    """
    margin = _margin(policy)
    betting = design.design == "betting"
    if betting:
        ends = [*range(design.chunk, total, design.chunk), total]
        bets = BettingTest(margin, policy.alpha, total if design.without_replacement else None)
    else:
        ends = [
            end for end in sorted({math.ceil(n * total / design.looks) for n in range(1, design.looks + 1)}) if end > 1
        ]
        if not ends:
            raise DataError("A group design", f"needs two items, there is {total}", "score more items")
        planned = GroupSequentialTest(ends, margin, design.rho, policy.alpha)
    seen = np.empty(0)
    for end in ends:
        fresh = draw(len(seen), end)
        seen = np.concatenate([seen, fresh])
        side = bets.update(fresh) if betting else planned.look(seen)
        if side is not None:
            return Decision(Ruling(side), end, float(seen.mean()))
    return Decision(Ruling.INCONCLUSIVE, total, float(seen.mean()))


def gate_job(job: Job, baseline: Run, policy: Policy, design: Sequential) -> tuple[Verdict, dict[str, Any]]:
    """Score a prepared job's items against a stored baseline until the verdict stands.

    Args:
        job: The candidate's job on the baseline's suite; only items that the baseline has are scored.
        baseline: The stored run.
        policy: The policy; it may ask for nothing but ``suite_margin``.
        design: The design.

    Returns:
        The verdict, and what ``gate.json`` says of the design.

    Raises:
        DataError: The policy asks for more than the headline, a task is scored by no mean, or its items come in
            clusters and the design takes them for independent.
        RunRecordError: The runs are unlike or share no item.
        FailedRunError: An item of the candidate cannot be scored.
    """
    from harness.engines.stream import score_items

    refuse_other_claims(policy)
    _refuse_unlike(job, baseline)
    _refuse_clusters(job, design)
    pairs, left_out = pairs_of(job, baseline)
    order = np.random.default_rng(_entropy(design.seed, pairs)).permutation(len(pairs))

    def draw(start: int, end: int) -> Array:
        chosen = [pairs[place] for place in order[start:end]]
        records = score_items(job, [(pair.task, pair.item) for pair in chosen])
        metrics = {built.task.name: built.task.metric for built in job.built}
        scores = [_score(record, metrics[record.task], "candidate") for record in records]
        return np.array([score - pair.baseline for score, pair in zip(scores, chosen, strict=True)])

    found = decide(design, policy, len(pairs), draw)
    suite = job.suites[0].name
    claim = _claim(suite, found, (policy, design), len(pairs))
    warnings = (f"{left_out:,} items are in one run alone and were left out",) if left_out else ()
    comparison = Comparison("", baseline.id, "checkpoint", (), (), (), warnings, (claim.sentence,))
    told = {**asdict(design), "items": found.items, "of": len(pairs), "delta": found.delta,
            "checkpoint": asdict(job.checkpoint)}  # fmt: skip
    return Verdict(found.ruling, (claim,), comparison, {suite: asdict(policy)}), told


def refuse_other_claims(policy: Policy) -> None:
    """Refuse a policy that asks for more than the headline: what is not judged must not pass.

    Raises:
        DataError: It does.
    """
    asked = ("improvement", "critical", "health", "signatures", "require_aa", "anchor", "margins")
    if policy.suite_margin is None:
        raise DataError(f"Policy {policy.policy}", "has no suite_margin, which a sequential gate judges", "state one")
    for name in asked:
        if getattr(policy, name):
            raise DataError(
                f"Policy {policy.policy}", f"asks for {name}, which a sequential gate does not judge",
                "use a policy with suite_margin alone, or gate a stored run",
            )  # fmt: skip


def pairs_of(job: Job, baseline: Run) -> tuple[list[Pair], int]:
    """Items of both sides, the k-th of an id with the k-th; and how many are in one alone or failed in the baseline.

    Raises:
        RunRecordError: Prompts differ, or there is no pair.
        DataError: A task's score is no mean over items.
    """
    pairs: list[Pair] = []
    left_out = 0
    for built in job.built:
        name, metric = built.task.name, built.task.metric
        if built.folds[metric].name != "mean":
            reason = f"is scored by {built.folds[metric].name}, which is no mean over items"
            raise DataError(f"Task {name}", reason, "gate a stored run instead")
        held = dict(_numbered((record.item, record) for record in read_records(baseline, name)))
        ours = dict(_numbered((item.item, item) for item in job.items[name]))
        for key in held.keys() & ours.keys():
            if held[key].prompt_hash != ours[key].prompt_hash:
                step = "score the baseline with the same card, template and examples"
                raise RunRecordError(f"Task {name}", f"has other prompts than the baseline {baseline.id[:12]}", step)
        usable = [key for key in ours if key in held and held[key].error is None]
        left_out += len(held.keys() | ours.keys()) - len(usable)
        pairs += [Pair(name, ours[key], _score(held[key], metric, "baseline")) for key in usable]
    if not pairs:
        raise RunRecordError(f"Run {baseline.id[:12]}", "shares no item with the candidate", "score it on this suite")
    return pairs, left_out


def _claim(suite: str, found: Decision, fixed: tuple[Policy, Sequential], total: int) -> Claim:
    policy, design = fixed
    margin = points(_margin(policy))
    said = {
        Ruling.PASS: f"a decline of {margin} or more is ruled out",
        Ruling.FAIL: "a decline is shown",
        Ruling.INCONCLUSIVE: f"neither a decline nor its staying below {margin} is shown with all items",
    }[found.ruling]
    seen = f"after {found.items:,} of {total:,} items, {shown_in_points(found.delta)}"
    sentence = (
        f"{suite}: {said} {seen}; {_validity(design)}. This is the mean over all items; single tasks are not judged."
    )
    return Claim(f"{suite}: mean over items non-inferior at {margin}", found.ruling, sentence, found.items)


def _validity(design: Sequential) -> str:
    if design.design == "group":
        return f"valid at its {design.looks} planned looks"
    if design.without_replacement:
        return "this predicts the full-benchmark verdict"
    return "anytime-valid for the population behind the items"


def _margin(policy: Policy) -> float:
    assert policy.suite_margin is not None
    return policy.suite_margin


def _refuse_unlike(job: Job, baseline: Run) -> None:
    suites = {entry["name"]: entry["digest"] for entry in baseline.manifest["suites"]}
    ours = {suite.name: suite.digest for suite in job.suites}
    if len(suites) != 1 or suites != ours:
        theirs = ", ".join(f"{name} {digest[:12]}" for name, digest in suites.items())
        reason = f"is of {theirs}, the candidate of {', '.join(f'{n} {d[:12]}' for n, d in ours.items())}"
        raise RunRecordError(f"Run {baseline.id[:12]}", reason, "score the baseline on one suite of this version")
    entries: Mapping[str, Any] = {entry["name"]: entry for entry in baseline.manifest["tasks"]}
    for built in job.built:
        entry = entries.get(built.task.name, {})
        for key in _EQUAL:
            mine, other = getattr(built.task, key), entry.get(key)
            if mine != other:
                reason = f"is unlike in the baseline ({key} {other} there, {mine} here)"
                raise RunRecordError(f"Task {built.task.name}", reason, "score the baseline again")


def _refuse_clusters(job: Job, design: Sequential) -> None:
    """Items of one passage are no independent draws of a population; of a finite benchmark they are."""
    if design.design == "betting" and design.without_replacement:
        return
    for built in job.built:
        if built.task.unit != "item":
            raise DataError(
                f"Task {built.task.name}", f"has items in clusters ({built.task.unit}), which this design takes apart",
                "use design: betting with without_replacement: true, or gate a stored run",
            )  # fmt: skip


def _score(record: Record, metric: str, role: str) -> float:
    if record.error is not None:
        step = "score the candidate with harness run, which reports every failure"
        raise FailedRunError(f"Task {record.task}, item {record.doc_id}", f"failed ({record.error})", step)
    counts = record.counts.get(metric, ())
    if len(counts) != 2 or counts[1] != 1 or not 0 <= counts[0] <= 1:
        reason = f"has the {metric} counts {counts} in the {role}, no score in [0, 1]"
        raise DataError(f"Task {record.task}, item {record.doc_id}", reason, "gate a stored run instead")
    return float(counts[0])


def _numbered(entries: Any) -> Any:
    """Ids made unique: the k-th entry of an id gets the key (id, k)."""
    seen: Counter[str] = Counter()
    for key, value in entries:
        yield (key, seen[key]), value
        seen[key] += 1


def _entropy(seed: int, pairs: list[Pair]) -> int:
    """A seed that depends on the items as a set, so that their order in the files does not matter."""
    names = sorted(f"{pair.task}:{pair.item.item}" for pair in pairs)
    return int.from_bytes(hashlib.sha256("\n".join([str(seed), *names]).encode()).digest()[:8])
