"""From a comparison and policies to what has to be ruled on: headlines, tasks, health rates, signs and anchor."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from harness.errors import DataError
from harness.gate.health import rate_measure
from harness.gate.rule import NORMAL, Measure, points
from harness.gate.seeds import seed_means, seed_measure
from harness.gate.signs import sign_measure
from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import Comparison, GroupComparison, Interval, Signature, TaskComparison
from harness.policy import Policy
from harness.stats.flips import tango
from harness.stats.paired import holm

_Z_95 = NORMAL.inv_cdf(0.975)

Draft = tuple[str, Measure]
"""The key of a harm test and the measure that it belongs to; equal keys are one test."""


@dataclass(frozen=True, slots=True)
class Subject:
    """A suite of a comparison with its parts, and the policy that it is held against."""

    suite: GroupComparison
    tasks: Sequence[TaskComparison]
    families: Mapping[str, GroupComparison]
    policy: Policy
    signs: Sequence[Signature] = ()
    pairs: int | None = None

    @property
    def weights(self) -> dict[str, float]:
        """Weight of each task in the headline: families weigh the same, and so do the tasks of one."""
        families = [group.tasks for group in self.families.values()]
        if {task for members in families for task in members} != set(self.suite.tasks):
            families = [self.suite.tasks]
        return {task: 1 / len(families) / len(members) for members in families for task in members}


def measures_of(
    comparison: Comparison,
    anchor: Comparison | None,
    policies: Mapping[str, Policy],
    signs: Sequence[Signature] = (),
) -> list[tuple[str, Measure]]:
    """What has to be ruled on, with the suite whose policy asks for it.

    Args:
        comparison: Candidate against baseline.
        anchor: Candidate against the anchor.
        policies: Policy per suite.
        signs: How the failure signatures have changed against the baseline.

    Raises:
        DataError: A suite has no comparison; a policy names a task, rate or sign that the runs lack, or asks for an
            anchor that is not there.
    """
    groups = {group.name: group for group in comparison.suites}
    for name in policies:
        if name not in groups:
            why = "; ".join(comparison.warnings) or "the runs do not share it"
            raise DataError(f"Suite {name}", f"cannot be gated ({why})", "score all of its tasks in both runs")
    drafts = [
        (name, draft)
        for name, policy in policies.items()
        for draft in _drafts(replace(subject_of(comparison, groups[name], policy), signs=signs), anchor)
    ]
    tests = {key: measure.p_harm if math.isfinite(measure.p_harm) else 1.0 for _, (key, measure) in drafts}
    adjusted = dict(zip(tests, map(float, holm(list(tests.values()))), strict=True))
    return [(suite, replace(measure, p_family=adjusted[key], tests=len(tests))) for suite, (key, measure) in drafts]


def subject_of(comparison: Comparison, group: GroupComparison, policy: Policy) -> Subject:
    """A suite of a comparison under a policy.

    Raises:
        DataError: The policy names a task or family that the suite lacks, or a task was compared at a wider margin.
    """
    members = set(group.tasks)
    tasks = [task for task in comparison.tasks if task.task in members]
    prefix = f"{group.name}/"
    families = {
        entry.name.removeprefix(prefix): entry for entry in comparison.families if entry.name.startswith(prefix)
    }
    known = list(dict.fromkeys([*(task.task for task in tasks), *families]))
    for name in (*policy.critical, *policy.margins):
        if name not in known:
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
            hint = f"did you mean {', '.join(close)}?" if close else f"name one of {', '.join(known[:8])}"
            raise DataError(f"Policy {policy.policy}", f"names {name}, which the suite {group.name} lacks", hint)
    for task in tasks:
        if task.margin > policy.margin(task.task):
            wide, asked = points(task.margin), points(policy.margin(task.task))
            raise DataError(
                f"Task {task.task}", f"was compared at {wide}, the policy asks for {asked}", "compare it again"
            )
    return Subject(group, tasks, families, policy, pairs=comparison.pairs)


def _drafts(subject: Subject, anchor: Comparison | None) -> Iterator[Draft]:
    """Headline, critical tasks and families, health rates, signs and anchor; then the other tasks, only watched."""
    suite, policy = subject.suite, subject.policy
    # the headline of a single task is that task: one test, not two
    key = f"task {subject.tasks[0].task}" if len(subject.tasks) == 1 else f"suite {suite.name}"
    if policy.suite_margin is not None:
        yield key, _headline(subject, policy.suite_margin)
    if policy.improvement is not None:
        yield key, _improvement(subject, policy.improvement)
    names = {task.task for task in subject.tasks}
    for task in subject.tasks:
        if task.task in policy.critical:
            yield f"task {task.task}", _task(subject, task, required=True)
    for name, group in subject.families.items():
        if name in policy.critical and name not in names:
            title = f"{suite.name}: critical family {name}"
            yield f"family {group.name}", _group(subject, group, title, policy.margin(name))
    for rate, margin in policy.health.items():
        yield f"{rate} {suite.name}", _rate(subject, rate, margin)
    for sign, margin in policy.signatures.items():
        yield f"{sign} {suite.name}", _sign(subject, sign, margin)
    if policy.anchor is not None or anchor is not None:
        yield f"anchor {suite.name}", _drift(subject, anchor)
    for task in subject.tasks:
        if task.task not in policy.critical:
            yield f"task {task.task}", _task(subject, task, required=False)


def _rate(subject: Subject, rate: str, margin: float) -> Measure:
    measure = rate_measure(subject.suite.name, rate, subject.tasks, margin)
    if subject.pairs is None:
        return measure
    ends = [entry.interval for task in subject.tasks for entry in task.rates if entry.rate == rate]
    return seed_means(measure, ends, subject.pairs)


def _sign(subject: Subject, name: str, margin: float) -> Measure:
    signs = _seen(subject, name)
    measure = sign_measure(subject.suite.name, name, signs, margin)
    return measure if subject.pairs is None else seed_means(measure, [sign.interval for sign in signs], subject.pairs)


def _seen(subject: Subject, name: str) -> list[Signature]:
    """The changes of one sign on tasks of the suite alone."""
    members = set(subject.suite.tasks)
    return [sign for sign in subject.signs if sign.name == name and members.issuperset(sign.tasks)]


def _headline(subject: Subject, margin: float) -> Measure:
    draft = _group(subject, subject.suite, f"{subject.suite.name}: macro", margin)
    if len(subject.tasks) > 1:
        return draft
    task = subject.tasks[0]  # its own test is sharper than the normal reference of a mean of tasks
    if task.margin == margin:
        return replace(draft, p_shown=task.p_noninferior)
    if task.losses is None or task.gains is None or task.clusters is not None:
        return draft
    return replace(draft, p_shown=tango(task.losses, task.gains, task.items, margin))


def _improvement(subject: Subject, gain: float) -> Measure:
    suite = subject.suite
    draft = _group(subject, suite, f"{suite.name}: mean over families", gain)
    return replace(
        draft,
        name=f"{draft.subject} improved",
        standard_error=suite.standard_error,
        p_shown=suite.p_improve,
        improvement=True,
    )


def _drift(subject: Subject, anchor: Comparison | None) -> Measure:
    name, policy = subject.suite.name, subject.policy
    if anchor is None:
        raise DataError(f"Policy {policy.policy}", "asks for an anchor, and there is none", "pass --anchor RUN")
    group = next((group for group in anchor.suites if group.name == name), None)
    if group is None:
        raise DataError("The anchor", f"has no suite {name}", "accept an anchor that has it")
    margin = policy.anchor or policy.suite_margin or policy.task_margin
    return _group(subject, group, f"{name}: against the anchor", margin)


def _group(subject: Subject, group: GroupComparison, title: str, margin: float) -> Measure:
    members = set(group.tasks)
    tasks = [task for task in subject.tasks if task.task in members]
    if subject.pairs is not None:
        return seed_measure(group, tasks[0].fold, title, margin, subject.pairs)
    delta, interval = _better(group, tasks[0].fold)
    error = _error(subject, group, tasks, margin)
    if not math.isclose(error, group.standard_error):
        interval = (delta - _Z_95 * error, delta + _Z_95 * error)
    return Measure(
        name=f"{title} non-inferior at {points(margin)}",
        subject=title,
        change=_change(group.baseline, group.candidate),
        delta=delta,
        interval=interval,
        standard_error=error,
        items=sum(task.items for task in tasks),
        goal=margin,
        p_shown=max(_within(group, delta, margin, error), _ties(subject, tasks, margin)),
        p_harm=group.p_harm,
        planned_error=_planned_error(subject, tasks),
    )


def _task(subject: Subject, task: TaskComparison, required: bool) -> Measure:
    title = f"{subject.suite.name}: {'critical' if required else 'watched'} task {task.task}"
    if subject.pairs is not None:
        measure = seed_measure(task, task.fold, title, task.margin, subject.pairs)
        return replace(measure, required=required)
    delta, interval = _better(task, task.fold)
    return Measure(
        name=f"{title} non-inferior at {points(task.margin)}",
        subject=title,
        change=_change(task.baseline, task.candidate),
        delta=delta,
        interval=interval,
        standard_error=task.standard_error,
        items=task.items,
        goal=task.margin,
        p_shown=task.p_noninferior,
        p_harm=task.p_harm,
        required=required,
        planned_error=_planned_error(subject, [task]),
        flat=_flat(task),
    )


def _better(found: GroupComparison | TaskComparison, fold: str) -> tuple[float, Interval]:
    """Difference and interval, positive where the candidate is better."""
    low, high = found.interval
    return (-found.delta, (-high, -low)) if fold in LOWER_IS_BETTER else (found.delta, found.interval)


def _flat(task: TaskComparison) -> bool:
    """Whether no item differs: neither direction has any evidence."""
    return task.delta == 0 and min(task.p_harm, task.p_improve) >= 1


def _within(group: GroupComparison, delta: float, margin: float, error: float) -> float:
    """P-value of "not worse by the margin"; by the normal reference for another margin or error than compare's."""
    if margin == group.margin and math.isclose(error, group.standard_error):
        return group.p_noninferior
    return NORMAL.cdf(-(margin + delta) / error) if error > 0 else 1.0


