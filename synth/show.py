"""What ``harness synth`` shows: what each step does and found on stderr, the result on stdout."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.show import duration, percent, plural, print_json, stderr, stdout
from synth.review import Agreement

Facts = Mapping[str, Any]

_TABLES = ("guidelines", "rules", "failed", "families", "strategies", "rejected")
"""Counts of a step that a person looks at; the datasheet has the others."""

_DOES = {
    "draft": "reading, drafting guidelines and rules",
    "render": "writing prompts and answers",
    "filter": "checking every example",
    "mix": "selecting the corpus",
    "stats": "measuring",
}


class Screen:
    """Progress of the steps, on stderr."""

    def __init__(self, quiet: bool = False) -> None:
        """Quiet says nothing but notes."""
        self._console = stderr()
        self._quiet = quiet

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Say what is being done, and how long it took."""
        started = time.perf_counter()
        if self._console.is_terminal and not self._quiet:
            with self._console.status(f"{name}: {_DOES[name]} …"):
                yield
        else:
            yield
        if not self._quiet:
            self._console.print(f"[bold]{name}[/bold] ({duration(time.perf_counter() - started)})")

    def found(self, name: str, facts: Facts) -> None:
        """Say what a step found, and what the user should know of it."""
        for note in facts.get("notes", ()):
            self._console.print(f"note: {escape(note)}", soft_wrap=True)
        for task, reason in facts.get("uncovered", {}).items():
            self._console.print(
                f"note: {escape(task)} was not checked for contamination: {escape(reason)}", soft_wrap=True
            )
        if not self._quiet and name != "stats":  # they have a page of their own
            for line in _lines(facts):
                self._console.print(f"  {escape(line)}", soft_wrap=True)


def show(facts: dict[str, Facts], folder: Path, as_json: bool) -> int:
    """Print the result of the last step; returns the exit code."""
    last = facts[next(reversed(facts))]
    document = {"path": str(folder), **facts.get("mix", last)}
    if as_json:
        print_json(document)
        return 0
    if "mix" in facts:
        stdout().print(f"{plural(document['records'], 'record')} in", end=" ")
    stdout().print(escape(str(document["path"])), soft_wrap=True)
    return 0


def show_page(url: str) -> None:
    """Say where the review page is."""
    stderr().print(f"review at {escape(url)}\nCtrl-C ends it; every verdict is written at once", soft_wrap=True)


def show_reviewed(judged: int, items: int) -> int:
    """Say how far a review came; returns the exit code."""
    stderr().print(f"{judged:,} of {plural(items, 'item')} judged")
    return 0


def show_agreements(found: Sequence[Agreement], as_json: bool) -> int:
    """Print how far reviewers agree; returns the exit code."""
    if as_json:
        print_json([asdict(agreement) for agreement in found])
        return 0
    table = Table("Strategy", "Reviewers", "Items", "Same verdict, %", "Kappa", "95 % interval", "", box=None)
    for one in found:
        kappa = "" if one.kappa is None else f"{one.kappa:.2f}"
        ends = "" if one.interval is None else f"{one.interval[0]:.2f} – {one.interval[1]:.2f}"
        names = escape(" and ".join(one.reviewers))
        table.add_row(one.strategy, names, str(one.items), percent(one.observed), kappa, ends, escape(one.reason))
    if found:
        stdout().print(table)
    else:
        stderr().print("no item was judged by two reviewers yet")
    return 0


def _lines(facts: Facts) -> Iterator[str]:
    """Numbers and tables of numbers as lines of words."""
    numbers = [f"{value:,} {name}" for name, value in facts.items() if isinstance(value, int)]
    if numbers:
        yield ", ".join(numbers)
    for name in _TABLES:
        if told := ", ".join(f"{count:,} {part}" for part, count in facts.get(name, {}).items() if count):
            yield f"{name}: {told}"
