"""The curve of a training: the score of each suite after each step, as a picture and as a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.queue import Score
from harness.show.words import interval, percent, stderr, stdout


def show_score(score: Score) -> None:
    """Say on stderr what came of scoring one state."""
    told = ", ".join(
        f"{suite['name']} {percent(suite['score'])} ({interval(suite['interval'])})" for suite in score.suites
    )
    stderr().print(escape(f"{_name(score.step)}: {told or score.reason}"), soft_wrap=True)


def show_curve(scores: Sequence[Score], paths: Sequence[Path]) -> None:
    """Print the table of all states and where it is kept."""
    names = _suites(scores)
    table = Table("Step", *names, "Run", box=None)
    for column in table.columns[:-1]:
        column.justify = "right"
    for score in scores:
        found = {suite["name"]: suite for suite in score.suites}
        cells = (
            f"{percent(found[name]['score'])} ({interval(found[name]['interval'])})" if name in found else ""
            for name in names
        )
        table.add_row(f"{score.step:,}", *cells, escape((score.run_id or "")[:12] or str(score.reason)))
    console = stdout()
    console.print(table)
    console.print("\n[dim]Score and 95 % interval in per cent; step 0 is the base.[/dim]")
    for path in paths:
        console.print(escape(str(path)), soft_wrap=True)


def draw_curve(scores: Sequence[Score], path: Path) -> None:
    """Draw score and interval of each suite against the step; the same scores give the same bytes.

    Args:
        scores: By step.
        path: File ending in .svg.

    Raises:
        StoreError: It cannot be written.
    """
    from matplotlib import rc_context
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    from harness.store.disk import writing

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    FigureCanvasSVG(figure)
    axes = figure.add_subplot()
    for name in _suites(scores):
        points = [(score.step, suite) for score in scores for suite in score.suites if suite["name"] == name]
        steps, found = [step for step, _ in points], [suite for _, suite in points]
        middle = [100 * suite["score"] for suite in found]
        low, high = ([100 * suite["interval"][end] for suite in found] for end in (0, 1))
        (line,) = axes.plot(steps, middle, marker=".", label=name)
        axes.fill_between(steps, low, high, color=line.get_color(), alpha=0.15, linewidth=0)
    axes.set(xlabel="step", ylabel="score with 95 % interval, in per cent")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)
    draft = path.with_name(f".{path.name}")
    with writing(path), rc_context({"svg.hashsalt": "harness curve"}):
        figure.savefig(draft, format="svg", metadata={"Date": None, "Creator": None})
        draft.replace(path)


def _cell(suite: Mapping[str, Any]) -> str:
    return f"{percent(suite['score'])} ({interval(suite['interval'])})"


def _name(step: int) -> str:
    return f"step {step:,}" if step else "base"


def _suites(scores: Sequence[Score]) -> list[str]:
    return list(dict.fromkeys(suite["name"] for score in scores for suite in score.suites))
