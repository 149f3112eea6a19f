"""Failure signatures: how a checkpoint fails, and how that has changed against a baseline.

Everything is derived from stored runs; nothing is measured anew. Each sign has a definition with its source, an
interval, a one-sided test where there is a null, and a sentence; docs/signatures.md has them all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from harness.compare import Margins, Scope, compare
from harness.compare.recipe import compare_recipes
from harness.nouns import Comparison, Run, Signature
from harness.signatures.degradation import degradation
from harness.signatures.gaps import gaps
from harness.signatures.groups import Asked, groups_of, pairs_of, read
from harness.signatures.hallucination import hallucination_changes, hallucinations
from harness.signatures.measures import Measure, change_of, sign_of
from harness.signatures.output import flips, general, instructions, length_change
from harness.signatures.recipe import over_seeds
from harness.signatures.renderings import consistency
from harness.signatures.rules import rules
from harness.stats.paired import holm

__all__ = ["recipe_changes", "signature_changes", "signatures_of", "with_holm"]


def signatures_of(run: Run) -> tuple[Signature, ...]:
    """The signs that a single run has, in the order of docs/signatures.md.

    Raises:
        RunRecordError: A record is missing, damaged, or its counts do not fit.
    """
    probed = (asked for group in groups_of(run) if (asked := read(run, group)) is not None)
    return with_holm([*hallucinations(run), *(sign_of(measure) for asked in probed for measure in _measures(asked))])


def signature_changes(candidate: Run, baseline: Run, comparison: Comparison | None = None) -> tuple[Signature, ...]:
    """How the signs of a candidate differ from those of a baseline, on the items that both have.

    Args:
        candidate: The run in question.
        baseline: The run that it is held against.
        comparison: Their comparison, where it is already made.

    Raises:
        RunRecordError: The runs are unlike, or a record is damaged.
        FailedRunError: A run failed its suite's limits.
    """
    found = compare(candidate, baseline) if comparison is None else comparison
    return with_holm([*_compared(found), *flips(found), *_probed(candidate, baseline, found)])


def recipe_changes(pairs: Sequence[tuple[Run, Run]], comparison: Comparison | None = None) -> tuple[Signature, ...]:
    """How the signs of a recipe differ from those of another: the pair of training seeds is the unit.

    Args:
        pairs: Candidate and baseline of each training seed, three or more.
        comparison: Their comparison by ``harness.compare.recipe``, where it is already made.

    Raises:
        UsageError: There are fewer than three pairs.
        RunRecordError: The runs are unlike, or a record is damaged.
        FailedRunError: A run failed its suite's limits.
    """
    found = compare_recipes(pairs, Margins(), Scope()) if comparison is None else comparison
    probed = [list(_probed(candidate, baseline, found)) for candidate, baseline in pairs]
    return with_holm([*_compared(found, len(pairs)), *over_seeds(probed)])


def _compared(comparison: Comparison, pairs: int | None = None) -> Iterator[Signature]:
    """Signs that a comparison tells by itself."""
    yield from degradation(comparison, pairs)
    yield from instructions(comparison)
    yield from hallucination_changes(comparison)


def _probed(candidate: Run, baseline: Run, comparison: Comparison) -> Iterator[Signature]:
    """Signs of the probes that are compared."""
    for ours, theirs in pairs_of(candidate, baseline, [task.task for task in comparison.tasks]):
        before = {measure.name: measure for measure in _measures(theirs)}
        yield from (change_of(now, before[now.name]) for now in _measures(ours) if now.name in before)
        yield from length_change(ours, theirs)


def with_holm(signs: Iterable[Signature]) -> tuple[Signature, ...]:
    """The signs with Holm's adjustment over those that are tested."""
    found = list(signs)
    tested = [place for place, sign in enumerate(found) if sign.p_worse is not None]
    adjusted = holm([found[place].p_worse or 0.0 for place in tested])
    for place, p in zip(tested, adjusted, strict=True):
        found[place] = replace(found[place], p_worse_holm=float(p))
    return tuple(found)


def _measures(asked: Asked) -> Iterator[Measure]:
    for measure in (consistency, gaps, rules, general):
        yield from measure(asked)
