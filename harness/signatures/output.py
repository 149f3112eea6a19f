"""Output shift: what a tuned model does where nothing of its training is asked.

On open prompts: formats that nobody asked for, repetition, length. On scored tasks: outcomes that flip though the score
stays, and instructions that are no longer followed.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

import numpy as np

from harness.nouns import Comparison, Signature, TaskComparison
from harness.show import percent, plural, signed
from harness.signatures.groups import Asked
from harness.signatures.measures import Measure
from harness.signatures.words import evidence
from harness.stats.estimates import Estimate, ratio
from harness.stats.intervals import wilson

_RATES = {
    "unprompted_format": ("unprompted_format", "{} of the answers come in a format that nobody asked for"),
    "repetition": ("repetition", "{} of the answers repeat themselves"),
    "instruction_following": ("followed", "{} of the instructions are followed"),
}
"""Metric of each sign, and what it says."""

_WORDS = "words"
_CHECKS_INSTRUCTIONS = "ifeval"


def general(asked: Asked) -> Iterator[Measure]:
    """Rates of the answers to general prompts."""
    if asked.group.kind == "general":
        for name, (metric, says) in _RATES.items():
            counts = asked.summed(metric)
            estimate = None if counts is None else ratio(counts, asked.clusters)
            if estimate is not None:
                yield Measure(name, asked.group.of, asked.group.tasks, estimate, says)


def length_change(candidate: Asked, baseline: Asked) -> Iterator[Signature]:
    """Ratio of the mean number of words, tested on the logarithm in both directions."""
    if candidate.group.kind != "general":
        return
    sides = [counts[:, 0] for asked in (candidate, baseline) if (counts := asked.summed(_WORDS)) is not None]
    if len(sides) < 2 or not all(side.any() for side in sides):
        return
    ours, theirs = (float(side.mean()) for side in sides)
    value, pull = math.log(ours / theirs), sides[0] / ours - sides[1] / theirs
    reach = max(1.0, float(np.abs(value + pull).max()))  # an unseen document may change by e, or by what was seen
    test = Estimate(value, pull, np.ones(len(pull), dtype=bool), candidate.clusters, (-reach, reach)).tested()
    low, high = (math.exp(end) - 1 for end in test.interval)
    yield Signature(
        name="answer_length",
        subject=candidate.group.of,
        value=ours / theirs,
        interval=(low, high),
        items=len(candidate.docs),
        sentence=(
            f"{candidate.group.of}: answers to general prompts have {ours:.1f} words on average, {theirs:.1f} in the "
            f"baseline: {_relative(ours / theirs - 1)} (95 % interval {_relative(low)} to {_relative(high)}, "
            f"{plural(len(candidate.docs), 'document')})."
        ),
        baseline=1.0,
        delta=ours / theirs - 1,
        p_worse=min(1.0, 2 * min(test.p_harm, test.p_improve)),
        tasks=candidate.group.tasks,
    )


def flips(comparison: Comparison) -> Iterator[Signature]:
    """Share of 0/1 outcomes that changed, per suite: two scores can be equal though many answers are not."""
    by_name = {task.task: task for task in comparison.tasks}
    for suite in comparison.suites:
        tasks = [by_name[name] for name in suite.tasks if by_name[name].losses is not None]
        if tasks:
            yield _flip_rate(suite.name, tasks)


def instructions(comparison: Comparison) -> Iterator[Signature]:
    """Score of the tasks that check whether instructions are followed (IFEval)."""
    for task in comparison.tasks:
        if task.task.startswith(_CHECKS_INSTRUCTIONS):
            yield Signature(
                name="instruction_following",
                subject=task.task,
                value=task.candidate,
                interval=task.interval,
                items=task.items,
                sentence=(
                    f"{task.task}: {percent(task.candidate)} % of the instructions are followed, against "
                    f"{percent(task.baseline)} % in the baseline: {signed(task.delta)} points "
                    f"{evidence(task.interval, task.items)}."
                ),
                higher_is_worse=False,
                baseline=task.baseline,
                delta=task.delta,
                p_worse=task.p_harm,
                tasks=(task.task,),
            )


def _flip_rate(suite: str, tasks: Sequence[TaskComparison]) -> Signature:
    items = sum(task.items for task in tasks)
    losses, gains = (sum(getattr(task, name) or 0 for task in tasks) for name in ("losses", "gains"))
    hidden = sum(2 * min(task.losses or 0, task.gains or 0) for task in tasks)
    trials = sum(task.items if task.clusters is None else task.clusters for task in tasks)
    rate = (losses + gains) / items
    low, high = wilson(rate * trials, trials)
    return Signature(
        name="flip_rate",
        subject=suite,
        value=rate,
        interval=(low, high),
        items=items,
        sentence=(
            f"{suite}: {percent(rate)} % of {plural(items, '0/1 outcome')} changed (95 % interval {percent(low)} to "
            f"{percent(high)}), {losses:,} lost and {gains:,} gained; {percent(hidden / items)} % cancel out within "
            "their task, so that no score shows them."
        ),
        tasks=tuple(task.task for task in tasks),
    )


def _relative(change: float) -> str:
    return f"{100 * change:+.0f} %"
