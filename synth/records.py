"""The nouns of synthesis: what is read, what is asked, what is learned from. Read this file before any other here.

    Document --instructions--> Instruction --guidelines, rules--> Instruction --formats--> Example --mix--> corpus

All are frozen and JSON-able; an id is the SHA-256 of the content, so equal things have equal ids in every run. Nothing
here depends on hash order.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from enum import StrEnum
from typing import Any

Fact = Mapping[str, Any]
"""One row of a canonical answer; its keys are said by the family (see ``FACT_KEYS``)."""


class Family(StrEnum):
    """What kind of understanding an instruction asks for."""

    NER = "ner"
    RE = "re"
    EE = "ee"
    OPEN_IE = "open_ie"
    MRC = "mrc"
    TC = "tc"
    GENERAL = "general"


FACT_KEYS: Mapping[Family, tuple[str, ...]] = {
    Family.NER: ("label", "text"),
    Family.RE: ("label", "head", "tail"),
    Family.EE: ("label", "trigger", "arguments"),  # arguments: list of {"role", "text"}
    Family.OPEN_IE: ("label", "head", "tail"),  # label: the relation in the words of the text
    Family.MRC: ("text",),  # no fact at all: the passage does not answer the question
    Family.TC: ("label",),
    Family.GENERAL: ("text",),
}
"""Keys of a canonical fact, in the order in which they are shown."""


class Strategy(StrEnum):
    """What distinguishes a compound instruction from a basic one."""

    GUIDELINES = "guidelines"
    RULES = "rules"
    FORMATS = "formats"


@dataclass(frozen=True, slots=True)
class Schema:
    """The labels that an instruction asks for.

    Attributes:
        labels: Label names in the order in which they are asked; for machine reading the answers to choose from (yes
            and no, or the options); empty for open questions.
        roles: For events: argument roles per label.
    """

    labels: tuple[str, ...] = ()
    roles: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Document:
    """One annotated text of a seed data set.

    Attributes:
        family: Family of its annotation.
        source: ``<dataset>[/<config>]``, a file name, or ``seeds`` for the embedded grammar.
        split: Split that it was read from; never one that a card scores.
        text: The text (for ``general``: the instruction itself with its input).
        question: The question, for machine reading; None otherwise.
        schema: The whole label set of the data set.
        answer: Every gold fact, in text order.
        licence: Licence of the data.
        key: What it belongs to where several documents share one text (a passage with many questions): everything of
            one key lands on one side of the train/dev split. Empty: its own id.
    """

    family: Family
    source: str
    split: str
    text: str
    schema: Schema
    answer: tuple[Fact, ...]
    licence: str
    question: str | None = None
    key: str = ""

    @property
    def id(self) -> str:
        """SHA-256 of the content."""
        return digest([self.family, self.source, self.text, self.question, _plain(self.answer)])


@dataclass(frozen=True, slots=True)
class Instruction:
    """One question about one document: some labels of its schema, under a guideline or a rule where there is one.

    Attributes:
        family: Family.
        source: Source of the document.
        document: Key of the document, for the train/dev split and for caps on siblings.
        text: The text.
        question: The question, for machine reading; None otherwise.
        schema: The labels asked here.
        answer: The gold facts for these labels (under ``rule``: relabelled).
        licence: Licence of the data.
        parent: Id of the base instruction that a strategy was applied to; None for a base instruction.
        guideline: Id of the guideline that the prompt shows; None without.
        rule: Id of the preference rule that the answer follows; None without.
        provenance: Facts about its making: reader, teacher, request keys, reviewer verdicts.
    """

    family: Family
    source: str
    document: str
    text: str
    schema: Schema
    answer: tuple[Fact, ...]
    licence: str
    question: str | None = None
    parent: str | None = None
    guideline: str | None = None
    rule: str | None = None
    provenance: Mapping[str, Any] = field(default_factory=dict)

    @property
    def id(self) -> str:
        """SHA-256 of everything but the provenance."""
        content = _values(self)
        del content["provenance"]
        return digest(content)


@dataclass(frozen=True, slots=True)
class Annotation:
    """What one filter found of one example; nothing is ever deleted by a filter.

    Attributes:
        name: Filter.
        version: Version of the filter's rule.
        passed: Whether the example passes.
        value: What was measured, JSON-able.
        reason: Why it does not pass; empty where it does.
    """

    name: str
    version: str
    passed: bool
    value: Any = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Example:
    """A row that a model learns from: an instruction as a prompt, its answer as a completion.

    Attributes:
        instruction: What is asked.
        format: Id of the answer format.
        phrasing: Id of the prompt's wording.
        prompt: The prompt.
        completion: The answer in the format.
        strategies: Strategies that shaped it, sorted; empty for a basic example.
        filters: What the filters found.
    """

    instruction: Instruction
    format: str
    phrasing: str
    prompt: str
    completion: str
    strategies: tuple[Strategy, ...] = ()
    filters: tuple[Annotation, ...] = ()

    @property
    def id(self) -> str:
        """SHA-256 of instruction, format, phrasing, prompt and completion."""
        return digest([self.instruction.id, self.format, self.phrasing, self.prompt, self.completion])

    @property
    def passed(self) -> bool:
        """Whether every filter passes it."""
        return all(annotation.passed for annotation in self.filters)


_ENCODER = json.JSONEncoder(ensure_ascii=False, sort_keys=True, separators=(",", ":"))


def digest(content: Any) -> str:
    """SHA-256 of a JSON-able value with sorted keys, as hexadecimal text."""
    return hashlib.sha256(_ENCODER.encode(content).encode("utf-8", "surrogatepass")).hexdigest()


def as_row(thing: Document | Instruction | Example) -> dict[str, Any]:
    """A JSON-able row, with the id that the content gives; it shares answers and provenance with the thing."""
    return {"id": thing.id, **_values(thing)}


def document_of(row: Mapping[str, Any]) -> Document:
    """The Document of a row that ``as_row`` made."""
    return Document(**_typed(row, Document))


def instruction_of(row: Mapping[str, Any]) -> Instruction:
    """The Instruction of a row that ``as_row`` made."""
    return Instruction(**_typed(row, Instruction))


def example_of(row: Mapping[str, Any]) -> Example:
    """The Example of a row that ``as_row`` made."""
    values = {item.name: row[item.name] for item in fields(Example)}
    return Example(
        **values
        | {
            "instruction": instruction_of(row["instruction"]),
            "strategies": tuple(Strategy(name) for name in row["strategies"]),
            "filters": tuple(Annotation(**annotation) for annotation in row["filters"]),
        }
    )


def _typed(row: Mapping[str, Any], kind: type) -> dict[str, Any]:
    values = {item.name: row[item.name] for item in fields(kind)}
    schema = row["schema"]
    roles = {label: tuple(names) for label, names in schema["roles"].items()}
    return values | {
        "family": Family(row["family"]),
        "schema": Schema(tuple(schema["labels"]), roles),
        "answer": tuple(row["answer"]),
    }


def _plain(answer: tuple[Fact, ...]) -> list[dict[str, Any]]:
    return [dict(fact) for fact in answer]


def _values(thing: Document | Instruction | Example) -> dict[str, Any]:
    """Fields by name, nested ones as JSON-able values; ``dataclasses.asdict`` copies deeply and is ten times slower."""
    if isinstance(thing, Example):
        return {
            "instruction": _values(thing.instruction),
            "format": thing.format,
            "phrasing": thing.phrasing,
            "prompt": thing.prompt,
            "completion": thing.completion,
            "strategies": list(thing.strategies),
            "filters": [asdict(annotation) for annotation in thing.filters],
        }
    values = {name: getattr(thing, name) for name in _NAMES[type(thing)]}
    values["schema"] = {"labels": thing.schema.labels, "roles": thing.schema.roles}
    return values


_NAMES = {kind: tuple(item.name for item in fields(kind)) for kind in (Document, Instruction)}
