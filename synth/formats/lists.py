"""A Markdown list: one bullet per fact, arguments of an event as bullets below it. Nothing is escaped."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from synth.formats.canonical import Answer, canonical, values
from synth.formats.format import ALL_BUT_GENERAL, Format, ParseError, one_line
from synth.records import FACT_KEYS, Fact, Family, Instruction

ARROW = " -> "
_NOTHING = "(none)"
_LABELLED = re.compile(r"- \*\*(.*?)\*\*: ?(.*)")
_NESTED = re.compile(r"  - (.*?): ?(.*)")
_SHOWN: Mapping[Family, str] = {
    Family.NER: "- **type**: mention",
    Family.RE: "- **relation**: head -> tail",
    Family.EE: "- **event type**: trigger, followed by one indented line per argument of the form   - role: argument",
    Family.OPEN_IE: "- **relation**: head -> tail",
    Family.MRC: "- answer",
    Family.TC: "- label",
}


def _write(asked: Instruction) -> str:
    return "\n".join(_bullet(fact, asked.family) for fact in canonical(asked)) or _NOTHING


def _bullet(fact: Fact, family: Family) -> str:
    if family in (Family.MRC, Family.TC):
        return f"- {fact[FACT_KEYS[family][0]]}"
    if family == Family.NER:
        return f"- **{fact['label']}**: {fact['text']}"
    if family == Family.EE:
        arguments = "".join(f"\n  - {item['role']}: {item['text']}" for item in fact["arguments"])
        return f"- **{fact['label']}**: {fact['trigger']}{arguments}"
    return f"- **{fact['label']}**: {fact['head']}{ARROW}{fact['tail']}"


def _read(content: str, asked: Instruction) -> Answer:
    facts: list[dict[str, Any]] = []
    if content == _NOTHING:
        return ()
    for number, line in enumerate(content.split("\n"), 1):
        nested = _NESTED.fullmatch(line) if asked.family == Family.EE and facts else None
        if nested:
            facts[-1]["arguments"].append({"role": nested.group(1), "text": nested.group(2)})
        else:
            facts.append(_fact(line, asked.family, f"line {number}"))
    return tuple(facts)


def _fact(line: str, family: Family, place: str) -> dict[str, Any]:
    if family in (Family.MRC, Family.TC):
        if not line.startswith("- "):
            raise ParseError(place, "is no bullet")
        return {FACT_KEYS[family][0]: line[2:]}
    bullet = _LABELLED.fullmatch(line)
    if bullet is None:
        raise ParseError(place, "is no bullet with a label in bold")
    label, value = bullet.groups()
    if family == Family.NER:
        return {"label": label, "text": value}
    if family == Family.EE:
        return {"label": label, "trigger": value, "arguments": []}
    parts = value.split(ARROW)
    if len(parts) != 2:
        raise ParseError(place, f"has {len(parts) - 1} arrows instead of 1")
    return {"label": label, "head": parts[0], "tail": parts[1]}


def _carries(asked: Instruction) -> bool:
    found = list(values(asked.answer))
    if not all(value and one_line(value) for value in found):
        return False
    if asked.family in (Family.RE, Family.OPEN_IE) and any("->" in value for value in found):
        return False
    roles = (argument["role"] for fact in asked.answer for argument in fact.get("arguments", ()))
    labels = (fact["label"] for fact in asked.answer if asked.family not in (Family.MRC, Family.TC))
    return not any("**" in label or label[-1] == "*" for label in labels) and not any(":" in role for role in roles)


MARKDOWN_LIST = Format(
    id="markdown_list",
    families=ALL_BUT_GENERAL,
    limits='empty values, line breaks, white space at an end; "**" in a label, ":" in a role, "->" in a relation',
    start="block",
    describe=lambda asked: (
        f"Answer with a Markdown list, one item per line of the form {_SHOWN[asked.family]}. "
        f"If there is none, write {_NOTHING}."
    ),
    write=_write,
    read=_read,
    carries=_carries,
)
