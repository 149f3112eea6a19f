"""Pages beside the record of an experiment: boards."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from harness.board import Order, build, write
from harness.compare import Margins, Scope, compare
from harness.experiment.comparing import Held
from harness.experiment.plan import Plan
from harness.nouns import Comparison, Run

BOARDS = "boards"


def write_boards(plan: Plan, held: Sequence[Held]) -> dict[str, Path]:
    """Write a Markdown board per suite; the path of their index, where there are runs to rank.

    Raises:
        HarnessError: A record does not verify, or the folder cannot be written.
    """
    if not plan.runs:
        return {}
    baselines = {theirs.id: theirs for one in held for _, _, theirs in one.pairs[:1]}
    order = Order(plan.store, plan.options.out / BOARDS, (), tuple(baselines.values()), allow_texts=True)
    write(build(order, _compared), order.output)
    return {"boards": order.output / "README.md"}


def _compared(candidate: Run, baseline: Run, tasks: Sequence[str]) -> Comparison:
    return compare(candidate, baseline, Margins(), Scope(tasks=tuple(tasks)))
