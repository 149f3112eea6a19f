"""The command line: parse, call one verb, show, exit code.

Commands live one file each beside this one and are imported only when they are typed, so that ``harness --help``
starts in the time of click and rich.
"""

from __future__ import annotations

import _thread
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import click

from harness.errors import HarnessError

_SOON_S = 0.01

COMMANDS = {
    "run": ("run", "Score a checkpoint on suites and leave a record."),
    "ls": ("ls", "List suites, tasks, models, producers, matrices or runs."),
    "validate": ("validate", "Check cards, data, checkpoint and memory before any compute."),
    "compare": ("compare", "Compare a candidate with a baseline, item by item."),
    "gate": ("gate", "Rule PASS, FAIL or INCONCLUSIVE by a policy; the exit code says which."),
    "baseline": ("baseline", "Accept or show the committed baseline."),
    "plan": ("plan", "Say how many items a claim needs and what a suite can detect."),
    "leaderboard": ("leaderboard", "Build or check Markdown boards from run records."),
    "report": ("report", "Write one self-contained HTML page about one or several runs."),
    "contamination": ("contamination", "Find test items in training data; score a run without them."),
    "produce": ("produce", "Let a producer make a checkpoint, or the data for one."),
    "experiment": ("experiment", "Make, score and compare checkpoints by a matrix of arms and seeds."),
    "synth": ("", "Make instruction data: draft, review, render, filter, mix, stats."),
    "demo": ("demo", "Show the whole loop on embedded assets, in a few minutes."),
    "import": ("importing", "Make a run of results that lm-eval wrote."),
    "export": ("export", "Write a run in another format."),
    "lm-eval": ("lm_eval", "Call lm-eval's own command line, with the fast model tree."),
    "verify": ("verify", "Recompute every hash of a run, or of a whole store."),
}
"""Command name to its module beside this file and the line that ``harness --help`` shows without importing it.

A command without a module comes in through the entry-point group ``harness.commands``, as those of other packages do.
"""

INTERNAL, USAGE, INTERRUPTED = 70, 64, 130


class LazyGroup(click.Group):
    """A group whose commands are imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a user's first day."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command of that name, imported now."""
        module, _ = COMMANDS.get(cmd_name, ("", ""))
        if module:
            own: click.Command = importlib.import_module(f"harness.cli.{module}").command
            return own
        from harness.plugins import COMMANDS_GROUP, load, names

        if cmd_name not in names(COMMANDS_GROUP):
            return None
        plugged: click.Command = load(COMMANDS_GROUP, cmd_name)
        return plugged

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        """As click does, with the nearest name for an unknown one."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise click.UsageError(f"{error.message} See harness --help.", ctx) from None


def dashes_as_underscores(name: str) -> str:
    """``--model-args`` means ``--model_args``."""
    return name.replace("-", "_")


CONTEXT = {
    "token_normalize_func": dashes_as_underscores,
    "help_option_names": ["-h", "--help"],
    "max_content_width": 100,
}


@click.group(
    cls=LazyGroup,
    context_settings=CONTEXT,
    epilog="""\b
Examples:
  harness run                                  the embedded checkpoint on the embedded suite
  harness run --suite nlu -a pretrained=./my-checkpoint --mirror ./data
  harness ls suites
\b
Exit codes: 0 done, 64 usage, 65 bad data or failed run, 66 missing input, 69 model or device unavailable,
70 internal, 73 cannot write, 130 interrupted. --debug anywhere shows tracebacks.""",
)
@click.version_option(package_name="hum-harness", prog_name="harness")
def cli() -> None:
    """Score language-model checkpoints and say honestly what changed."""


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit with the code of the outcome."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in given or bool(os.environ.get("HARNESS_DEBUG"))
    given = [argument for argument in given if argument != "--debug"]
    signal.signal(signal.SIGTERM, _interrupt)
    with _hearing():
        code = _guarded(given, debug)
    sys.exit(code)


def _guarded(arguments: list[str], debug: bool) -> int:
    try:
        code = cli.main(args=arguments, prog_name="harness", standalone_mode=False)
        return code if isinstance(code, int) else 0
    except click.exceptions.Exit as error:
        return error.exit_code
    except click.ClickException as error:
        error.show()
        return USAGE
    except HarnessError as error:
        return _failed(error, str(error), error.exit_code, debug)
    except (KeyboardInterrupt, click.Abort) as error:
        return _failed(error, "Interrupted.", INTERRUPTED, debug)
    except BrokenPipeError:
        sys.stdout = open(os.devnull, "w")  # noqa: PTH123, SIM115 - the reader of a pipe went away, nothing to say
        return 0
    except Exception as error:  # the last net: a traceback reaches a user only with --debug
        text = f"Internal error ({type(error).__name__}: {error}); run again with --debug and report what it prints."
        return _failed(error, text, INTERNAL, debug)


def _failed(error: BaseException, text: str, code: int, debug: bool) -> int:
    if debug:
        raise error
    from harness.store.redact import redact

    click.secho(f"harness: {redact(text)}", err=True, fg="red" if sys.stderr.isatty() else None)
    return code


def _interrupt(*_: object) -> None:
    raise KeyboardInterrupt


@contextmanager
def _hearing() -> Iterator[None]:
    """Interrupt once more where Python drops a Ctrl-C because it comes inside a finalizer."""
    former = sys.unraisablehook

    def again(told: sys.UnraisableHookArgs) -> None:
        if told.exc_type is KeyboardInterrupt:
            threading.Timer(_SOON_S, _thread.interrupt_main).start()
        else:
            former(told)

    sys.unraisablehook = again
    try:
        yield
    finally:
        sys.unraisablehook = former
