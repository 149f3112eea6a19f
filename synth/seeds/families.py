"""Passages to documents: what each family reads off the same sentences."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from synth.draws import Draws
from synth.records import Document, Fact, Family, Schema
from synth.seeds.frames import Domain, Question, Sentence, passage, topics
from synth.seeds.grammar import Filling, Variant, fill, fresh

LICENCE = "Apache-2.0 (sentences of this project)"
YES_NO = Schema(("yes", "no"))
_JOINTS = (" ", " ", " ", "\n")


def entities(domain: Domain, draws: Draws) -> Document:
    """Named entities of one to three sentences."""
    sentences = passage(domain, 1 + draws.below(3), draws)
    answer: list[Fact] = [
        {"label": domain.entity[rule], "text": text}
        for sentence in sentences
        for rule, text in sentence.mentions
        if rule in domain.entity
    ]
    return _document(Family.NER, domain, _text(sentences, draws), domain.entities, answer)


def relations(domain: Domain, draws: Draws) -> Document:
    """Relations of one to three sentences."""
    sentences = passage(domain, 1 + draws.below(3), draws)
    answer: list[Fact] = [
        {"label": label, "head": head, "tail": tail} for s in sentences for head, label, tail in _stated(s)
    ]
    return _document(Family.RE, domain, _text(sentences, draws), domain.relations, answer)


def open_relations(domain: Domain, draws: Draws) -> Document:
    """Relations that are asked without a list of them."""
    closed = relations(domain, draws)
    return replace(closed, family=Family.OPEN_IE, schema=Schema())


def events(domain: Domain, draws: Draws) -> Document:
    """Events of one to three sentences."""
    sentences = passage(domain, 1 + draws.below(3), draws)
    answer: list[Fact] = [
        {
            "label": sentence.frame.event,
            "trigger": sentence.mark,
            "arguments": [
                {"role": role, "text": sentence.values[name]}
                for name, role in sentence.frame.roles
                if name in sentence.values
            ],
        }
        for sentence in sentences
        if sentence.frame.event is not None
    ]
    return _document(Family.EE, domain, _text(sentences, draws), domain.events, answer)


def topic(domain: Domain, draws: Draws) -> Document:
    """A short text and what it is about."""
    sentences = passage(domain, 1 + draws.below(3), draws)
    answer: list[Fact] = [{"label": domain.topic}]
    text = _text(sentences, draws)
    return Document(Family.TC, "seeds/topic", "train", text, topics(), tuple(answer), LICENCE)


def reading(domain: Domain, draws: Draws) -> Document:
    """A passage of two to five sentences with a question: answered, unanswerable, or yes/no."""
    sentences = passage(domain, 2 + draws.below(4), draws)
    text = _text(sentences, draws)
    kind = draws.below(4)
    asked = None
    if kind == 0:
        asked = _yes_no(domain, sentences, draws)
    elif kind == 1:
        asked = _unanswerable(domain, sentences, draws)
    question, answer, schema = asked or _answerable(domain, sentences, draws)
    return replace(_document(Family.MRC, domain, text, schema, answer), question=question)


Asked = tuple[str, list[Fact], Schema]


def _answerable(domain: Domain, sentences: Sequence[Sentence], draws: Draws) -> Asked:
    found = [(s, q) for s in sentences for q in s.frame.ask if q.names <= s.values.keys()]
    anchored = [(s, q) for s, q in found if q.needs]  # a question without a name may fit several sentences
    sentence, question = draws.pick(anchored or found)
    return _worded(domain, question, sentence.values, draws), [{"text": sentence.values[question.about]}], Schema()


def _unanswerable(domain: Domain, sentences: Sequence[Sentence], draws: Draws) -> Asked | None:
    """A question whose answer was left out of the sentence, else one about another sentence's name."""
    silent = [
        (question, sentence.values)
        for sentence in sentences
        for question in sentence.frame.ask
        if question.needs and question.about not in sentence.values and question.needs <= sentence.values.keys()
    ]
    swapped = [
        (question, {**sentence.values, name: value})
        for sentence in sentences
        for question in sentence.frame.ask
        if question.names <= sentence.values.keys()
        for name in sorted(question.needs)
        for value in _others(sentence, name, sentences)
    ]
    pool = silent if silent and (not swapped or draws.below(2)) else swapped
    if not pool:
        return None
    question, values = draws.pick(pool)
    return _worded(domain, question, values, draws), [], Schema()


def _yes_no(domain: Domain, sentences: Sequence[Sentence], draws: Draws) -> Asked | None:
    """A yes/no question; for a no, one name is swapped for another of its list."""
    found = [(s, q) for s in sentences for q in s.frame.check if q.names <= s.values.keys()]
    if not found:
        return None
    sentence, question = draws.pick(found)
    values, right = dict(sentence.values), draws.below(2) == 0
    if not right:
        anchored = question.needs > {question.about}
        others = _others(sentence, question.about, sentences) if anchored else []
        used = {value for one in sentences for value in one.values.values()}
        words = domain.lists[sentence.rules[question.about]]
        values[question.about] = draws.pick(others) if others and draws.below(2) else fresh(words, used, draws)
    worded = _worded(domain, question, values, draws)
    return worded, [{"text": "yes" if right else "no"}], YES_NO


def _others(sentence: Sentence, name: str, sentences: Sequence[Sentence]) -> list[str]:
    """Names of the same list in sentences that say something else."""
    rule = sentence.rules[name]
    return [
        value
        for other in sentences
        if other is not sentence and not other.frame.says & sentence.frame.says
        for key, value in other.values.items()
        if other.rules[key] == rule
    ]


def _worded(domain: Domain, question: Question, values: dict[str, str], draws: Draws) -> str:
    variant: Variant = draws.pick(question.variants)
    filling = Filling(values=values, rules=dict.fromkeys(values, ""))
    fill(variant, filling, domain.lists, draws)
    return "".join(filling.parts)


def _stated(sentence: Sentence) -> list[tuple[str, str, str]]:
    """Head, label and tail of the relations whose names the sentence has."""
    values = sentence.values
    return [(values[h], label, values[t]) for h, label, t in sentence.frame.relations if h in values and t in values]


def _text(sentences: Sequence[Sentence], draws: Draws) -> str:
    return draws.pick(_JOINTS).join(sentence.text for sentence in sentences)


def _document(family: Family, domain: Domain, text: str, schema: Schema, answer: Sequence[Fact]) -> Document:
    return Document(family, f"seeds/{domain.name}", "train", text, schema, tuple(answer), LICENCE)
