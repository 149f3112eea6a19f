"""What ``harness synth`` shows: what each step does and found on stderr, the result on stdout."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.markup import escape

from harness.show import duration, plural, print_json, stderr, stdout

Facts = Mapping[str, Any]

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
        if not self._quiet:
            for line in _lines(facts):
                self._console.print(f"  {escape(line)}", soft_wrap=True)


def show(facts: Mapping[str, Facts], folder: Path, as_json: bool) -> int:
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


def _lines(facts: Facts) -> Iterator[str]:
    """Numbers and tables of numbers as lines of words."""
    numbers = [f"{value:,} {name}" for name, value in facts.items() if isinstance(value, int)]
    if numbers:
        yield ", ".join(numbers)
    for name, value in facts.items():
        if isinstance(value, Mapping) and value and all(isinstance(count, int) for count in value.values()):
            yield f"{name}: " + ", ".join(f"{count:,} {part}" for part, count in value.items() if count)
