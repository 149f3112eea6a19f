"""A board as a Markdown page, and the index of all pages; every value is escaped where it enters the template."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, StrictUndefined, Template

from harness.board.standing import Standing
from harness.board.table import Board, Row
from harness.nouns import Comparison, Run
from harness.show import percent, signed
from harness.show.exposure import exposure, exposure_notes
from harness.show.facts import engine_of, mapping
from harness.show.markdown import escaped
from harness.store import Checked

MARKER = "<!-- Built by harness leaderboard build; harness leaderboard check fails where it is edited. -->"
FLAGGED = 0.05
"""Health rates from here on are shown."""

UNKNOWN = "–"


def board_page(board: Board, link: str | None) -> str:
    """The page of a board.

    Args:
        board: The board.
        link: Way from the page to the store, or None for no links.
    """
    baseline = board.baseline
    return _template("board.md.j2").render(
        marker=MARKER,
        board=board,
        entry=baseline.standing.entry if baseline is not None else {},
        baseline=None if baseline is None else _facts(baseline.standing.run, link),
        families=list(_families(board)),
        rows=[_row(row, link, board.checked) for row in board.rows],
        unlike=[_unlike(standing, reasons, link) for standing, reasons in board.unlike],
        failed=[_facts(run, link) | {"reasons": _few(reasons)} for run, reasons in board.failed],
        margin=next((percent(row.change.margin) for row in board.rows if row.change is not None), None),
        notes=list(_notes(board)),
        flagged=f"{100 * FLAGGED:g}",
    )


def index_page(boards: Sequence[Board], runs: int) -> str:
    """The page that lists the boards.

    Args:
        boards: The boards.
        runs: Records that they were built from.
    """
    rows = [
        {
            "suite": board.suite,
            "ranked": len(board.rows),
            "unlike": len(board.unlike),
            "failed": len(board.failed),
            "count": UNKNOWN if board.baseline is None else f"{board.baseline.standing.total:,}",
            "baseline": UNKNOWN if board.baseline is None else _model(board.baseline.standing.run.manifest),
            "date": max(_date(run) for run in _runs(board)),
        }
        for board in boards
    ]
    return _template("leaderboards.md.j2").render(marker=MARKER, boards=rows, runs=runs)


@cache
def _template(name: str) -> Template:
    environment = Environment(
        finalize=_finalize, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True, keep_trailing_newline=True,
        autoescape=False,
    )  # fmt: skip
    environment.filters["plain"] = _Plain
    text = (files("harness") / "assets" / "templates" / name).read_text(encoding="utf-8")
    return environment.from_string(text)


class _Plain(str):
    """Text of ours that enters a page as it is."""

    __slots__ = ()


def _finalize(value: object) -> str:
    return str(value) if isinstance(value, _Plain) else escaped(value)


def _runs(board: Board) -> Iterator[Run]:
    yield from (row.standing.run for row in board.rows)
    yield from (standing.run for standing, _ in board.unlike)
    yield from (run for run, _ in board.failed)


def _families(board: Board) -> Iterator[str]:
    baseline = board.baseline
    score = None if baseline is None else baseline.standing.score
    yield from score.families if score is not None else ()


def _row(row: Row, link: str | None, checked: Mapping[str, Sequence[Checked]]) -> dict[str, Any]:
    score = row.standing.score
    if score is None:
        raise ValueError("a row of a board has a score")
    low, high = row.ranks
    change = row.change
    return _facts(row.standing.run, link) | {
        "baseline": row.comparison is None,
        "ranks": f"{low}" if low == high else f"{low}–{high}",
        "score": percent(score.score),
        "ends": f"{percent(score.interval[0])} to {percent(score.interval[1])}",
        "delta": None if change is None else signed(change.delta),
        "delta_ends": None if change is None else f"{signed(change.interval[0])} to {signed(change.interval[1])}",
        "mark": row.mark,
        "families": [
            " ".join(filter(None, (percent(value), row.family_marks.get(family))))
            for family, value in score.families.items()
        ],
        "health": _health(row.standing),
        "contamination": exposure(row.standing.entry, checked.get(row.standing.run.id, ())),
        "count": f"{row.standing.total:,}",
        "flips": _flips(row.comparison),
    }


def _unlike(standing: Standing, reasons: Sequence[str], link: str | None) -> dict[str, Any]:
    score = standing.score
    return _facts(standing.run, link) | {
        "score": UNKNOWN if score is None else percent(score.score),
        "ends": UNKNOWN if score is None else f"{percent(score.interval[0])} to {percent(score.interval[1])}",
        "count": f"{standing.total:,}",
        "reasons": _few(reasons),
    }


def _facts(run: Run, link: str | None) -> dict[str, Any]:
    """What is shown of every run, ranked or not."""
    manifest = run.manifest
    checkpoint = mapping(manifest["checkpoint"])
    digests = mapping(checkpoint.get("digests"))
    weights = str(digests.get("weights") or digests.get("model_sha") or "unknown")
    return {
        "model": _model(manifest),
        "revision": checkpoint.get("revision") or "no revision",
        "weights": weights[:12],
        "producer": checkpoint.get("producer") or UNKNOWN,
        "engine": engine_of(manifest),
        "date": _date(run),
        "record": run.id[:12],
        "link": None if link is None else "/".join(part for part in (link, run.id, "run.json") if part != "."),
    }


def _model(manifest: Mapping[str, Any]) -> str:
    checkpoint = mapping(manifest["checkpoint"])
    adapter = checkpoint.get("adapter")
    return str(checkpoint.get("reference") or "unknown") + (f" + {adapter}" if adapter else "")


def _health(standing: Standing) -> list[str]:
    """Rates that are high in some task: the highest value, where, and in how many tasks more.

    Rates of the gold answers say nothing about the model and are left out.
    """
    worst: dict[str, list[tuple[float, str]]] = {}
    for score in standing.scores:
        for rate, value in score.health.items():
            if value >= FLAGGED and not rate.startswith("gold_"):
                worst.setdefault(rate, []).append((value, score.task))
    flags = []
    for rate, found in sorted(worst.items()):
        value, task = max(found, key=lambda pair: pair[0])
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        flags.append(f"{rate.replace('_', ' ')} {percent(value)} % in {task}{more}")
    return flags or ["none"]


def _flips(comparison: Comparison | None) -> str:
    """D: the share of 0/1 outcomes that differ from the baseline's, over all tasks that have such outcomes."""
    found = [] if comparison is None else [task for task in comparison.tasks if task.losses is not None]
    items = sum(task.items for task in found)
    flips = sum((task.losses or 0) + (task.gains or 0) for task in found)
    return f"{percent(flips / items)} %" if items else UNKNOWN


def _notes(board: Board) -> Iterator[Sequence[str]]:
    """What the comparisons with the baseline say beside their numbers, and what training data was checked."""
    for row in board.rows:
        run = row.standing.run
        for first, *others in exposure_notes(row.standing.entry, board.checked.get(run.id, ())):
            yield f"{run.id[:12]}: {first}", *others
        if row.comparison is None:
            continue
        left_out = [
            f"{task.task} leaves out {', '.join(f'{number:,} {why}' for why, number in task.dropped.items())}"
            for task in row.comparison.tasks
            if task.dropped
        ]
        for note in (*row.comparison.warnings, *left_out):
            yield (f"{run.id[:12]}: {note}",)


def _few(reasons: Sequence[str]) -> list[str]:
    return [*reasons[:3], f"and {len(reasons) - 3} more"] if len(reasons) > 4 else list(reasons)


def _date(run: Run) -> str:
    return str(run.manifest["date"])[:10]
