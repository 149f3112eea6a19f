"""``harness experiment``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import json_option

_FOLDER = click.Path(path_type=Path)


@click.command(
    "experiment",
    epilog="""\b
Examples:
  harness experiment headline --dry_run
  harness experiment matrix.yaml -o tuned --mirror ./data
  harness experiment matrix.yaml -o tuned --only base --only with --limit 50
  harness ls matrices
\b
Exit codes: 0 done and every gated claim passes, 1 FAIL, 2 INCONCLUSIVE; 65, or the code that all failed
cells share, where cells failed; 130 interrupted.""",
)
@click.argument("matrix")
@click.option("--output_path", "-o", type=_FOLDER, help="Folder of the experiment.  [default: experiments/NAME]")
@click.option("--only", multiple=True, metavar="ARM", help="Make and score this arm and what it needs; repeatable.")
@click.option("--limit", "-L", type=float, help="Items per task, instead of the matrix's own limit.")
@click.option("--mirror", type=_FOLDER, help="Local mirror of datasets; or set HARNESS_MIRROR.")
@click.option("--batch_size", "-b", default="auto", show_default=True, help="Documents per batch.")
@click.option("--device", help="Torch device for scoring; default: CUDA where there is one.")
@click.option("--dry_run", is_flag=True, help="Check the matrix and show the plan; compute nothing.")
@json_option
def command(matrix: str, output_path: Path | None, dry_run: bool, as_json: bool, **options: Any) -> int:
    """Make checkpoints by a matrix of arms and seeds, score them, compare and gate them.

    MATRIX is a YAML file, or the name of one that ships with the package. What is made or recorded already is used: the
    same command goes on after an interruption, and tries again what has failed. See docs/experiments.md.
    """
    from harness.cli.options import EMBEDDED
    from harness.experiment import ExperimentScreen, Options, experiment
    from harness.experiment import dry_run as checked
    from harness.experiment.screen import show_experiment
    from harness.show import print_json

    out = output_path or Path("experiments") / Path(matrix).stem
    chosen = Options(out=out, embedded=EMBEDDED, **{**options, "only": tuple(options["only"])})
    screen = ExperimentScreen(quiet=as_json)
    if dry_run:
        found = checked(matrix, chosen, screen)
        if as_json:
            print_json(found)
        return 0
    done = experiment(matrix, chosen, screen)
    if as_json:
        print_json(done.document)
    else:
        show_experiment(done.plan, done.held, done.failures, done.paths)
    return int(done.document["exit_code"])
