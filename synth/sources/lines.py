"""What a line of a user's file may hold, family by family; ``docs/synthesis/data.md`` explains it to users."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, StringConstraints, model_validator

from synth.records import Family

Words = Annotated[str, StringConstraints(strip_whitespace=False, min_length=1, pattern=r"\S")]


class Line(BaseModel):
    """What every line has.

    Attributes:
        text: The text; for ``general`` the instruction with its input.
        licence: Licence of the text.
        key: What lines of one text share.
        family: Family, where the file mixes several.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Words
    licence: str = "not stated"
    key: str = ""
    family: Family | None = None


class Span(BaseModel):
    """A stretch of the text: its words, or its place, or both.

    Attributes:
        text: The words.
        start: First character, counted from 0.
        end: Character after the last.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: Words | None = None
    start: int | None = None
    end: int | None = None

    @model_validator(mode="after")
    def _complete(self) -> Span:
        if (self.start is None) != (self.end is None):
            raise ValueError("give both start and end, or neither")
        if self.text is None and self.start is None:
            raise ValueError("give text, or start and end")
        return self


class Entity(Span):
    """An entity.

    Attributes:
        label: Its type.
    """

    label: Words


class Relation(BaseModel):
    """A relation between two stretches of the text."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Words
    head: Words
    tail: Words


class Argument(BaseModel):
    """A role of an event and what fills it."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    role: Words
    text: Words


class Event(BaseModel):
    """An event."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: Words
    trigger: Words
    arguments: tuple[Argument, ...] = ()


class EntityLine(Line):
    """A text with entities."""

    entities: tuple[Entity, ...]


class RelationLine(Line):
    """A text with relations."""

    relations: tuple[Relation, ...]


class EventLine(Line):
    """A text with events."""

    events: tuple[Event, ...]


class QuestionLine(Line):
    """A text with a question; no answer means that the text does not answer it.

    Attributes:
        question: The question.
        answers: Answers, the best first.
        options: Answers to choose from, where the question has them.
    """

    question: Words
    answers: tuple[Words, ...]
    options: tuple[Words, ...] = ()


class LabelLine(Line):
    """A text with a class."""

    label: Words


class AnswerLine(Line):
    """An instruction with its answer."""

    answer: Words


LINES: Mapping[Family, type[Line]] = {
    Family.NER: EntityLine, Family.RE: RelationLine, Family.EE: EventLine, Family.OPEN_IE: RelationLine,
    Family.MRC: QuestionLine, Family.TC: LabelLine, Family.GENERAL: AnswerLine,
}  # fmt: skip
"""The form of a line, by family."""

SIGNS = {
    "entities": Family.NER, "relations": Family.RE, "events": Family.EE, "question": Family.MRC,
    "label": Family.TC, "answer": Family.GENERAL,
}  # fmt: skip
"""Fields that tell the family of a line that does not name it."""
