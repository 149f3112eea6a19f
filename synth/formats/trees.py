"""Answers as nested values of mappings, lists and strings: the shape that JSON and YAML share.

For extraction it is the shape that the harness's own cards ask for: ``{label: [text]}`` for entities, ``{label: [{head,
tail}]}`` for relations, ``{label: [{trigger, arguments: {role: [text]}}]}`` for events; labels without a fact are left
out. The other families have one key whose value is a string, or a list where there is not exactly one fact.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from synth.formats.canonical import Answer, by_label, by_role, canonical
from synth.formats.format import ParseError
from synth.records import FACT_KEYS, Fact, Family, Instruction

SINGLE = {Family.MRC: "answer", Family.TC: "label", Family.GENERAL: "response"}
"""The one key of the families that are not extraction."""

SHAPES = {
    Family.NER: "its keys are the types that occur in the text, the value of a key is the list of its mentions",
    Family.RE: "its keys are the relations that the text states, the value of a key is a list with one object per "
    "pair, with the keys head and tail",
    Family.EE: "its keys are the event types that occur in the text, the value of a key is a list with one object per "
    "event, with the keys trigger and arguments; arguments maps each filled role to the list of its fillers",
    Family.OPEN_IE: "its keys are short phrases that name the relations, the value of a key is a list with one object "
    "per pair, with the keys head and tail",
    Family.MRC: "its only key is answer; the value is the answer, or an empty list if the passage does not tell",
    Family.TC: "its only key is label; the value is the label, or a list if there is not exactly one",
    Family.GENERAL: "its only key is response; the value is your response as one string",
}
"""The shape in the words of a prompt."""


def to_tree(asked: Instruction) -> dict[str, Any]:
    """The canonical answer of an instruction as a nested value."""
    if asked.family in SINGLE:
        found = [fact[FACT_KEYS[asked.family][0]] for fact in canonical(asked)]
        return {SINGLE[asked.family]: found[0] if len(found) == 1 else found}
    return {label: [_entry(asked.family, fact) for fact in facts] for label, facts in by_label(asked)}


def from_tree(tree: Any, asked: Instruction) -> Answer:
    """The facts that a nested value holds.

    Raises:
        ParseError: It has another shape.
    """
    mapping = _mapping(tree, "the whole")
    if asked.family in SINGLE:
        return tuple(_singles(mapping, asked.family))
    return tuple(
        _fact(asked.family, label, entry, f"{label}, entry {number}")
        for label, entries in mapping.items()
        for number, entry in enumerate(_list(entries, label), 1)
    )


def text(value: Any, place: str) -> str:
    """The value, which has to be a string.

    Raises:
        ParseError: It is something else.
    """
    if not isinstance(value, str):
        raise ParseError(place, "is no text")
    return value


def exactly(value: Any, keys: tuple[str, ...], place: str) -> dict[str, Any]:
    """The value, which has to be a mapping with these keys and no other.

    Raises:
        ParseError: It is something else.
    """
    mapping = _mapping(value, place)
    if set(mapping) != set(keys):
        raise ParseError(place, f"has the keys {', '.join(mapping) or 'none'} instead of {', '.join(keys)}")
    return mapping


def _entry(family: Family, fact: Fact) -> Any:
    if family == Family.NER:
        return fact["text"]
    if family == Family.EE:
        return {"trigger": fact["trigger"], "arguments": dict(by_role(fact))}
    return {"head": fact["head"], "tail": fact["tail"]}


def _fact(family: Family, label: str, entry: Any, place: str) -> Fact:
    if family == Family.NER:
        return {"label": label, "text": text(entry, place)}
    keys = ("trigger", "arguments") if family == Family.EE else ("head", "tail")
    mapping = exactly(entry, keys, place)
    if family != Family.EE:
        return {"label": label, **{key: text(mapping[key], f"{place}, {key}") for key in keys}}
    arguments = [
        {"role": role, "text": text(filler, f"{place}, {role}")}
        for role, fillers in _mapping(mapping["arguments"], f"{place}, arguments").items()
        for filler in _list(fillers, f"{place}, {role}")
    ]
    return {"label": label, "trigger": text(mapping["trigger"], f"{place}, trigger"), "arguments": arguments}


def _singles(mapping: dict[str, Any], family: Family) -> Iterator[Fact]:
    key = SINGLE[family]
    found = exactly(mapping, (key,), "the whole")[key]
    for number, value in enumerate(found if isinstance(found, list) else [found], 1):
        yield {FACT_KEYS[family][0]: text(value, f"{key}, entry {number}")}


def _mapping(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(key, str) for key in value):
        raise ParseError(place, "is no mapping of names to values")
    return value


def _list(value: Any, place: str) -> list[Any]:
    if not isinstance(value, list):
        raise ParseError(place, "is no list")
    return value
