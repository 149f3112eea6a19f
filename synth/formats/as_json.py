"""Formats whose strings are JSON's: one object, one object per line, one call per line. They carry everything."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from synth.formats.canonical import Answer, by_role, canonical
from synth.formats.format import ALL_BUT_GENERAL, EXTRACTION, Format, ParseError, anything
from synth.formats.trees import SHAPES, exactly, from_tree, text, to_tree
from synth.records import FACT_KEYS, Fact, Family, Instruction

CALLS: Mapping[Family, tuple[str, Mapping[str, str]]] = {
    Family.NER: ("entity", {"type": "label", "text": "text"}),
    Family.RE: ("relation", {"type": "label", "head": "head", "tail": "tail"}),
    Family.EE: ("event", {"type": "label", "trigger": "trigger", "arguments": "arguments"}),
    Family.OPEN_IE: ("triple", {"head": "head", "relation": "label", "tail": "tail"}),
    Family.MRC: ("answer", {"text": "text"}),
    Family.TC: ("label", {"name": "label"}),
    Family.GENERAL: ("respond", {"text": "text"}),
}
"""Function of a fact, and the fact's key behind each of its parameters."""

_NO_CALL = "nothing()"
_NO_LINE = "{}"
_NAME = re.compile(r"\s*([a-z]+)\(")
_KEY = re.compile(r"([a-z]+)=")


def dump(value: Any) -> str:
    """JSON text of a value, on one line, every character as it is."""
    return json.dumps(value, ensure_ascii=False)


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object whose keys are all different; the last of equal keys would otherwise win in silence."""
    mapping = dict(pairs)
    if len(mapping) < len(pairs):
        raise ValueError("a key occurs twice")
    return mapping


_DECODER = json.JSONDecoder(object_pairs_hook=_unique)


def load(content: str, place: str) -> Any:
    """The value of a JSON text.

    Raises:
        ParseError: It is none, or repeats a key.
    """
    try:
        return _DECODER.decode(content)
    except (ValueError, RecursionError) as error:
        raise ParseError(place, f"is no JSON ({error})") from error


def _write_lines(asked: Instruction) -> str:
    return "\n".join(map(dump, canonical(asked))) or _NO_LINE


def _read_lines(content: str, asked: Instruction) -> Answer:
    if content == _NO_LINE:
        return ()
    lines = enumerate(content.split("\n"), 1)
    return tuple(_line_fact(load(line, f"line {number}"), asked.family, f"line {number}") for number, line in lines)


def _line_fact(value: Any, family: Family, place: str) -> Fact:
    fact = exactly(value, FACT_KEYS[family], place)
    for key in fact:
        if key != "arguments":
            text(fact[key], f"{place}, {key}")
        elif not isinstance(fact[key], list):
            raise ParseError(f"{place}, {key}", "is no list")
    for argument in fact.get("arguments", ()):
        for value in exactly(argument, ("role", "text"), f"{place}, arguments").values():
            text(value, f"{place}, arguments")
    return fact


def _describe_lines(asked: Instruction) -> str:
    fact: dict[str, Any] = dict.fromkeys(FACT_KEYS[asked.family], "...")
    if asked.family == Family.EE:
        fact["arguments"] = [{"role": "...", "text": "..."}]
    return f"Answer in JSON Lines, one object per line of the form {dump(fact)}. If there is none, write {_NO_LINE}."


def _write_calls(asked: Instruction) -> str:
    name, parameters = CALLS[asked.family]
    calls = []
    for fact in canonical(asked):
        shown = {**fact, "arguments": dict(by_role(fact))} if asked.family == Family.EE else fact
        calls.append(f"{name}({', '.join(f'{key}={dump(shown[source])}' for key, source in parameters.items())})")
    return "\n".join(calls) or _NO_CALL


def _read_calls(content: str, asked: Instruction) -> Answer:
    if content == _NO_CALL:
        return ()
    facts: list[Fact] = []
    position = 0
    while position < len(content) or not facts:
        place = f"call {len(facts) + 1}"
        given, position = _call(content, position, CALLS[asked.family], place)
        facts.append(_call_fact(given, asked, place))
    return tuple(facts)


def _call(
    content: str, position: int, expected: tuple[str, Mapping[str, str]], place: str
) -> tuple[dict[str, Any], int]:
    """The arguments of the call that starts at a position, by the fact's keys, and where it ends."""
    name, parameters = expected
    opening = _NAME.match(content, position)
    if opening is None or opening.group(1) != name:
        raise ParseError(place, f"does not call {name}")
    position, given = opening.end(), {}
    for number, (key, source) in enumerate(parameters.items(), 1):
        named = _KEY.match(content, position)
        if named is None or named.group(1) != key:
            raise ParseError(place, f"lacks the argument {key}")
        try:
            given[source], position = _DECODER.raw_decode(content, named.end())
        except (ValueError, RecursionError) as error:
            raise ParseError(f"{place}, {key}", f"is no JSON ({error})") from error
        closing = ")" if number == len(parameters) else ", "
        if not content.startswith(closing, position):
            raise ParseError(f"{place}, {key}", f"is not followed by {closing!r}")
        position += len(closing)
    return given, position


def _call_fact(given: dict[str, Any], asked: Instruction, place: str) -> Fact:
    if asked.family != Family.EE:
        return {key: text(given[key], f"{place}, {key}") for key in FACT_KEYS[asked.family]}
    label = text(given.pop("label"), f"{place}, label")
    return from_tree({label: [given]}, asked)[0]


def _describe_calls(asked: Instruction) -> str:
    name, parameters = CALLS[asked.family]
    shown = ", ".join(f'{key}={{"role": ["..."]}}' if key == "arguments" else f'{key}="..."' for key in parameters)
    return (
        f"Answer with one function call per line, {name}({shown}), strings in double quotes. "
        f"If there is none, write {_NO_CALL}."
    )


JSON = Format(
    id="json",
    families=(*ALL_BUT_GENERAL, Family.GENERAL),
    limits="",
    start="line",
    describe=lambda asked: (
        f"Answer with one JSON object on one line: {SHAPES[asked.family]}."
        + (" If nothing is found, answer {}." if asked.family in EXTRACTION else "")
    ),
    write=lambda asked: dump(to_tree(asked)),
    read=lambda content, asked: from_tree(load(content, "the whole"), asked),
    carries=anything,
)

JSON_LINES = Format(
    id="jsonl",
    families=ALL_BUT_GENERAL,
    limits="",
    start="block",
    describe=_describe_lines,
    write=_write_lines,
    read=_read_lines,
    carries=anything,
)

FUNCTION_CALL = Format(
    id="function_call",
    families=(*ALL_BUT_GENERAL, Family.GENERAL),
    limits="",
    start="block",
    describe=_describe_calls,
    write=_write_calls,
    read=_read_calls,
    carries=anything,
)
