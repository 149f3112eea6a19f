"""Claims about a recipe: three or more pairs of runs that differ in the training seed, and the pair is the unit.

More items make a checkpoint's score surer; only more seeds make a recipe's.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, TypeVar

import numpy as np

from harness.compare import Margins, Scope, compare, with_holm
from harness.compare.alike import digests_of, shared_tasks
from harness.compare.scope import side_of
from harness.compare.sentences import recipe_sentences
from harness.compare.tasks import RATE_MARGIN
from harness.errors import RunRecordError, UsageError
from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import Comparison, GroupComparison, RateComparison, Run, TaskComparison
from harness.stats.paired import seeds

Named = TypeVar("Named", TaskComparison, GroupComparison, RateComparison)

PAIRS = 3
"""Fewest pairs of training seeds that a claim about a recipe rests on."""


def compare_recipes(pairs: Sequence[tuple[Run, Run]], margins: Margins, scope: Scope) -> Comparison:
    """Compare two recipes.

    Args:
        pairs: Candidate and baseline of each training seed.
        margins: Largest tolerated drops.
        scope: Which tasks.

    Raises:
        UsageError: There are fewer than three pairs.
        RunRecordError: A checkpoint occurs twice among the candidates, or runs are unlike.
    """
    if len(pairs) < PAIRS:
        raise UsageError(
            f"--recipe with {len(pairs)} of the pairs", "is too few: one training seed says nothing of the next",
            f"name candidate and baseline of at least {PAIRS} training seeds",
        )  # fmt: skip
    warnings = _check_seeds(pairs, scope)
    found = [compare(candidate, baseline, margins, scope) for candidate, baseline in pairs]
    tasks = with_holm([_task(own, margins) for own in _in_all([one.tasks for one in found])])
    if lost := {task.task for one in found for task in one.tasks} - {task.task for task in tasks}:
        warnings.append(f"left out, since not every pair has a score: {', '.join(sorted(lost))}")
    lower = frozenset(task.task for task in tasks if task.fold in LOWER_IS_BETTER)
    whole = Comparison(
        candidate="+".join(one.candidate for one in found),
        baseline="+".join(one.baseline for one in found),
        claim_type="recipe",
        tasks=tuple(tasks),
        families=tuple(_group(own, margins, lower) for own in _in_all([one.families for one in found])),
        suites=tuple(_group(own, margins, lower) for own in _in_all([one.suites for one in found])),
        warnings=tuple(dict.fromkeys([*warnings, *(warning for one in found for warning in one.warnings)])),
        pairs=len(pairs),
    )
    return replace(whole, sentences=tuple(recipe_sentences(whole, len(pairs))))


def _check_seeds(pairs: Sequence[tuple[Run, Run]], scope: Scope) -> list[str]:
    """Refuse a candidate that stands for two seeds, and pairs that ask different questions; returns warnings."""
    candidates, baselines = ([_checkpoint(pair[place]) for pair in pairs] for place in (0, 1))
    name, most = Counter(candidates).most_common(1)[0]
    if most > 1:
        raise RunRecordError(
            f"Candidate checkpoint {name[:12]}", f"stands for {most} training seeds",
            "name runs of checkpoints that were trained with different seeds",
        )  # fmt: skip
    first = side_of("first pair", pairs[0][0])
    for candidate, _ in pairs[1:]:
        shared_tasks(first, side_of("other pair", candidate), scope.tasks)
    if len(set(baselines)) == len(baselines):
        return []
    return ["some pairs share a baseline checkpoint: the claim is against that checkpoint, not how it was trained"]


def _checkpoint(run: Run) -> str:
    """What tells a checkpoint from others: the digest of its weights and adapter, else the run itself."""
    digests = digests_of(side_of("run", run))
    known = [digests[name] for name in ("weights", "adapter", "model_sha", "adapter_sha") if name in digests]
    return "+".join(known) or run.id


def _in_all(parts: Sequence[Sequence[Named]]) -> Iterator[list[Named]]:
    """What every pair has, by name: one list per name, in the order of the first pair."""
    tables = [{_name(part): part for part in one} for one in parts]
    for name in tables[0]:
        if all(name in table for table in tables):
            yield [table[name] for table in tables]


def _name(part: Named) -> str:
    if isinstance(part, TaskComparison):
        return part.task
    return part.name if isinstance(part, GroupComparison) else part.rate


def _task(own: Sequence[TaskComparison], margins: Margins) -> TaskComparison:
    first = own[0]
    margin = margins.of(first.task)
    tested = _tested([task.delta for task in own], margin, less=first.fold in LOWER_IS_BETTER)
    flips = None if first.discordance is None else _mean([task.discordance or 0.0 for task in own])
    return replace(
        first,
        **_scores(own),
        **tested,
        p_harm_holm=tested["p_harm"],
        p_improve_holm=tested["p_improve"],
        items=min(task.items for task in own),
        dropped=dict(sum((Counter(task.dropped) for task in own), Counter[str]())),
        discordance=flips,
        losses=None,
        gains=None,
        method="t/seeds",
        rates=tuple(map(_rate, _in_all([task.rates for task in own]))),
    )


def _group(own: Sequence[GroupComparison], margins: Margins, lower: frozenset[str]) -> GroupComparison:
    tested = _tested([group.delta for group in own], margins.suite, less=own[0].tasks[0] in lower)
    return replace(own[0], **_scores(own), **tested)


def _rate(own: Sequence[RateComparison]) -> RateComparison:
    tested = _tested([rate.delta for rate in own], RATE_MARGIN, less=False)
    delta, ends = tested["delta"], tested["interval"]
    items = min(rate.items for rate in own)
    return replace(own[0], **_scores(own), delta=delta, interval=ends, p_worse=tested["p_improve"], items=items)


def _tested(deltas: Sequence[float], margin: float, less: bool) -> dict[str, Any]:
    """Fields of a comparison from the differences of the pairs; ``less`` says that a rise is the harm."""
    sign = -1.0 if less else 1.0
    found = seeds(sign * np.array(deltas), margin)
    low, high = sorted(sign * end for end in found.interval)
    return {
        "delta": sign * found.estimate, "interval": (low, high), "standard_error": found.standard_error,
        "p_harm": found.p_harm, "p_improve": found.p_improve, "p_noninferior": found.p_noninferior,
    }  # fmt: skip


def _scores(own: Sequence[Named]) -> dict[str, Any]:
    return {name: _mean([getattr(part, name) for part in own]) for name in ("baseline", "candidate")}


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
