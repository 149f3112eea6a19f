"""Pages beside the record of an experiment: a Markdown board per suite, and one report."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from harness.board import INDEX, Order, build, write
from harness.compare import Margins, Scope, compare
from harness.experiment.comparing import Held
from harness.experiment.making import state_of
from harness.experiment.plan import Plan
from harness.experiment.screen import pair_name
from harness.experiment.work import Failure
from harness.nouns import Comparison, Run, Signature
from harness.report import Report, Table, write_report
from harness.show import duration

BOARDS, REPORT = "boards", "report.html"


def write_pages(plan: Plan, held: Sequence[Held], failures: Sequence[Failure]) -> dict[str, Path]:
    """Write boards and report; their paths, none where there is no run yet.

    The boards have no index: that one is for records which may be published.

    Raises:
        HarnessError: A record does not verify, or the folder cannot be written.
    """
    if not plan.runs:
        return {}
    baselines = {theirs.id: theirs for one in held for _, _, theirs in one.pairs[:1]}
    order = Order(plan.store, plan.options.out / BOARDS, (), tuple(baselines.values()), allow_texts=True)
    built = build(order, _compared)
    write(replace(built, pages={name: text for name, text in built.pages.items() if name != INDEX}), order.output)
    write_report(_report(plan, held, failures), plan.options.out / REPORT)
    return {"boards": order.output, "report": plan.options.out / REPORT}


def _compared(candidate: Run, baseline: Run, tasks: Sequence[str]) -> Comparison:
    return compare(candidate, baseline, Margins(), Scope(tasks=tuple(tasks)))


def _report(plan: Plan, held: Sequence[Held], failures: Sequence[Failure]) -> Report:
    cells = plan.cells
    placed = {run.id: cells[label] for (label, _), run in plan.runs.items()}
    several = len(plan.matrix.bases) > 1
    return Report(
        title=plan.matrix.title or f"Experiment {plan.matrix.matrix}",
        runs=tuple({run.id: run for run in plan.runs.values()}.values()),
        labels={run: _label(cell.label, several) for run, cell in placed.items()},
        arms={run: f"{cell.base}/{cell.arm}" if several else cell.arm for run, cell in placed.items()},
        comparisons=tuple(claim for one in held for claim in one.claims),
        verdicts=tuple(verdict for one in held for verdict in one.verdicts),
        signatures=tuple(_signs(held)),
        tables=(*([_failed(failures)] if failures else []), _seconds(plan)),
        notes=tuple(f"{one.title}: {one.problem}" for one in held if one.problem),
    )


def _label(label: str, several: bool) -> str:
    base, arm, *seed = label.split("/")
    name = ", ".join([arm, *(part.replace("-", " ") for part in seed)])
    return f"{base}: {name}" if several else name


def _signs(held: Sequence[Held]) -> Iterator[tuple[str, tuple[Signature, ...]]]:
    for one in held:
        for number, signs in enumerate(one.signs):
            if signs:
                yield f"{one.title}, {pair_name(one, number)}", signs


def _failed(failures: Sequence[Failure]) -> Table:
    rows = tuple((failure.label, failure.step, failure.reason) for failure in failures)
    return Table("What failed", ("Cell", "Step", "Reason"), rows, "The same command tries these again, and only these.")


def _seconds(plan: Plan) -> Table:
    rows = tuple(_times(label, state["seconds"]) for label, cell in plan.cells.items() if (state := state_of(cell)))
    note = "Time of the producer, of scoring, and of the runner beside both, over all calls that worked on the cell."
    return Table("Time per cell", ("Cell", "Producing", "Scoring", "Runner"), rows, note)


def _times(label: str, seconds: Mapping[str, float]) -> tuple[str, ...]:
    return (label, *(duration(seconds.get(name, 0.0)) for name in ("producing", "scoring", "own")))
