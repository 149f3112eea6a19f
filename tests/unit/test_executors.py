"""Where shards are worked on, and the doors that executors and producers come in by."""

from __future__ import annotations

import operator
import os
from functools import partial

import pytest

from harness.errors import UsageError
from harness.executors import local
from harness.plugins import COMMANDS_GROUP, EXECUTORS_GROUP, PRODUCERS_GROUP, executor, load, names


def process(_: int) -> int:
    """The process that a call runs in."""
    return os.getpid()


@pytest.mark.parametrize("workers", [1, 2])
def test_results_come_in_the_order_of_the_inputs(workers: int) -> None:
    """Whatever the number of processes, results line up with inputs."""
    assert list(local(workers).map(partial(operator.mul, 3), list(range(20)))) == [3 * n for n in range(20)]


def test_one_worker_stays_in_this_process_and_two_do_not() -> None:
    """A single worker costs no process; more of them run elsewhere."""
    assert set(local(1).map(process, [1, 2, 3])) == {os.getpid()}
    assert os.getpid() not in set(local(2).map(process, [1, 2, 3]))


@pytest.mark.parametrize("workers", [1, 2])
def test_what_an_input_raises_is_raised_here(workers: int) -> None:
    """A failing shard fails the step, with its own error."""
    with pytest.raises(ZeroDivisionError):
        list(local(workers).map(partial(operator.truediv, 1), [1, 0, 2]))


def test_the_projects_own_parts_come_in_by_the_common_doors() -> None:
    """The local executor, the synthesis producer and its command are entry points like any stranger's."""
    assert "local" in names(EXECUTORS_GROUP)
    assert "synth" in names(PRODUCERS_GROUP)
    assert "synth" in names(COMMANDS_GROUP)
    assert list(executor("local", 1).map(abs, [-1])) == [1]


def test_an_unknown_name_lists_the_known_ones() -> None:
    """A misspelt executor is a usage error with the names that exist."""
    with pytest.raises(UsageError, match=r"Executor 'loca'.*local"):
        load(EXECUTORS_GROUP, "loca")
