"""Answers in natural language: one plain sentence per fact, its words in curly quotation marks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from synth.formats.canonical import Answer, canonical, values
from synth.formats.format import ALL_BUT_GENERAL, Format, ParseError
from synth.records import Family, Instruction

_QUOTED = "“([^“”]*)”"
_SENTENCES: Mapping[Family, tuple[str, tuple[str, ...]]] = {
    Family.NER: ("“{}” is a mention of the type “{}”.", ("text", "label")),
    Family.RE: ("“{}” stands in the relation “{}” to “{}”.", ("head", "label", "tail")),
    Family.EE: ("“{}” expresses an event of the type “{}”.", ("trigger", "label")),
    Family.OPEN_IE: ("The text links “{}” to “{}” by “{}”.", ("head", "tail", "label")),
    Family.MRC: ("The answer is “{}”.", ("text",)),
    Family.TC: ("The label is “{}”.", ("label",)),
}
"""The sentence of a fact, and the key behind each of its gaps."""
_ARGUMENT = "Its “{}” is “{}”."
_NOTHING: Mapping[Family, str] = {
    Family.NER: "The text mentions nothing of these types.",
    Family.RE: "The text states none of these relations.",
    Family.EE: "The text reports no event of these types.",
    Family.OPEN_IE: "The text states no relation.",
    Family.MRC: "The passage does not tell.",
    Family.TC: "No label fits.",
}
_GAPS: Mapping[Family, str] = {
    Family.NER: "type",
    Family.RE: "relation",
    Family.EE: "type",
    Family.OPEN_IE: "relation",
    Family.TC: "label",
}
"""What stands in the gap of the label where the sentence is explained."""


def _pattern(sentence: str) -> re.Pattern[str]:
    return re.compile(r"\s*" + re.escape(sentence).replace(r"“\{\}”", _QUOTED))


_PATTERNS = {family: _pattern(sentence) for family, (sentence, _) in _SENTENCES.items()}
_ARGUMENT_PATTERN = _pattern(_ARGUMENT)


def _write(asked: Instruction) -> str:
    sentence, keys = _SENTENCES[asked.family]
    written = []
    for fact in canonical(asked):
        written.append(sentence.format(*(fact[key] for key in keys)))
        written += (_ARGUMENT.format(item["role"], item["text"]) for item in fact.get("arguments", ()))
    return " ".join(written) or _NOTHING[asked.family]


def _read(content: str, asked: Instruction) -> Answer:
    facts: list[dict[str, Any]] = []
    position, keys = 0, _SENTENCES[asked.family][1]
    if content == _NOTHING[asked.family]:
        return ()
    while position < len(content) or not facts:
        argument = _ARGUMENT_PATTERN.match(content, position) if asked.family == Family.EE and facts else None
        sentence = argument or _PATTERNS[asked.family].match(content, position)
        if sentence is None:
            raise ParseError(f"character {position + 1}", "starts none of the sentences of this format")
        if argument:
            facts[-1]["arguments"].append({"role": argument.group(1), "text": argument.group(2)})
        else:
            fact: dict[str, Any] = dict(zip(keys, sentence.groups(), strict=True))
            facts.append(fact | {"arguments": []} if asked.family == Family.EE else fact)
        position = sentence.end()
    return tuple(facts)


def _describe(asked: Instruction) -> str:
    sentence, keys = _SENTENCES[asked.family]
    shown = sentence.format(*(_GAPS[asked.family] if key == "label" else key for key in keys))
    more = f" After an event comes, for each of its arguments: {_ARGUMENT.format('role', 'argument')}"
    return (
        f"Answer in sentences of the form: {shown}{more if asked.family == Family.EE else ''} "
        f"If there is none, write: {_NOTHING[asked.family]}"
    )


PROSE = Format(
    id="prose",
    families=ALL_BUT_GENERAL,
    limits="values with a curly quotation mark (“ or ”)",
    start="line",
    describe=_describe,
    write=_write,
    read=_read,
    carries=lambda asked: not any("“" in value or "”" in value for value in values(asked.answer)),
)
