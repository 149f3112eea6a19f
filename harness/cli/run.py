"""``harness run``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from harness.cli.options import json_option, request_of, what_is_scored
from harness.errors import UsageError


@click.command(
    "run",
    epilog="""\b
Examples:
  harness run
  harness run --suite nlu --suite general-core -a pretrained=./checkpoint --mirror ./data --limit 200
  harness run -t arc_easy,hellaswag -a pretrained=org/model,dtype=bfloat16,peft=./adapter -b auto
  harness run --queue tuned/training/queue.json --follow
  harness run --suite quick -M local-completions -a base_url=http://localhost:8000/v1/completions,model=m""",
)
@what_is_scored
@click.option("--output_path", "-o", type=click.Path(path_type=Path, file_okay=True), default=Path("runs"),
              show_default=True, help="Folder of the run store.")  # fmt: skip
@click.option("--log_samples/--no_log_samples", "-s/ ", default=True, show_default=True,
              help="Keep documents, prompts and answers in the record.")  # fmt: skip
@click.option("--restart", is_flag=True, help="Discard what an interrupted run of this kind has computed.")
@click.option("--queue", type=click.Path(path_type=Path), metavar="FILE",
              help="Score the states of a training, which queues them where its recipe has score_saves.")  # fmt: skip
@click.option("--follow", is_flag=True, help="With --queue: wait for states until the training has ended.")
@json_option
def command(as_json: bool, queue: Path | None, follow: bool, **options: Any) -> int:
    """Score a checkpoint on suites and leave a record.

    Without arguments: the embedded checkpoint nano on the embedded suite quick, offline. An interrupted run continues
    where it stopped when the same command is given again.
    """
    if queue is not None:
        from harness.cli.queue import score_queue

        return score_queue(queue, follow, options, as_json)
    if follow:
        raise UsageError("--follow", "is for a queue", "name one with --queue")
    request = request_of(options, default_suites=("quick",))
    from harness.run import run
    from harness.show import RunScreen, show_outcome
    from harness.signatures import signatures_of

    outcome = run(request, RunScreen(quiet=as_json))
    return show_outcome(outcome, as_json, signatures_of(outcome.run))
