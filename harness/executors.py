"""Where the shards of a step run: here, in processes of this machine. Other packages bring other places."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context, parent_process
from threading import Thread
from typing import TypeVar

from harness.errors import UnavailableError

T = TypeVar("T")
R = TypeVar("R")


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
        count = min(self.workers, len(inputs))
        pool = ProcessPoolExecutor(count, mp_context=get_context("spawn"), initializer=_end_with_parent)
        try:
            yield from pool.map(function, inputs)
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
