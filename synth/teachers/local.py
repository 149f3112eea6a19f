"""A teacher on this machine: a transformers model that answers in batches, held to its schema where a grammar can."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from harness.errors import MissingInputError
from synth.recipe import TeacherSettings
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Call, Dialogue
from synth.teachers.generation import Generator, constrained, model_digest
from synth.teachers.nouns import Answer, Request, Usage
from synth.teachers.replies import Reply
from synth.teachers.tally import Tally

_AHEAD = 1024
"""Requests that are read ahead of the oldest one that is open."""


class Local:
    """A model in memory; ``concurrency`` is the size of its batches."""

    def __init__(self, settings: TeacherSettings, cache: Path, say: Callable[[str], None]) -> None:
        """Open the cache; the model is loaded when it is needed.

        Raises:
            MissingInputError: There is no such folder.
        """
        folder = Path(str(settings.model))
        if not (folder / "config.json").is_file():
            raise MissingInputError(
                f"Model {folder}", "is no folder with a config.json", "name a transformers checkpoint"
            )
        self.name = folder.name
        self._settings, self._folder = settings, folder
        held = constrained(settings)
        if settings.structured and not held:
            say("No grammar for the local model (xgrammar is not installed): its answers are parsed and repaired.")
        self._known_as = f"{folder.name}@{model_digest(folder)[:16]}{'+xgrammar' if held else ''}"
        self._cache = Cache(cache)
        self._tally = Tally(settings.price)
        self._generator: Generator | None = None

    def usage(self) -> Usage:
        """What this teacher did so far, in this process."""
        return self._tally.usage()

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers in the order of the requests; see ``Teacher``.

        Raises:
            CheckpointError: The model cannot be loaded.
            UnavailableError: There is no memory for a batch.
        """
        source = iter(requests)
        waiting: deque[Dialogue] = deque()
        while True:
            open_ones = [dialogue for dialogue in waiting if dialogue.answer is None]
            while len(open_ones) < self._settings.concurrency and len(waiting) < _AHEAD:
                request = next(source, None)
                if request is None:
                    break
                dialogue = Dialogue(request, self._settings, self._known_as)
                self._cache.advance(dialogue, self._tally)
                waiting.append(dialogue)
                if dialogue.answer is None:
                    open_ones.append(dialogue)
                yield from self._settled(waiting)
            if not open_ones:
                return
            self._go_on(open_ones)
            yield from self._settled(waiting)

    def _settled(self, waiting: deque[Dialogue]) -> Iterator[Answer]:
        while waiting and waiting[0].answer is not None:
            answer = waiting.popleft().answer
            assert answer is not None
            self._tally.answer(answer)
            yield answer

    def _go_on(self, dialogues: list[Dialogue]) -> None:
        """One reply for each dialogue, in one batch for each type of answer: a batch has one grammar."""
        by_answer: dict[str, list[Dialogue]] = {}
        for dialogue in dialogues:
            by_answer.setdefault(dialogue.call.prompt.answer, []).append(dialogue)
        for group in by_answer.values():
            for dialogue, reply in zip(group, self._replies([one.call for one in group]), strict=True):
                dialogue.hear(reply)
                self._cache.advance(dialogue, self._tally)

    def _replies(self, calls: list[Call]) -> list[Reply]:
        if self._generator is None:
            self._generator = Generator(self._folder, self._settings)
        replies = []
        for call, raw in zip(calls, self._generator.generate(calls), strict=True):
            if raw is None:
                reply = Reply(failure=self._generator.too_long)
                self._cache.fail(call.key, reply.failure, "")
            else:
                reply = self._cache.put(call, raw)
                self._tally.reply(reply)
            replies.append(reply)
        return replies
