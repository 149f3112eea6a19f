"""``harness leaderboard``: verified run records to Markdown pages, byte for byte the same wherever they are built.

No clock and no environment enters a page: what is written depends on the records, the options and this package alone.
Comparing is another verb's work, so it is handed in.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from harness.board.pages import MARKER, board_page, index_page
from harness.board.records import read_store, remedy
from harness.board.table import Board, Compare, make_board
from harness.errors import MissingInputError, RunRecordError, UsageError
from harness.nouns import Run
from harness.store import Problem, read_checked
from harness.store.disk import replace_file

__all__ = ["Board", "Built", "Compare", "Order", "build", "check", "write"]

INDEX = "README.md"
AD_HOC = "tasks"
"""Suite that tasks named on a command line form: it is another one in every run, so it has no board."""

_FILE_NAME = re.compile(r"[A-Za-z0-9][\w.-]{0,99}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Order:
    """What is to be built.

    Attributes:
        store: Folder of the records.
        output: Folder of the pages; they link to records below it.
        suites: Suites that get a board; none means all.
        baselines: Runs that others are held against, one per suite or for several.
        allow_texts: Let records pass that hold texts of third parties.
    """

    store: Path
    output: Path
    suites: tuple[str, ...] = ()
    baselines: tuple[Run, ...] = ()
    allow_texts: bool = False


@dataclass(frozen=True, slots=True)
class Built:
    """Boards and their pages by file name."""

    boards: tuple[Board, ...]
    pages: Mapping[str, str]
    runs: int


def build(order: Order, compare: Compare) -> Built:
    """Make the boards and pages in memory.

    Args:
        order: What is to be built.
        compare: Compares two runs.

    Raises:
        MissingInputError: The store is no folder, or lacks a baseline.
        UsageError: A suite is asked for that no run has.
        RunRecordError: A record does not verify, may not be published, or does not describe its suite.
    """
    runs, problems = read_store(order.store, order.allow_texts)
    if problems:
        raise RunRecordError(f"{order.store / problems[0].file}", problems[0].what, remedy(problems[0]))
    return _built(order, runs, compare)


def write(built: Built, output: Path) -> list[Path]:
    """Write the pages, each whole or not at all.

    Raises:
        StoreError: A page cannot be written.
    """
    paths = []
    for name, text in built.pages.items():
        replace_file(output / name, text.encode())
        paths.append(output / name)
    return paths


def check(order: Order, compare: Compare) -> tuple[list[Problem], Built | None]:
    """Return what is wrong with records and pages, and what was built to find out; None where records are wrong.

    Raises:
        HarnessError: As :func:`build`, but a record that does not verify is a problem, not an error.
    """
    runs, problems = read_store(order.store, order.allow_texts)
    if problems:
        return [Problem(f"{order.store / problem.file}", problem.what) for problem in problems], None
    built = _built(order, runs, compare)
    return [*_stale(order.output, built.pages), *_left_over(order.output, built.pages)], built


def _built(order: Order, runs: Sequence[Run], compare: Compare) -> Built:
    known = {run.id for run in runs}
    for run in order.baselines:
        if run.id not in known:
            raise MissingInputError(f"Baseline {run.id[:12]}", f"is not in {order.store}", "copy its record there")
    checked = read_checked(order.store)
    boards = tuple(
        replace(make_board(name, runs, order.baselines, compare), checked=checked) for name in _suites(order, runs)
    )
    link = _link(order)
    pages = {f"{board.suite}.md": board_page(board, link) for board in boards}
    return Built(boards, pages | {INDEX: index_page(boards, len(runs))}, len(runs))


def _suites(order: Order, runs: Sequence[Run]) -> list[str]:
    listed = (run.manifest["suites"] for run in runs)
    known = sorted({str(entry["name"]) for entries in listed for entry in entries if isinstance(entry, dict)})
    for name in order.suites:
        if name not in known:
            close = difflib.get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]}?" if close else f"name one of {', '.join(known) or 'none'}"
            raise UsageError(f"--suite {name}", "is in no run", hint)
    wanted = [name for name in known if name in order.suites or (not order.suites and name != AD_HOC)]
    for name in wanted:
        if not _FILE_NAME.fullmatch(name) or f"{name}.md".lower() == INDEX.lower():
            raise RunRecordError(f"Suite {name!r}", "has a name that gives no file name", "remove its records")
    return wanted


def _link(order: Order) -> str | None:
    """The way from the pages to the store; None where the store lies elsewhere and a link would break."""
    store, output = order.store.resolve(), order.output.resolve()
    return store.relative_to(output).as_posix() if store.is_relative_to(output) else None


def _stale(output: Path, pages: Mapping[str, str]) -> list[Problem]:
    problems = []
    for name, text in pages.items():
        path = output / name
        if not path.is_file():
            problems.append(Problem(str(path), "missing: build it with harness leaderboard build"))
        elif path.read_bytes() != text.encode():
            problems.append(Problem(str(path), "stale: it differs from what its records give"))
    return problems


def _left_over(output: Path, pages: Mapping[str, str]) -> list[Problem]:
    """Pages that an earlier build wrote and this one does not."""
    others = (path for path in sorted(output.glob("*.md")) if path.name not in pages)
    return [
        Problem(str(path), "left over: no record gives this board, so remove it")
        for path in others
        if path.read_bytes().startswith(MARKER.encode())
    ]
