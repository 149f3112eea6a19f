"""From the text of an answer to facts: the parser of the format that was asked for, then one repair, then a failure.

Every answer becomes a ``Reading``, whose ``answer`` does not depend on the format: sorted tuples of strings. Two answers
to one document in two formats are equal where their ``answer`` is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, Literal, TypedDict

from harness.metrics.parsing import parse_json, parse_label
from harness.metrics.reading import normalise
from synth.formats import FORMATS, Answer, ParseError
from synth.formats.as_json import JSON, dump
from synth.formats.plain import PLAIN
from synth.probes.rows import asked
from synth.records import FACT_KEYS, Family, Instruction

_PREFIXES = 64
"""Lines of an answer that the repair looks at."""

Tuples = list[tuple[str, ...]]


class Reading(TypedDict):
    """What was read off an answer; the ``prediction`` of a probe's record.

    Attributes:
        answer: Sorted tuples: (label, text), (label, head, tail), (label, trigger) and (label, trigger, role, text),
            (normalised text), (label); None where nothing could be read.
        reading: Whether the format's own parser took it, or the repair, or neither.
        other: Another format that takes the text, where the asked one does not.
        text: The answer of machine reading as it was written.
    """

    answer: Tuples | None
    reading: Literal["strict", "repaired", "failed"]
    other: str | None
    text: str | None


def read(resps: Sequence[Sequence[str]], docs: Sequence[Mapping[str, Any]]) -> list[Reading]:
    """lm-eval filter: the reading of the first answer to each request."""
    return [reading(answers[0], asked(doc), doc["format"]) for answers, doc in zip(resps, docs, strict=True)]


def reading(text: str, question: Instruction, form: str) -> Reading:
    """What an answer says.

    Args:
        text: The generated text.
        question: What was asked; its own answer is not looked at.
        form: Id of the format that was asked for.
    """
    facts, how = _strict(text, question, form), "strict"
    if facts is None:
        facts, how = _repaired(text, question, form), "repaired"
    return {
        "answer": None if facts is None else tuples(facts, question.family),
        "reading": "failed" if facts is None else how,  # type: ignore[typeddict-item]
        "other": other_format(text, question, form) if how == "repaired" or form == PLAIN.id else None,
        "text": facts[0]["text"] if facts and question.family is Family.MRC else None,
    }


def tuples(facts: Answer, family: Family) -> Tuples:
    """Facts as sorted tuples of strings, in which no format, order or grouping shows."""
    if family is Family.MRC:
        return sorted((normalise(fact["text"]),) for fact in facts)
    if family is not Family.EE:
        return sorted(tuple(fact[key] for key in FACT_KEYS[family]) for fact in facts)
    found: Tuples = [(event["label"], event["trigger"]) for event in facts]
    for event in facts:
        key = (event["label"], event["trigger"])
        found += [(*key, argument["role"], argument["text"]) for argument in event["arguments"]]
    return sorted(found)


def other_format(text: str, question: Instruction, form: str) -> str | None:
    """Another format than the asked one whose own parser finds a fact in the whole text; None where there is none.

    An answer without a fact does not count (``{}`` is nothing in several formats, and a text without marks is a marked
    text). Plain text counts where it is a label of the list or words of the passage, because it takes anything.
    """
    for name, other in FORMATS.items():
        if name in (form, PLAIN.id) or question.family not in other.families:
            continue
        if _strict(text, question, name):
            return name
    if form == PLAIN.id or question.family not in PLAIN.families or not text.strip():
        return None
    known = text.strip() in (question.schema.labels if question.family is Family.TC else question.text)
    return PLAIN.id if known else None


def _strict(text: str, question: Instruction, form: str) -> Answer | None:
    if form == PLAIN.id and (
        not text.strip() or (question.family is Family.TC and text.strip() not in question.schema.labels)
    ):
        return None
    try:
        return FORMATS[form].parse(text, question)
    except ParseError:
        return None


def _repaired(text: str, question: Instruction, form: str) -> Answer | None:
    """The answer after one repair.

    Plain labels are repaired as the harness's cards do it (case, punctuation, a prefix). Otherwise what surrounds the
    answer goes: the marks of a code fence, then lines from the end until the rest is in the format. Of JSON, a balanced
    object inside other text is taken, as the harness's cards do it.
    """
    if form == PLAIN.id:
        label = parse_label(text, question.schema.labels).value if question.family is Family.TC else None
        return None if label is None else ({"label": label},)
    candidates = islice(_beginnings(text), _PREFIXES)
    found = (facts for candidate in candidates if (facts := _strict(candidate, question, form)) is not None)
    facts = next(found, None)
    if facts is None and form == JSON.id and not (parsed := parse_json(text)).failed:
        return _strict(dump(parsed.value), question, form)
    return facts


def _beginnings(text: str) -> Iterator[str]:
    """The text without code fences, then ever fewer of its first lines."""
    lines = [line for line in text.strip().split("\n") if not line.lstrip().startswith("```")]
    for count in range(min(len(lines), _PREFIXES), 0, -1):
        yield "\n".join(lines[:count])
