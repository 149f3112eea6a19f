"""``harness demo``: base, corpus, training, scores, comparison, verdict and board, on what the package brings along.

Every step is a command that a user could type, and is printed as such before it is done. What is there already is not
done again: each verb goes on where it was interrupted.
"""

from __future__ import annotations

import json
import shlex
import sys
import time
from collections.abc import Mapping
from contextlib import nullcontext, redirect_stdout
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from harness.cli.options import json_option
from harness.errors import StoreError, UsageError

if TYPE_CHECKING:
    from harness.engines.job import Job, RunRequest
    from harness.nouns import Comparison, Run

RECIPES = Path(str(files("harness") / "assets" / "demo"))
"""Recipes of the corpus and the training; they are copied into the folder, to be read and changed there."""

SUITES = ("quick-nlu", "quick-general")
PRODUCER = "full"
_CORPUS, _TUNING = "corpus.yaml", "tuning.yaml"
_STEPS = 7
_MADE = {
    _CORPUS: "recipe of the corpus",
    _TUNING: "recipe of the training",
    "corpus": "corpus, with its card, datasheet and statistics",
    "tuned": "checkpoint that was made, with log and plot of its training",
    "runs": "records of both scorings",
    "gate.json": "verdict",
    "README.md": "board",
}
"""What lies in the folder in the end."""


@click.command(
    "demo",
    epilog="""\b
Examples:
  harness demo
  harness demo -o ./try --json
\b
Exit codes: 0 done, whatever the verdict; 64 the folder holds something else; 73 cannot write; 130 interrupted.""",
)
@click.option("--output_path", "-o", type=click.Path(path_type=Path), default=Path("demo"), show_default=True,
              help="Folder that keeps everything.")  # fmt: skip
@json_option
def command(output_path: Path, as_json: bool) -> int:
    """Show the whole loop on embedded assets, offline, in a few minutes.

    The embedded checkpoint is scored, tuned on a corpus that is synthesised from the embedded seeds, scored again,
    compared with itself as it was, gated and put on a board. Each step prints the command that does it. An interrupted
    demonstration goes on when the same command is given again.
    """
    from harness.show import print_json
    from harness.store.disk import alone

    started = time.perf_counter()
    _refuse_others(output_path)
    with alone(output_path), redirect_stdout(sys.stderr) if as_json else nullcontext():
        _lay_out(output_path)
        sentence = _Demonstration(output_path).show()
        gate = json.loads((output_path / "gate.json").read_text(encoding="utf-8"))
        seconds = round(time.perf_counter() - started, 1)
        document = {"verdict": gate["verdict"], "sentence": sentence, "seconds": seconds, "path": str(output_path)}
        _end(document, gate["sentence"])
    if as_json:
        print_json(document)
    return 0


def _refuse_others(out: Path) -> None:
    """Refuse a folder that is none of ours, or whose name no command line takes.

    Raises:
        StoreError: It is a file.
        UsageError: It holds something else, or has a comma in its name.
    """
    if "," in str(out):
        raise UsageError(f"Folder {out}", "has a comma in its name, which parts --model_args", "name another folder")
    if out.exists() and not out.is_dir():
        raise StoreError(f"{out}", "is a file", "name a folder with --output_path")
    ours = not out.is_dir() or (out / _CORPUS).is_file()
    if not ours and any(path.name[0] != "." for path in out.iterdir()):
        raise UsageError(f"Folder {out}", "holds something else", "name another folder with --output_path")


def _lay_out(out: Path) -> None:
    """Copy the recipes, where they are not there yet: a user may have changed them."""
    from harness.store.disk import writing

    with writing(out):
        for name in (_CORPUS, _TUNING):
            if not (out / name).exists():
                draft = out / f".{name}"
                draft.write_bytes((RECIPES / name).read_bytes())
                draft.replace(out / name)


