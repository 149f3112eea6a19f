"""``harness report``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option
from harness.errors import RunRecordError, UsageError

if TYPE_CHECKING:
    from harness.nouns import Comparison, Run, Verdict
    from harness.report import Report
    from harness.store import Checked

_PATH = click.Path(path_type=Path)
OF_SUITES = "suites"
"""Value of --policy without a value: the policy that each suite names."""


@click.command(
    "report",
    epilog="""\b
Examples:
  harness report latest -o page.html
  harness report 8c1d --baseline 3f9a2c --policy -o page.html
  harness report leaderboards/runs/8c1d… leaderboards/runs/50b3… -o page.html --title "nano, two suites"
Exit codes: 0 written, 64 usage, 65 unlike or damaged runs, 66 no such run, 73 cannot write.""",
)
@click.argument("runs", nargs=-1, required=True, metavar="RUN...")
@click.option("--output_path", "-o", type=_PATH, required=True, help="The page; a file that is there is replaced.")
@click.option("--baseline", "-B", help="Run, or pointer file of harness baseline, that each RUN is compared with.")
@click.option(
    "--policy",
    "-p",
    is_flag=False,
    flag_value=OF_SUITES,
    help="Rule on each comparison, as harness gate does: YAML file, general or nlu; alone: what suites name.",
)
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
    if baseline is None and options["policy"] is not None:
        raise UsageError("--policy", "rules on a comparison, and there is none", "name the run to beat with --baseline")
    if not candidates:
        raise UsageError(f"--baseline {options['baseline']}", "is the only run", "name a run to compare with it")
    pairs = [] if baseline is None else [_compared(run, baseline, options["policy"]) for run in candidates]
    made = _report(tuple(every.values()), pairs, options)
    write_report(made, output_path)
    if as_json:
        sentences = [sentence for comparison in made.comparisons for sentence in comparison.sentences]
        print_json({"path": str(output_path), "runs": list(every), "sentences": sentences})
        return 0
    return show_exported([output_path], [], as_json)


@dataclass(frozen=True)
class _Pair:
    """A candidate against the baseline, and what a policy rules on it; None where none is asked."""

    candidate: Run
    baseline: Run
    comparison: Comparison
    verdict: Verdict | None


def _compared(candidate: Run, baseline: Run, policy: str | None) -> _Pair:
    if policy is None:
        from harness.compare import compare

        return _Pair(candidate, baseline, compare(candidate, baseline), None)
    from harness.cli.gate import policies_of, verdict_of

    runs = {"candidate": candidate, "baseline": baseline, "anchor": None, "aa": None}
    reference = None if policy == OF_SUITES else policy
    verdict = verdict_of(runs, policies_of(reference, runs), allow_underpowered=True)
    return _Pair(candidate, baseline, verdict.comparison, verdict)


def _report(runs: tuple[Run, ...], pairs: Sequence[_Pair], options: dict[str, Any]) -> Report:
    from harness.compare.flips import find_flips
    from harness.report import Report, labels_of
    from harness.signatures import signature_changes, signatures_of

    labels, count = labels_of(runs), options["show_flips"]
    signs = [(labels[run.id], signatures_of(run)) for run in runs]
    for pair in pairs:
        title = f"{labels[pair.candidate.id]} against {labels[pair.baseline.id]}"
        signs.append((title, signature_changes(pair.candidate, pair.baseline, pair.comparison)))
    return Report(
        title=options["title"] or _title([labels[run.id] for run in runs], compared=bool(pairs)),
        runs=runs,
        comparisons=tuple(pair.comparison for pair in pairs),
        verdicts=tuple(pair.verdict for pair in pairs if pair.verdict is not None),
        signatures=tuple((title, found) for title, found in signs if found),
        flips={
            (pair.candidate.id, pair.baseline.id): tuple(
                find_flips(pair.candidate, pair.baseline, pair.comparison, count)
            )
            for pair in pairs
            if count
        },
        checked=_checked(runs),
    )


def _checked(runs: Sequence[Run]) -> dict[str, tuple[Checked, ...]]:
    """What the training data of runs was checked for, as it lies beside them."""
    from harness.store import checked_problems, read_checked

    found: dict[str, tuple[Checked, ...]] = {}
    for store in dict.fromkeys(Path(run.path).parent for run in runs):
        ids = {run.id for run in runs if Path(run.path).parent == store}
        for file, what in checked_problems(store):
            if Path(file).name.partition(".")[0] in ids:
                step = "check again with harness contamination, or remove the record"
                raise RunRecordError(str(store / file), what, step)
        found |= {run: checks for run, checks in read_checked(store).items() if run in ids}
    return found


def _title(labels: Sequence[str], compared: bool) -> str:
    """``tuned against base``, ``base, tuned``, or how many."""
    from harness.show import plural

    if compared and len(labels) == 2:
        return f"{labels[1]} against {labels[0]}"
    return ", ".join(labels) if len(labels) <= 3 else plural(len(labels), "run")
