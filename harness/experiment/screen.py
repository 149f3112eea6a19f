"""What ``harness experiment`` shows: the plan first, one line per step, a table with the claims at the end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.experiment.comparing import Held
from harness.experiment.graph import Cell
from harness.experiment.plan import Plan, measured, seconds_left
from harness.experiment.work import Failure, progress
from harness.gate.document import headline
from harness.nouns import GroupComparison
from harness.show import RunScreen, duration, interval, percent, plural, show_notes, signed, stderr, stdout

LEVEL = 0.05
BETTER, WORSE = "▲", "▼"
_LEGEND = (
    f"Scores in per cent, baseline → candidate; Δ = candidate − baseline in points. {BETTER} better and {WORSE} worse "
    "after Holm's correction over all comparisons of the matrix that moved the suite. A claim over seed pairs is about "
    "the recipe on these items; ± items is what the items leave open for one pair."
)
_STYLES = {"PASS": "green", "FAIL": "red", "INCONCLUSIVE": "yellow"}


class ExperimentScreen:
    """What is told while an experiment is at work, on stderr."""

    def __init__(self, quiet: bool = False) -> None:
        """Quiet tells of failures and nothing else."""
        self._console = stderr()
        self._quiet = quiet
        self._run = RunScreen(quiet=True)

    @property
    def run(self) -> RunScreen:
        """What a run tells while it works: notes, and progress on a terminal."""
        return self._run

    def plan(self, plan: Plan) -> None:
        """Show what will be done and what is there already."""
        if self._quiet:
            return
        table = Table("Arm", "Producer", "Cells", "Made", "Runs", "Recorded", box=None)
        for column in table.columns[2:]:
            column.justify = "right"
        for name in dict.fromkeys(cell.name for cell in plan.cells.values()):
            own = [cell for cell in plan.cells.values() if cell.name == name]
            made = sum(cell.label in plan.made for cell in own)
            labels = {cell.label for cell in own}
            runs = [place for place in plan.places() if place[0] in labels]
            done = sum(place in plan.runs for place in runs)
            cells = (escape(name.replace(".", " ", 1)), escape(own[0].producer), str(len(own)), str(made))
            table.add_row(*cells, str(len(runs)) if runs else "", str(done) if runs else "")
        self._console.print(_title(plan), style="bold", soft_wrap=True)
        self._console.print(table)
        self._console.print(f"{progress(plan)}{_left(plan)}\n")

    def making(self, plan: Plan, cell: Cell) -> None:
        """Say that a cell is being made."""
        self._step(plan, f"{cell.label}: {cell.producer}")

    def scoring(self, plan: Plan, cell: Cell, suites: tuple[str, ...]) -> None:
        """Say that a checkpoint is being scored."""
        self._step(plan, f"{cell.label}: scoring {' + '.join(suites)}")

    def failed(self, failure: Failure) -> None:
        """Say what failed."""
        text = f"failed: {failure.label}, {failure.step}: {failure.reason}"
        self._console.print(escape(text), soft_wrap=True)

    def _step(self, plan: Plan, text: str) -> None:
        if not self._quiet:
            steps = len(plan.cells) + len(list(plan.places()))
            done = len(plan.made) + len(plan.runs)
            self._console.print(f"[dim]{done + 1}/{steps}[/dim] {escape(text)}[dim]{_left(plan)}[/dim]", soft_wrap=True)


def _title(plan: Plan) -> str:
    named = escape(plan.matrix.matrix)
    return f"Experiment {named}" + (f": {escape(plan.matrix.title)}" if plan.matrix.title else "")


def _left(plan: Plan) -> str:
    seconds = seconds_left(plan, measured(plan))
    return f", about {duration(seconds)} left" if seconds else ""


def show_experiment(plan: Plan, held: Sequence[Held], failures: Sequence[Failure], paths: Mapping[str, Any]) -> None:
    """Print scores, comparisons with their claims, failures and paths."""
    console = stdout()
    console.print(score_table(plan))
    if held:
        console.print()
        console.print(comparison_table(held))
        console.print(f"\n[dim]{_LEGEND}[/dim]")
    for one in held:
        _show_claims(one)
    if failures:
        console.print(failure_table(failures))
    console.print()
    for name, path in paths.items():
        console.print(f"{name:<12}{escape(str(path))}", soft_wrap=True)
    show_notes(list(dict.fromkeys(note for one in held for found in one.claims for note in found.warnings)))


def score_table(plan: Plan) -> Table:
    """Mean score of each arm over its seeds, suite by suite."""
    names = [name for run in plan.matrix.suites for name in run]
    several = len(plan.matrix.bases) > 1
    table = Table(*(["Base"] if several else []), "Arm", "Seeds", *map(escape, names), box=None)
    for column in table.columns[1 + several :]:
        column.justify = "right"
    arms = dict.fromkeys((cell.base, cell.name) for cell in plan.cells.values() if cell.base is not None)
    for base, name in arms:
        own = [cell for cell in plan.cells.values() if (cell.base, cell.name) == (base, name)]
        cells = [_scores(plan, own, suite) for suite in names]
        table.add_row(*[escape(str(base))] * several, escape(own[0].arm), str(len(own)), *cells)
    return table


def _scores(plan: Plan, own: Sequence[Cell], suite: str) -> str:
    """``34.2`` of one checkpoint with its interval; of several their mean and range."""
    labels = {cell.label for cell in own}
    found = [
        entry
        for (label, _), run in plan.runs.items()
        for entry in run.manifest["suites"]
        if label in labels and entry["name"] == suite and entry["score"] is not None
    ]
    if not found:
        return "–"
    scores = [entry["score"] for entry in found]
    ends = found[0]["interval"] if len(found) == 1 else (min(scores), max(scores))
    return f"{percent(sum(scores) / len(scores))} [dim]({interval(ends)})[/dim]"


def comparison_table(held: Sequence[Held]) -> Table:
    """One row per suite and comparison; the base is named where there are several."""
    several = len({one.base for one in held}) > 1
    table = Table(*(["Base"] if several else []), "Comparison", "Claim", "Suite", "Scores", "Δ", "95 % interval",
                  "± items", "", "Verdict", box=None)  # fmt: skip
    for column in table.columns[-6:-2]:
        column.justify, column.no_wrap = "right", True
    table.columns[-1].no_wrap = True
    for one in held:
        named = [escape(one.base)] * several + [escape(f"{one.candidate} against {one.baseline}")]
        if one.problem:
            table.add_row(*named, "none", escape(" + ".join(one.suites)))
        for number, comparison in enumerate(one.claims):
            for group in comparison.suites:
                claim = (pair_name(one, number), escape(group.name))
                scores = f"{percent(group.baseline)} → {percent(group.candidate)}"
                cells = (scores, signed(group.delta), _ends(group), _items(one, group))
                table.add_row(*named, *claim, *cells, _mark(one, group), _ruling(one, number, group.name))
    return table


def pair_name(one: Held, number: int) -> str:
    """What a claim rests on: ``3 seed pairs``, ``seed 1``, ``one checkpoint``."""
    if one.recipe is not None:
        return plural(len(one.pairs), "seed pair")
    seed = one.pairs[number][0]
    return "one checkpoint" if seed is None else f"seed {seed}"


def _mark(one: Held, group: GroupComparison) -> str:
    up, down = (one.adjusted or {}).get(group.name, (1.0, 1.0))
    return BETTER if up < LEVEL else WORSE if down < LEVEL else ""


def _ruling(one: Held, number: int, suite: str) -> str:
    if not one.verdicts or suite not in one.verdicts[number].policy:
        return ""
    ruling = str(one.verdicts[number].ruling)
    return f"[{_STYLES[ruling]}]{ruling}[/]"


def _ends(group: GroupComparison) -> str:
    return f"{signed(group.interval[0])} to {signed(group.interval[1])}"


def _items(one: Held, group: GroupComparison) -> str:
    """Half of the interval over items, in points, in the mean over the pairs."""
    found = [own for comparison in one.comparisons for own in comparison.suites if own.name == group.name]
    return percent(sum(own.interval[1] - own.interval[0] for own in found) / 2 / len(found))


def _show_claims(one: Held) -> None:
    console = stdout()
    console.print(f"\n[bold]{escape(one.title)}[/bold]")
    if one.problem:
        console.print(escape(one.problem))
    suites = {group.name for comparison in one.claims for group in comparison.suites}
    for comparison in one.claims:
        for sentence in comparison.sentences:
            if sentence.partition(":")[0] in suites:
                console.print(escape(sentence))
    for verdict in one.verdicts:
        text = headline(verdict, "fail")
        style = _STYLES[str(verdict.ruling)]
        console.print(f"[{style}]{verdict.ruling}[/]{escape(text.removeprefix(str(verdict.ruling)))}")


def failure_table(failures: Sequence[Failure]) -> Table:
    """What failed and why."""
    table = Table("Failed", "Step", "Reason", box=None)
    table.columns[2].overflow = "fold"
    for failure in failures:
        table.add_row(f"[red]{escape(failure.label)}[/red]", escape(failure.step), escape(failure.reason))
    return table