def _error(subject: Subject, group: GroupComparison, tasks: Sequence[TaskComparison], margin: float) -> float:
    """Standard error of a group under "worse by the margin".

    Of 0/1 items that null has the variance ``margin (1 - margin) / n`` at least, which Tango's test uses; a task counts
    with no less. Nor with more where nothing differs: the half interval that compare puts in the place of a variance of
    zero is right for one task, but adds up over many.
    """
    weights = _shares(subject, tasks)
    told = sum(weight * task.delta for weight, task in zip(weights, tasks, strict=True))
    unknown = any(task.fold in LOWER_IS_BETTER for task in tasks) or not math.isclose(told, group.delta, abs_tol=1e-9)
    if unknown:  # a pooled family weighs its tasks by items
        return group.standard_error
    variances = (_variance(task, margin) for task in tasks)
    return math.sqrt(sum(weight**2 * variance for weight, variance in zip(weights, variances, strict=True)))


def _variance(task: TaskComparison, margin: float) -> float:
    least = margin * (1 - margin) / _units(task)
    if _flat(task):
        return least
    return max(task.standard_error**2, least if task.losses is not None else 0.0)


def _ties(subject: Subject, tasks: Sequence[TaskComparison], margin: float) -> float:
    """Largest chance that no item is lost though the group is worse by the margin; 0 where items differ.

    A drop p_k of task k shows no loss with ``(1 - p_k)^n_k <= exp(-n_k p_k)``; over ``sum w_k p_k = margin`` the worst
    case puts all of it into the task with the fewest items for its weight.
    """
    if not all(map(_flat, tasks)):
        return 0.0
    shares = zip(_shares(subject, tasks), tasks, strict=True)
    return math.exp(-margin * min(_units(task) / share for share, task in shares))


def _shares(subject: Subject, tasks: Sequence[TaskComparison]) -> list[float]:
    total = sum(subject.weights[task.task] for task in tasks)
    return [subject.weights[task.task] / total for task in tasks]


def _units(task: TaskComparison) -> int:
    return task.items if task.clusters is None else task.clusters


def _planned_error(subject: Subject, tasks: Sequence[TaskComparison]) -> float | None:
    """Standard error that the policy's discordance gives: ``sqrt(sum w^2 D / n)``, weights as in the headline."""
    if subject.policy.discordance is None:
        return None
    shares = zip(_shares(subject, tasks), tasks, strict=True)
    return math.sqrt(sum(share**2 * subject.policy.discordance / task.items for share, task in shares if task.items))


def _change(baseline: float, candidate: float) -> str:
    return f"{100 * baseline:.1f} → {100 * candidate:.1f}"