@dataclass
class _Demonstration:
    """The steps in one folder.

    Attributes:
        out: The folder.
        number: Steps that were begun.
        job: The last job that was prepared: the next checkpoint shares cards, data and prompts with it.
    """

    out: Path
    number: int = 0
    job: Job | None = None

    def show(self) -> str:
        """Do every step; the claims of the comparison about the suites."""
        corpus, tuned, store = self.out / "corpus", self.out / "tuned", self.out / "runs"
        base = self._scored("Score the base, a checkpoint of five million parameters.", "")
        self._do("Make a corpus of the embedded seeds.", "produce", "synth", "-r", self.out / _CORPUS, "-o", corpus)
        self._do("Tune the base on it.", "produce", PRODUCER, "-r", self.out / _TUNING, "-o", tuned)
        candidate = self._scored("Score what was tuned.", f"pretrained={tuned}")
        names, where = (candidate.id[:12], base.id[:12]), ("--store", store)
        comparison = self._compared("Compare the two, item by item.", candidate, base, *names, *where)
        self._do(
            "Rule by the policies of the suites: a gain in understanding, no loss of general ability.",
            "gate", names[0], "--baseline", names[1], *where, "--allow_underpowered", "-o", self.out / "gate.json",
        )  # fmt: skip
        self._do(
            "Write a board of both.",
            "leaderboard", "build", *where, "--baseline", names[1], "--allow_texts", "-o", self.out,
        )  # fmt: skip
        return " ".join(sentence for sentence in comparison.sentences if sentence.partition(":")[0] in SUITES)

    def _say(self, what: str, *arguments: str | Path) -> list[str]:
        """Print a step and its command; the arguments as texts."""
        from harness.show import safe, stdout

        self.number += 1
        line = [str(argument) for argument in arguments]
        stdout().print(f"\n[bold]{self.number}/{_STEPS}[/bold] {what}")
        stdout().print(f"[cyan]$ {safe(shlex.join(['harness', *line]))}[/cyan]\n", soft_wrap=True)
        return line

    def _do(self, what: str, *arguments: str | Path) -> None:
        from harness.cli import cli

        cli.main(args=self._say(what, *arguments), prog_name="harness", standalone_mode=False)

    def _scored(self, what: str, model: str) -> Run:
        """The run of a checkpoint, from the store where it was scored before."""
        from harness.cli.options import request_of
        from harness.cli.run import command as run
        from harness.engines.job import prepare
        from harness.run import run_job
        from harness.show import RunScreen, show_outcome

        named = [argument for suite in SUITES for argument in ("--suite", suite)]
        line = self._say(what, "run", *named, *(["-a", model] if model else []), "-o", self.out / "runs")
        request = request_of(run.make_context("run", line[1:]).params)
        if (found := _recorded(request)) is not None:
            return _told_again(found)
        screen = RunScreen()
        self.job = prepare(request, screen.stage, earlier=self.job)
        outcome = run_job(self.job, screen)
        show_outcome(outcome, as_json=False)
        return outcome.run

    def _compared(self, what: str, candidate: Run, base: Run, *arguments: str | Path) -> Comparison:
        from harness.compare import Margins, Scope, compare
        from harness.show import show_comparison

        self._say(what, "compare", *arguments)
        comparison = compare(candidate, base, Margins(), Scope())
        show_comparison(comparison, as_json=False)
        return comparison


def _recorded(request: RunRequest) -> Run | None:
    """The run that answers a request, where the store has it."""
    from harness.engines.checkpoint import identify
    from harness.engines.job import resolve
    from harness.nouns import Status
    from harness.store import list_runs

    suites = {suite.name: suite.digest for suite in resolve(request)[1]}
    wanted = suites, identify(request.model.model, request.model.arguments).digests
    for run in list_runs(request.store):
        asked = {suite["name"]: suite["digest"] for suite in run.manifest["suites"]}
        if run.manifest["status"] == Status.COMPLETE and (asked, run.manifest["checkpoint"]["digests"]) == wanted:
            return run
    return None


def _told_again(run: Run) -> Run:
    from harness.show import percent, safe, stdout

    told = ", ".join(f"{suite['name']} {percent(suite['score'])}" for suite in run.manifest["suites"])
    stdout().print(f"scored before: {safe(told)}\nrecord  {safe(run.path)}", soft_wrap=True)
    return run


def _end(document: Mapping[str, Any], gate: str) -> None:
    """Print the claim, the verdict, and where everything lies."""
    from harness.show import duration, safe, stdout

    out = Path(document["path"])
    width = max(len(str(out / name)) for name in _MADE)
    lines = "\n".join(f"  {safe(f'{out / name!s:{width}}')}  {what}" for name, what in _MADE.items())
    stdout().print(f"\n[bold]{safe(document['sentence'])}[/bold]\n\n{safe(gate)}", soft_wrap=True)
    stdout().print(f"\ndone in {duration(document['seconds'])}; made:\n{lines}", soft_wrap=True)
