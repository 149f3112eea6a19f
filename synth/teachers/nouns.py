"""What a teacher is asked, what it answers, and what that cost. Every teacher speaks these four nouns.

A wrong, refused or missing answer is data with a reason, never an exception: a job of ten thousand requests does not
die of one. Only what stops every request (a dead endpoint, a wrong key, a corrupt cache) is raised.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Request:
    """One question to a teacher.

    Attributes:
        purpose: Which prompt asks it: the name of a file in ``synth/prompts``.
        variables: JSON-able facts that fill the prompt (family, source, labels, roles, documents, guideline, rule).
        sample: Number of the independent answer to the same question: two relabellers are samples 0 and 1.
    """

    purpose: str
    variables: Mapping[str, Any]
    sample: int = 0


class Outcome(StrEnum):
    """How an answer ended."""

    STRICT = "strict"  # JSON as asked, valid
    REPAIRED = "repaired"  # valid after json-repair or after cutting prose and code fences away
    INVALID = "invalid"  # still not valid after every re-ask
    REFUSED = "refused"  # the model or the server's filter declined
    FAILED = "failed"  # the server did not answer this request
    SILENT = "silent"  # the rulebook has nothing to say


@dataclass(frozen=True, slots=True)
class Answer:
    """What a teacher said to a request.

    Attributes:
        request: The request.
        outcome: How it ended.
        content: The validated answer as JSON-able values (``{"text": ...}`` where plain text was asked); None where
            there is none.
        reason: Why there is none; empty where there is one.
        teacher: Name of the model, or ``rulebook``.
        keys: Cache keys of what was sent, re-asks included; they lead to the raw responses.
    """

    request: Request
    outcome: Outcome
    content: Mapping[str, Any] | None
    reason: str
    teacher: str
    keys: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Usage:
    """What a teacher did so far.

    Attributes:
        sent: Requests that a server or model answered, re-asks included.
        cached: Requests that the cache answered.
        retries: Requests that were sent again after a fault of the server.
        reasks: Questions that were asked again because the answer was not valid.
        prompt_tokens: Tokens of the prompts that were sent, as the server counted them.
        completion_tokens: Tokens of the answers to these.
        uncounted: Answers whose tokens the server did not count.
        cost: Price of the tokens that were sent, in the recipe's currency; None where the recipe has no price.
        outcomes: Answers by outcome.
    """

    sent: int = 0
    cached: int = 0
    retries: int = 0
    reasks: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    uncounted: int = 0
    cost: float | None = None
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)


class Teacher(Protocol):
    """Answers requests: a model or a library of rules."""

    @property
    def name(self) -> str:
        """Name of the model, or ``rulebook``."""

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers in the order of the requests, each as soon as it and those before it are there.

        Args:
            requests: May be endless; a bounded number is read ahead.

        Raises:
            UnavailableError: The endpoint is dead or refuses the key; what was answered is kept.
            MissingInputError: Responses of the Batch API are awaited.
            DataError: A prompt cannot be filled, or the cache is corrupt.
        """

    def usage(self) -> Usage:
        """What this teacher did so far, in this process."""
