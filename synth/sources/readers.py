"""Rows of annotated text to documents: entities, relations, events.

A text that the data has only as tokens is the tokens joined with single spaces, as the cards of ``tasks/`` do it.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from synth.records import Fact, Family, Schema
from synth.sources.registry import Entry

Row = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """What a row says, before it is a document.

    Attributes:
        text: The text.
        answer: Gold facts, in text order.
        schema: Label set of this row; None where the whole split's labels are meant.
        question: The question, for machine reading.
        key: What rows of one text share.
    """

    text: str
    answer: list[Fact]
    schema: Schema | None = None
    question: str | None = None
    key: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    """A split with what its reader has to know.

    Attributes:
        entry: Entry of the data set.
        family: Family that is asked for.
        classes: Class names by number.
        tags: Names of token tags by number.
    """

    entry: Entry
    family: Family
    classes: tuple[str, ...] = ()
    tags: Sequence[str] = field(default_factory=tuple)


def tagged_entities(row: Row, table: Table) -> Iterator[Reading]:
    """Tokens with BIO tags; an I- that continues nothing begins an entity, as conlleval reads it."""
    tokens, tags = row["tokens"], [table.tags[tag] for tag in row[table.entry.column("tags")]]
    answer: list[Fact] = [
        {"label": table.entry.word(label), "text": " ".join(tokens[start:end])} for label, start, end in _spans(tags)
    ]
    yield Reading(" ".join(tokens), answer)


def indexed_entities(row: Row, table: Table) -> Iterator[Reading]:
    """Tokens with entities of type, start and end."""
    yield Reading(" ".join(row["tokens"]), [
        {"label": table.entry.word(entity["type"]), "text": text}
        for entity, text in zip(row["entities"], _entity_texts(row), strict=True)
    ])  # fmt: skip


def indexed_relations(row: Row, table: Table) -> Iterator[Reading]:
    """Tokens with relations between the numbers of two entities."""
    texts = _entity_texts(row)
    yield Reading(" ".join(row["tokens"]), [
        {"label": table.entry.word(item["type"]), "head": texts[item["head"]], "tail": texts[item["tail"]]}
        for item in row["relations"]
    ])  # fmt: skip


def paired_relation(row: Row, table: Table) -> Iterator[Reading]:
    """Tokens with one relation between two token lists; the first of its names is the label."""
    tokens = row["tokens"]
    head, tail = (" ".join(tokens[index] for index in row[side]["indices"][0]) for side in ("head", "tail"))
    yield Reading(" ".join(tokens), [{"label": table.entry.word(row["names"][0]), "head": head, "tail": tail}])


def mentioned_events(row: Row, table: Table) -> Iterator[Reading]:
    """Text with event mentions of type, trigger and arguments, in the order of their triggers."""
    mentions = sorted(row["event_mentions"], key=lambda mention: int(mention["trigger"]["start"]))
    yield Reading(row[table.entry.column("text")], [
        {
            "label": table.entry.word(mention[table.entry.column("type")]),
            "trigger": mention["trigger"]["text"],
            "arguments": [
                {"role": table.entry.word(argument["role"]), "text": argument["text"]}
                for argument in mention["arguments"]
            ],
        }
        for mention in mentions
    ])  # fmt: skip


def iepile(row: Row, table: Table) -> Iterator[Reading]:
    """An IEPile record; its label batch is the schema, because other labels were not annotated in it."""
    tasks = {"NER": Family.NER, "RE": Family.RE, "SPO": Family.RE, "EE": Family.EE}
    if tasks.get(row["task"]) is not table.family:
        return
    asked, found = json.loads(row["instruction"]), json.loads(row["output"])
    labels = [_iepile_label(item) for item in asked["schema"]]
    roles = {item["event_type"]: tuple(item["arguments"]) for item in asked["schema"] if "event_type" in item}
    answer = [_iepile_fact(table.family, label, item) for label in labels for item in found.get(label, ())]
    yield Reading(asked["input"], answer, Schema(tuple(labels), roles), key=asked["input"])


def merged(readings: Iterable[Reading]) -> list[Reading]:
    """Readings of one text whose label sets are their own as one reading; the others as they are."""
    found: dict[str | int, Reading] = {}
    for number, reading in enumerate(readings):
        before = found.get(reading.text)
        if reading.schema is None:
            found[number] = reading
        elif before is None or before.schema is None:
            found[reading.text] = reading
        else:
            labels = dict.fromkeys([*before.schema.labels, *reading.schema.labels])
            roles = {**before.schema.roles, **reading.schema.roles}
            answer = [*before.answer, *(fact for fact in reading.answer if fact not in before.answer)]
            found[reading.text] = replace(before, schema=Schema(tuple(labels), roles), answer=answer)
    return list(found.values())


def _iepile_label(item: str | Mapping[str, Any]) -> str:
    return item if isinstance(item, str) else str(item.get("event_type") or item["predicate"])


def _iepile_fact(family: Family, label: str, item: Any) -> Fact:
    if family is Family.NER:
        return {"label": label, "text": item}
    if family is Family.RE:
        head, tail = ("subject", "object") if "subject" in item else ("head", "tail")
        return {"label": label, "head": item[head], "tail": item[tail]}
    arguments = [
        {"role": role, "text": text}
        for role, value in item["arguments"].items()
        for text in ([value] if isinstance(value, str) else value)
        if text != "NAN"
    ]
    return {"label": label, "trigger": item["trigger"], "arguments": arguments}


def _entity_texts(row: Row) -> list[str]:
    return [" ".join(row["tokens"][entity["start"] : entity["end"]]) for entity in row["entities"]]


def _spans(tags: Sequence[str]) -> Iterator[tuple[str, int, int]]:
    """Label, start and end of each entity."""
    start, before = 0, "O"
    for number, tag in enumerate([*tags, "O"]):
        if tag != f"I-{before[2:]}":
            if before != "O":
                yield before[2:], start, number
            start = number
        before = tag
