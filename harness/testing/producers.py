"""The contract of a producer as a library function.

A producer that breaks it makes checkpoints that nobody can trust or make again: weights that do not load, digests of
something else, a base that is another one afterwards, a seed that does not decide, work that a kill destroys.
"""

from __future__ import annotations

import gc
import signal
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness.engines.checkpoint import adapter_digest, checkpoint_digests, identify
from harness.engines.merged import check_loads, check_merged
from harness.engines.tasks import quiet_lm_eval
from harness.errors import HarnessError, MissingInputError
from harness.nouns import Checkpoint
from harness.plugins import Producer
from harness.testing.problem import Problem

_SOON = 1e-3
"""Seconds to an interrupt that is due."""


def check_producer(producer: Producer, base: str, recipe: Path, folder: Path) -> list[Problem]:
    """Check a producer of checkpoints against its contract, by what it makes of a base with a small recipe.

    Asked of it: it gives a Checkpoint; its folder loads, and is the merge of its adapter where there is one; the
    digests that it gives are those of the folder; the base is as before; a second folder gets the same weights; a call
    that is interrupted half-way, and one on a finished folder, end with the same weights; a recipe that is not there is
    a ``MissingInputError``. The producer is called five times; the interrupt needs the main thread.

    Args:
        producer: An object with ``produce(base, recipe, out)``.
        base: Folder or hub id of a small base.
        recipe: A recipe of the producer's, with a fixed seed.
        folder: An empty folder to work in.

    Returns:
        The problems, none for a sound producer.
    """
    with quiet_lm_eval():
        return _checked(producer, base, recipe, folder)


def _checked(producer: Producer, base: str, recipe: Path, folder: Path) -> list[Problem]:
    before, first = identify("hf", {"pretrained": base}).digests, folder / "first"
    try:
        made: object = producer.produce(base, recipe, first)
    except Exception as error:  # a stranger's own code; its author must learn what it raised
        return [Problem("produce", f"raises {type(error).__name__} ({error})", "make it work with this recipe")]
    if not isinstance(made, Checkpoint):
        return [Problem("checkpoint", f"gives a {type(made).__name__}", "return a harness.nouns.Checkpoint")]
    try:
        found = _measured(base, first)
    except HarnessError as error:
        return [Problem("folder", str(error), "leave config.json, weights and tokenizer that load")]
    problems = [
        Problem("digests", f"gives a digest of {name} that is not the folder's", "leave it out, the harness measures")
        for name, value in made.digests.items()
        if found.get(name, value) != value
    ]
    if identify("hf", {"pretrained": base}).digests != before:
        problems.append(Problem("base", "changes its base", "write into the output folder only"))

    def again(name: str, check: str, next_step: str) -> list[Problem]:
        return _again(lambda: producer.produce(base, recipe, folder / name), folder / name, found, (check, next_step))

    started = time.perf_counter()
    problems += again("second", "seed", "seed everything that is random")
    seconds = time.perf_counter() - started  # of a call that imports nothing for the first time
    problems += again("first", "continue", "leave a finished folder as it is")
    _interrupted(lambda: producer.produce(base, recipe, folder / "third"), seconds / 2)
    problems += again("third", "continue", "write each file under another name first, and go on from whole ones")
    return problems + _missing(producer, base, folder)


def _measured(base: str, out: Path) -> dict[str, str]:
    """Digests of a folder that loads.

    Raises:
        HarnessError: It does not, or is not the merge of its adapter.
    """
    digests = checkpoint_digests(out)
    if (out / "adapter").is_dir():
        digests["adapter"] = adapter_digest(out / "adapter")
        check_merged(base, out / "adapter", out)
    else:
        check_loads(out)
    return digests


def _again(produce: Callable[[], Any], out: Path, expected: dict[str, str], problem: tuple[str, str]) -> list[Problem]:
    """Whether another call ends with the same checkpoint."""
    check, next_step = problem
    try:
        produce()
        found = checkpoint_digests(out)
    except Exception as error:  # a stranger's own code; its author must learn what it raised
        return [Problem(check, f"raises {type(error).__name__} ({error}) when called again", next_step)]
    other = [name for name in found if found[name] != expected.get(name)]
    return [Problem(check, f"gives another {' and '.join(other)} when called again", next_step)] if other else []


def _missing(producer: Producer, base: str, folder: Path) -> list[Problem]:
    """Whether a recipe that is not there is told as such."""
    try:
        producer.produce(base, folder / "missing.yaml", folder / "fourth")
        told = "goes on"
    except HarnessError as error:
        if error.exit_code == MissingInputError.exit_code:
            return []
        told = f"raises {type(error).__name__}"
    except Exception as error:  # as above
        told = f"raises {type(error).__name__}"
    return [Problem("recipe", f"{told} where the recipe is not there", "raise harness.errors.MissingInputError")]


def _interrupted(produce: Callable[[], Any], seconds: float) -> None:
    """Call, and raise KeyboardInterrupt in the call once the time is over, as Ctrl-C would.

    Files that this leaves open for a moment are no fault of the producer. One alarm at most is under way, and it is
    stopped inside the ``try``: one between the end of the call and the stop must not leave this function. Python drops
    an exception inside a finalizer or a weak reference's callback; an interrupt that ends there is sent again.
    """

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    def dropped(told: Any) -> None:
        if told.exc_type is KeyboardInterrupt:
            signal.setitimer(signal.ITIMER_REAL, _SOON)
        else:
            hook(told)

    former, hook = signal.signal(signal.SIGALRM, interrupt), sys.unraisablehook
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        try:
            sys.unraisablehook = dropped
            signal.setitimer(signal.ITIMER_REAL, max(seconds, _SOON))
            try:
                produce()
            finally:
                signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGALRM, former)
            sys.unraisablehook = hook
        gc.collect()
