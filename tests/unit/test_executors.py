"""Where shards are worked on, and the doors that executors and producers come in by."""

from __future__ import annotations

import operator
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from harness.errors import UnavailableError, UsageError
from harness.executors import Local, local
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


@pytest.mark.parametrize("workers", [1, 2])
def test_a_stream_is_read_as_it_is_worked_on(workers: int) -> None:
    """Results line up with inputs, and never more than a few inputs have been asked for ahead of them."""
    asked = 0

    def inputs() -> Iterator[int]:
        nonlocal asked
        for number in range(60):
            asked = number
            yield number

    for number, result in enumerate(local(workers).stream(partial(operator.mul, 3), inputs())):
        assert result == 3 * number
        assert asked - number <= 10
    assert number == 59
    with pytest.raises(ZeroDivisionError):
        list(local(workers).stream(partial(operator.truediv, 1), iter([1, 0, 2])))


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


def _end(_: int) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def test_a_process_that_is_killed_is_told_of() -> None:
    """The system kills one where memory is short: a sentence, not an internal error."""
    with pytest.raises(UnavailableError, match="fewer --workers"):
        list(Local(2).map(_end, [1, 2]))


_KILLED = """
import os, signal, sys, time
from harness.executors import Local

def told(_):
    print(os.getpid(), flush=True)
    time.sleep(60)

if __name__ == "__main__":
    list(Local(2).map(told, [1, 2]))
"""


def test_processes_end_with_the_one_that_started_them(tmp_path: Path) -> None:
    """After a SIGKILL of the step nothing goes on writing, or holds memory, behind its back."""
    script = tmp_path / "killed.py"
    script.write_text(_KILLED, encoding="utf-8")
    with subprocess.Popen([sys.executable, str(script)], stdout=subprocess.PIPE, text=True) as step:
        assert step.stdout is not None
        workers = [psutil.Process(int(step.stdout.readline())) for _ in range(2)]
        step.kill()
    assert psutil.wait_procs(workers, timeout=30)[1] == []
