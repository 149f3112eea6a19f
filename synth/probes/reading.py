"""From the text of an answer to facts: the parser of the format that was asked for, then one repair, then a failure.

Every answer becomes a ``Reading``, whose ``answer`` does not depend on the format: sorted tuples of strings. Two
answers to one document in two formats are equal where their ``answer`` is.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict

from harness.metrics.parsing import parse_json, parse_label
from harness.metrics.reading import normalise
from synth.formats import FORMATS, Answer, ParseError
from synth.formats.as_json import JSON, dump
from synth.formats.plain import PLAIN
from synth.probes.rows import asked
from synth.records import FACT_KEYS, Family, Instruction

_LINES = 64
"""Lines of an answer that the repair looks at, so that its time is bounded."""

Tuples = list[tuple[str, ...]]


class Reading(TypedDict):
    """What was read off an answer; the ``prediction`` of a probe's record.

    Attributes:
        answer: Sorted tuples: (label, text), (label, head, tail), (label, trigger) and (label, trigger, role, text),
            (normalised text), (label); None where nothing could be read.
        reading: Whether the format's own parser took it, or the repair, or neither.
        other: Another format that takes the text, where the parser of the asked one does not.
        text: The answer of machine reading as it was written; of any family the whole text where nothing could be read.
    """

    answer: Tuples | None
    reading: Literal["strict", "repaired", "failed"]
    other: str | None
    text: str | None


def read(resps: Sequence[Sequence[str]], docs: Sequence[Mapping[str, Any]]) -> list[Reading]:
    """lm-eval filter: the reading of the first answer to each request.

    Args:
        resps: Answers per request.
        docs: The row of each request.
    """
    return [reading(answers[0], asked(doc), doc["format"]) for answers, doc in zip(resps, docs, strict=True)]


def reading(text: str, question: Instruction, form: str) -> Reading:
    """What an answer says.

    Args:
        text: The generated text.
        question: What was asked; its own answer is not looked at.
        form: Id of the format that was asked for.
    """
    strict = _strict(text, question, form)
    facts = _repaired(text, question, form) if strict is None else strict
    listed = facts if facts is None or question.family is not Family.TC else _listed(facts, question)
    repaired = strict is None or listed != strict
    return {
        "answer": None if listed is None else tuples(listed, question.family),
        "reading": "failed" if listed is None else "repaired" if repaired else "strict",
        "other": other_format(text, question, form) if strict is None or form == PLAIN.id else None,
        "text": text if listed is None else listed[0]["text"] if listed and question.family is Family.MRC else None,
    }


def tuples(facts: Answer, family: Family) -> Tuples:
    """Facts as sorted tuples of strings, in which no format, order or grouping shows; an empty mention is none."""
    if family is Family.MRC:
        return sorted((normalise(fact["text"]),) for fact in facts)
    if family is not Family.EE:
        rows = (tuple(fact[key] for key in FACT_KEYS[family]) for fact in facts)
        return sorted(row for row in rows if row[-1])
    found: Tuples = [(event["label"], event["trigger"]) for event in facts]
    for event in facts:
        filled = (argument for argument in event["arguments"] if argument["text"])
        found += [(event["label"], event["trigger"], argument["role"], argument["text"]) for argument in filled]
    return sorted(found)


def other_format(text: str, question: Instruction, form: str) -> str | None:
    """Another format than the asked one whose own parser finds a fact in the whole text; None where there is none.

    An answer without a fact does not count (``{}`` is nothing in several formats, and a text without marks is a marked
    text). Plain text, which takes anything, counts where it is a label of the list or words of the passage.

    Args:
        text: The generated text.
        question: What was asked.
        form: Id of the format that was asked for.
    """
    others = (name for name in FORMATS if name not in (form, PLAIN.id) and question.family in FORMATS[name].families)
    found = next((name for name in others if _strict(text, question, name)), None)
    if found or form == PLAIN.id or question.family not in PLAIN.families or not text.strip():
        return found
    known = question.schema.labels if question.family is Family.TC else question.text
    return PLAIN.id if text.strip() in known else None


def _strict(text: str, question: Instruction, form: str) -> Answer | None:
    if form == PLAIN.id and not _is_plain(text.strip(), question):
        return None
    try:
        facts = FORMATS[form].parse(text, question)
        json.dumps(facts, ensure_ascii=False).encode()
    except (ParseError, UnicodeEncodeError):  # half a character, as JSON can escape it, cannot be recorded
        return None
    return facts


def _is_plain(text: str, question: Instruction) -> bool:
    """Plain text takes anything; a label has to be one of the list, as in the harness's cards."""
    return bool(text) and (question.family is not Family.TC or text in question.schema.labels)


def _repaired(text: str, question: Instruction, form: str) -> Answer | None:
    """The answer after one repair.

    A plain label may differ in case or punctuation or have a prefix. Otherwise what surrounds the answer goes: the
    marks of a code fence, then lines from the end until the rest is in the format. Of JSON, a balanced object inside
    other text is taken. Labels and JSON are repaired as the harness's own cards do it (``harness.metrics.parsing``).
    """
    if form == PLAIN.id:
        label = parse_label(text, question.schema.labels).value if question.family is Family.TC else None
        return None if label is None else ({"label": label},)
    for beginning in _beginnings(text):
        facts = _strict(beginning, question, form)
        if facts is not None:
            return facts
    parsed = parse_json(text) if form == JSON.id else None
    return None if parsed is None or parsed.failed else _strict(dump(parsed.value), question, form)


def _beginnings(text: str) -> Iterator[str]:
    """The text without the marks of code fences, then ever fewer of its first lines."""
    lines = [line for line in text.strip().split("\n") if not line.lstrip().startswith("```")][:_LINES]
    for count in range(len(lines), 0, -1):
        yield "\n".join(lines[:count])


def _listed(facts: Answer, question: Instruction) -> Answer:
    """Classes in the spelling of the list where they differ from it in case or punctuation only."""
    labels = question.schema.labels
    return tuple({"label": parse_label(fact["label"], labels).value or fact["label"]} for fact in facts)
