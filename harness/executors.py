"""Where the shards of a step run: here, in processes of this machine. Other packages bring other places."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import TypeVar

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
        """
        if self.workers == 1 or len(inputs) < 2:
            yield from map(function, inputs)
            return
        pool = ProcessPoolExecutor(min(self.workers, len(inputs)), mp_context=get_context("spawn"))
        try:
            yield from pool.map(function, inputs)
        finally:
            pool.shutdown(cancel_futures=True)


def local(workers: int | None = None) -> Local:
    """The executor ``local``; without a number, one process per core that this process may use."""
    return Local(workers or len(os.sched_getaffinity(0)))
