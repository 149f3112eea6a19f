"""``harness synth review``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from synth.review import Item


@click.command(
    "review",
    short_help="Accept, edit or reject, one key each.",
    epilog="""\b
Examples:
  harness synth review -o corpus --reviewer me               a page of this machine, opened in its browser
  harness synth review -o corpus --reviewer me --terminal    the same queue in the terminal
  harness synth review -o corpus --agreement                  Cohen's kappa of the reviewers so far""",
)
@click.option("--output_path", "-o", "out", type=click.Path(path_type=Path), required=True,
              help="Working folder of the corpus.")  # fmt: skip
@click.option("--reviewer", "-R", help="Who reviews; it enters every verdict.")
@click.option("--sample", type=click.IntRange(min=0), default=60, show_default=True, help="Examples in the queue.")
@click.option("--overlap", type=click.FloatRange(0, 1), default=0.2, show_default=True,
              help="Share of them that every reviewer gets.")  # fmt: skip
@click.option("--terminal", is_flag=True, help="Review in the terminal.")
@click.option("--port", type=click.IntRange(0, 65535), default=0, help="Port on the loopback address; 0: a free one.")
@click.option("--browser/--no_browser", default=True, show_default=True, help="Open the page in the browser.")
@click.option("--agreement", is_flag=True, help="Show how far the reviewers agree, and end.")
@click.option("--json", "as_json", is_flag=True, help="With --agreement: one JSON document on stdout.")
def review(out: Path, reviewer: str | None, agreement: bool, as_json: bool, **options: Any) -> int:
    """Accept, edit or reject guidelines, rules and examples, one key each.

    Guidelines and rules of a teacher are used once a person accepted them; a rejected example does not enter the
    corpus. Verdicts are appended to verdicts.jsonl and can be undone.
    """
    from harness.errors import UsageError
    from synth.review import VerdictLog, agreements, queue
    from synth.show import show_agreements
    from synth.work import open_work

    seed = open_work(out, None).recipe.seed
    if agreement:
        return show_agreements(agreements(VerdictLog(out)), as_json)
    if not reviewer:
        raise UsageError("The review", "has no reviewer", "pass --reviewer NAME")
    items = queue(out, options["sample"], options["overlap"], reviewer, seed)
    if not items:
        raise UsageError(f"Folder {out}", "holds nothing to review", "run harness synth draft first")
    if options["terminal"]:
        return _in_terminal(items, out, reviewer)
    return _on_page(items, out, reviewer, options["port"], options["browser"])


def _in_terminal(items: Sequence[Item], out: Path, reviewer: str) -> int:
    from synth.review import VerdictLog, in_terminal
    from synth.show import show_reviewed

    return show_reviewed(in_terminal(items, VerdictLog(out), reviewer), len(items))


def _on_page(items: Sequence[Item], out: Path, reviewer: str, port: int, browser: bool) -> int:
    from synth.review import VerdictLog, serve
    from synth.show import show_page, show_reviewed

    with serve(items, VerdictLog(out), reviewer, port, browser) as server:
        show_page(server.url)
        try:
            server.wait()
        except KeyboardInterrupt:  # the way to end it; every verdict is on disk already
            return show_reviewed(len(server.verdicts()), len(items))
    return 0
