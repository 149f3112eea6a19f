"""The rulebook keeps its contract: every entry is a valid guideline, every rule binds, runs, and changes something."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import pytest
from annotated import asked, documents, entities, event, relation

from synth import rulebook, seeds
from synth.guidelines import Item, LabelSet, draft, label_sets
from synth.recipe import GuidelineSettings, RuleSettings
from synth.records import Document, Family, Instruction
from synth.rulebook.library import example, normal
from synth.rules import Kind, Rule, apply, propose, wording
from synth.teachers import Request
from synth.teachers.rulebook import Rulebook

LABELLED = (Family.NER, Family.RE, Family.EE, Family.TC)
TEACHER = Rulebook(rulebook.answer)
NER_LABELS = ["person", "organization", "location", "miscellaneous"]
RE_LABELS = ["works for", "lives in", "organization based in", "located in", "kill"]
EE_ROLES = {
    "data breach": ["attacker", "victim", "agent"], "phishing": ["attacker", "victim"], "ransom": ["victim"],
    "discover vulnerability": ["discoverer"], "patch vulnerability": ["releaser"],
}  # fmt: skip
MADE: tuple[Instruction, ...] = (
    asked(Family.NER, "Gen. Rosa Tell of Acme Inc. left.",
          *entities(("person", "Gen. Rosa Tell"), ("organization", "Acme Inc")), labels=NER_LABELS),
    asked(Family.NER, "Judge Tom Bly's Ellerian dog ran to \"Old Hall\" in Sarn, Kenya.",
          *entities(("person", "Tom Bly"), ("miscellaneous", "Ellerian"), ("location", "Old Hall"),
                    ("location", "Sarn, Kenya")), labels=NER_LABELS),
    asked(Family.NER, "The Port of Sarn opened; the EU and Eva and Eva paid.",
          *entities(("organization", "Port of Sarn"), ("location", "Sarn"), ("organization", "EU"), ("person", "Eva"),
                    ("person", "Eva")), labels=NER_LABELS),
    asked(Family.RE, "Dr. Ada Vance of Sarn, Kenya, was hurt; Judge Tom Bly shot Ann Roe. Dr. Ada Vance led the BBX.",
          relation("lives in", "Dr. Ada Vance", "Sarn, Kenya"), relation("works for", "Dr. Ada Vance", "BBX"),
          relation("works for", "Dr. Ada Vance", "BBX"), relation("kill", "Tom Bly", "Ann Roe"), labels=RE_LABELS),
    asked(Family.RE, "Acme sits in Sarn in Kenya; Eva Bly grew up in Sarn and he in Kenya.",
          relation("organization based in", "Acme", "Sarn"), relation("located in", "Sarn", "Kenya"),
          relation("lives in", "Eva Bly", "Sarn"), relation("lives in", "he", "Kenya"), labels=RE_LABELS),
    asked(Family.RE, "Acme sits in Sarn in Kenya; Eva Bly grew up in Sarn.",
          relation("organization based in", "Acme", "Sarn"), relation("organization based in", "Acme", "Kenya"),
          relation("located in", "Sarn", "Kenya"), relation("lives in", "Eva Bly", "Sarn"),
          relation("lives in", "Eva Bly", "Kenya"), labels=RE_LABELS),
    asked(Family.EE, "Thieves copied the files of the bank of Sarn from them. A flaw was found.",
          event("data breach", "copied", ("attacker", "Thieves"), ("victim", "the bank of Sarn"), ("victim", "Sarn"),
                ("agent", "from them"), ("victim", "them")),
          event("discover vulnerability", "found"), labels=list(EE_ROLES), roles=EE_ROLES),
    asked(Family.EE, "They posed as a bank.", event("phishing", "posed"), labels=list(EE_ROLES), roles=EE_ROLES),
    asked(Family.EE, "Fraudsters rang and posed.", event("phishing", "rang"), event("phishing", "posed"),
          labels=list(EE_ROLES), roles=EE_ROLES),
    asked(Family.MRC, "The wall is 40 metres long.", {"text": "40"}),
    asked(Family.MRC, "It opened on 3 May 1987.", {"text": "3 May 1987"}),
    asked(Family.TC, "It opens at nine. #now", {"label": "neutral"}, labels=["positive", "neutral", "negative"]),
    asked(Family.TC, "Envoys met.", {"label": "world"}, labels=["world", "business"]),
    asked(Family.TC, "Soon!", {"label": "optimism"}, labels=["joy", "optimism"]),
    asked(Family.TC, "Build it.", {"label": "favor"}, labels=["favor", "against", "none"]),
    asked(Family.GENERAL, "Name two metals.", {"text": "Iron is one. Tin is another."}),
)  # fmt: skip


@cache
def everything() -> tuple[tuple[LabelSet, ...], dict[tuple[str, str], list[Instruction]]]:
    """Label sets of the embedded grammar and of the hand-made documents, and instructions by family and source."""
    made = [one for family in Family for one in seeds.documents(0, 150, family)]
    sets = list(label_sets(made))
    asked_of: dict[tuple[str, str], list[Instruction]] = {}
    for document in made:
        asked_of.setdefault((document.family, document.source), []).append(_instruction(document))
    for number, one in enumerate(MADE):  # each its own label set: classes of different data sets do not mix
        source = f"made/{one.family}" if one.family in (Family.NER, Family.RE, Family.EE) else f"made/{number}"
        asked_of.setdefault((one.family, source), []).append(one)
    for (family, source), group in asked_of.items():
        if source.startswith("made"):
            (found,) = [one for one in label_sets(documents(*group)) if one.family == family]
            sets.append(LabelSet(found.family, source, found.labels, found.roles, found.documents))
    return tuple(sets), asked_of


@cache
def rules() -> tuple[Rule, ...]:
    """Every rule of the library, bound to every label set that it fits."""
    return tuple(propose(everything()[0], TEACHER, RuleSettings()))


def changed(rule: Rule) -> Iterator[tuple[Instruction, Instruction]]:
    """Instructions that a rule changes, before and after."""
    for before in everything()[1][rule.family, rule.source]:
        after = apply(rule, before)
        if after is not None:
            yield before, after


def _instruction(document: Document) -> Instruction:
    return Instruction(
        document.family, document.source, document.id, document.text, document.schema, document.answer,
        document.licence, document.question,
    )  # fmt: skip


@pytest.mark.parametrize("family", list(Family))
def test_every_entry_is_a_valid_guideline_item(family: Family) -> None:
    """Meanings are sentences, negative examples have a reason, and every marked span stands in its sentence."""
    for name, entry in rulebook.entries(family).items():
        right = [{**example(text), "invented": True} for text in entry.right]
        wrong = [{**example(text), "invented": True} for text in entry.wrong]
        item = Item.model_validate(
            {"label": name, "meaning": entry.meaning, "typical": entry.typical, "positive": right, "negative": wrong,
             "edge_cases": entry.edges, "separates": entry.separates}
        )  # fmt: skip
        assert item.meaning.endswith("."), name
        assert all(edge.endswith(".") and not edge[0].islower() for edge in item.edge_cases), name
        assert item.typical or item.edge_cases, name
        for sample in (*item.positive, *item.negative):
            assert sample.why, (name, sample.text)
            assert all(part in sample.text for part in sample.span.split(" -> ")), (name, sample.text)


def test_labels_are_found_by_synonym_whatever_their_case_joints_or_plural() -> None:
    """The names that data sets use lead to the entry."""
    pairs = {
        (Family.NER, "Peop"): "person",
        (Family.NER, "ORG"): "organisation",
        (Family.NER, "programlang"): "programming language",
        (Family.NER, "Locations"): "location",
        (Family.RE, "Live_In"): "lives in",
        (Family.RE, "OrgBased_In"): "organisation based in",
        (Family.EE, "DiscoverVulnerability"): "discover vulnerability",
        (Family.EE, "Self_motion"): "self motion",
        (Family.TC, "Sci/Tech"): "technology",
        (Family.TC, "non-hate"): "not hate",
        (Family.TC, "😂"): "😂",
    }
    found = {key: (rulebook.lookup(*key) or ("nothing", None))[0] for key in pairs}
    assert found == pairs
    assert rulebook.lookup(Family.NER, "zorblax") is None


@pytest.mark.parametrize("family", LABELLED)
def test_entries_do_not_share_names(family: Family) -> None:
    """A label leads to one entry: its own name is no synonym of another, and no synonym stands twice."""
    names = Counter(normal(name) for name in rulebook.entries(family))
    others = Counter(normal(other) for entry in rulebook.entries(family).values() for other in set(entry.names))
    assert [name for name, times in names.items() if times > 1] == []
    assert [name for name in others if others[name] > 1 or name in names] == []


def test_templates_name_entries_that_exist() -> None:
    """Concepts, roles and renamings of a rule are entries of the library; names and sentences are unique."""
    templates = rulebook.templates()
    for template in templates:
        known = {name for family in template.families for name in rulebook.entries(family)}
        assert set(template.concepts) | set(template.names) <= known, template.name
        assert all(rulebook.lookup_role(role) for role in (*template.roles, *template.role_names)), template.name
    assert len({template.name for template in templates}) == len(templates)
    assert len({template.sentence for template in templates}) == len(templates)


def test_there_are_rules_of_every_kind_and_family() -> None:
    """All six kinds, and every family."""
    assert {template.kind for template in rulebook.templates()} == {str(kind) for kind in Kind}
    assert {family for template in rulebook.templates() for family in template.families} == set(Family)


@pytest.mark.parametrize("name", [template.name for template in rulebook.templates()])
def test_every_rule_binds_and_changes_something(name: str) -> None:
    """Each rule of the library fits a label set and changes the answer of a document, and says it in whole words."""
    bound = [rule for rule in rules() if rule.name == name]
    assert bound
    assert any(True for rule in bound for _ in changed(rule))
    for rule in bound:
        assert "{" not in wording(rule)
        assert "$" not in str(rule.operation)


SAID = re.compile(
    r"(?:for|from) (?P<old>[A-Z0-9][\w, ]*?) (?:mark only|mark|give) (?P<new>[\w ]+)\.$|"
    r"(?:mark|give|to it:|answer:|tail:) (?P<grown>[\w ]+), not (?P<short>[\w ]+)\.$"
)


def test_the_examples_in_the_sentences_are_what_the_operations_do() -> None:
    """Where a sentence says "for this mark that", the interpreter makes that of this."""
    seen = set()
    for rule in rules():
        found = SAID.search(rule.sentence)
        if found is None or rule.family not in (Family.NER, Family.RE, Family.MRC):
            continue
        old, new = found["old"] or found["short"], found["new"] or found["grown"]
        text = f"So {new if found['grown'] else old} it was."
        label = rule.labels[0] if rule.labels else "thing"
        facts = {Family.RE: relation(label, old, old), Family.NER: {"label": label, "text": old}}
        fact = facts.get(rule.family, {"text": old})
        after = apply(rule, replace(asked(rule.family, text, fact), source=rule.source))
        assert after is not None, rule.sentence
        assert after.answer[0].get("text", after.answer[0].get("head")) == new, rule.sentence
        seen.add(rule.name)
    assert len(seen) >= 10


def test_every_rule_is_idempotent() -> None:
    """An answer that follows a rule is not changed by it again."""
    wrong = []
    for rule in rules():
        for before, after in changed(rule):
            if apply(rule, after) is not None:
                wrong.append((rule.name, before.text))
                break
    assert wrong == []


def test_the_rulebook_guides_every_label_set_of_the_grammar() -> None:
    """Offline, every label set gets an approved guideline that the data does not refuse."""
    found = list(draft(everything()[0], TEACHER, GuidelineSettings()))
    assert {one.status for one in found} == {"approved"}
    assert [(one.family, one.source) for one in found if not one.items] == []
    assert len(found) == len(everything()[0])


@pytest.mark.parametrize(
    "odd",
    [
        asked(Family.MRC, "word " * 400, {"text": "word " * 300}),
        asked(Family.RE, "a -> b and c", relation("zorb", "a -> b", "c")),
        asked(Family.EE, "x " * 400, event("zorb", "x " * 200, ("who", "x"))),
        asked(Family.NER, "y", labels=["zorb"]),
        asked(Family.NER, "long " * 200, *entities(("zorb", "long " * 190))),
        asked(Family.TC, "你好", {"label": "🜁"}, labels=["🜁", "zorb blat"]),
        asked(Family.RE, "One.", labels=["l" * 250]),
        asked(Family.TC, "One.", {"label": "joy" + " " * 280}, labels=["joy" + " " * 280, "op-ti-mism" + " " * 280]),
    ],
)
def test_odd_data_do_not_make_the_rulebook_fail(odd: Instruction) -> None:
    """Long answers, arrows in spans, labels without an example: there is a guideline, not an error."""
    found = list(draft(label_sets(documents(odd)), TEACHER, GuidelineSettings()))
    assert {one.status for one in found} == {"approved"}
    assert all(len(rule.sentence) <= 500 for rule in propose(label_sets(documents(odd)), TEACHER, RuleSettings()))


def test_the_rulebook_proposes_its_rules_as_a_teacher_does() -> None:
    """As a teacher it gives the rules that fit a label set, in the form that the prompt asks for."""
    variables = {"family": "tc", "labels": ["positive", "negative"], "roles": {}}
    (found,) = TEACHER.ask([Request("rule_propose", variables)])
    assert found.content is not None
    assert "class-codes" in {rule["name"] for rule in found.content["rules"]}
    assert rulebook.answer("rule_propose", {"family": "general", "labels": [], "roles": {}}) is not None


def test_the_rulebook_is_silent_where_it_has_nothing_to_say() -> None:
    """It neither relabels nor judges."""
    assert rulebook.answer("rule_relabel", {}) is None
    assert rulebook.answer("judge", {}) is None
