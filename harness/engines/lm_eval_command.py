"""lm-eval's own command line, with the model ``tree`` and without the work that it repeats.

What it prints and writes stays lm-eval's, but for the standard errors named in ``standard_errors``. Datasets are found
in the mirror where ``HARNESS_MIRROR`` names one.
"""

from __future__ import annotations

import argparse
import difflib
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import harness.engines.tree  # noqa: F401 - makes the model known to lm-eval
from harness.data import mirror_folder, resolving
from harness.engines.index import index_of
from harness.engines.models import ModelOptions, as_load_error, is_out_of_memory
from harness.engines.standard_errors import without_bootstrap
from harness.engines.templates import compiled_templates
from harness.errors import HarnessError, UsageError, first_line
from harness.stock import stock_task_names

_PROGRAM = "harness lm-eval"


def run_lm_eval(arguments: Sequence[str]) -> int:
    """Run lm-eval's command line.

    Args:
        arguments: Words after ``harness lm-eval``.

    Returns:
        0; what goes wrong is an error of the harness, and its exit code with it.

    Raises:
        UsageError: lm-eval rejects an argument or knows no such task.
        HarnessError: Data, checkpoint or device do not allow the run.
    """
    from lm_eval.utils import setup_logging

    setup_logging()
    arguments_of_cli, cli = _parsed(arguments)
    try:
        with resolving(mirror_folder(None)), compiled_templates(), without_bootstrap(), _light_index(arguments_of_cli):
            cli.execute(arguments_of_cli)
    except SystemExit as stop:
        if stop.code:
            raise UsageError(_PROGRAM, "was given names that lm-eval does not know", "see harness ls tasks") from stop
    except HarnessError:
        raise
    except Exception as error:  # lm-eval raises whatever it meets; a user needs the sentence and the exit code
        raise _as_error(error, arguments_of_cli) from error
    return 0


def _parsed(arguments: Sequence[str]) -> tuple[argparse.Namespace, Any]:
    """The arguments as lm-eval's own parser reads them from ``sys.argv``."""
    from lm_eval._cli import HarnessCLI

    given = sys.argv
    sys.argv = [_PROGRAM, *arguments]
    try:
        cli = HarnessCLI()
        return cli.parse_args(), cli
    except SystemExit as stop:
        if stop.code:
            raise UsageError(_PROGRAM, "was called with wrong arguments", "see the lines above") from stop
        raise
    finally:
        sys.argv = given


@contextmanager
def _light_index(arguments: argparse.Namespace) -> Iterator[None]:
    """While it is open, lm-eval indexes the folders of the wanted tasks; listings still index all."""
    from lm_eval import tasks
    from lm_eval.config.evaluate_config import EvaluatorConfig

    named = getattr(arguments, "tasks", None)
    if named is None and getattr(arguments, "config", None):
        named = EvaluatorConfig.load_yaml_config(arguments.config).get("tasks")
    entries = [named] if isinstance(named, str) else list(named or [])
    names = [name.strip() for entry in entries for name in str(entry).split(",")]
    plain = tasks.TaskManager

    def manager(include_path: Any = None, metadata: Any = None, **options: Any) -> Any:
        tasks.TaskManager = plain
        include = include_path if isinstance(include_path, list | tuple) else [include_path] if include_path else []
        if not names or options:
            return plain(include_path=include_path, metadata=metadata, **options)
        return index_of(names, [str(folder) for folder in include], metadata)

    tasks.TaskManager = manager
    try:
        yield
    finally:
        tasks.TaskManager = plain


def _as_error(error: Exception, arguments: argparse.Namespace) -> HarnessError:
    reason = first_line(error)
    if reason.startswith("Tasks not found: "):
        missing = reason.removeprefix("Tasks not found: ")
        close = difflib.get_close_matches(missing, stock_task_names(), n=3, cutoff=0.6)
        return UsageError(f"Task {missing!r}", "is not known to lm-eval", _hint(close))
    if isinstance(error, OSError) or is_out_of_memory(error) or "cuda" in reason.lower():
        model = getattr(arguments, "model", None) or "hf"
        return as_load_error(ModelOptions(str(model), dict(getattr(arguments, "model_args", None) or {})), error)
    if isinstance(error, ValueError | TypeError | KeyError):
        return UsageError(_PROGRAM, f"fails in lm-eval ({type(error).__name__}: {reason})", "see the lines above")
    raise error


def _hint(close: Sequence[str]) -> str:
    return f"did you mean {', '.join(close)}?" if close else "see harness ls tasks --stock"
