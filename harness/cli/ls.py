"""``harness ls``: what there is, listed without importing torch, datasets or lm-eval."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.nouns import Task

_FOLDER = click.Path(path_type=Path)


@click.command(
    "ls",
    epilog="""\b
Examples:
  harness ls suites
  harness ls tasks --suite nlu --mirror ./data
  harness ls tasks --stock | grep arc
  harness ls runs --output_path runs --json""",
)
@click.argument("what", type=click.Choice(["suites", "tasks", "models", "producers", "matrices", "runs"]))
@click.option("--suite", "-S", help="With tasks: only those of this suite.")
@click.option("--stock", is_flag=True, help="With tasks: the names of lm-eval's own tasks too.")
@click.option("--mirror", type=_FOLDER, help="With tasks: say which data is in this mirror; or set HARNESS_MIRROR.")
@click.option("--include_path", multiple=True, type=_FOLDER, help="Folder with cards and suites.")
@click.option("--output_path", "-o", type=_FOLDER, default=Path("runs"), show_default=True,
              help="With runs: folder of the run store.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout, nothing else.")
def command(what: str, as_json: bool, **options: Any) -> int:
    """List suites, tasks, models, producers, matrices or runs."""
    for name in ("suite", "stock", "mirror"):
        if options[name] and what != "tasks":
            raise UsageError(f"--{name}", f"says nothing about {what}", "use it with harness ls tasks")
    rows = _LISTS[what](options)
    from harness.show import print_json, show_rows

    if as_json:
        print_json(rows)
    else:
        show_rows(what, rows)
    return 0


def _suites(options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.catalog import load_catalog

    catalog = load_catalog(options["include_path"])
    suites = [catalog.suite(name) for name in sorted(catalog.suites)]
    return [
        {
            "name": suite.name,
            "version": suite.version,
            "tasks": [task.name for task in suite.tasks],
            "families": list(dict.fromkeys(task.family for task in suite.tasks)),
            "title": suite.title,
        }
        for suite in suites
    ]


def _tasks(options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.catalog import load_catalog, task_of
    from harness.data import mirror_folder

    catalog = load_catalog(options["include_path"])
    mirror = mirror_folder(options["mirror"])
    name = options["suite"]
    tasks = catalog.suite(name).tasks if name else [task_of(catalog.cards[card]) for card in sorted(catalog.cards)]
    rows = [_task_row(task, mirror) for task in tasks]
    if options["stock"]:
        from harness.stock import stock_task_names

        named = {row["name"] for row in rows}
        rows += [{"name": stock, "source": "lm-eval"} for stock in stock_task_names() if stock not in named]
    return rows


def _task_row(task: Task, mirror: Path | None) -> dict[str, Any]:
    return {
        "name": task.name,
        "source": "card" if task.card is not None else "lm-eval",
        "family": task.family,
        "metric": task.metric,
        "chance": task.chance,
        "dataset": task.dataset,
        "data": _place(task, mirror),
        "licence": task.licence,
    }


def _place(task: Task, mirror: Path | None) -> str:
    """Where a task's data comes from: ``package``, ``mirror`` or ``hub``."""
    from harness.data import mirrored

    if task.dataset.startswith("embedded:"):
        return "package"
    found = mirror is not None and (mirrored(task.dataset, mirror) or any(mirror.glob(f"{task.dataset}/README.md")))
    return "mirror" if found else "hub"


def _models(options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.stock import model_names

    return [{"name": name} for name in model_names()]


def _producers(options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.plugins import PRODUCERS_GROUP, names

    return [{"name": name} for name in names(PRODUCERS_GROUP)]


def _matrices(options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.experiment.matrix import matrix_names, matrix_path, read_matrix

    found = [(name, read_matrix(matrix_path(name))) for name in matrix_names()]
    return [
        {"name": name, "arms": list(matrix.arms), "seeds": len(matrix.seeds), "title": matrix.title}
        for name, matrix in found
    ]


def _runs(options: dict[str, Any]) -> list[dict[str, Any]]:
    from harness.errors import MissingInputError
    from harness.store import list_runs

    store = options["output_path"]
    if not store.is_dir():
        raise MissingInputError(f"{store}", "is no folder", "name the store with --output_path, or make a run")
    return [
        {
            "run_id": run.id,
            "date": run.manifest["date"],
            "status": run.manifest["status"],
            "suites": [{"name": suite["name"], "score": suite.get("score")} for suite in run.manifest["suites"]],
            "model": run.manifest["checkpoint"]["reference"],
            "items": sum(entry["rows"] for entry in run.manifest["records"].values()),
        }
        for run in list_runs(store)
    ]


_LISTS: dict[str, Callable[[dict[str, Any]], list[dict[str, Any]]]] = {
    "suites": _suites,
    "tasks": _tasks,
    "models": _models,
    "producers": _producers,
    "matrices": _matrices,
    "runs": _runs,
}
