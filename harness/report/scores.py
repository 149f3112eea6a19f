"""What was scored: per suite the headline of every series, and below it every task."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from harness.metrics.folds import LOWER_IS_BETTER
from harness.nouns import Interval, Run
from harness.report.axis import score_axis
from harness.report.people import Series
from harness.show import interval as ends_of
from harness.show import percent, plural
from harness.show.facts import mapping
from harness.show.outcome import HEALTH_SHOWN
from harness.stats.intervals import mean_standard_error, t_quantile

_MOST_FLAGS = 2

Entry = Mapping[str, Any]


def suites_of(series: Sequence[Series]) -> list[dict[str, Any]]:
    """The suites of a page in the order of its runs; one that was scored in two versions or limits is two."""
    found: dict[tuple[Any, ...], Entry] = {}
    for run in (run for one in series for run in one.runs):
        for suite in run.manifest["suites"]:
            found.setdefault(_key(run, suite), suite)
    names = [suite["name"] for suite in found.values()]
    shown = []
    for key, suite in found.items():
        members = [(one, [run for run in one.runs if _has(run, key)]) for one in series]
        scored = [(one, runs) for one, runs in members if runs]
        shown.append(_suite(key, suite, scored) | {"alone": names.count(suite["name"]) == 1})
    return shown


def task_entries(run: Run) -> dict[str, Entry]:
    """A run's entries of its tasks by name."""
    return {entry["name"]: entry for entry in run.manifest["tasks"]}


def limit_of(limit: float | None) -> str:
    """How many items of a task were asked, where not all were."""
    if limit is None:
        return ""
    return f"at most {limit:g} per task" if limit >= 1 else f"a sample of {percent(limit)} % per task"


def _key(run: Run, suite: Entry) -> tuple[Any, ...]:
    limit = run.manifest.get("limit")
    return suite["name"], suite.get("digest"), limit


def _has(run: Run, key: tuple[Any, ...]) -> bool:
    return any(_key(run, suite) == key for suite in run.manifest["suites"])


def _suite(key: tuple[Any, ...], suite: Entry, scored: Sequence[tuple[Series, list[Run]]]) -> dict[str, Any]:
    entries = [(one, [task_entries(run) for run in runs]) for one, runs in scored]
    headline = [_headline(one, [_entry_of(run, key) for run in runs]) for one, runs in scored]
    tasks = list(_tasks(suite, entries))
    first = entries[0][1][0]
    return {
        "name": suite["name"],
        "title": suite.get("title") or "",
        "version": suite.get("version"),
        "digest": str(suite.get("digest") or "")[:12],
        "limit": limit_of(key[2]),
        "count": sum(first[task]["items"] or 0 for task in suite["tasks"] if task in first),
        "families": list(dict.fromkeys(task["family"] for task in tasks)),
        "pooled": ", ".join(suite.get("pooled") or ()),
        "rows": headline,
        "axis": score_axis(end for row in headline for end in row["reach"]),
        "tasks": tasks,
        "task_axis": score_axis(end for task in tasks if task["bounded"] for end in task["reach"]),
        "columns": [one for one, _ in scored],
    }


def _entry_of(run: Run, key: tuple[Any, ...]) -> Entry:
    return next(suite for suite in run.manifest["suites"] if _key(run, suite) == key)


def _headline(one: Series, suites: Sequence[Entry]) -> dict[str, Any]:
    known = [suite for suite in suites if suite.get("score") is not None]
    scores = [float(suite["score"]) for suite in known]
    value, ends = _over_seeds(scores, [suite["interval"] for suite in known])
    families = [mapping(suite.get("family_scores")) for suite in known]
    return {
        "series": one,
        "score": value,
        "ends": ends,
        "points": scores if len(scores) > 1 else [],
        "reach": [*scores, *(ends or ())],
        "families": {name: _mean([own[name] for own in families if name in own]) for name in _all(families)},
        "unscored": len(suites) - len(known),
        "seeds": len(suites),
    }


