"""A question until it is settled: ask, parse, and ask again with the problem quoted, at most so many times.

A dialogue is a generator that gives calls and takes replies; it never talks to anybody itself. So one piece of logic
serves the endpoint, the Batch API and a local model, and a call that the cache can answer costs no server.
"""

from __future__ import annotations

from collections.abc import Generator, Mapping
from dataclasses import dataclass
from typing import Any

from synth.prompts import Message, Prompt, prompt
from synth.recipe import TeacherSettings
from synth.records import digest
from synth.teachers.nouns import Answer, Outcome, Request
from synth.teachers.parsing import parse
from synth.teachers.replies import Reply


@dataclass(frozen=True, slots=True)
class Call:
    """One message to a model.

    Attributes:
        key: SHA-256 of everything that shapes the answer; no URL, no key, no time-out.
        prompt: The prompt that asks.
        body: Model, messages and parameters, as a chat completion takes them, without the schema.
    """

    key: str
    prompt: Prompt
    body: Mapping[str, Any]


class Dialogue:
    """One request under way.

    Attributes:
        call: What to send next; meaningless once there is an answer.
        answer: The answer; None while the dialogue lasts.
    """

    __slots__ = ("_steps", "answer", "call")

    def __init__(self, request: Request, settings: TeacherSettings, model: str) -> None:
        """Begin; ``model`` is the name under which answers are cached."""
        self._steps = _steps(request, settings, model)
        self.call = next(self._steps)
        self.answer: Answer | None = None

    def hear(self, reply: Reply) -> None:
        """Go on with what came back for ``call``."""
        try:
            self.call = self._steps.send(reply)
        except StopIteration as end:
            self.answer = end.value


def _steps(request: Request, settings: TeacherSettings, model: str) -> Generator[Call, Reply, Answer]:
    asked = prompt(request.purpose)
    messages = asked.messages(request.variables)
    keys: list[str] = []

    def settled(outcome: Outcome, content: Mapping[str, Any] | None, reason: str) -> Answer:
        return Answer(request, outcome, content, reason, model, tuple(keys))

    for attempt in range(settings.reasks + 1):
        call = _call(asked, messages, settings, (model, request.sample, attempt))
        keys.append(call.key)
        reply = yield call
        if reply.failure:
            return settled(Outcome.FAILED, None, reply.failure)
        if reply.refusal:
            return settled(Outcome.REFUSED, None, f"the model declined: {reply.refusal}")
        parsed = parse(reply.text, asked.model, cut=reply.finish == "length")
        if parsed.content is not None:
            return settled(Outcome.REPAIRED if parsed.repaired else Outcome.STRICT, parsed.content, "")
        again = prompt("reask").messages({"problem": parsed.problem, "wanted": asked.schema_text})
        messages = [*messages, {"role": "assistant", "content": reply.text}, *again]
    tries = "1 answer" if settings.reasks == 0 else f"{settings.reasks + 1} answers"
    return settled(Outcome.INVALID, None, f"not usable after {tries}: {parsed.problem}")


def _call(asked: Prompt, messages: list[Message], settings: TeacherSettings, who: tuple[str, int, int]) -> Call:
    model, sample, attempt = who
    body = {
        "model": model, "messages": messages, "temperature": settings.temperature,
        "max_tokens": settings.max_tokens, "seed": settings.seed + sample,
    }  # fmt: skip
    shaped_by = [asked.id, asked.version, asked.schema_text, settings.structured, sample, attempt, body]
    return Call(digest(shaped_by), asked, body)
