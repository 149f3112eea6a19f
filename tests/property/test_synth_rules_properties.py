"""What holds for every rule on every document, and operations against second implementations written on their own."""

from __future__ import annotations

import copy
from collections import Counter
from functools import cache
from typing import Any

from annotated import asked, entities, relation, rule
from hypothesis import assume, given
from hypothesis import strategies as st

from synth import rulebook, seeds
from synth.guidelines import label_sets
from synth.recipe import RuleSettings
from synth.records import FACT_KEYS, Document, Fact, Family, Instruction, Schema
from synth.rules import Rule, apply, propose
from synth.rules.interpreter import FREE
from synth.teachers.rulebook import Rulebook

WORDS = ("the", "The", "a", "Dr", "Ada", "Vance", "BBX", "UN", "of", "and", "mill", "12", "Sarn")
words = st.lists(st.sampled_from(WORDS), min_size=1, max_size=14)


@cache
def rules(family: Family) -> tuple[Rule, ...]:
    """The library's rules for the label sets of the grammar."""
    found = [one for one in label_sets(seeds.documents(0, 100, family)) if one.family == family]
    return tuple(propose(found, Rulebook(rulebook.answer), RuleSettings()))


@st.composite
def ruled(draw: st.DrawFn) -> tuple[Rule, Instruction]:
    """A document of the grammar with some of its labels asked, and a rule of the library for it."""
    family = draw(st.sampled_from(list(Family)))
    document = next(iter(seeds.documents(draw(st.integers(0, 50)), 1, family)))
    found = [one for one in rules(family) if one.source == document.source]
    assume(found)  # a label set that the sample did not show
    kept = draw(st.sets(st.sampled_from(document.schema.labels or ("",)), min_size=1))
    return draw(st.sampled_from(found)), narrowed(document, kept)


def narrowed(document: Document, kept: set[str]) -> Instruction:
    """An instruction for some labels of a document; all of them where the family has no facts per label."""
    schema, answer = document.schema, document.answer
    if document.family in (Family.NER, Family.RE, Family.EE):
        labels = tuple(label for label in schema.labels if label in kept)
        schema = Schema(labels, {label: schema.roles[label] for label in labels if label in schema.roles})
        answer = tuple(fact for fact in answer if fact["label"] in kept)
    return Instruction(
        document.family, document.source, document.id, document.text, schema, answer, document.licence,
        document.question,
    )  # fmt: skip


def spans(fact: Fact) -> list[str]:
    """Every span of a fact, whatever its family."""
    direct = [fact[key] for key in ("text", "head", "tail", "trigger") if key in fact]
    return [*direct, *(argument["text"] for argument in fact.get("arguments", ()))]


@given(ruled())
def test_a_rule_keeps_answers_grounded_well_formed_and_stable(case: tuple[Rule, Instruction]) -> None:
    """Spans stay in the text, facts keep their keys, labels stay in the schema, and nothing is changed in place."""
    made, before = case
    kept = copy.deepcopy(before)
    after = apply(made, before)
    assert before == kept
    assert apply(made, before) == after
    if after is None:
        return
    known = {span for fact in before.answer for span in spans(fact)}
    assert made.operation is not None
    if made.operation.name not in FREE:
        assert all(span in known or span in after.text for fact in after.answer for span in spans(fact))
    for fact in after.answer:
        assert tuple(fact) == FACT_KEYS[after.family]
        if after.family in (Family.NER, Family.RE, Family.EE, Family.TC):
            assert fact["label"] in after.schema.labels
        for argument in fact.get("arguments", ()):
            assert argument["role"] in after.schema.roles[fact["label"]]
    assert (after.text, after.document, after.question) == (before.text, before.document, before.question)
    assert apply(made, after) is None


@st.composite
def marked(draw: st.DrawFn) -> Instruction:
    """A text of words with some stretches of it as entities of two labels, in text order."""
    text = draw(words)
    cuts = draw(st.lists(st.integers(0, len(text)), max_size=8).map(sorted))
    pairs = [(a, b) for a, b in zip(cuts[::2], cuts[1::2], strict=False) if a < b]
    return asked(
        Family.NER, " ".join(text), *entities(*((draw(st.sampled_from("xy")), " ".join(text[a:b])) for a, b in pairs)),
        labels=["x", "y"],
    )  # fmt: skip


