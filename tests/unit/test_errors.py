"""Errors between processes."""

from __future__ import annotations

import pickle

import pytest

from harness.errors import DataError, HarnessError, InterruptedRunError, StoreError
from synth.formats import ParseError

ERRORS = [
    DataError("Shard a", "is torn", "write it again"),
    StoreError("Folder b", "is full", "free space?"),
    InterruptedRunError("The run", "was interrupted", "start it again"),
    ParseError("line 3", "is no row"),
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_an_error_comes_back_from_another_process_as_it_was(error: HarnessError) -> None:
    """Kind, sentence and facts survive pickling; a process pool would otherwise die of the error."""
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__, again.exit_code) == (
        type(error), str(error), error.__dict__, error.exit_code,
    )  # fmt: skip
