"""Hand-made instructions and a teacher that says what a test gives it, for tests of guidelines and rules."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from synth.records import Document, Fact, Family, Instruction, Schema
from synth.rules import Call, Kind, Rule
from synth.teachers import Answer, Outcome, Request, Usage

Reply = Mapping[str, Any] | None
SOURCE = "made"


def event(label: str, trigger: str, *arguments: tuple[str, str]) -> Fact:
    """An event with (role, text) arguments."""
    return {"label": label, "trigger": trigger, "arguments": [{"role": role, "text": text} for role, text in arguments]}


def asked(
    family: Family, text: str, *answer: Fact, labels: Iterable[str] = (), roles: Mapping[str, Any] | None = None
) -> Instruction:
    """A base instruction; the labels are those of the answer where none are given."""
    names = tuple(labels) or tuple(dict.fromkeys(fact["label"] for fact in answer if "label" in fact))
    of = {label: tuple(found) for label, found in (roles or {}).items()}
    question = "Which?" if family is Family.MRC else None
    schema = Schema() if family is Family.OPEN_IE else Schema(names, of)
    return Instruction(family, SOURCE, "d", text, schema, answer, "none", question)


def documents(*made: Instruction) -> list[Document]:
    """The documents that instructions were made of."""
    return [
        Document(one.family, one.source, "train", one.text, one.schema, one.answer, "none", one.question)
        for one in made
    ]


def entities(*pairs: tuple[str, str]) -> tuple[Fact, ...]:
    """Entities of (label, text) pairs."""
    return tuple({"label": label, "text": text} for label, text in pairs)


def relation(label: str, head: str, tail: str) -> Fact:
    """A relation."""
    return {"label": label, "head": head, "tail": tail}


def rule(
    family: Family, operation: str | None, /, about: Kind = Kind.EXCLUSION, says: str = "A rule.", **parameters: Any
) -> Rule:
    """A rule with an operation, or without one where ``operation`` is None."""
    call = None if operation is None else Call(name=operation, parameters=parameters)
    return Rule(name="made", family=family, source=SOURCE, kind=about, sentence=says, operation=call, origin="teacher")


class Scripted:
    """A teacher whose answers a function gives; it keeps what it was asked."""

    def __init__(self, says: Callable[[Request], Reply], name: str = "scripted") -> None:
        """Answer with ``says``; where that gives None, the model declined."""
        self.name = name
        self.asked: list[Request] = []
        self._says = says

    def ask(self, requests: Iterable[Request]) -> Iterator[Answer]:
        """Answers in order."""
        for number, request in enumerate(requests):
            self.asked.append(request)
            content = self._says(request)
            outcome = Outcome.REFUSED if content is None else Outcome.STRICT
            reason = "the model declined" if content is None else ""
            yield Answer(request, outcome, content, reason, self.name, (f"{request.purpose}/{number}",))

    def usage(self) -> Usage:
        """Nothing is counted."""
        return Usage()
