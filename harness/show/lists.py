"""What ``ls``, ``validate``, ``verify`` and ``export`` print: rows of findings, and notes beside results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.nouns import Check, State
from harness.show.words import FAILED_RUN, percent, plural, print_json, stderr, stdout


def show_checks(checks: Sequence[Check], code: int, as_json: bool) -> int:
    """Print what ``validate`` has found, problems last; returns the exit code."""
    if as_json:
        rows = [
            {"subject": c.subject, "check": c.check, "state": str(c.state), "sentence": c.sentence, "fix": c.fix}
            for c in checks
        ]
        print_json({"status": "problems" if code else "ok", "exit_code": code, "checks": rows})
        return code
    styles = {State.OK: "green", State.PROBLEM: "red"}
    table = Table("What", "Check", "Found", "", box=None)
    for check in sorted(checks, key=lambda check: check.state is State.PROBLEM):
        style = styles.get(check.state, "dim")
        fix = f"\n[bold]{escape(check.fix)}[/bold]" if check.fix else ""
        cells = (escape(check.subject), check.check, f"[{style}]{check.state}[/{style}]", escape(check.sentence) + fix)
        table.add_row(*cells)
    console = stdout()
    console.print(table)
    problems = sum(check.state is State.PROBLEM for check in checks)
    console.print(f"\n{plural(len(checks), 'check')}, {plural(problems, 'problem')}")
    return code


def show_notes(notes: Sequence[str]) -> None:
    """Say on stderr what the user should know beside the result."""
    console = stderr()
    for note in notes:
        console.print(f"note: {escape(note)}", soft_wrap=True)


def show_exported(files: Sequence[Path], notes: Sequence[str], as_json: bool) -> int:
    """Print what ``export`` has written; returns the exit code."""
    if as_json:
        print_json({"files": [str(path) for path in files], "notes": list(notes)})
        return 0
    show_notes(notes)
    console = stdout()
    for path in files:
        console.print(escape(str(path)), soft_wrap=True)
    return 0


def show_produced(manifest: Mapping[str, Any], folder: Path, as_json: bool) -> int:
    """Print what ``produce`` has made; returns the exit code."""
    if as_json:
        print_json(manifest)
        return 0
    console = stdout()
    console.print(f"{escape(manifest['producer'])} made, in {manifest['seconds']:.0f} s, from", end=" ")
    console.print(escape(manifest["base"]["reference"]), soft_wrap=True)
    for name, value in sorted(manifest["checkpoint"]["digests"].items()):
        console.print(f"  {escape(name)} {value[:16]}")
    console.print(escape(str(folder)), soft_wrap=True)
    return 0


def show_problems(problems: Sequence[tuple[str, str]], runs: int, as_json: bool) -> int:
    """Print what ``verify`` has found, as (file, what is wrong); returns the exit code."""
    code = FAILED_RUN if problems else 0
    if as_json:
        print_json([{"file": file, "what": what} for file, what in problems])
        return code
    console = stdout()
    if not problems:
        console.print(f"{plural(runs, 'run')} verified")
        return code
    table = Table("File", "What", box=None)
    for column in table.columns:
        column.overflow = "fold"
    for file, what in problems:
        table.add_row(escape(file), f"[red]{escape(what)}[/red]")
    console.print(table)
    console.print(f"\n{plural(len(problems), 'problem')}")
    return code


def show_rows(what: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Print what ``ls`` lists as a table; bare names, such as those of stock tasks, one per line."""
    full = [row for row in rows if len(row) > 2]
    console = stdout()
    if full:
        table = Table(*(name.replace("_", " ").capitalize() for name in full[0]), box=None)
        for row in full:
            table.add_row(*(escape(_cell(name, value)) for name, value in row.items()))
        console.print(table)
    for row in rows[len(full) :]:
        console.print(escape(row["name"]), soft_wrap=True)
    if not rows:
        stderr().print(f"no {what}")


def _cell(name: str, value: Any) -> str:
    """A listing's value in a few characters: ids shortened, scores in per cent, task lists counted."""
    if name == "run_id":
        return str(value)[:12]
    if name == "tasks":
        return str(len(value))
    if name == "chance":
        return percent(value)
    if name == "suites":
        return ", ".join(s["name"] if s["score"] is None else f"{s['name']} {percent(s['score'])}" for s in value)
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value:,}" if isinstance(value, int) else str(value)
