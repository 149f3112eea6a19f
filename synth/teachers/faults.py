"""What can go wrong between here and a server, sorted by what to do about it."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from openai import APIStatusError, OpenAIError

_QUOTED = 300


class Remedy(Enum):
    """What to do about a fault."""

    WAIT = "the server is away: try again"
    PAUSE = "the server has too much of us: every call waits, then try again"
    RETRY = "the server stumbled over this call: try again"
    SKIP = "the server will never take this call: it fails, the others go on"
    STOP = "the server will never take any call: stop"


class Fault(Exception):  # noqa: N818 - data about one try, not an error of the harness
    """One try that gave no completion.

    Attributes:
        remedy: What to do.
        reason: What happened, in words.
        raw: Body that came, as it came; empty where none did.
        retry_after_s: Seconds that the server asks to wait; None where it does not say.
    """

    def __init__(self, remedy: Remedy, reason: str, raw: str = "", retry_after_s: float | None = None) -> None:
        """Keep the facts."""
        super().__init__(reason)
        self.remedy = remedy
        self.reason = reason
        self.raw = raw
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to wait between tries.

    Attributes:
        first_s: Longest wait before the second try; it doubles with each.
        longest_s: No wait of ours is longer.
        told_s: Longest wait that a server may ask for; beyond it the job stops.
    """

    first_s: float = 1.0
    longest_s: float = 60.0
    told_s: float = 600.0

    def wait_s(self, tries: int) -> float:
        """Seconds before the next try: exponential with jitter, so that many clients do not come back at once.

        Args:
            tries: Tries so far, at least 1.
        """
        return min(self.longest_s, self.first_s * 2.0 ** (tries - 1)) * random.uniform(0.5, 1.0)


PATIENCE = Patience()


def fault_of(error: OpenAIError, clean: Callable[[str], str]) -> Fault:
    """The fault that an error of the client stands for; ``clean`` takes secrets out of what the server said."""
    import openai

    if isinstance(error, openai.APIStatusError):
        return _status(error, clean(error.response.text))
    cause = error.__cause__ or error
    return Fault(Remedy.WAIT, f"no connection ({': '.join(filter(None, (type(cause).__name__, str(cause))))})")


def _status(error: APIStatusError, raw: str) -> Fault:
    code = error.status_code
    reason = f"status {code}, {_message(raw)}"
    told_s = retry_after_s(error.response.headers.get("retry-after"))
    if code == 429 or (told_s is not None and code >= 500):
        return Fault(Remedy.PAUSE, reason, raw, told_s)
    if code in (408, 409, 425, 502, 503, 504):
        return Fault(Remedy.WAIT, reason, raw)
    if code >= 500:
        return Fault(Remedy.RETRY, reason, raw)
    return Fault(Remedy.STOP if code in (401, 403, 404, 405) else Remedy.SKIP, reason, raw)


def _message(raw: str) -> str:
    """What an error body says, in one line; servers put it under ``error.message``, ``message`` or ``detail``."""
    try:
        body = json.loads(raw)
    except ValueError:
        body = raw
    for name in ("error", "message", "detail"):
        if isinstance(body, dict) and body.get(name):
            body = body[name]
    return " ".join(str(body or "no body").split())[:_QUOTED]


def retry_after_s(header: str | None) -> float | None:
    """Seconds that a Retry-After header asks to wait; None where it says nothing that can be read.

    Source: RFC 9110, section 10.2.3: seconds, or a date.
    """
    if not header:
        return None
    try:
        return max(0.0, float(header))
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(header).timestamp() - time.time())
    except ValueError:
        return None
