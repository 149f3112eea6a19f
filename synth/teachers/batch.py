"""The Batch API form: requests go into files, responses come back in files, hours apart; the cache joins the two.

    OUT/batch/requests-00000.jsonl     written here; upload it, then download what comes back
    OUT/batch/responses/*.jsonl        put output and error files here under any name, and run again

A request that waits in a file is not written again as long as the file is there. A request that the server refused is
a failed answer; one that it lost (expired, server fault) goes into the next file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from harness.errors import MissingInputError
from synth.recipe import TeacherSettings
from synth.teachers.batch_files import RequestFiles, line_of, read_responses
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Dialogue
from synth.teachers.nouns import Answer, Request, Usage
from synth.teachers.replies import Reply
from synth.teachers.tally import Tally


class Batch:
    """A teacher that is reached by files."""

    def __init__(self, settings: TeacherSettings, cache: Path) -> None:
        """Open the cache; files lie in ``batch`` beside it."""
        self.name = str(settings.model)
        self._settings = settings
        self._cache = Cache(cache)
        self._folder = cache.parent / "batch"
        self._tally = Tally(settings.price)

    def usage(self) -> Usage:
        """What this teacher did so far, in this process."""
        return self._tally.usage()

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers in the order of the requests, up to the first that is awaited; see ``Teacher``.

        Raises:
            MissingInputError: Responses are awaited. Every request of the job is in a file then.
            DataError: A response file is wrong.
        """
        read_responses(self._folder / "responses", self._cache)
        files, waiting = RequestFiles(self._folder), 0
        for request in requests:
            dialogue = Dialogue(request, self._settings, self.name)
            if not self._settled(dialogue, files):
                waiting += 1
            elif not waiting:
                assert dialogue.answer is not None
                self._tally.answer(dialogue.answer)
                yield dialogue.answer
        files.close()
        if waiting:
            raise MissingInputError(
                f"Teacher {self.name}",
                f"is waiting for batch responses ({waiting} open, {files.written} of them written now to "
                f"{self._folder}/requests-*.jsonl)",
                f"run the request files, put the response files into {self._folder / 'responses'} and run again",
            )

    def _settled(self, dialogue: Dialogue, files: RequestFiles) -> bool:
        """Whether the dialogue came to its answer; otherwise its next call is in a file."""
        while True:
            self._cache.advance(dialogue, self._tally)
            if dialogue.answer is not None:
                return True
            call = dialogue.call
            found = self._cache.rows("SELECT file, response, failure FROM batched WHERE key = ?", call.key)
            file, response, failure = found[0] if found else (None, None, None)
            if response is not None:
                reply = self._cache.put(call, response)
                self._cache.rows("UPDATE batched SET response = NULL WHERE key = ?", call.key)
                self._tally.reply(reply)
                dialogue.hear(reply)
            elif failure is not None:
                dialogue.hear(Reply(failure=failure))
            else:
                if file not in files.names:
                    name = files.add(line_of(call, self._settings.structured))
                    self._cache.rows("INSERT OR REPLACE INTO batched VALUES (?, ?, NULL, NULL)", call.key, name)
                return False
