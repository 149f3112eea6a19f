"""A teacher at an OpenAI-compatible endpoint: answers in order, while a thread keeps the server busy."""

from __future__ import annotations

import asyncio
import threading
from collections import deque
from collections.abc import Callable, Coroutine, Iterable, Iterator
from concurrent.futures import CancelledError, Future
from pathlib import Path
from typing import Any, TypeVar

from synth.recipe import TeacherSettings
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Dialogue
from synth.teachers.faults import PATIENCE, Patience
from synth.teachers.forms import Forms
from synth.teachers.line import Line
from synth.teachers.nouns import Answer, Request, Usage
from synth.teachers.tally import Tally

T = TypeVar("T")

_AHEAD, _AHEAD_AT_LEAST = 32, 1024
"""Requests that are read ahead, per call in flight: one slow answer must not let the others run dry."""


class Endpoint:
    """A teacher that is reached by URL."""

    def __init__(
        self, settings: TeacherSettings, cache: Path, say: Callable[[str], None], patience: Patience = PATIENCE
    ) -> None:
        """Open the cache; the server is not touched before it is needed."""
        self.name = str(settings.model)
        self._settings, self._patience = settings, patience
        self._cache = Cache(cache)
        self._tally = Tally(settings.price)
        self._forms = Forms(settings.structured, say)

    def usage(self) -> Usage:
        """What this teacher did so far, in this process."""
        return self._tally.usage()

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers in the order of the requests; see ``Teacher``."""
        ahead = max(_AHEAD_AT_LEAST, _AHEAD * self._settings.concurrency)
        waiting: deque[Future[Answer]] = deque()
        with _Calls(self._line) as calls:
            for request in requests:
                dialogue = Dialogue(request, self._settings, self.name)
                self._cache.advance(dialogue, self._tally)
                waiting.append(calls.settle(dialogue))
                while waiting and (waiting[0].done() or len(waiting) >= ahead):
                    yield self._counted(calls.result(waiting.popleft()))
            while waiting:
                yield self._counted(calls.result(waiting.popleft()))

    def _counted(self, answer: Answer) -> Answer:
        self._tally.answer(answer)
        return answer

    def _line(self) -> Line:
        return Line(self._settings, self._cache, self._tally, self._forms, self._patience)


class _Calls:
    """An event loop in a thread of its own, started with the first call that the cache cannot answer."""

    def __init__(self, open_line: Callable[[], Line]) -> None:
        self._open_line = open_line
        self._line: Line | None = None
        self._tasks: set[asyncio.Task[Answer]] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="teacher", daemon=True)

    def __enter__(self) -> _Calls:
        return self

    def __exit__(self, *_: object) -> None:
        """Drop what is in flight; what was answered is in the cache."""
        if self._line is not None:
            self._submit(self._stop(self._line)).result()
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
        self._loop.close()

    def settle(self, dialogue: Dialogue) -> Future[Answer]:
        """The answer of a dialogue, now or later."""
        if dialogue.answer is not None:
            done: Future[Answer] = Future()
            done.set_result(dialogue.answer)
            return done
        if self._line is None:
            self._line = self._open_line()
            self._thread.start()
        return self._submit(self._settle(dialogue, self._line))

    def result(self, future: Future[Answer]) -> Answer:
        """The answer, waited for.

        Raises:
            HarnessError: The line died, of this call or of another.
        """
        try:
            return future.result()
        except CancelledError:
            assert self._line is not None
            assert self._line.dead is not None
            raise self._line.dead from None

    async def _settle(self, dialogue: Dialogue, line: Line) -> Answer:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        while dialogue.answer is None:
            dialogue.hear(await line.reply(dialogue.call))
        return dialogue.answer

    async def _stop(self, line: Line) -> None:
        """Cancel our own tasks only: what the client started below them it ends itself."""
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await line.close()

    def _submit(self, work: Coroutine[Any, Any, T]) -> Future[T]:
        return asyncio.run_coroutine_threadsafe(work, self._loop)
