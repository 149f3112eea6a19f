"""Where the shards of a step run: here, in processes of this machine. Other packages bring other places."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from harness.errors import UnavailableError

T = TypeVar("T")
R = TypeVar("R")

_AHEAD = 4
"""Inputs of a stream that wait for each process."""


@dataclass(frozen=True, slots=True)
class Local:
    """Processes of this machine.

    Attributes:
        workers: Processes; 1 runs everything in this one.
    """

    workers: int

    def map(self, function: Callable[[T], R], inputs: Sequence[T]) -> Iterator[R]:
        """Results in the order of the inputs, each as soon as it and those before it are there.

        Args:
            function: A picklable function of one picklable input; what it raises is raised here.
            inputs: Usually paths of shards.

        Raises:
            UnavailableError: A process was ended from outside, as the system does where memory is short.
        """
        if self.workers == 1 or len(inputs) < 2:
            yield from map(function, inputs)
            return
        with _processes(min(self.workers, len(inputs))) as pool:
            yield from pool.map(function, inputs)

    def stream(self, function: Callable[[T], R], inputs: Iterable[T]) -> Iterator[R]:
        """As :meth:`map`, of inputs that are made one by one: only a few of them are in memory at a time."""
        if self.workers == 1:
            yield from map(function, inputs)
            return
        waiting: deque[Future[R]] = deque()
        with _processes(self.workers) as pool:
            for one in inputs:
                waiting.append(pool.submit(function, one))
                if len(waiting) > _AHEAD * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()


@contextmanager
def _processes(count: int) -> Iterator[ProcessPoolExecutor]:
    """A pool of processes that end with this one."""
    pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_end_with_parent)
    try:
        yield pool
    except BrokenProcessPool as error:
        raise UnavailableError(
            "A process of this step", "was ended from outside, perhaps for want of memory",
            "run again, with fewer --workers where memory is short",
        ) from error  # fmt: skip
    finally:
        pool.shutdown(cancel_futures=True)


def _end_with_parent() -> None:
    """Let this process end when the one that started it is killed; it would wait for work for ever."""

    def watch() -> None:
        parent = parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    Thread(target=watch, daemon=True).start()


def local(workers: int | None = None) -> Local:
    """The executor ``local``; without a number, one process per core that this process may use."""
    return Local(workers or len(os.sched_getaffinity(0)))
