"""What ``harness run`` shows while it works, on stderr."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from harness.nouns import Task
from harness.show.words import duration, plural, stderr


class RunScreen:
    """What ``harness run`` shows while it works: stages, the plan, one live progress line."""

    def __init__(self, quiet: bool = False) -> None:
        """Show on stderr; quiet shows nothing but notes and, on a terminal, the progress."""
        self._console = stderr()
        self._quiet = quiet

    def stage(self, text: str) -> None:
        """Say what is being done now, on a terminal only."""
        if self._console.is_terminal and not self._quiet:
            self._console.print(f"[dim]{text} …[/dim]")

    def note(self, text: str) -> None:
        """Say something that the user should know."""
        self._console.print(f"note: {escape(text)}")

    def plan(self, rows: Sequence[tuple[Task, int, int]], done: int, seconds: float | None) -> None:
        """Show what will be asked."""
        if self._quiet:
            return
        families: dict[str, list[tuple[Task, int, int]]] = {}
        for row in rows:
            families.setdefault(row[0].family, []).append(row)
        table = Table("Family", "Tasks", "Items", "Requests", title="Plan", title_justify="left", box=None)
        for column in table.columns[1:]:
            column.justify = "right"
        for family, members in families.items():
            items, requests = sum(row[1] for row in members), sum(row[2] for row in members)
            table.add_row(escape(family), str(len(members)), f"{items:,}", f"{requests:,}")
        self._console.print(table)
        parts = [plural(len(rows), "task"), plural(sum(row[1] for row in rows), "item")]
        if done:
            parts.append(f"{plural(done, 'item')} already done, continuing")
        if seconds is not None:
            parts.append(f"about {duration(seconds)}")
        self._console.print(", ".join(parts) + "\n")

    def progress(self, weight: int, items: int) -> AbstractContextManager[Any]:
        """The live line; nothing where stderr is no terminal."""
        return _live(self._console, weight, items) if self._console.is_terminal else _mute()

    def reading(self, size: int) -> AbstractContextManager[Any]:
        """The live line of something that is read, from the first news of it on: its name, more bytes, more rows."""
        return _reading(self._console, size) if self._console.is_terminal else _mute()


@contextmanager
def _mute() -> Iterator[Any]:
    yield lambda task, weight, items: None


@contextmanager
def _live(console: Console, weight: int, items: int) -> Iterator[Any]:
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        SpinnerColumn(), TextColumn("{task.fields[name]}"), BarColumn(), TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.fields[done]:,}/{task.fields[items]:,} items, {task.fields[rate]:.1f}/s"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as progress:
        line = progress.add_task("", total=max(weight, 1), name="", items=items, done=0, rate=0.0)

        def advance(task: str, moved: int, count: int) -> None:
            done = progress.tasks[0].fields["done"] + count
            elapsed = progress.tasks[0].elapsed or 1e-9
            progress.update(line, advance=moved, name=escape(task), done=done, rate=done / elapsed)

        yield advance


@contextmanager
def _reading(console: Console, size: int) -> Iterator[Any]:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (
        TextColumn("{task.fields[name]}"), BarColumn(), DownloadColumn(), TransferSpeedColumn(),
        TextColumn("{task.fields[rows]:,} rows"), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    progress = Progress(*columns, console=console, transient=True)
    line = progress.add_task("", total=max(size, 1), start=False, name="", rows=0)

    def advance(name: str, moved: int, rows: int) -> None:
        progress.start()
        progress.start_task(line)
        progress.update(line, advance=moved, name=escape(name), rows=progress.tasks[0].fields["rows"] + rows)

    try:
        yield advance
    finally:
        progress.stop()
