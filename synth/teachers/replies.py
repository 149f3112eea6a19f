"""The raw body of a chat completion, read: what was said, why it stopped, what it cost.

Every teacher keeps its responses in this one shape (that of an OpenAI chat completion), a local model too, so that
one cache and one reader serve them all.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


class MalformedReplyError(ValueError):
    """A body that is no chat completion; the server's fault, worth another try."""


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back for one call.

    Attributes:
        text: What the model said; empty where it said nothing.
        finish: Why it stopped, in the server's words (``stop``, ``length``, ``content_filter``).
        refusal: Why it declined; empty where it did not.
        prompt_tokens: Tokens of the prompt; None where the server does not count.
        completion_tokens: Tokens of the text; None where the server does not count.
        failure: Why the server gave no completion for this call at all; empty where it did.
    """

    text: str = ""
    finish: str = ""
    refusal: str = ""
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    failure: str = ""


def reply_of(raw: str) -> Reply:
    """The reply in a raw body.

    Raises:
        MalformedReplyError: It is no JSON or no chat completion.
    """
    try:
        body = json.loads(raw)
    except ValueError as error:
        raise MalformedReplyError(f"the body is no JSON: {raw[:80]!r}") from error
    choices = body.get("choices") if isinstance(body, Mapping) else None
    if not (isinstance(choices, list) and choices and isinstance(choices[0], Mapping)):
        raise MalformedReplyError(f"the body holds no choices: {raw[:80]!r}")
    message = choices[0].get("message")
    if not isinstance(message, Mapping):
        raise MalformedReplyError(f"the choice holds no message: {raw[:80]!r}")
    finish = str(choices[0].get("finish_reason") or "")
    refusal = str(message.get("refusal") or ("filtered by the server" if finish == "content_filter" else ""))
    usage = body.get("usage")
    counts = usage if isinstance(usage, Mapping) else {}
    tokens = (_count(counts.get("prompt_tokens")), _count(counts.get("completion_tokens")))
    return Reply(_text(message.get("content")), finish, refusal, *tokens)


def completion(text: str, finish: str, prompt_tokens: int, completion_tokens: int) -> str:
    """The raw body under which a local model's text is kept."""
    message = {"role": "assistant", "content": text}
    usage = {"prompt_tokens": prompt_tokens, "completion_tokens": completion_tokens}
    body = {"object": "chat.completion", "choices": [{"message": message, "finish_reason": finish}], "usage": usage}
    return json.dumps(body, ensure_ascii=False)


def _text(content: Any) -> str:
    if isinstance(content, list):  # some servers give the parts of a message
        return "".join(str(part.get("text", "")) for part in content if isinstance(part, Mapping))
    return content if isinstance(content, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) else None
