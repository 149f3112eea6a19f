"""Answers as rows of columns: what tables, separated values and formats by example share.

A row is a fact. An event has a row per argument, and a number in the first column that tells two events with one
trigger apart; an event without arguments has one row with ``-`` as role and argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from synth.formats.canonical import Answer, canonical
from synth.formats.format import ParseError
from synth.records import Family, Instruction

COLUMNS: Mapping[Family, tuple[str, ...]] = {
    Family.NER: ("type", "text"),
    Family.RE: ("relation", "head", "tail"),
    Family.EE: ("event", "type", "trigger", "role", "argument"),
    Family.OPEN_IE: ("head", "relation", "tail"),
    Family.MRC: ("answer",),
    Family.TC: ("label",),
}
"""Names of the columns."""

_KEYS: Mapping[Family, tuple[str, ...]] = {
    Family.NER: ("label", "text"),
    Family.RE: ("label", "head", "tail"),
    Family.OPEN_IE: ("head", "label", "tail"),
    Family.MRC: ("text",),
    Family.TC: ("label",),
}
"""The key of a fact behind each column, for the families with a row per fact."""

ABSENT = "-"
"""Role and argument of an event without arguments."""

ROWS = {
    Family.NER: "one row per mention",
    Family.RE: "one row per pair",
    Family.EE: "one row per argument; the column event numbers the events from 1, and an event without arguments has "
    "one row with - as role and argument",
    Family.OPEN_IE: "one row per triple",
    Family.MRC: "one row with the answer, or no row if the passage does not tell",
    Family.TC: "one row per label that fits",
}
"""What a row is, in the words of a prompt."""

Row = tuple[str, ...]


def to_rows(asked: Instruction) -> list[Row]:
    """The canonical answer of an instruction as rows."""
    if asked.family != Family.EE:
        return [tuple(fact[key] for key in _KEYS[asked.family]) for fact in canonical(asked)]
    rows: list[Row] = []
    for number, event in enumerate(canonical(asked), 1):
        absent = [{"role": ABSENT, "text": ABSENT}]
        for argument in event["arguments"] or absent:
            rows.append((str(number), event["label"], event["trigger"], argument["role"], argument["text"]))
    return rows


def from_rows(rows: Iterable[tuple[int, Sequence[str]]], family: Family) -> Answer:
    """The facts of rows, each with the number of the line where it stands.

    Raises:
        ParseError: A row has the wrong number of cells, or two rows of one event contradict each other.
    """
    facts: list[dict[str, Any]] = []
    events: dict[str, dict[str, Any]] = {}
    for line, row in rows:
        if len(row) != len(COLUMNS[family]):
            raise ParseError(f"line {line}", f"has {len(row)} cells instead of {len(COLUMNS[family])}")
        if family != Family.EE:
            facts.append(dict(zip(_KEYS[family], row, strict=True)))
            continue
        number, label, trigger, role, text = row
        if number not in events:
            events[number] = {"label": label, "trigger": trigger, "arguments": []}
            facts.append(events[number])
        event = events[number]
        if (event["label"], event["trigger"]) != (label, trigger):
            raise ParseError(f"line {line}", f"gives event {number} another type or trigger than a line before")
        if (role, text) != (ABSENT, ABSENT):
            event["arguments"].append({"role": role, "text": text})
    return tuple(facts)


def no_absent_role(asked: Instruction) -> bool:
    """Whether no argument reads like the sign for an event without arguments."""
    return all(argument["role"] != ABSENT for fact in asked.answer for argument in fact.get("arguments", ()))
