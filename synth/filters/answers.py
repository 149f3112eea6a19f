"""Filters of the answer: it fits its schema, its spans occur in the text, and its completion reads back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator

from harness.metrics.grounding import grounding
from synth.filters.filter import Check, Filter, Work
from synth.formats import FORMATS, ParseError, canonical
from synth.records import FACT_KEYS, Annotation, Example, Fact, Family, Instruction

_CLOSED = (Family.NER, Family.RE, Family.EE, Family.TC)
_CHOICE = {family: "text" if family in (Family.MRC, Family.GENERAL) else "label" for family in Family}
_NEVER_EMPTY = (Family.TC, Family.GENERAL)
_SPANS = {
    Family.NER: ("text",),
    Family.RE: ("head", "tail"),
    Family.OPEN_IE: ("head", "tail"),
    Family.EE: ("trigger",),
    Family.MRC: ("text",),
}


def _each(annotate: Callable[[Example], Annotation]) -> Callable[[Work], Check]:
    """A filter's ``check`` from a function of one example that needs no context."""

    def check(work: Work) -> Check:
        return lambda examples: [annotate(example) for example in examples]

    return check


def schema_valid(example: Example) -> Annotation:
    """Whether labels, roles and choices are in the schema, and the keys those of the family."""
    problems = list(_problems(example.instruction))
    return SCHEMA_VALID.found(not problems, len(problems), "; ".join(problems[:3]))


def _problems(asked: Instruction) -> Iterator[str]:
    """What of an answer its schema does not allow, in words."""
    if asked.family in _CLOSED and not asked.schema.labels:
        yield "the schema has no label"
    if asked.family in _NEVER_EMPTY and not asked.answer:
        yield "the answer is empty"
    for number, fact in enumerate(asked.answer, 1):
        if tuple(sorted(fact)) != tuple(sorted(FACT_KEYS[asked.family])):
            yield f"fact {number} has the keys {', '.join(sorted(fact))}"
        elif not all(part.strip() for part in _texts(fact)):
            yield f"fact {number} has an empty text"
        elif asked.schema.labels and fact[_CHOICE[asked.family]] not in asked.schema.labels:
            yield f"{fact[_CHOICE[asked.family]]!r} is not in the schema"
        else:
            yield from _unknown_roles(asked, fact)


def _unknown_roles(asked: Instruction, fact: Fact) -> Iterator[str]:
    roles = asked.schema.roles.get(fact.get("label", ""), ())
    for argument in fact.get("arguments", ()):
        if argument["role"] not in roles:
            yield f"{fact['label']!r} has no role {argument['role']!r}"


def _texts(fact: Fact) -> Iterator[str]:
    for value in fact.values():
        if isinstance(value, str):
            yield value
        else:
            for argument in value:
                yield argument["text"]


def grounded(example: Example) -> Annotation:
    """Whether every span of the answer occurs in the text."""
    asked = example.instruction
    levels = [(_level(span, asked.text), span) for span in _spans(asked)]
    lost = [span for level, span in levels if level not in ("exact", "normalised")]
    return GROUNDED.found(
        not lost,
        dict(Counter(str(level) for level, _ in levels)),
        f"{lost[0]!r} does not occur in the text" if lost else "",
    )


def _spans(asked: Instruction) -> Iterator[str]:
    """Stretches of the text that the answer names; a choice among options is none."""
    if asked.family == Family.MRC and asked.schema.labels:
        return
    for fact in asked.answer:
        for key in _SPANS.get(asked.family, ()):
            yield fact.get(key, "")
        for argument in fact.get("arguments", ()):
            yield argument["text"]


def _level(span: str, text: str) -> str | None:
    return "exact" if span.strip() and span in text else grounding(span, text)


def _parses_back(example: Example) -> Annotation:
    if example.format not in FORMATS:
        return PARSES_BACK.found(False, None, f"there is no format {example.format!r}")
    try:
        read = FORMATS[example.format].parse(example.completion, example.instruction)
    except ParseError as error:
        return PARSES_BACK.found(False, None, str(error))
    wanted = canonical(example.instruction)
    different = sum(one != other for one, other in zip(read, wanted, strict=False)) + abs(len(read) - len(wanted))
    return PARSES_BACK.found(not different, different, f"{different} facts read back otherwise")


SCHEMA_VALID = Filter("schema_valid", "1", _each(schema_valid))
"""Labels, roles and choices are in the schema, facts have their family's keys, no text is empty. Value: violations."""

GROUNDED = Filter("grounded", "1", _each(grounded))
"""Every span of the answer occurs in the text, exactly or after NFKC, case folding and collapsing of space. Value:
spans per level."""

PARSES_BACK = Filter("parses_back", "1", _each(_parses_back))
"""The format's parser reads the canonical answer out of the completion. Value: facts that differ."""
