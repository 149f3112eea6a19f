"""The embedded grammar: exact, endless, reproducible, and apart from the embedded test suite."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from importlib.resources import files
from itertools import chain, islice
from typing import Any

import pytest

from harness.errors import DataError, UsageError
from synth import seeds
from synth.records import Document, Family
from synth.seeds.frames import domains, read_yaml
from synth.seeds.grammar import Slot, unroll, word_lists
from synth.seeds.texts import collections

LANGUAGES = ("French", "Latin", "Spanish", "Swedish")
EXTRACTION = (Family.NER, Family.RE, Family.EE, Family.OPEN_IE)


def quick_texts() -> Iterator[str]:
    """Every text of every item of the embedded suite."""
    for path in sorted((files("harness") / "assets" / "quick").iterdir(), key=lambda item: item.name):
        if path.name.endswith(".jsonl"):
            for line in path.read_text(encoding="utf-8").splitlines():
                yield from strings(json.loads(line))


def strings(value: Any) -> Iterator[str]:
    """All texts in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def words(text: str) -> list[str]:
    """Normalised words."""
    return re.findall(r"\w+", text.lower())


def grams(text: str, size: int) -> set[tuple[str, ...]]:
    """Word n-grams."""
    found = words(text)
    return {tuple(found[start : start + size]) for start in range(len(found) - size + 1)}


def sentences(text: str) -> set[tuple[str, ...]]:
    """Normalised sentences of at least four words; shorter ones are everybody's."""
    split = (tuple(words(part)) for part in re.split(r"(?<=[.?!])\s+|\n", text))
    return {part for part in split if len(part) >= 4}


def spans(document: Document) -> Iterator[str]:
    """Every text of an answer that must stand in the document."""
    for fact in document.answer:
        if document.family is Family.NER:
            yield fact["text"]
        elif document.family in (Family.RE, Family.OPEN_IE):
            yield fact["head"]
            yield fact["tail"]
        elif document.family is Family.EE:
            yield fact["trigger"]
            yield from (argument["text"] for argument in fact["arguments"])


def test_nothing_of_the_embedded_suite_is_in_the_grammar() -> None:
    """No sentence and no eight words in a row of 12,000 documents and of all tables stand in the quick suite."""
    texts = list(quick_texts())
    taken_grams = set().union(*(grams(text, 8) for text in texts))
    taken_sentences = set().union(*(sentences(text) for text in texts))
    drawn = (f"{document.text}\n{document.question or ''}" for document in seeds.documents(7, 12_000))
    tables = read_yaml("general.yaml")["tables"].values()
    asked = (ask.format(*row) for table in tables for ask in table["ask"] for row in table["rows"])
    for text in chain(drawn, asked):
        assert not grams(text, 8) & taken_grams, text
        assert not sentences(text) & taken_sentences, text


def test_no_table_asks_for_a_fact_of_the_embedded_suite() -> None:
    """No row has its subject in a knowledge question of the quick suite and its answer in the right option."""
    small = {"a", "an", "the", "to", "in", "of", "is", "what", "which", "do", "does", "you"}
    known = [
        (set(words(item["question"])), set(words(item["options"][item["answer"]])) - small)
        for item in quick_rows("knowledge")
    ]
    for table in read_yaml("general.yaml")["tables"].values():
        for subject, answer in table["rows"]:
            about, right = set(words(str(subject))) - small, set(words(str(answer))) - small
            assert not [1 for question, option in known if about <= question and right & option], (subject, answer)
            assert not [1 for question, option in known if right <= question and about & option], (subject, answer)


@pytest.mark.parametrize("family", EXTRACTION)
def test_answers_are_words_of_the_text(family: Family) -> None:
    """Every name, trigger and argument stands in its document, and every label in its schema."""
    for document in seeds.documents(1, 1500, family):
        assert all(span in document.text for span in spans(document)), document
        if document.schema.labels:
            assert {fact["label"] for fact in document.answer} <= set(document.schema.labels)


def test_entities_come_in_the_order_of_the_text_and_do_not_overlap() -> None:
    """Mentions can be found one after the other: none is missing, none is nested."""
    for document in seeds.documents(2, 1500, Family.NER):
        place = 0
        for fact in document.answer:
            found = document.text.find(fact["text"], place)
            assert found >= 0, (document.text, fact)
            place = found + len(fact["text"])


def test_no_name_is_left_unannotated() -> None:
    """Outside the annotated names no word inside a sentence is capitalised, but for those that belong to no label."""
    allowed = {"I", "It", "In", "On", "At", "For", "Because", "After", "Shares", "DNA", "Danish", *LANGUAGES}
    for document in seeds.documents(3, 3000, Family.NER):
        text = document.text
        for fact in sorted(document.answer, key=lambda item: -len(item["text"])):
            text = text.replace(fact["text"], "_", 1)
        inner = re.findall(r"(?<![.?!:]) (?<!^)([A-Z]\w+)", text.replace("\n", " . "))
        assert set(inner) <= allowed, (inner, document.text)


def test_names_do_not_hide_in_lists_without_a_label() -> None:
    """What a frame draws from a list without a label holds no name of a list with one: it would not be annotated."""
    shared = read_yaml("words.yaml")["words"]
    for domain in domains():
        words = {**shared, **read_yaml("domains", f"{domain.name}.yaml").get("words", {})}
        slots = (s for f in domain.frames for text in f.texts for v in text for s in v if isinstance(s, Slot))
        for rule in {slot.rule for slot in slots if slot.rule is not None and slot.rule not in domain.entity}:
            assert not {name for name in referred(rule, words) if name in domain.entity}, (domain.name, rule)


