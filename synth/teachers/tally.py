"""Counts of what a teacher did, and what its tokens cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from threading import Lock

from synth.teachers.nouns import Answer, Outcome, Usage
from synth.teachers.replies import Reply


class Tally:
    """Counts what a teacher does; calls and answers may come from several threads."""

    def __init__(self, price: tuple[float, float] | None) -> None:
        """Count at a price per million tokens of prompt and completion."""
        self._price = price
        self._counts: Counter[str] = Counter()
        self._outcomes: Counter[Outcome] = Counter()
        self._lock = Lock()

    def count(self, **numbers: int) -> None:
        """Add numbers to the fields of ``Usage`` that they name."""
        with self._lock:
            self._counts.update(numbers)

    def reply(self, reply: Reply) -> None:
        """Count a completion that was paid for."""
        uncounted = reply.prompt_tokens is None or reply.completion_tokens is None
        self.count(
            sent=1, uncounted=int(uncounted),
            prompt_tokens=reply.prompt_tokens or 0, completion_tokens=reply.completion_tokens or 0,
        )  # fmt: skip

    def answer(self, answer: Answer) -> None:
        """Count an answer."""
        with self._lock:
            self._outcomes[answer.outcome] += 1
            self._counts["reasks"] += max(0, len(answer.keys) - 1)

    def usage(self) -> Usage:
        """What was counted so far."""
        with self._lock:
            numbers, outcomes = dict(self._counts), dict(self._outcomes)
        return Usage(**numbers, cost=cost(numbers, self._price), outcomes=outcomes)


def cost(tokens: Mapping[str, int], price: tuple[float, float] | None) -> float | None:
    """Price of counted tokens (``prompt_tokens``, ``completion_tokens``); None where no price is known."""
    if price is None:
        return None
    return (tokens.get("prompt_tokens", 0) * price[0] + tokens.get("completion_tokens", 0) * price[1]) / 1e6
