"""What a preference rule is: a sentence that a model reads, and what makes the answers that follow it."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from synth.records import Family, digest

Origin = Literal["rulebook", "teacher"]
Status = Literal["proposed", "accepted", "rejected"]


class Kind(StrEnum):
    """What a rule is about."""

    BOUNDARY = "boundary"
    NESTING = "nesting"
    GRANULARITY = "granularity"
    EXCLUSION = "exclusion"
    ORDERING = "ordering"
    NAMING = "naming"


class Call(BaseModel):
    """An operation of the interpreter with its parameters: an executable rule is data.

    Attributes:
        name: Name of the operation (``synth.rules.OPERATIONS``).
        parameters: Its parameters, checked by the operation.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    parameters: dict[str, Any] = Field(default_factory=dict)


class Rule(BaseModel):
    """A preference rule for one label set.

    Attributes:
        name: Short name; one name is one rule, whatever label sets it is bound to, and is held out as a whole.
        family: Family that it is for.
        source: Source whose label set it was bound to.
        kind: What it is about.
        sentence: What the model reads; ``{mapping}`` stands for the renaming of the labels that are asked.
        labels: Labels that it touches; none for all.
        operation: Its executable form; None where a teacher relabels.
        origin: Who wrote it.
        held_out: Whether it is kept for evaluation and never enters a corpus.
        status: Where it stands.
        reasons: Why it was rejected, or what could not be measured.
        provenance: Teacher, prompt, request keys, probes.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1)
    family: Family
    source: str
    kind: Kind
    sentence: str = Field(min_length=1, max_length=600)
    labels: tuple[str, ...] = ()
    operation: Call | None = None
    origin: Origin
    held_out: bool = False
    status: Status = "proposed"
    reasons: tuple[str, ...] = ()
    provenance: dict[str, Any] = Field(default_factory=dict)

    @property
    def id(self) -> str:
        """SHA-256 of what the rule says and does; status, reasons and provenance are not in it."""
        operation = self.operation.model_dump() if self.operation else None
        return digest([self.family, self.source, self.kind, self.sentence, list(self.labels), operation])


class Decision(BaseModel):
    """What became of a proposed rule.

    Attributes:
        rule: The rule with its new status and reasons.
        tried: Probes that it was tried on.
        changed: Probes whose answer it really changes.
        emptied: Of these, how many it leaves without any fact.
        ungrounded: Relabelled answers with a span that the text does not hold.
        agreement: Share of equal answers of two relabellers; None where it was not measured (the reasons say why).
        compared: Probes that the agreement rests on.
        answers: For a rule that a teacher relabels: the agreed answers, by id of the base instruction.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rule: Rule
    tried: int
    changed: int
    emptied: int = 0
    ungrounded: int = 0
    agreement: float | None = None
    compared: int = 0
    answers: dict[str, tuple[dict[str, Any], ...]] = Field(default_factory=dict)

    @property
    def accepted(self) -> bool:
        """Whether the rule may be used."""
        return self.rule.status == "accepted"


def rule_row(rule: Rule) -> dict[str, Any]:
    """A JSON-able row, with the id that the content gives."""
    return {"id": rule.id, **rule.model_dump(mode="json")}


def rule_of(row: Mapping[str, Any]) -> Rule:
    """The Rule of a row that ``rule_row`` made.

    Raises:
        pydantic.ValidationError: The row is no rule.
    """
    return Rule.model_validate({key: value for key, value in row.items() if key != "id"})
