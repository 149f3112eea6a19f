"""``harness report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option

if TYPE_CHECKING:
    from harness.nouns import Comparison, Run
    from harness.report import Report

_PATH = click.Path(path_type=Path)


@click.command(
    "report",
    epilog="""\b
Examples:
  harness report latest -o page.html
  harness report 8c1d --baseline 3f9a2c -o page.html
  harness report leaderboards/runs/8c1d… leaderboards/runs/50b3… -o page.html --title "nano, two suites"
Exit codes: 0 written, 64 usage, 65 unlike or damaged runs, 66 no such run, 73 cannot write.""",
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--output_path", "-o", type=_PATH, required=True, help="The page; a file that is there is replaced.")
@click.option("--baseline", "-B", help="Run, or pointer file of harness baseline, that each RUN is compared with.")
@click.option("--title", help="Heading of the page; default: the names of the checkpoints.")
@click.option("--show_flips", type=click.IntRange(min=0), default=2, show_default=True, metavar="N",
              help="Fold in N lost and N won items per task, with their texts; 0 for none.")  # fmt: skip
@click.option("--store", type=_PATH, default=Path("runs"), show_default=True, help="Where run ids are looked up.")
@json_option
def command(runs: tuple[str, ...], output_path: Path, as_json: bool, **options: Any) -> int:
    """Write one self-contained HTML page about one or several runs.

    A run is named by its folder, the beginning of its id, or "latest". The page works from a file, without a network,
    and prints. It holds texts of the data where the records keep them; --show_flips 0 leaves them out.
    """
    from harness.cli.runs import baseline_of, run_of
    from harness.report import write_report
    from harness.show import print_json, show_exported
    from harness.store import refuse_damaged

    store = options["store"]
    loaded = {run.id: run for run in (run_of(name, store) for name in runs)}
    baseline = None if options["baseline"] is None else baseline_of(options["baseline"], store)
    every = loaded if baseline is None else {baseline.id: baseline} | loaded
    for run in every.values():
        refuse_damaged(run)
    candidates = [run for run in loaded.values() if baseline is None or run.id != baseline.id]
    made = _report(tuple(every.values()), _compared(candidates, baseline), options)
    write_report(made, output_path)
    if as_json:
        sentences = [sentence for comparison in made.comparisons for sentence in comparison.sentences]
        print_json({"path": str(output_path), "runs": list(every), "sentences": sentences})
        return 0
    return show_exported([output_path], [], as_json)


def _compared(candidates: Sequence[Run], baseline: Run | None) -> list[tuple[Run, Run, Comparison]]:
    from harness.compare import compare

    return [] if baseline is None else [(run, baseline, compare(run, baseline)) for run in candidates]


def _report(runs: tuple[Run, ...], compared: Sequence[tuple[Run, Run, Comparison]], options: dict[str, Any]) -> Report:
    from harness.compare.flips import find_flips
    from harness.report import Report, labels_of
    from harness.signatures import signature_changes, signatures_of

    labels = labels_of(runs)
    signs = [(labels[run.id], signatures_of(run)) for run in runs]
    signs += [
        (f"{labels[one.id]} against {labels[other.id]}", signature_changes(one, other)) for one, other, _ in compared
    ]
    count = options["show_flips"]
    return Report(
        title=options["title"] or _title([labels[run.id] for run in runs], compared=bool(compared)),
        runs=runs,
        comparisons=tuple(comparison for _, _, comparison in compared),
        signatures=tuple((title, found) for title, found in signs if found),
        flips={
            (one.id, other.id): tuple(find_flips(one, other, comparison, count))
            for one, other, comparison in compared
            if count
        },
    )


def _title(labels: Sequence[str], compared: bool) -> str:
    """``tuned against base``, ``base, tuned``, or how many."""
    from harness.show import plural

    if compared and len(labels) == 2:
        return f"{labels[1]} against {labels[0]}"
    return ", ".join(labels) if len(labels) <= 3 else plural(len(labels), "run")
