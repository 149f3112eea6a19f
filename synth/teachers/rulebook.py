"""The offline teacher: a library that people wrote, so that the whole pipeline runs without any model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from pydantic import ValidationError

from harness.errors import DataError
from synth.prompts import prompt
from synth.teachers.nouns import Answer, Outcome, Request, Usage
from synth.teachers.tally import Tally

Answerer = Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None]
"""From a purpose and its variables to an answer; None where the library has nothing to say."""


class Rulebook:
    """Answers by looking up; the same question always has the same answer."""

    name = "rulebook"

    def __init__(self, answerer: Answerer) -> None:
        """Answer with a function of purpose and variables."""
        self._answerer = answerer
        self._tally = Tally(price=None)

    def usage(self) -> Usage:
        """What this teacher did so far; a library costs nothing."""
        return self._tally.usage()

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers in the order of the requests; see ``Teacher``.

        Raises:
            DataError: An answer of the library does not have the form that its purpose asks for.
        """
        for request in requests:
            answer = self._answer(request)
            self._tally.answer(answer)
            yield answer

    def _answer(self, request: Request) -> Answer:
        found = self._answerer(request.purpose, request.variables)
        if found is None:
            reason = f"the rulebook says nothing on {request.purpose} here"
            return Answer(request, Outcome.SILENT, None, reason, self.name)
        model = prompt(request.purpose).model
        try:
            content = model.model_validate(found).model_dump(mode="json") if model else dict(found)
        except ValidationError as error:
            problem = " ".join(str(error).split())
            raise DataError(
                f"Rulebook on {request.purpose}", f"answers in a wrong form ({problem})", "correct it"
            ) from error
        return Answer(request, Outcome.STRICT, content, "", self.name)