def answer_under(operation: str, before: Instruction, /, **parameters: Any) -> list[Fact]:
    """The answer under a rule; the old one where the rule changes nothing."""
    after = apply(rule(before.family, operation, **parameters), before)
    return list(before.answer if after is None else after.answer)


@given(marked())
def test_stripping_words_against_a_loop_over_tokens(before: Instruction) -> None:
    """Leading words of the list go, one at least stays."""
    expected = []
    for fact in before.answer:
        tokens = fact["text"].split(" ")
        while len(tokens) > 1 and tokens[0].lower() in {"the", "a", "dr"}:
            tokens = tokens[1:]
        expected.append({**fact, "text": " ".join(tokens)})
    assert answer_under("strip_start", before, words=["the", "a", "dr"]) == expected


@given(marked())
def test_dropping_forms_against_plain_string_tests(before: Instruction) -> None:
    """Digits, acronyms, single words and short spans are what Python's own string methods say."""
    facts = list(before.answer)
    texts = {
        "has_digit": lambda text: any(sign in text for sign in "0123456789"),
        "acronym": lambda text: text.isupper() and text.isalpha() and len(text) > 1,
        "single_word": lambda text: " " not in text,
        "upper_start": lambda text: "A" <= text[0] <= "Z",
    }
    for form, test in texts.items():
        assert answer_under("drop_form", before, form=form) == [fact for fact in facts if not test(fact["text"])]
    assert answer_under("drop_shorter", before, number=4) == [fact for fact in facts if len(fact["text"]) > 3]


@given(marked())
def test_unique_and_merge_against_counters(before: Instruction) -> None:
    """Unique facts are the keys of a dictionary; a merge adds the counts of its labels."""
    once = dict.fromkeys((fact["label"], fact["text"]) for fact in before.answer)
    assert [(fact["label"], fact["text"]) for fact in answer_under("unique", before)] == list(once)
    merged = answer_under("merge_labels", before, labels=["x", "y"], name="z")
    assert Counter(fact["text"] for fact in merged) == Counter(fact["text"] for fact in before.answer)
    assert {fact["label"] for fact in merged} <= {"z"}


@given(marked())
def test_splitting_against_string_split(before: Instruction) -> None:
    """A span is cut at the separating word; separators at its ends fall away."""
    expected = []
    for fact in before.answer:
        pieces = dict.fromkeys(
            " ".join(piece.split()) for piece in f" {fact['text']} ".replace(" and ", "  |  ").split("|")
        )
        expected += [{**fact, "text": piece} for piece in pieces if piece] or [fact]
    if not any(" and and" in f" {fact['text']}" for fact in before.answer):
        assert answer_under("split_spans", before, separators=["and"]) == expected


@given(marked(), st.booleans())
def test_order_against_sorting_inside_each_label(before: Instruction, descending: bool) -> None:
    """Inside each label the spans are sorted by length; no fact is lost or made."""
    after = answer_under("order_facts", before, by="length", descending=descending)
    assert Counter(map(str, after)) == Counter(map(str, before.answer))
    for label in "xy":
        lengths = [len(fact["text"]) for fact in after if fact["label"] == label]
        assert lengths == sorted(lengths, reverse=descending)


nodes = st.sampled_from("ABCD")


@given(st.sets(st.tuples(nodes, nodes).filter(lambda pair: pair[0] != pair[1]), max_size=6))
def test_composing_against_the_transitive_closure(pairs: set[tuple[str, str]]) -> None:
    """A relation composed with itself is its transitive closure without loops, found here by repeated joins."""
    facts = [relation("in", head, tail) for head, tail in sorted(pairs)]
    closure = set(pairs)
    while more := {(a, d) for a, b in closure for c, d in closure if b == c and a != d} - closure:
        closure |= more
    after = answer_under("compose", asked(Family.RE, "A B C D", *facts, labels=["in"]), first="in", second="in",
                         result="in")  # fmt: skip
    assert {(fact["head"], fact["tail"]) for fact in after} == closure
