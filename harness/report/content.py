"""What a page is made of."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from harness.nouns import Comparison, Run, Signature, Verdict
from harness.show import Flip
from harness.store import Checked

Pair = tuple[str, str]
"""Ids of the candidate's and the baseline's run."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table that stands on the page as it is.

    Attributes:
        title: Its heading.
        header: Names of the columns.
        rows: Cells as text; a cell that begins with a digit or a sign is set as a number.
        note: How to read it.
    """

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """The content of a page.

    Attributes:
        title: Its heading.
        lead: What a reader must know first, one sentence each; none gives the claims of the comparisons.
        runs: Runs whose scores are shown.
        labels: Names of runs by run id; a run without one is called after its checkpoint.
        arms: Arm of an experiment by run id: runs of one arm are training seeds of one recipe and are shown together.
        comparisons: Comparisons of runs, or of recipes.
        verdicts: Policies applied to comparisons.
        signatures: Failure signatures, each group under a title.
        tables: Further tables.
        notes: What else a reader must know.
        flips: Items that the candidate lost or won, by the two ids of the comparison.
        checked: What the training data of runs was checked for, by run id.
    """

    title: str
    lead: tuple[str, ...] = ()
    runs: tuple[Run, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    arms: Mapping[str, str] = field(default_factory=dict)
    comparisons: tuple[Comparison, ...] = ()
    verdicts: tuple[Verdict, ...] = ()
    signatures: tuple[tuple[str, tuple[Signature, ...]], ...] = ()
    tables: tuple[Table, ...] = ()
    notes: tuple[str, ...] = ()
    flips: Mapping[Pair, tuple[Flip, ...]] = field(default_factory=dict)
    checked: Mapping[str, tuple[Checked, ...]] = field(default_factory=dict)
