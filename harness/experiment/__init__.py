"""``harness experiment``: producers x seeds x suites from one file, resumed where it stopped, compared and gated.

The matrix (``matrix.py``) gives cells (``graph.py``); the plan (``plan.py``) says which are there; they are made and
scored (``work.py``); their runs are compared (``comparing.py``) and shown as a document, boards and a report.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.experiment.comparing import Held, compare_arms
from harness.experiment.document import FILE, document_of, save
from harness.experiment.outputs import write_pages
from harness.experiment.plan import Options, Plan, make_plan
from harness.experiment.screen import ExperimentScreen
from harness.experiment.work import Account, Failure, carry_out
from harness.store.disk import alone

__all__ = ["Done", "ExperimentScreen", "Options", "Plan", "experiment", "make_plan"]


@dataclass(frozen=True)
class Done:
    """What has come of an experiment.

    Attributes:
        plan: The plan, with what is made and recorded.
        held: Its comparisons.
        failures: What failed.
        document: The content of ``experiment.json``.
        paths: Files that were written, by what they are.
    """

    plan: Plan
    held: Sequence[Held]
    failures: Sequence[Failure]
    document: Mapping[str, Any]
    paths: Mapping[str, Path]


def experiment(matrix: str, options: Options, screen: ExperimentScreen) -> Done:
    """Make, score and compare what a matrix says; what is there already is used.

    Args:
        matrix: Path of a matrix, or the name of one that ships with the package.
        options: The command line.
        screen: Told how it goes on.

    Returns:
        What has come of it; a cell that failed is told there, and does not keep the others from being done.

    Raises:
        UsageError, DataError, MissingInputError: The matrix cannot be done as it is; nothing is computed.
        StoreError: Another process is at work in the folder, or it cannot be written.
        InterruptedRunError: Ctrl-C; what was made and scored stays.
    """
    plan = make_plan(matrix, options)
    with alone(options.out):
        screen.plan(plan)
        account = carry_out(plan, screen, lambda account: save(plan, document_of(plan, account)))
        held = compare_arms(plan)
        content = document_of(plan, account, held)
        save(plan, content)
        paths = {"experiment": options.out / FILE, "runs": plan.store, **write_pages(plan, held, account.failures)}
    return Done(plan, held, account.failures, content, paths)


def dry_run(matrix: str, options: Options, screen: ExperimentScreen) -> Mapping[str, Any]:
    """Check a matrix and show its plan, without computing.

    Raises:
        UsageError, DataError, MissingInputError: The matrix cannot be done as it is.
    """
    plan = make_plan(matrix, options)
    screen.plan(plan)
    return document_of(plan, Account())
