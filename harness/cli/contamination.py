"""``harness contamination``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option
from harness.errors import UsageError

if TYPE_CHECKING:
    from harness.contamination import Overlap
    from harness.contamination.document import CleanScores
    from harness.nouns import Run

_PATH = click.Path(path_type=Path)


@click.command(
    "contamination",
    epilog="""\b
Examples:
  harness contamination --data corpus --suite nlu --mirror ./data
  harness contamination -d train.jsonl -d more.parquet --field prompt -S quick -o checked
  harness contamination -d org/name:config:train+validation -S ner --mirror ./data --fail_over 0.01
  harness contamination -d corpus --run 3f9a2c --baseline 8c1d04
Exit codes: 0 checked (whatever was found), 1 a task's share is over --fail_over, 64 usage, 65 a row cannot be read or
records do not fit, 66 no such data, suite data or run, 73 cannot write.""",
)
@click.option("--data", "-d", multiple=True, required=True, metavar="CORPUS",
              help="Training data: a file (JSON lines, JSON, Parquet, text; .gz and .zst too), a folder of them, or "
                   "org/name[:config[:split]] in the mirror; repeatable.")  # fmt: skip
@click.option("--suite", "-S", "suites", multiple=True,
              help="Suite whose items are looked for; repeatable. Default: the suites of --run.")  # fmt: skip
@click.option("--field", "fields", multiple=True, metavar="NAME",
              help="Field whose strings count, such as messages.content; repeatable. Default: all.")  # fmt: skip
@click.option("--run", "run", metavar="RUN", help="Run of the checkpoint that was trained on it: score clean items.")
@click.option("--baseline", "-B", metavar="RUN", help="Run that --run is held against: does the gain survive?")
@click.option("--store", type=_PATH, default=Path("runs"), show_default=True, help="Where run ids are looked up.")
@click.option("--output_path", "-o", "out", type=_PATH, default=Path("contamination"), show_default=True,
              help="Folder of contamination.json and contamination.md; keeps the index of test items.")  # fmt: skip
@click.option("--fail_over", type=click.FloatRange(0, 1), metavar="SHARE",
              help="Exit 1 where more than this share of a task's items is found at the 13-gram level.")  # fmt: skip
@click.option("--mirror", type=_PATH, help="Local mirror of datasets; or set HARNESS_MIRROR.")
@click.option("--include_path", multiple=True, type=_PATH, help="Folder with cards and suites.")
@click.option("--workers", "-w", type=click.IntRange(min=1), help="Processes; default: one per core for large data.")
@json_option
def command(as_json: bool, **options: Any) -> int:
    """Find test items in training data, and score a run on the items that are not in it.

    Reported are whole texts, sentences, and runs of 13 and of 8 words, per task, with the stretches side by side. With
    --run, a record without any text is left beside the run, and harness leaderboard shows it.
    """
    from harness.contamination.document import document_of
    from harness.contamination.files import write_report
    from harness.contamination.record import write_record
    from harness.contamination.screen import show_contamination
    from harness.show import print_json, show_notes

    runs = _runs(options)
    overlap = _overlap(options, runs, as_json)
    document = document_of(overlap, _scores(overlap, runs) if runs else None)
    paths = write_report(document, options["out"])
    if runs:
        record = write_record(overlap, runs[0])
        if record is None:
            show_notes([f"{runs[0].path} is not in a store, so no record for a leaderboard is left beside it"])
        paths += [record] if record is not None else []
    if as_json:
        print_json(document)
    else:
        show_contamination(document, [str(path) for path in paths])
    return _over(document, options["fail_over"])


def _runs(options: Mapping[str, Any]) -> list[Run]:
    """The candidate, and the baseline if there is one."""
    from harness.cli.runs import run_of

    if options["baseline"] and not options["run"]:
        raise UsageError("--baseline", "has no run to be held against it", "name the candidate with --run")
    return [run_of(name, options["store"]) for name in (options["run"], options["baseline"]) if name]


def _overlap(options: Mapping[str, Any], runs: list[Run], quiet: bool) -> Overlap:
    from harness.catalog import load_catalog
    from harness.contamination import Place, corpus_of, overlap
    from harness.data import mirror_folder
    from harness.show import RunScreen

    known = load_catalog(options["include_path"]).suites
    scored = (entry["name"] for run in runs[:1] for entry in run.manifest["suites"])
    suites = options["suites"] or tuple(name for name in scored if name in known)
    if not suites:
        raise UsageError("--suite", "names none, and no --run has any", "name the suite whose items are looked for")
    mirror = mirror_folder(options["mirror"])
    corpus = corpus_of(options["data"], mirror, options["fields"])
    place = Place(mirror, options["include_path"], options["out"] / "index")
    screen = RunScreen(quiet)
    screen.stage(f"Index of the test items of {', '.join(suites)}, kept in {place.cache}")
    with screen.reading(corpus.size) as advance:
        return overlap(corpus, suites, place, options["workers"], advance)


def _scores(overlap: Overlap, runs: list[Run]) -> CleanScores:
    from harness.compare.tasks import difference
    from harness.contamination.clean import Contrast, contrasts
    from harness.contamination.document import CleanScores
    from harness.contamination.suites import suite_contrasts

    tasks, silent = contrasts(overlap, runs, lambda *counted: difference(*counted).paired)
    found = list(suite_contrasts(runs[0], list(overlap.suites), tasks))
    return CleanScores(
        candidate=runs[0].id,
        baseline=runs[1].id if len(runs) > 1 else None,
        tasks=tasks,
        suites=tuple(one for one in found if isinstance(one, Contrast)),
        left_out=(*(one for one in found if not isinstance(one, Contrast)), *silent),
    )


def _over(document: Mapping[str, Any], limit: float | None) -> int:
    from harness.show import percent, show_notes

    shares = {task["task"]: task["levels"]["13-gram"]["share"] for task in document["tasks"]}
    over = {} if limit is None else {name: share for name, share in shares.items() if share > limit}
    if limit is not None and over:
        named = ", ".join(f"{name} {percent(share)} %" for name, share in over.items())
        show_notes([f"over the limit of {percent(limit)} %: {named}"])
    return 1 if over else 0
