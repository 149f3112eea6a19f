"""What a guideline is: for each label of a label set its meaning, typical values, examples and edge cases."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from synth.records import Document, Family, Instruction, digest

Origin = Literal["rulebook", "teacher"]
Status = Literal["draft", "approved", "rejected"]
Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=300)]

_CLOSED = {"yes", "no", "true", "false"}


class Sample(BaseModel):
    """One example of a label, from a seed document or invented.

    Attributes:
        text: The sentence or passage; for classification the text that has the label.
        span: What is (or is not) marked in it: a span, ``head -> tail`` for a relation, the trigger of an event, the
            answer to the question; empty for classification and free answers.
        question: The question, for machine reading.
        why: Why it is right or wrong.
        invented: Whether the text was made up; else it occurs in a seed document.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    text: str = Field(min_length=1, max_length=600)
    span: str = Field("", max_length=300)
    question: str = Field("", max_length=300)
    why: str = Field("", max_length=300)
    invented: bool = False


class Item(BaseModel):
    """What a guideline says of one label.

    Attributes:
        label: The label, as the data set writes it; for families without labels the kind of answer (``labels_of``).
        meaning: What it means.
        typical: Typical values.
        positive: Examples that carry the label.
        negative: Examples that do not, each with the reason.
        edge_cases: How doubtful cases are decided.
        separates: For classes: what separates the label from its neighbours.
        roles: For events: what each argument role holds.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    label: str = Field(min_length=1, max_length=300)
    meaning: str = Field(min_length=1, max_length=500)
    typical: tuple[Words, ...] = Field((), max_length=12)
    positive: tuple[Sample, ...] = Field((), max_length=8)
    negative: tuple[Sample, ...] = Field((), max_length=8)
    edge_cases: tuple[Words, ...] = Field((), max_length=8)
    separates: str = Field("", max_length=300)
    roles: dict[str, str] = Field(default_factory=dict)


class Draft(BaseModel):
    """What a teacher answers to ``guideline_draft`` and ``guideline_reflect``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    items: tuple[Item, ...] = Field(min_length=1)


class Guideline(BaseModel):
    """A guideline for one label set.

    Attributes:
        family: Family.
        source: Source whose labels it explains.
        items: One entry per label, in schema order.
        origin: Who wrote it.
        status: ``approved`` may be used; the rulebook's are by authorship, a teacher's by a person's verdict.
        reasons: Why it was rejected.
        provenance: Teacher, prompt versions, request keys, rounds, and what a round of reflection could not mend.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    family: Family
    source: str
    items: tuple[Item, ...] = ()
    origin: Origin
    status: Status = "draft"
    reasons: tuple[str, ...] = ()
    provenance: dict[str, Any] = Field(default_factory=dict)

    @cached_property
    def id(self) -> str:
        """SHA-256 of family, source and items (and of the reasons where nothing was drafted)."""
        said = [item.model_dump(mode="json") for item in self.items]
        return digest([self.family, self.source, said, [] if said else list(self.reasons)])

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """A copy with some fields changed; its id is its own."""
        copied = super().model_copy(update=update, deep=deep)
        copied.__dict__.pop("id", None)
        return copied

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels that it explains."""
        return tuple(item.label for item in self.items)


def guideline_row(guideline: Guideline) -> dict[str, Any]:
    """A JSON-able row, with the id that the content gives."""
    return {"id": guideline.id, **guideline.model_dump(mode="json")}


def guideline_of(row: Mapping[str, Any]) -> Guideline:
    """The Guideline of a row that ``guideline_row`` made.

    Raises:
        pydantic.ValidationError: The row is no guideline.
    """
    return Guideline.model_validate({key: value for key, value in row.items() if key != "id"})


def labels_of(asked: Document | Instruction) -> tuple[str, ...]:
    """Labels under which a guideline explains a document or an instruction.

    These are the schema's labels; for families without labels it is the kind of answer: ``answer``, ``yes or no`` or
    ``choice`` for machine reading, ``relation`` for open extraction, ``free answer`` for the rest.
    """
    if asked.family is Family.MRC:
        options = {label.casefold() for label in asked.schema.labels}
        return ("answer",) if not options else ("yes or no",) if options <= _CLOSED else ("choice",)
    if asked.family is Family.OPEN_IE:
        return ("relation",)
    if asked.family is Family.GENERAL:
        return ("free answer",)
    return asked.schema.labels
