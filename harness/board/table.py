"""One suite's board: who may be ranked with whom, in which order, and what is shown about each row."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from harness.board.alike import differences
from harness.board.standing import Standing, standing, suite_entry
from harness.errors import RunRecordError
from harness.nouns import Comparison, GroupComparison, Run, Status
from harness.stats.multiplicity import holm
from harness.stats.ranks import rank_sets
from harness.store import Checked

Compare = Callable[[Run, Run, Sequence[str]], Comparison]
"""Candidate, baseline and the tasks to compare; raises RunRecordError where the two are unlike."""

LEVEL = 0.05
BETTER, WORSE, NONINFERIOR, OPEN = "▲", "▼", "≈", "?"


@dataclass(frozen=True, slots=True)
class Row:
    """A run that is ranked.

    Attributes:
        standing: Its scores.
        comparison: Against the baseline; None for the baseline itself.
        mark: What the headline's change is shown to be.
        family_marks: Likewise per family, where a change is shown.
        ranks: Lowest and highest rank that the data allow.
    """

    standing: Standing
    comparison: Comparison | None
    mark: str = ""
    family_marks: Mapping[str, str] = field(default_factory=dict)
    ranks: tuple[int, int] = (1, 1)

    @property
    def change(self) -> GroupComparison | None:
        """The headline against the baseline's; None for the baseline, and where no claim can be made."""
        return self.comparison.suites[0] if self.comparison is not None and self.comparison.suites else None


@dataclass(frozen=True, slots=True)
class Board:
    """One suite.

    Attributes:
        suite: Its name.
        rows: Ranked runs, best change first; the baseline is the one without a comparison.
        unlike: Runs that answer another question than the baseline, and how it differs.
        failed: Runs that may not be relied on, and why.
        chosen: Whether the baseline was named, rather than taken as the earliest run.
        checked: What the training data of runs was checked for, by run id.
    """

    suite: str
    rows: tuple[Row, ...]
    unlike: tuple[tuple[Standing, Sequence[str]], ...]
    failed: tuple[tuple[Run, Sequence[str]], ...]
    chosen: bool
    checked: Mapping[str, Sequence[Checked]] = field(default_factory=dict)

    @property
    def baseline(self) -> Row | None:
        """The row that the others are held against; None where every run failed."""
        return next((row for row in self.rows if row.comparison is None), None)


def make_board(suite: str, runs: Sequence[Run], baselines: Sequence[Run], compare: Compare) -> Board:
    """Rank the runs of a suite against its baseline.

    Args:
        suite: Name of the suite.
        runs: Every run of the store, by date.
        baselines: Runs that were named as baselines; the first that has the suite holds, else the earliest run.
        compare: Compares two runs.

    Raises:
        RunRecordError: A record does not describe the suite, or a named baseline failed.
    """
    members = [run for run in runs if suite_entry(run, suite) is not None]
    failed = [(run, _reasons(run)) for run in members if run.manifest["status"] != Status.COMPLETE]
    standings = [standing(run, suite) for run in members if run.manifest["status"] == Status.COMPLETE]
    failed += [(entry.run, ["a task has no score"]) for entry in standings if entry.score is None]
    standings = [entry for entry in standings if entry.score is not None]
    named = next((run.id for run in baselines if suite_entry(run, suite) is not None), None)
    if not standings:
        return Board(suite, (), (), tuple(failed), named is not None)
    baseline = next((entry for entry in standings if entry.run.id == named), None)
    if named is not None and baseline is None:
        raise RunRecordError(f"Baseline {named[:12]}", f"has no score in {suite} to rely on", "name a complete run")
    rows, unlike = _sorted_out(standings, baseline or standings[0], compare)
    ranked = _ranked(_marked(rows), compare)
    ordered = sorted(ranked, key=lambda row: (-_delta(row), row.standing.run.manifest["date"], row.standing.run.id))
    return Board(suite, tuple(ordered), tuple(unlike), tuple(failed), named is not None)