def _over_seeds(scores: Sequence[float], intervals: Sequence[Interval]) -> tuple[float | None, Interval | None]:
    """Mean and interval: of one run its own, of several the t interval of their mean.

    Seeds that all score the same have no spread to tell of: they keep the interval of the first.
    """
    if not scores:
        return None, None
    value = _mean(scores)
    error, freedom = mean_standard_error(np.array(scores))
    if not freedom or error == 0:
        return value, (intervals[0][0], intervals[0][1])
    reach = t_quantile(0.975, freedom) * error
    return value, (max(0.0, value - reach), min(1.0, value + reach))


def _tasks(suite: Entry, entries: Sequence[tuple[Series, list[dict[str, Entry]]]]) -> Iterator[dict[str, Any]]:
    families = mapping(suite.get("families"))
    for name in suite["tasks"]:
        first = next((own[name] for _, runs in entries for own in runs if name in own), None)
        if first is None:
            continue
        cells = [_cell(one, [own[name] for own in runs if name in own]) for one, runs in entries]
        fold = mapping(first.get("folds")).get(first["metric"])
        yield {
            "name": name,
            "family": families.get(name, first.get("family")),
            "metric": first["metric"],
            "bounded": fold not in LOWER_IS_BETTER,
            "chance": first.get("chance"),
            "count": first.get("items"),
            "cells": cells,
            "reach": [first.get("chance") or 0.0, *(end for cell in cells for end in cell["reach"])],
        }


def _cell(one: Series, entries: Sequence[Entry]) -> dict[str, Any]:
    """One task of one series: its score, or of seeds their mean with the least and the most."""
    known = [entry for entry in entries if entry.get("score") is not None]
    scores = [float(entry["score"]) for entry in known]
    ends = None
    if len(scores) == 1 and known[0].get("interval") is not None:
        low, high = known[0]["interval"]
        ends = (float(low), math.inf if high is None else float(high))
    elif scores:
        ends = (min(scores), max(scores))
    return {
        "series": one,
        "score": _mean(scores) if scores else None,
        "ends": ends,
        "points": scores if len(scores) > 1 else [],
        "reach": [value for value in (*scores, *(ends or ())) if math.isfinite(value)],
        "flags": _flags(entries),
        "failed": sum(entry.get("failed") or 0 for entry in entries),
    }


def _flags(entries: Sequence[Entry]) -> list[str]:
    """The highest health rates, in words; of seeds their means. Rates of the gold answers say nothing of the model."""
    rates = [mapping(entry.get("health")) for entry in entries]
    means = {name: _mean([own[name] for own in rates if name in own]) for name in _all(rates)}
    high = [(value, name) for name, value in means.items() if value >= HEALTH_SHOWN and not name.startswith("gold_")]
    worst = sorted(high, key=lambda pair: -pair[0])
    words = [f"{percent(value)} % {name.replace('_', ' ')}" for value, name in worst[:_MOST_FLAGS]]
    more = len(worst) - _MOST_FLAGS
    return [*words, f"and {plural(more, 'more rate')}"] if more > 0 else words


def number(value: float | None, bounded: bool = True) -> str:
    """A score in per cent, one without an upper bound as it is."""
    if value is None:
        return "none"
    return percent(value) if bounded else f"{value:,.3g}"


def ends(interval: Interval | None, bounded: bool = True) -> str:
    """The ends of a score's interval."""
    if interval is None:
        return ""
    return ends_of(interval) if bounded else " – ".join(number(end, bounded) for end in interval)


def cell_ends(cell: Mapping[str, Any], bounded: bool = True) -> str:
    """Interval of a run's score, or the least … the most of an arm's seeds."""
    if not cell["points"]:
        return ends(cell["ends"], bounded)
    return " … ".join(number(end, bounded) for end in cell["ends"])


def _all(parts: Sequence[Entry]) -> list[str]:
    return list(dict.fromkeys(name for part in parts for name in part))


def _mean(values: Sequence[float]) -> float:
    return math.fsum(values) / len(values)
