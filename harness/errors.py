"""Every way in which the harness can fail, with the exit code that a script sees.

    HarnessError                  70  internal
    ├── UsageError                64  wrong flags or names on the command line
    ├── DataError                 65  bad content: cards, data, checkpoints, runs
    │   ├── CardError             65  a card or suite file, with file, line and field
    │   ├── CheckpointError       65  weights, tokenizer or adapter that cannot be scored
    │   ├── RunRecordError        65  a run record that is torn, edited or unlike
    │   └── FailedRunError        65  a run whose failed, empty or truncated share is past the limit
    ├── MissingInputError         66  a file, folder, data set or run that is not there
    ├── UnavailableError          69  a model, device or endpoint that does not answer or has no memory
    ├── StoreError                73  a place that cannot be written
    └── InterruptedRunError      130  Ctrl-C; what was computed is kept

A library function raises one of these; only the command line turns it into an exit code. Each message
names the thing, the reason and the next step.
"""

from __future__ import annotations

from typing import Any


class HarnessError(Exception):
    """An error that a user can act on.

    Args:
        thing: What it is about (a file, a task, a run), by name.
        reason: What is wrong with it.
        next_step: What the user can do about it, as an imperative.
    """

    exit_code = 70

    def __init__(self, thing: str, reason: str, next_step: str) -> None:
        """Keep the three facts; the message is their sentence."""
        super().__init__(f"{thing}: {reason}; {next_step}" + ("" if next_step.endswith("?") else "."))
        self.thing = thing
        self.reason = reason
        self.next_step = next_step

    def __reduce__(self) -> tuple[Any, ...]:
        """Come back from another process as it was, whatever the arguments of a subclass are."""
        return _restored, (type(self), str(self), self.__dict__)


def first_line(error: BaseException) -> str:
    """The first line of a foreign exception, at most 300 characters; its type where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def _restored(kind: type[HarnessError], sentence: str, facts: dict[str, Any]) -> HarnessError:
    error = kind.__new__(kind)
    error.args = (sentence,)
    error.__dict__.update(facts)
    return error


class UsageError(HarnessError):
    """Wrong flags, names or combinations on the command line."""

    exit_code = 64


class DataError(HarnessError):
    """Content that cannot be used as it is."""

    exit_code = 65


class CardError(DataError):
    """A task card or suite file that breaks its contract."""


class CheckpointError(DataError):
    """Weights, tokenizer or adapter that cannot be scored."""


class RunRecordError(DataError):
    """A run record that is torn, edited, or unlike the one it is set against."""


class FailedRunError(DataError):
    """A run whose failed, empty, truncated or unparseable share is past the suite's limit."""


class MissingInputError(HarnessError):
    """A file, folder, data set or run that is not there."""

    exit_code = 66


class UnavailableError(HarnessError):
    """A model, device or endpoint that does not answer or lacks memory."""

    exit_code = 69


class StoreError(HarnessError):
    """A place that cannot be written."""

    exit_code = 73


class InterruptedRunError(HarnessError):
    """Ctrl-C; everything computed so far is kept."""

    exit_code = 130