def _reasons(run: Run) -> list[str]:
    return [str(reason) for reason in run.manifest.get("reasons") or ["no reason is recorded"]]


def _sorted_out(
    standings: Sequence[Standing], baseline: Standing, compare: Compare
) -> tuple[list[Row], list[tuple[Standing, Sequence[str]]]]:
    """Rows that the baseline may be compared with, and the others with what differs."""
    rows: list[Row] = []
    unlike: list[tuple[Standing, Sequence[str]]] = []
    for candidate in standings:
        if candidate is baseline:
            rows.append(Row(candidate, None))
        elif found := differences(candidate, baseline):
            unlike.append((candidate, found))
        else:
            try:
                rows.append(Row(candidate, compare(candidate.run, baseline.run, list(baseline.tasks))))
            except RunRecordError as error:
                unlike.append((candidate, [f"{error.thing} {error.reason}"]))
    return rows, unlike


def _marked(rows: Sequence[Row]) -> list[Row]:
    """The rows with their marks: Holm over the rows for the headline, over all family cells for the families."""
    headlines = [row.change for row in rows]
    marks = _marks([group for group in headlines if group is not None])
    cells = {
        (i, group.name.partition("/")[2]): group
        for i, row in enumerate(rows)
        for group in (row.comparison.families if row.comparison is not None else ())
    }
    shown = dict(zip(cells, _changes(list(cells.values())), strict=True))
    given = iter(marks)
    return [
        replace(
            row,
            mark=next(given) if row.change is not None else "" if row.comparison is None else OPEN,
            family_marks={family: mark for (j, family), mark in shown.items() if j == i and mark},
        )
        for i, row in enumerate(rows)
    ]


def _marks(groups: Sequence[GroupComparison]) -> list[str]:
    noninferior = _holm([group.p_noninferior for group in groups])
    marks = []
    for change, p in zip(_changes(groups), noninferior, strict=True):
        within = NONINFERIOR if p < LEVEL and change != BETTER else ""
        marks.append(" ".join(filter(None, (change, within))) or OPEN)
    return marks


def _changes(groups: Sequence[GroupComparison]) -> list[str]:
    """Better, worse or neither, by two-sided p-values under Holm."""
    adjusted = _holm([min(1.0, 2 * min(group.p_harm, group.p_improve)) for group in groups])
    return [
        "" if p >= LEVEL else BETTER if group.p_improve < group.p_harm else WORSE
        for group, p in zip(groups, adjusted, strict=True)
    ]


def _holm(p: Sequence[float]) -> list[float]:
    return [float(value) for value in holm(p)] if p else []


def _ranked(rows: Sequence[Row], compare: Compare) -> list[Row]:
    """The rows with their rank sets, from the paired tests of all pairs."""
    p_better = np.ones((len(rows), len(rows)))
    for i, j in combinations(range(len(rows)), 2):
        group, sign = _pair(rows[i], rows[j], compare)
        if group is not None:
            ends = group.p_improve, group.p_harm
            p_better[i, j], p_better[j, i] = ends if sign > 0 else ends[::-1]
    ranks = rank_sets(p_better, LEVEL) if len(rows) > 1 else [(1, 1)]
    return [replace(row, ranks=ends) for row, ends in zip(rows, ranks, strict=True)]


def _pair(one: Row, other: Row, compare: Compare) -> tuple[GroupComparison | None, int]:
    """The headline of one row against another's; with the baseline it is known already."""
    if other.comparison is None:
        return one.change, 1
    if one.comparison is None:
        return other.change, -1
    found = compare(one.standing.run, other.standing.run, list(one.standing.tasks))
    return (found.suites[0] if found.suites else None), 1


def _delta(row: Row) -> float:
    if row.comparison is None:
        return 0.0
    return row.change.delta if row.change is not None else -np.inf
