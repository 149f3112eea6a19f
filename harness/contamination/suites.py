"""Suites on clean items against all items: the mean of family means, weighted as the suite's headline weighs it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from harness.contamination.clean import Change, Contrast, Gain, Scores
from harness.nouns import Run
from harness.scores import Z_95

Weighted = Sequence[tuple[Contrast, float]]


def suite_contrasts(run: Run, suites: Sequence[str], tasks: Sequence[Contrast]) -> Iterator[Contrast | tuple[str, str]]:
    """Suites all of whose tasks are known, or the name of the suite and why nothing is said of it.

    Weights are those of all items, so that the difference is one of scores and not of weights.

    Args:
        run: The candidate; its record says how the suites are weighed.
        suites: Names of the suites.
        tasks: The tasks of which something can be said.
    """
    known = {task.name: task for task in tasks}
    for entry in run.manifest["suites"]:
        if entry["name"] not in suites:
            continue
        lost = [name for name in entry["tasks"] if name not in known]
        if lost:
            more = f" and {len(lost) - 3} more" if len(lost) > 3 else ""
            yield entry["name"], f"nothing can be said of its tasks {', '.join(lost[:3])}{more}"
        elif len({known[name].lower_is_better for name in entry["tasks"]}) > 1:
            yield entry["name"], "in some of its tasks less is better"
        else:
            yield _suite(entry, list(_weighted(entry, [known[name] for name in entry["tasks"]])))


def _weighted(entry: Mapping[str, Any], members: Sequence[Contrast]) -> Iterator[tuple[Contrast, float]]:
    named = entry["families"]
    families = list(dict.fromkeys(named[member.name] for member in members))
    for family in families:
        own = [member for member in members if named[member.name] == family]
        total = sum(member.items for member in own)
        for member in own:
            share = member.items / total if family in entry["pooled"] else 1 / len(own)
            yield member, share / len(families)


def _suite(entry: Mapping[str, Any], weighted: Weighted) -> Contrast:
    gains = [(member.gain, share) for member, share in weighted if member.gain is not None]
    baselines = [(member.baseline, share) for member, share in weighted if member.baseline is not None]
    return Contrast(
        name=str(entry["name"]),
        metric="",
        items=sum(member.items for member, _ in weighted),
        touched=sum(member.touched for member, _ in weighted),
        lower_is_better=weighted[0][0].lower_is_better,
        candidate=_scores([(member.candidate, share) for member, share in weighted]),
        baseline=_scores(baselines) if baselines else None,
        gain=_gain(gains) if gains else None,
    )


def _scores(parts: Sequence[tuple[Scores, float]]) -> Scores:
    full, clean = (sum(share * getattr(one, name) for one, share in parts) for name in ("full", "clean"))
    return Scores(full, clean, None, _sum([(one.change, share) for one, share in parts]))


def _gain(parts: Sequence[tuple[Gain, float]]) -> Gain:
    return Gain(*(_sum([(getattr(one, name), share) for one, share in parts]) for name in ("full", "clean", "change")))


def _sum(parts: Sequence[tuple[Change, float]]) -> Change:
    """Weighted sum of independent differences; items are drawn within tasks."""
    delta = sum(share * change.delta for change, share in parts)
    error = math.sqrt(sum((share * change.standard_error) ** 2 for change, share in parts))
    return Change(delta, (delta - Z_95 * error, delta + Z_95 * error), error)
