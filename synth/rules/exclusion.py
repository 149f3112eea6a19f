"""Operations that leave facts or arguments out."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field

from synth.records import Fact, Family, Instruction, Schema
from synth.rules.boundary import WordList
from synth.rules.operation import (
    FORMS,
    LIST_FAMILIES,
    SPAN_FAMILIES,
    Form,
    LabelParameters,
    Operation,
    Outcome,
    Parameters,
    SpanParameters,
)
from synth.rules.rule import Kind
from synth.rules.spans import (
    UndecidedError,
    bare,
    expand,
    is_certain,
    occurrences,
    selected,
    sentences,
    spans_of,
    words,
)


class FormTest(SpanParameters):
    """Parameters: spans and a form."""

    form: Form


class Limit(LabelParameters):
    """Parameters: a largest or smallest number."""

    number: int = Field(ge=1)


class SpanLimit(SpanParameters):
    """Parameters: spans and a largest or smallest number."""

    number: int = Field(ge=1)


class Roles(LabelParameters):
    """Parameters: argument roles."""

    roles: tuple[str, ...] = Field(min_length=1)


class Scope(LabelParameters):
    """Parameters: the sentence that counts."""

    sentence: Literal["first", "last"]


class Override(Parameters):
    """Parameters: a test of the text and the label that a text which meets it gets instead of its own."""

    test: Literal["question", "exclamation", "digits", "link", "hashtag", "short"]
    name: str = Field(min_length=1)


_TESTS = {
    "question": re.compile(r"[?？]"),
    "exclamation": re.compile(r"[!！]"),
    "digits": re.compile(r"\d"),
    "link": re.compile(r"https?://|www\."),
    "hashtag": re.compile(r"#\w"),
    "short": re.compile(r"^\s*\S+(?:\s+\S+){0,7}\s*$"),
}


def drop_words(instruction: Instruction, parameters: WordList) -> Outcome:
    """Leaves out spans that are one of the listed words (pronouns, generic nouns)."""
    listed = {bare(word) for word in parameters.words}
    return _drop(instruction, parameters, {span for span in _all_spans(instruction) if bare(span) in listed})


def drop_form(instruction: Instruction, parameters: FormTest) -> Outcome:
    """Leaves out spans of a form (with digits, of one word, acronyms)."""
    test = FORMS[parameters.form]
    return _drop(instruction, parameters, {span for span in _all_spans(instruction) if test(span)})


def drop_shorter(instruction: Instruction, parameters: SpanLimit) -> Outcome:
    """Leaves out spans of fewer characters than a number."""
    return _drop(instruction, parameters, {s for s in _all_spans(instruction) if len(s) < parameters.number})


def drop_longer(instruction: Instruction, parameters: SpanLimit) -> Outcome:
    """Leaves out spans of more words than a number."""
    return _drop(instruction, parameters, {s for s in _all_spans(instruction) if len(words(s)) > parameters.number})


def drop_rare(instruction: Instruction, parameters: SpanLimit) -> Outcome:
    """Leaves out spans that the text holds fewer times than a number."""
    rare = {s for s in _all_spans(instruction) if len(occurrences(instruction.text, s)) < parameters.number}
    return _drop(instruction, parameters, rare)


def drop_label(instruction: Instruction, parameters: LabelParameters) -> Outcome:
    """Gives nothing for some labels, though they are asked."""
    if not parameters.labels or set(instruction.schema.labels) <= set(parameters.labels):
        raise UndecidedError  # nothing else is asked: the rule would make an empty question
    return instruction.schema, tuple(f for f in instruction.answer if not selected(f, parameters.labels))


def drop_roles(instruction: Instruction, parameters: Roles) -> Outcome:
    """Leaves out the arguments of some roles."""
    return instruction.schema, tuple(
        {**fact, "arguments": [a for a in fact["arguments"] if a["role"] not in parameters.roles]}
        if selected(fact, parameters.labels)
        else fact
        for fact in instruction.answer
    )


def need_role(instruction: Instruction, parameters: Roles) -> Outcome:
    """Leaves out events that have no argument of any of the roles."""
    return instruction.schema, tuple(
        fact
        for fact in instruction.answer
        if not selected(fact, parameters.labels) or any(a["role"] in parameters.roles for a in fact["arguments"])
    )


def only_sentence(instruction: Instruction, parameters: Scope) -> Outcome:
    """Keeps only facts whose spans all stand in the first (or last) sentence."""
    parts = sentences(instruction.text)
    if len(parts) < 2:
        raise UndecidedError
    begin, end = parts[0 if parameters.sentence == "first" else -1]
    if not is_certain(instruction.text, begin, end):
        raise UndecidedError
    return instruction.schema, tuple(
        fact
        for fact in instruction.answer
        if not selected(fact, parameters.labels) or _inside(fact, instruction, begin, end)
    )


def first_of_label(instruction: Instruction, parameters: Limit) -> Outcome:
    """Keeps at most a number of facts of each label, the first ones of the text."""
    count: dict[str, int] = {}
    answer: list[Fact] = []
    for fact in sorted(instruction.answer, key=lambda fact: _position(fact, instruction)):
        count[fact["label"]] = count.get(fact["label"], 0) + 1
        if not selected(fact, parameters.labels) or count[fact["label"]] <= parameters.number:
            answer.append(fact)
    kept = list(answer)
    return instruction.schema, tuple(fact for fact in instruction.answer if _take(kept, fact))


def one_direction(instruction: Instruction, parameters: LabelParameters) -> Outcome:
    """Keeps one direction of a relation that the answer gives both ways, the first one."""
    answer: list[Fact] = []
    for fact in instruction.answer:
        turned = {**fact, "head": fact["tail"], "tail": fact["head"]}
        if not selected(fact, parameters.labels) or turned not in answer:
            answer.append(fact)
    return instruction.schema, tuple(answer)


def both_directions(instruction: Instruction, parameters: LabelParameters) -> Outcome:
    """Gives a symmetric relation in both directions."""
    answer: list[Fact] = []
    for fact in instruction.answer:
        answer.append(fact)
        turned = {**fact, "head": fact["tail"], "tail": fact["head"]}
        if selected(fact, parameters.labels) and turned not in answer and turned not in instruction.answer:
            answer.append(turned)
    return instruction.schema, tuple(answer)


def override(instruction: Instruction, parameters: Override) -> Outcome:
    """Gives a text of some form (with a question mark, with a link, short) a label of its own instead."""
    labels = instruction.schema.labels
    if parameters.name in labels or _TESTS[parameters.test].search(instruction.text) is None:
        raise UndecidedError  # a label that means something already cannot mean this as well
    return Schema((*labels, parameters.name), instruction.schema.roles), ({"label": parameters.name},)


def _drop(instruction: Instruction, parameters: SpanParameters, dropped: set[str]) -> Outcome:
    def change(span: str) -> tuple[str, ...]:
        return () if span in dropped else (span,)

    return instruction.schema, expand(instruction, parameters.labels, parameters.parts, change)


def _all_spans(instruction: Instruction) -> set[str]:
    return {span for fact in instruction.answer for span in spans_of(fact, instruction.family)}


def _inside(fact: Fact, instruction: Instruction, begin: int, end: int) -> bool:
    """Whether a fact stands in a stretch; undecided where a span stands both inside and outside."""
    found = set()
    for span in spans_of(fact, instruction.family):
        places = {begin <= start and start + len(span) <= end for start in occurrences(instruction.text, span)}
        if len(places) != 1:
            raise UndecidedError
        found |= places
    return found == {True}


def _position(fact: Fact, instruction: Instruction) -> int:
    starts = occurrences(instruction.text, next(spans_of(fact, instruction.family)))
    return starts[0] if starts else len(instruction.text)


def _take(kept: list[Fact], fact: Fact) -> bool:
    if fact not in kept:
        return False
    kept.remove(fact)
    return True


_RELATIONS = (Family.RE, Family.OPEN_IE)

OPERATIONS = (
    Operation("drop_words", Kind.EXCLUSION, SPAN_FAMILIES, WordList, drop_words),
    Operation("drop_form", Kind.EXCLUSION, SPAN_FAMILIES, FormTest, drop_form),
    Operation("drop_shorter", Kind.EXCLUSION, SPAN_FAMILIES, SpanLimit, drop_shorter),
    Operation("drop_longer", Kind.EXCLUSION, SPAN_FAMILIES, SpanLimit, drop_longer),
    Operation("drop_rare", Kind.EXCLUSION, LIST_FAMILIES, SpanLimit, drop_rare),
    Operation("drop_label", Kind.EXCLUSION, (Family.NER, Family.RE, Family.EE), LabelParameters, drop_label),
    Operation("drop_roles", Kind.EXCLUSION, (Family.EE,), Roles, drop_roles),
    Operation("need_role", Kind.EXCLUSION, (Family.EE,), Roles, need_role),
    Operation("only_sentence", Kind.EXCLUSION, LIST_FAMILIES, Scope, only_sentence),
    Operation("first_of_label", Kind.EXCLUSION, (Family.NER, Family.RE, Family.EE), Limit, first_of_label),
    Operation("one_direction", Kind.EXCLUSION, _RELATIONS, LabelParameters, one_direction),
    Operation("both_directions", Kind.EXCLUSION, _RELATIONS, LabelParameters, both_directions),
    Operation("override", Kind.EXCLUSION, (Family.TC,), Override, override),
)
