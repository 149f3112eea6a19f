"""The form in which a server takes calls: with a schema where it has structured output, else plain.

It is learned from the first call of each type of answer. Where the server refuses the schema and takes the same call
without it, no later call of that type carries one; where it takes the schema and answers with something else, later
calls carry it all the same. Either way the user is told once.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

from synth.prompts import Prompt
from synth.teachers.dialogue import Call
from synth.teachers.faults import Fault, Remedy
from synth.teachers.replies import reply_of

Post = Callable[[dict[str, Any]], Awaitable[str]]
"""Sends a body, gives the raw body that came back, or raises Fault."""

_NEWER_LIMIT = "max_completion_tokens"


class Forms:
    """What is known of one server."""

    def __init__(self, structured: bool, say: Callable[[str], None]) -> None:
        """Begin with schemas where ``structured`` asks for them; ``say`` hears of a server that has none."""
        self._structured, self._say = structured, say
        self._takes: dict[str, bool] = {}
        self._limit = "max_tokens"

    def undecided(self, prompt: Prompt) -> bool:
        """Whether the next call of this prompt is the one that finds out."""
        return self._structured and bool(prompt.answer) and prompt.answer not in self._takes

    async def exchange(self, call: Call, post: Post) -> str:
        """The raw body that came back for a call.

        Raises:
            Fault: None came, in whichever form.
        """
        answer, probe = call.prompt.answer, self.undecided(call.prompt)
        if not (probe or self._takes.get(answer, False)):
            return await self._fitted(call, post, with_schema=False)
        try:
            raw = await self._fitted(call, post, with_schema=True)
        except Fault as fault:
            if not probe or fault.remedy is not Remedy.SKIP:
                raise
            raw = await self._fitted(call, post, with_schema=False)
            self._learn(call, takes=False, reason=fault.reason)
            return raw
        text = reply_of(raw).text.strip()
        ignored = bool(text) and not text.startswith("{")
        self._learn(call, takes=True, reason="the server takes the schema and does not follow it" if ignored else "")
        return raw

    def _learn(self, call: Call, takes: bool, reason: str) -> None:
        """Keep what the first call found out; others may have been under way with it."""
        if call.prompt.answer in self._takes:
            return
        self._takes[call.prompt.answer] = takes
        if reason:
            self._say(f"No structured output for {call.prompt.id} ({reason}): its answers are parsed and repaired.")

    async def _fitted(self, call: Call, post: Post, with_schema: bool) -> str:
        """Send with the name for the token limit that the server knows."""
        limit = self._limit
        try:
            return await post(_body(call, with_schema, limit))
        except Fault as fault:
            if limit == _NEWER_LIMIT or fault.remedy is not Remedy.SKIP or _NEWER_LIMIT not in fault.reason:
                raise
        self._limit = _NEWER_LIMIT
        return await post(_body(call, with_schema, _NEWER_LIMIT))


def _body(call: Call, with_schema: bool, limit: str) -> dict[str, Any]:
    body = {limit if name == "max_tokens" else name: value for name, value in call.body.items()}
    return body | {"response_format": response_format(call.prompt)} if with_schema else body


@cache
def response_format(prompt: Prompt) -> dict[str, Any]:
    """The request for an answer that follows the prompt's schema; the prompt must have one.

    A strict one closes every object, asks for all its keys and has no defaults. What holds a mapping with keys of the
    model's choice cannot be strict: it goes as it is, and the server does its best.

    Source: OpenAI, guide to structured outputs, "Supported schemas".
    """
    assert prompt.model is not None
    schema = prompt.model.model_json_schema()
    strict = not _has_free_keys(schema)
    form = {"name": prompt.id, "schema": _closed(schema) if strict else schema, "strict": strict}
    return {"type": "json_schema", "json_schema": form}


def _has_free_keys(schema: Any) -> bool:
    if isinstance(schema, list):
        return any(map(_has_free_keys, schema))
    if not isinstance(schema, dict):
        return False
    free = schema.get("type") == "object" and bool(schema.get("additionalProperties"))
    return free or any(map(_has_free_keys, schema.values()))


def _closed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_closed(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: _closed(value) for name, value in schema.items()}
    if made.get("type") == "object" and isinstance(made.get("properties"), dict):
        for one in made["properties"].values():
            one.pop("default", None)
        made |= {"required": list(made["properties"]), "additionalProperties": False}
    return made
