"""Proposing and accepting rules: changes, groundedness, two relabellers, hold-out; every rejection has its reason."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from annotated import SOURCE, Reply, Scripted, asked, documents, entities, event, relation, rule
from pydantic import ValidationError

from synth import rulebook
from synth.guidelines import label_sets
from synth.recipe import RuleSettings
from synth.records import Family, Instruction
from synth.rules import Decision, Kind, Rule, accept, apply, decide, held_out_names, probes, propose, rule_of, rule_row
from synth.teachers import Request
from synth.teachers.rulebook import Rulebook

BOOK = Rulebook(rulebook.answer)
NAMES = ("Tom", "Eva", "Ann", "Bo", "Cy", "Dee", "Ed", "Flo", "Gus", "Hal")
PROBES = [
    asked(Family.NER, f"Dr {name} saw Sarn.", *entities(("person", f"Dr {name}"), ("place", "Sarn"))) for name in NAMES
]
SETTINGS = RuleSettings(min_changed=5, agreement=0.9)
TITLES = rule(Family.NER, "strip_start", Kind.BOUNDARY, "Leave titles out.", words=["dr"])
BY_TEACHER = rule(Family.NER, None, Kind.BOUNDARY, "Leave titles out.")


def facts(request: Request, text: str | None = None) -> Reply:
    """The answer that leaves the title out, or that has another text instead."""
    answer = [dict(fact) for fact in request.variables["answer"]]
    answer[0]["text"] = answer[0]["text"].removeprefix("Dr ") if text is None else text
    return {"facts": answer}


def tried(made: Rule, *teachers: Any, **changes: Any) -> Decision:
    """The decision on a rule after trying it on the probes."""
    return accept(made, PROBES, teachers or (BOOK,), SETTINGS.model_copy(update=changes))


def test_an_executable_rule_without_a_second_relabeller_says_that_agreement_was_not_measured() -> None:
    """Offline it may be accepted, with the reason why, never with a made-up agreement."""
    decision = tried(TITLES)
    assert (decision.accepted, decision.tried, decision.changed) == (True, 10, 10)
    assert decision.agreement is None
    assert "agreement was not measured" in decision.rule.reasons[0]


def test_a_rule_that_changes_too_little_is_rejected() -> None:
    """Answers must really change on as many probes as the recipe asks for."""
    decision = tried(rule(Family.NER, "strip_start", words=["dr"], labels=["place"]))
    assert not decision.accepted
    assert decision.rule.reasons == ("it changes 0 of 10 answers, fewer than 5",)


def test_a_rule_that_mostly_empties_answers_is_rejected() -> None:
    """A rule under which a model learns to say nothing is of no use."""
    decision = tried(rule(Family.NER, "drop_shorter", number=50))
    assert (decision.emptied, decision.accepted) == (10, False)
    assert "empty" in decision.rule.reasons[0]


def test_a_teacher_as_the_second_relabeller_confirms_an_executable_rule() -> None:
    """It reads the sentence and the text; equal answers are counted."""
    teacher = Scripted(facts)
    decision = tried(TITLES, teacher)
    assert (decision.accepted, decision.agreement, decision.compared) == (True, 1.0, 10)
    assert teacher.asked[0].variables["rule"] == "Leave titles out."
    assert decision.rule.reasons == ()
    assert len(decision.rule.provenance["relabelled"]) == 10


def test_a_teacher_that_reads_the_sentence_otherwise_rejects_an_executable_rule() -> None:
    """Two readings of one sentence: the rule is not clear enough."""
    decision = tried(TITLES, Scripted(lambda request: {"facts": request.variables["answer"]}))
    assert (decision.accepted, decision.agreement) == (False, 0.0)
    assert decision.rule.reasons == ("two relabellers agree on 0 of 10 answers, less than 90%",)


def test_a_rule_that_only_teachers_can_follow_needs_one() -> None:
    """The rulebook does not relabel."""
    decision = tried(BY_TEACHER)
    assert not decision.accepted
    assert "no teacher" in decision.rule.reasons[0]


def test_two_passes_of_a_teacher_that_agree_accept_its_rule() -> None:
    """Each probe is asked twice, in two phrasings, as independent samples; the agreed answers are kept."""
    teacher = Scripted(facts)
    decision = tried(BY_TEACHER, teacher)
    assert (decision.accepted, decision.agreement, decision.changed) == (True, 1.0, 10)
    assert Counter((one.sample, one.variables["phrasing"]) for one in teacher.asked) == {(0, 0): 10, (1, 1): 10}
    after = apply(decision.rule, PROBES[0], {key: tuple(found) for key, found in decision.answers.items()})
    assert after is not None
    assert after.answer[0]["text"] == "Tom"
    assert apply(decision.rule, PROBES[0]) is None


def test_two_teachers_are_two_relabellers() -> None:
    """Each is asked once about each probe."""
    one, other = Scripted(facts, "one"), Scripted(facts, "other")
    assert tried(BY_TEACHER, one, other).accepted
    assert (len(one.asked), len(other.asked)) == (10, 10)


def test_a_teacher_that_contradicts_itself_is_not_believed() -> None:
    """Where the second pass gives another answer, the probe does not count, and the share decides."""
    teacher = Scripted(lambda request: facts(request, "Sarn" if request.sample else None))
    decision = tried(BY_TEACHER, teacher)
    assert (decision.accepted, decision.changed, decision.agreement) == (False, 0, 0.0)
    assert len(decision.rule.reasons) == 2


def test_ungrounded_answers_of_a_teacher_are_counted_and_never_kept() -> None:
    """A span that the text does not hold is no answer, even where both passes invent the same one."""
    decision = tried(BY_TEACHER, Scripted(lambda request: facts(request, "Zorblax")))
    assert (decision.accepted, decision.ungrounded, decision.answers) == (False, 20, {})


@pytest.mark.parametrize(
    "content",
    [
        None,
        {"facts": [{"label": "river", "text": "Sarn"}]},
        {"facts": [{"label": "person"}]},
        {"facts": [{"label": "person", "text": ["Sarn"]}]},
    ],
)
def test_refusals_and_ill_formed_answers_are_disagreements(content: Reply) -> None:
    """A refusal, an unknown label, a missing key and a wrong type are all no answer."""
    decision = tried(BY_TEACHER, Scripted(lambda request: content))
    assert (decision.accepted, decision.changed, decision.agreement) == (False, 0, 0.0)


def test_events_of_a_teacher_need_their_roles() -> None:
    """Arguments with a role that does not exist, or of another form, are no answer."""
    fire = asked(Family.EE, "It burned.", event("fire", "burned", ("what", "It")), roles={"fire": ["what"]})
    made = rule(Family.EE, None)
    wrong = Scripted(lambda request: {"facts": [event("fire", "burned", ("who", "It"))]})
    right = Scripted(lambda request: {"facts": [event("fire", "burned")]})
    few = RuleSettings(min_changed=1)
    assert not accept(made, [fire], [wrong], few).accepted
    assert accept(made, [asked(Family.EE, f"{n} It burned.", *fire.answer, event("fire", "It"), roles=fire.schema.roles)
                         for n in range(3)], [right], few).changed == 3  # fmt: skip


def test_renamed_options_need_not_stand_in_the_text() -> None:
    """A second relabeller may answer with an option of the list, and with nothing else that the text does not hold."""
    made = [asked(Family.MRC, "She took the tram.", {"text": "tram"}, labels=["bus", "tram"])]
    marked = rule(Family.MRC, "mark_options", Kind.NAMING, style="letters")
    few = RuleSettings(min_changed=1)
    assert accept(marked, made, [Scripted(lambda request: {"facts": [{"text": "B) tram"}]})], few).accepted
    other = Scripted(lambda request: {"facts": [{"text": "bus"}]})
    assert accept(rule(Family.MRC, None), made, [other], few).ungrounded == 0
    wrong = Scripted(lambda request: {"facts": [{"text": "boat"}]})
    assert accept(rule(Family.MRC, None), made, [wrong], few).ungrounded == 2


def test_order_counts_only_for_rules_on_order() -> None:
    """The second relabeller may list facts in another order, unless order is what the rule is about."""
    made = [asked(Family.NER, "Tom, Eva", *entities(("p", "Tom"), ("p", "Eva")))]
    backwards = Scripted(lambda request: {"facts": request.variables["answer"]})
    sort = rule(Family.NER, "order_facts", Kind.ORDERING, by="alphabet")
    decision = accept(sort, made, [backwards], RuleSettings(min_changed=1))
    assert decision.agreement == 0.0
    mixed = Scripted(lambda request: {"facts": list(reversed(entities(("P", "Tom"), ("P", "Eva"))))})
    capitals = rule(Family.NER, "recase_labels", Kind.NAMING, style="upper")
    assert accept(capitals, made, [mixed], RuleSettings(min_changed=1)).agreement == 1.0


def test_no_more_rules_than_the_recipe_asks_for_and_held_out_ones_apart() -> None:
    """The rest is kept, untried, with the reason."""
    drop = [rule(Family.NER, "drop_label", says=f"Rule {n}.", labels=["place"]) for n in range(4)]
    held = [one.model_copy(update={"held_out": True, "sentence": f"Held {one.sentence}"}) for one in drop]
    found = list(decide([*drop, *held], {(Family.NER, SOURCE): PROBES}, [BOOK], SETTINGS.model_copy(
        update={"per_source": 3})))  # fmt: skip
    assert [one.accepted for one in found] == [True, True, True, False] * 2
    assert "not tried: 3 rules" in found[3].rule.reasons[0]


def test_probes_are_a_seeded_sample_of_answered_base_instructions() -> None:
    """Whatever the order; instructions without an answer or under a rule are no probes."""
    empty = asked(Family.NER, "Nothing.", labels=["person"])
    ruled = apply(TITLES, PROBES[0])
    assert ruled is not None
    settings = RuleSettings(probe=4)
    one = probes([*PROBES, empty, ruled], settings, 1)
    other = probes([ruled, *reversed(PROBES)], settings, 1)
    assert [found.id for found in one[Family.NER, SOURCE]] == [found.id for found in other[Family.NER, SOURCE]]
    assert len(one[Family.NER, SOURCE]) == 4
    assert all(found.answer and found.rule is None for found in one[Family.NER, SOURCE])


def test_hold_out_takes_its_share_of_every_kind() -> None:
    """Whole rules are held out, the same for every corpus, whatever its seed."""
    kind_of = {template.name: template.kind for template in rulebook.templates()}
    total = Counter(kind_of.values())
    held = Counter(kind_of[name] for name in held_out_names(0.2))
    assert all(abs(held[kind] - 0.2 * total[kind]) <= 1 for kind in total)
    assert abs(held.total() - 0.2 * total.total()) <= 1
    assert held_out_names(0.0) == frozenset()
    one, other = (
        {rule.name for rule in propose(label_sets(documents(*PROBES)), BOOK, RuleSettings(), seed) if rule.held_out}
        for seed in (0, 1)
    )
    assert one == other <= held_out_names(0.2)


def test_a_held_out_name_is_held_out_for_every_source() -> None:
    """No rule is learned from one data set and called new on another."""
    one = asked(Family.RE, "Eva lives in Sarn.", relation("lives in", "Eva", "Sarn"))
    sets = [
        found for source in ("a", "b")
        for found in label_sets([document.__class__(**{name: getattr(document, name) for name in document.__slots__}
                                                    | {"source": source}) for document in documents(one)])
    ]  # fmt: skip
    by_name: dict[str, set[bool]] = {}
    for found in propose(sets, BOOK, RuleSettings(held_out=0.5)):
        by_name.setdefault(found.name, set()).add(found.held_out)
    assert {len(values) for values in by_name.values()} == {1}
    assert {value for values in by_name.values() for value in values} == {True, False}


def proposal(**changes: Any) -> dict[str, Any]:
    """A rule as a teacher proposes it."""
    return {"name": "no-titles", "kind": "boundary", "sentence": "Leave titles out of names."} | changes


def proposed(*rules: dict[str, Any]) -> list[Rule]:
    """A teacher's rules among the proposals for the probes' label set."""
    teacher = Scripted(lambda request: {"rules": list(rules)})
    found = propose(label_sets(documents(*PROBES)), teacher, RuleSettings())
    return [one for one in found if one.origin == "teacher"]


def test_a_teacher_adds_rules_to_those_of_the_library() -> None:
    """It is told which operations the interpreter has, and its rules name it."""
    teacher = Scripted(lambda request: {"rules": [proposal()]})
    found = list(propose(label_sets(documents(*PROBES)), teacher, RuleSettings()))
    assert Counter(one.origin for one in found) == {"rulebook": len(found) - 1, "teacher": 1}
    (mine,) = [one for one in found if one.origin == "teacher"]
    assert (mine.status, mine.operation, mine.provenance["teacher"]) == ("proposed", None, "scripted")
    operations = {one["name"] for one in teacher.asked[0].variables["operations"]}
    assert "strip_start" in operations
    assert "override" not in operations


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"labels": ["river"]}, "labels that do not exist: river"),
        ({"operation": {"name": "fly", "parameters": {}}}, "not known to the interpreter"),
        ({"operation": {"name": "drop_shorter", "parameters": {"number": 0}}}, "wrong number"),
    ],
)
def test_a_proposal_that_cannot_be_tried_is_kept_as_rejected(changes: dict[str, Any], words: str) -> None:
    """The reason is in the rule, and it is not tried."""
    (found,) = proposed(proposal(**changes))
    assert found.status == "rejected"
    assert words in found.reasons[0]
    (decision,) = decide([found], {(Family.NER, SOURCE): PROBES}, [BOOK], SETTINGS)
    assert (decision.rule, decision.tried) == (found, 0)


def test_a_teacher_that_declines_leaves_the_library_rules() -> None:
    """Nothing else is lost by it."""
    teacher = Scripted(lambda request: None)
    found = list(propose(label_sets(documents(*PROBES)), teacher, RuleSettings()))
    assert {one.origin for one in found} == {"rulebook"}


def test_kinds_take_turns_in_a_seeded_order() -> None:
    """The first rules of a label set are of different kinds; another seed gives another order."""
    sets = label_sets(documents(*PROBES))
    found = [list(propose(sets, BOOK, RuleSettings(), seed)) for seed in (0, 0, 1)]
    assert len({one.kind for one in found[0][: len(Kind)]}) == len(Kind)
    assert found[0] == found[1]
    assert [one.name for one in found[0]] != [one.name for one in found[2]]


def test_a_rule_survives_its_row_and_a_wrong_row_is_refused() -> None:
    """The id hangs on what the rule says and does, not on where it stands."""
    row = rule_row(TITLES)
    assert rule_of(row) == TITLES
    assert row["id"] == TITLES.model_copy(update={"status": "accepted", "reasons": ("x",)}).id
    with pytest.raises(ValidationError, match="kind"):
        rule_of(row | {"kind": "colour"})


def test_a_rule_of_another_family_does_not_apply() -> None:
    """No error, no change."""
    other: Instruction = asked(Family.TC, "Good.", {"label": "glad"})
    assert apply(TITLES, other) is None