def referred(rule: str, words: dict[str, Any]) -> set[str]:
    """All lists that a list draws from, at any depth."""
    entries = " ".join(str(word) for word in words[rule])
    direct = {name.split(":")[-1] for name in re.findall(r"\{([\w:]+)~?\}", entries)}
    return direct.union(*(referred(name, words) for name in direct if isinstance(words[name], list)))


def test_roles_of_events_are_those_of_the_schema() -> None:
    """An argument has a role that its event type knows."""
    for document in seeds.documents(4, 1500, Family.EE):
        for fact in document.answer:
            assert {argument["role"] for argument in fact["arguments"]} <= set(document.schema.roles[fact["label"]])


def test_reading_has_answered_unanswerable_and_yes_no_questions() -> None:
    """Answers are words of the passage, or one of yes and no; a fair share has none."""
    kinds = Counter[str]()
    for document in seeds.documents(5, 2000, Family.MRC):
        assert document.question is not None
        assert document.question[0].isupper()
        assert document.question.endswith("?")
        if not document.answer:
            kinds["none"] += 1
        elif document.schema.labels:
            kinds[document.answer[0]["text"]] += 1
        else:
            kinds["span"] += 1
            assert document.answer[0]["text"] in document.text, document
    assert min(kinds[kind] for kind in ("none", "yes", "no")) > 150
    assert kinds["span"] > 800


def test_sentences_begin_with_a_capital_and_end_with_a_stop() -> None:
    """Texts look like texts: no double space, no loose bracket, a capital and a full stop."""
    for document in islice(seeds.documents(6), 6000):
        assert document.text[0].isupper() or document.text[0].isdigit() or document.text[0] == '"', document.text
        assert "  " not in document.text
        assert not re.search(r"[{}\[\]|*]|\ba [aei]\w|\ban [bcdfgjkmpqstvwz]\w", document.text), document.text


def test_a_document_depends_on_seed_and_number_alone() -> None:
    """A stream that is taken up in the middle goes on as it would have; another seed gives another stream."""
    whole = [document.id for document in seeds.documents(11, 60)]
    assert [document.id for document in seeds.documents(11, 20, first=40)] == whole[40:]
    assert [document.id for document in seeds.documents(12, 60)] != whole


def test_the_hash_seed_changes_nothing() -> None:
    """Two processes with different PYTHONHASHSEED draw the same documents."""
    code = "from synth import seeds; print([d.id for d in seeds.documents(3, 300)])"
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": number}, capture_output=True, text=True, check=True,
        ).stdout
        for number in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1


def test_documents_are_diverse() -> None:
    """Nearly every document of the families with names is a text of its own."""
    for family in (Family.NER, Family.RE, Family.EE, Family.MRC):
        texts = {document.text for document in seeds.documents(8, 2000, family)}
        assert len(texts) > 1980


def test_every_family_domain_and_collection_yields_documents() -> None:
    """All domains and collections can be chosen by name, and no family is empty."""
    for family in Family:
        assert {document.family for document in seeds.documents(1, 20, family)} == {family}
    for name in seeds.names():
        assert len(list(seeds.documents(1, 5, domain=name))) == 5
    assert len(domains()) == len({domain.topic for domain in domains()}) == 15
    assert len(collections()) >= 6


def test_the_labels_of_the_embedded_suite_are_practised() -> None:
    """Entities, relations, events, roles and classes of the quick suite occur in the grammar under the same names."""
    rows = {name: quick_rows(name) for name in ("ner", "re", "ee", "topic", "intent", "sentiment")}
    one = domains()[0]
    assert {entity["type"] for row in rows["ner"] for entity in row["entities"]} <= set(one.entities.labels)
    assert {triple["relation"] for row in rows["re"] for triple in row["triples"]} <= set(one.relations.labels)
    for event in (event for row in rows["ee"] for event in row["events"]):
        assert {argument["role"] for argument in event["arguments"]} <= set(one.events.roles[event["type"]])
    assert {row["label"] for row in rows["topic"]} <= {domain.topic for domain in domains()}
    for name in ("intent", "sentiment"):
        assert {row["label"] for row in rows[name]} == set(collections()[name].schema.labels)


def quick_rows(name: str) -> list[dict[str, Any]]:
    """Items of one file of the embedded suite."""
    path = files("harness") / "assets" / "quick" / f"{name}.jsonl"
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def test_unknown_domain_is_refused() -> None:
    """The message lists the domains that there are."""
    with pytest.raises(UsageError, match="business"):
        seeds.documents(0, 1, domain="gossip")
    with pytest.raises(UsageError, match="have no ner documents"):
        seeds.documents(0, 1, Family.NER, domain="sentiment")


def test_patterns_unroll() -> None:
    """Optional parts, alternatives, names and marks become flat variants; half of them have the optional part."""
    variants = unroll("{p:person} (left|*joined*)[ on {d:day}].", "a test")
    assert len(variants) == 4
    assert [len(variant) for variant in variants] == [2, 4, 4, 6]


@pytest.mark.parametrize("pattern", ["a [b", "a b]", "a (b|c", "x {p:person", "a * b", "(a|b|c|d)" * 5])
def test_a_malformed_pattern_is_refused(pattern: str) -> None:
    """Loose brackets and patterns that explode are errors that quote the pattern."""
    with pytest.raises(DataError, match="Pattern"):
        unroll(pattern, "a test")


def test_lists_that_lead_back_to_themselves_are_refused() -> None:
    """A circle of word lists is an error, not a recursion without end."""
    with pytest.raises(DataError, match="leads back"):
        word_lists({"a": ["{b} x"], "b": ["{a} y"]})
    with pytest.raises(DataError, match="draws from"):
        word_lists({"a": ["{nowhere} x"]})
