"""Answers as questions with their answers: one question per label, also where its answer is that there is none."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from synth.formats.canonical import Answer, by_label, by_role, canonical, values
from synth.formats.format import Format, ParseError, one_line
from synth.records import FACT_KEYS, Fact, Family, Instruction

_QUESTIONS: Mapping[Family, str] = {
    Family.NER: 'Which mentions of the type "{}" are in the text?',
    Family.RE: 'Which pairs stand in the relation "{}"?',
    Family.EE: 'Which word expresses an event of the type "{}"?',
    Family.TC: "Which label fits the text?",
}
_ROLE = 'What is the "{}" of this event?'
_NOTHING = "(none)"
_ARROW = " -> "


def _pattern(question: str) -> re.Pattern[str]:
    return re.compile(re.escape(question).replace(r"\{\}", "(.*)"))


_PATTERNS = {family: _pattern(question) for family, question in _QUESTIONS.items()}
_ROLE_PATTERN = _pattern(_ROLE)


def _write(asked: Instruction) -> str:
    return "\n".join(line for question, answers in _exchanges(asked) for line in _exchange(question, answers))


def _exchange(question: str, answers: list[str]) -> Iterator[str]:
    yield f"Q: {question}"
    yield from (f"A: {answer}" for answer in answers or [_NOTHING])


def _exchanges(asked: Instruction) -> Iterator[tuple[str, list[str]]]:
    """Each question with its answers."""
    if asked.family in (Family.MRC, Family.TC):
        yield _only_question(asked), [fact[FACT_KEYS[asked.family][0]] for fact in canonical(asked)]
        return
    present = dict(by_label(asked))
    for label in dict.fromkeys((*asked.schema.labels, *present)):
        question, facts = _QUESTIONS[asked.family].format(label), present.get(label, [])
        if asked.family != Family.EE or not facts:
            yield question, [_answer(fact, asked.family) for fact in facts]
            continue
        for fact in facts:
            yield question, [fact["trigger"]]
            for role, texts in by_role(fact):
                yield _ROLE.format(role), texts


def _only_question(asked: Instruction) -> str:
    return " ".join((asked.question or "").split()) if asked.family == Family.MRC else _QUESTIONS[asked.family]


def _answer(fact: Fact, family: Family) -> str:
    value: str = fact["text"] if family == Family.NER else f"{fact['head']}{_ARROW}{fact['tail']}"
    return value


def _read(content: str, asked: Instruction) -> Answer:
    facts: list[dict[str, Any]] = []
    question, answered = "", True
    for number, line in enumerate(content.split("\n"), 1):
        place = f"line {number}"
        if line.startswith("Q: ") and answered:
            question, answered = line[3:], False
        elif line.startswith("A: ") and question:
            answered = True
            if line[3:] != _NOTHING:
                _add(facts, question, line[3:], (asked, place))
        else:
            raise ParseError(place, "is no question or answer where one is due")
    if not answered:
        raise ParseError("the end", "lacks the answer to the last question")
    return tuple(facts)


def _add(facts: list[dict[str, Any]], question: str, answer: str, where: tuple[Instruction, str]) -> None:
    """Add what one answer says: a fact, or an argument of the last event."""
    asked, place = where
    role = _ROLE_PATTERN.fullmatch(question) if asked.family == Family.EE and facts else None
    if role:
        facts[-1]["arguments"].append({"role": role.group(1), "text": answer})
    elif asked.family in (Family.MRC, Family.TC):
        if question != _only_question(asked):
            raise ParseError(place, "answers another question")
        facts.append({FACT_KEYS[asked.family][0]: answer})
    else:
        known = _PATTERNS[asked.family].fullmatch(question)
        if known is None:
            raise ParseError(place, "answers none of the questions of this format")
        facts.append({"label": known.group(1), **_fact(answer, asked.family, place)})


def _fact(answer: str, family: Family, place: str) -> dict[str, Any]:
    if family == Family.NER:
        return {"text": answer}
    if family == Family.EE:
        return {"trigger": answer, "arguments": []}
    parts = answer.split(_ARROW)
    if len(parts) != 2:
        raise ParseError(place, f"has {len(parts) - 1} arrows instead of 1")
    return {"head": parts[0], "tail": parts[1]}


def _describe(asked: Instruction) -> str:
    if asked.family in (Family.MRC, Family.TC):
        return (
            f'Answer by repeating the question: one line "Q: {_only_question(asked)}" and one line "A: ..." below it. '
            f'If there is none, write "A: {_NOTHING}".'
        )
    question = _QUESTIONS[asked.family].format("...")
    shown = {Family.NER: "mention", Family.RE: "head -> tail", Family.EE: "trigger"}[asked.family]
    events = f'Repeat it for every event and ask "Q: {_ROLE.format("...")}" below it for each role that is filled. '
    return (
        f'Answer as questions with their answers: for each label one line "Q: {question}" and below it one line '
        f'"A: {shown}" per finding. {events if asked.family == Family.EE else ""}'
        f'Where there is none, write "A: {_NOTHING}".'
    )


def _carries(asked: Instruction) -> bool:
    found = list(values(asked.answer))
    if asked.family in (Family.MRC, Family.TC):
        asks = bool(_only_question(asked))
    else:
        asks = bool(asked.answer or asked.schema.labels) and all(map(one_line, asked.schema.labels))
    arrows = asked.family == Family.RE and any("->" in value for value in found)
    return asks and not arrows and all(value and one_line(value) and value != _NOTHING for value in found)


QUESTIONS = Format(
    id="qa",
    families=(Family.NER, Family.RE, Family.EE, Family.MRC, Family.TC),
    limits=f'empty values, line breaks, white space at an end, the value {_NOTHING}; "->" in a relation',
    start="block",
    describe=_describe,
    write=_write,
    read=_read,
    carries=_carries,
)
