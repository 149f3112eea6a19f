"""``harness leaderboard``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from harness.cli.options import json_option

if TYPE_CHECKING:
    from harness.board import Built, Order
    from harness.nouns import Comparison, Run

F = TypeVar("F", bound=Callable[..., Any])
_PATH = click.Path(path_type=Path)

_OPTIONS = (
    click.option("--store", type=_PATH, default=Path("leaderboards/runs"), show_default=True,
                 help="Folder of the run records; copy records there."),
    click.option("--baseline", "-B", "baselines", multiple=True, metavar="RUN",
                 help="Run, or pointer file of harness baseline, that others are held against; repeatable, one per "
                      "suite. Default: the earliest complete run of each suite."),
    click.option("--output_path", "-o", type=_PATH, default=Path("leaderboards"), show_default=True,
                 help="Folder of the pages."),
    click.option("--suite", "-S", "suites", multiple=True, help="Suite that gets a board; repeatable. Default: all."),
    click.option("--allow_texts", is_flag=True, help="Let records pass that hold documents, prompts and answers."),
    json_option,
)  # fmt: skip


def _what_is_built(command: F) -> F:
    for option in reversed(_OPTIONS):
        command = option(command)
    return command


@click.group("leaderboard")
def command() -> None:
    """Markdown boards from run records."""


@command.command(
    "build",
    epilog="""\b
Examples:
  harness leaderboard build
  harness leaderboard build --baseline 3f9a2c --suite quick
Exit codes: 0 built, 65 a record does not verify or holds texts, 66 no such store or baseline, 73 cannot write.""",
)
@_what_is_built
def build(as_json: bool, **options: Any) -> int:
    """Write a page per suite, and README.md as their index."""
    from harness.board import build as built
    from harness.board import write
    from harness.show import print_json, show_exported

    order = _order(options)
    found = built(order, _compare)
    paths = write(found, order.output)
    if as_json:
        print_json(_document(found) | {"files": [str(path) for path in paths]})
        return 0
    return show_exported(paths, [], as_json)


@command.command(
    "check",
    epilog="""\b
Examples:
  harness leaderboard check
Exit codes: 0 the pages are what the records give, 65 a page is stale or missing or a record does not verify,
66 no such store or baseline.""",
)
@_what_is_built
def check(as_json: bool, **options: Any) -> int:
    """Build the pages in memory and compare them with the files, which are not touched.

    Give the options that the pages were built with.
    """
    from harness.board import check as checked
    from harness.show import plural, print_json, show_problems, stdout

    problems, built = checked(_order(options), _compare)
    if as_json:
        rows = [{"file": file, "what": what} for file, what in problems]
        print_json({"status": "problems" if problems else "ok", "problems": rows})
        return 65 if problems else 0
    if problems or built is None:
        return show_problems(problems, 0, as_json)
    stdout().print(f"{plural(built.runs, 'run')} verified, {plural(len(built.pages), 'page')} as built")
    return 0


def _order(options: dict[str, Any]) -> Order:
    from harness.board import Order

    store = options["store"]
    return Order(
        store=store,
        output=options["output_path"],
        suites=options["suites"],
        baselines=tuple(_baseline(name, store) for name in options["baselines"]),
        allow_texts=options["allow_texts"],
    )


def _baseline(reference: str, store: Path) -> Run:
    from harness.baseline import pointed_run, read_pointer
    from harness.store import load_run

    path = Path(reference)
    return pointed_run(path, read_pointer(path).baseline, store) if path.is_file() else load_run(reference, store)


def _compare(candidate: Run, baseline: Run, tasks: Sequence[str]) -> Comparison:
    from harness.compare import Margins, Scope, compare

    return compare(candidate, baseline, Margins(), Scope(tasks=tuple(tasks)))


def _document(built: Built) -> dict[str, Any]:
    return {"runs": built.runs, "boards": [_board(board) for board in built.boards]}


def _board(board: Any) -> dict[str, Any]:
    baseline = board.baseline
    return {
        "suite": board.suite,
        "baseline": None if baseline is None else baseline.standing.run.id,
        "rows": [
            {
                "run_id": row.standing.run.id,
                "score": row.standing.score.score,
                "interval": list(row.standing.score.interval),
                "delta": None if row.change is None else row.change.delta,
                "delta_interval": None if row.change is None else list(row.change.interval),
                "mark": row.mark,
                "ranks": list(row.ranks),
                "items": row.standing.total,
                "contamination": [
                    {"corpus": one.corpus, "digest": one.digest, "method": one.method, "tasks": dict(one.tasks)}
                    for one in board.checked.get(row.standing.run.id, ())
                ],
            }
            for row in board.rows
        ],
        "unlike": [{"run_id": standing.run.id, "reasons": list(reasons)} for standing, reasons in board.unlike],
        "failed": [{"run_id": run.id, "reasons": list(reasons)} for run, reasons in board.failed],
    }
