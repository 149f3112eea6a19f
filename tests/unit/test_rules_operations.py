"""Every operation of the interpreter on a hand-made text, with the answer worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest
from annotated import asked, entities, event, relation, rule

from harness.errors import DataError
from synth.records import Family, Instruction, Schema
from synth.rules import OPERATIONS, apply, wording
from synth.rules.spans import sentences

NER, RE, EE, MRC, TC, OPEN, GENERAL = (
    Family.NER, Family.RE, Family.EE, Family.MRC, Family.TC, Family.OPEN_IE, Family.GENERAL,
)  # fmt: skip
PEOPLE = asked(
    NER, 'Dr. Ada Vance Jr. of "The Sarn Mill" met Okafor and the BBX in 1912.',
    *entities(("person", "Ada Vance Jr."), ("product", "The Sarn Mill"), ("person", "Okafor"), ("body", "BBX"),
              ("date", "1912")),
)  # fmt: skip
TITLED = asked(NER, "Gen. Dr. Ada Vance spoke.", *entities(("person", "Gen. Dr. Ada Vance")))
WORK = asked(
    RE, "Ada Vance of Northlight lives in Marlow, Kenya.",
    relation("works for", "Ada Vance", "Northlight"), relation("lives in", "Ada Vance", "Marlow"),
    relation("located in", "Marlow", "Kenya"), labels=["lives in", "located in", "works for"],
)  # fmt: skip
SALE = asked(
    EE, "Tom and Eva sold off the mill on Monday. It burned.",
    event("sale", "sold off", ("seller", "Tom and Eva"), ("item", "the mill"), ("time", "Monday")),
    event("fire", "burned", ("item", "It")), labels=["sale", "fire", "theft"],
    roles={"sale": ["seller", "item", "time"], "fire": ["item", "time"], "theft": []},
)  # fmt: skip
NESTED = asked(
    EE, "The mayor of Sarn resigned.", event("exit", "resigned", ("who", "The mayor of Sarn"), ("where", "Sarn")),
    roles={"exit": ["who", "where"]},
)  # fmt: skip
READ = asked(MRC, "Nobody knew. The old mill has 40 metres of wall.", {"text": "40"})
MOOD = asked(TC, "Is this the #end?", {"label": "sad"}, labels=["glad", "sad", "even"])
FREE = asked(GENERAL, "Name a metal.", {"text": "Iron is one. So is tin."})

Case = tuple[str, Instruction, dict[str, Any], Any]
CASES: list[Case] = [
    ("strip_start", TITLED, {"words": ["dr", "gen"]}, ["Ada Vance"]),
    ("strip_end", PEOPLE, {"words": ["jr"]}, ["Ada Vance", "The Sarn Mill", "Okafor", "BBX", "1912"]),
    ("extend_start", PEOPLE, {"words": ["dr", "the"], "labels": ["person", "body"]},
     ["Dr. Ada Vance Jr.", "The Sarn Mill", "Okafor", "the BBX", "1912"]),
    ("extend_end", READ, {"words": ["metres"]}, ["40 metres"]),
    ("extend_mark", PEOPLE, {"marks": ["."]}, ["Ada Vance Jr.", "The Sarn Mill", "Okafor", "BBX", "1912."]),
    ("extend_pairs", PEOPLE, {"pairs": ['""']}, ["Ada Vance Jr.", '"The Sarn Mill"', "Okafor", "BBX", "1912"]),
    ("cut", NESTED, {"marks": ["of"]}, [["resigned", "The mayor", "Sarn"]]),
    ("keep_word", PEOPLE, {"position": "last", "skip": ["jr"], "labels": ["person"]},
     ["Vance", "The Sarn Mill", "Okafor", "BBX", "1912"]),
    ("keep_part", asked(NER, "On 3 May 1987.", *entities(("date", "3 May 1987"))), {"part": "year"}, ["1987"]),
    ("whole_sentence", READ, {}, ["The old mill has 40 metres of wall."]),
    ("one_level", NESTED, {"keep": "outer"}, [["resigned", "The mayor of Sarn"]]),
    ("one_level", NESTED, {"keep": "inner"}, [["resigned", "Sarn"]]),
    ("with_parts", SALE, {"separators": ["and"], "parts": ["seller"]},
     [["sold off", "Tom and Eva", "Tom", "Eva", "the mill", "Monday"], ["burned", "It"]]),
    ("with_word", TITLED, {"position": "last"}, ["Gen. Dr. Ada Vance", "Vance"]),
    ("compose", WORK, {"first": "lives in", "second": "located in", "result": "lives in"},
     ["Ada Vance>Northlight", "Ada Vance>Marlow", "Marlow>Kenya", "Ada Vance>Kenya"]),
    ("split_spans", SALE, {"separators": ["and"]},
     [["sold off", "Tom", "Eva", "the mill", "Monday"], ["burned", "It"]]),
    ("drop_words", SALE, {"words": ["it"]}, [["sold off", "Tom and Eva", "the mill", "Monday"], ["burned"]]),
    ("drop_form", PEOPLE, {"form": "acronym"}, ["Ada Vance Jr.", "The Sarn Mill", "Okafor", "1912"]),
    ("drop_shorter", PEOPLE, {"number": 5}, ["Ada Vance Jr.", "The Sarn Mill", "Okafor"]),
    ("drop_longer", WORK, {"number": 1}, ["Marlow>Kenya"]),
    ("drop_rare", asked(NER, "Eva saw Tom, Eva saw Ann.", *entities(("p", "Eva"), ("p", "Tom"), ("p", "Eva"))),
     {"number": 2}, ["Eva", "Eva"]),
    ("drop_label", PEOPLE, {"labels": ["person"]}, ["The Sarn Mill", "BBX", "1912"]),
    ("drop_roles", SALE, {"roles": ["time", "item"]}, [["sold off", "Tom and Eva"], ["burned"]]),
    ("need_role", SALE, {"roles": ["seller"]}, [["sold off", "Tom and Eva", "the mill", "Monday"]]),
    ("only_sentence", SALE, {"sentence": "last"}, [["burned", "It"]]),
    ("first_of_label", PEOPLE, {"number": 1}, ["Ada Vance Jr.", "The Sarn Mill", "BBX", "1912"]),
    ("one_direction", asked(OPEN, "Eva wed Tom.", relation("wed", "Eva", "Tom"), relation("wed", "Tom", "Eva")), {},
     ["Eva>Tom"]),
    ("both_directions", asked(RE, "Eva wed Tom.", relation("wed", "Eva", "Tom")), {"labels": ["wed"]},
     ["Eva>Tom", "Tom>Eva"]),
    ("order_facts", asked(NER, "Tom, Eva.", *entities(("p", "Tom"), ("p", "Eva"))), {"by": "alphabet"}, ["Eva", "Tom"]),
    ("order_facts", PEOPLE, {"by": "length"}, ["BBX", "1912", "Okafor", "Ada Vance Jr.", "The Sarn Mill"]),
    ("order_arguments", SALE, {"by": "role"}, [["sold off", "the mill", "Tom and Eva", "Monday"], ["burned", "It"]]),
    ("unique", asked(NER, "Eva met Eva.", *entities(("p", "Eva"), ("p", "Eva"))), {}, ["Eva"]),
    ("first_sentence", FREE, {}, ["Iron is one."]),
    ("recase_text", FREE, {"style": "upper"}, ["IRON IS ONE. SO IS TIN."]),
]  # fmt: skip
UNCHANGED: list[Case] = [
    ("extend_start", asked(NER, "It ends with the. Sarn is far.", *entities(("place", "Sarn"))), {"words": ["the"]},
     "a sentence ends before the span"),
    ("extend_start", asked(NER, "The Sarn flooded, so Sarn moved.", *entities(("river", "Sarn"))), {"words": ["the"]},
     "two occurrences of the span would grow differently"),
    ("compose", asked(RE, "x", relation("a", "x", "y"), labels=["a"]), {"first": "a", "second": "b", "result": "a"},
     "a relation of the chain is not asked"),
    ("merge_labels", PEOPLE, {"labels": ["person", "river"], "name": "thing"}, "a merged label is not asked"),
    ("drop_label", TITLED, {"labels": ["person"]}, "no other label is asked"),
    ("override", MOOD, {"test": "question", "name": "even"}, "the name is a label already"),
    ("only_sentence", asked(NER, "Eva left. Eva came.", *entities(("p", "Eva"))), {"sentence": "first"},
     "the span stands in both sentences"),
    ("only_sentence", asked(NER, "He left the U.S. Eva came. Good.", *entities(("p", "Eva"))), {"sentence": "first"},
     "the end of the first sentence is not certain"),
    ("whole_sentence", asked(MRC, "It was. It is. It was.", {"text": "It was."}), {}, "two sentences hold the span"),
    ("strip_start", asked(MRC, "The end.", {"text": "The end"}, labels=["The end", "No"]), {"words": ["the"]},
     "the answer is one of given options"),
    ("rename_labels", MOOD, {"mapping": {"glad": "sad"}}, "two labels would become one"),
    ("keep_part", READ, {"part": "year"}, "there is no year"),
    ("order_facts", asked(NER, "Eva, Sarn.", *entities(("p", "Eva"), ("place", "Sarn"))),
     {"by": "position", "descending": True}, "each label has one fact, and formats group by label"),
]  # fmt: skip


def spans(instruction: Instruction) -> Any:
    """The spans of an answer, in order."""
    facts = instruction.answer
    if instruction.family is EE:
        return [[fact["trigger"], *(argument["text"] for argument in fact["arguments"])] for fact in facts]
    if instruction.family in (RE, OPEN):
        return [f"{fact['head']}>{fact['tail']}" for fact in facts]
    return [fact["text"] for fact in facts]


@pytest.mark.parametrize(("name", "before", "parameters", "expected"), CASES, ids=[case[0] for case in CASES])
def test_what_an_operation_does(name: str, before: Instruction, parameters: dict[str, Any], expected: Any) -> None:
    """The relabelled spans are those worked out by hand, and the result names its parent and its rule."""
    made = rule(before.family, name, **parameters)
    after = apply(made, before)
    assert after is not None
    assert spans(after) == expected
    assert (after.parent, after.rule, after.text) == (before.id, made.id, before.text)


@pytest.mark.parametrize(("name", "before", "parameters", "why"), UNCHANGED, ids=[case[3] for case in UNCHANGED])
def test_an_operation_that_cannot_be_sure_does_nothing(
    name: str, before: Instruction, parameters: dict[str, Any], why: str
) -> None:
    """An ambiguous, incomplete or empty change gives no instruction instead of a wrong one."""
    assert apply(rule(before.family, name, **parameters), before) is None, why


def test_direct_relations_only() -> None:
    """What follows from two other relations of the answer is left out again: the inverse of composing."""
    chain = {"first": "lives in", "second": "located in", "result": "lives in"}
    more = apply(rule(RE, "compose", **chain), WORK)
    assert more is not None
    less = apply(rule(RE, "direct_only", **chain), more)
    assert less is not None
    assert less.answer == WORK.answer


@pytest.mark.parametrize(
    ("name", "before", "parameters", "labels", "answer"),
    [
        ("merge_labels", MOOD, {"labels": ["sad", "even"], "name": "not glad"}, ("glad", "not glad"), "not glad"),
        ("with_parent", MOOD, {"mapping": {"sad": "bad", "glad": "good"}}, ("good / glad", "bad / sad", "even"),
         "bad / sad"),
        ("rename_labels", MOOD, {"mapping": {"sad": "2", "glad": "1"}}, ("1", "2", "even"), "2"),
        ("recase_labels", MOOD, {"style": "upper"}, ("GLAD", "SAD", "EVEN"), "SAD"),
        ("override", MOOD, {"test": "question", "name": "asks"}, ("glad", "sad", "even", "asks"), "asks"),
        ("override", MOOD, {"test": "hashtag", "name": "tagged"}, ("glad", "sad", "even", "tagged"), "tagged"),
        ("split_label", TITLED, {"labels": ["person"], "form": "several_words", "yes": "full", "no": "short"},
         ("full", "short"), "full"),
        ("turn", WORK, {"labels": ["works for"], "name": "employs"}, ("lives in", "located in", "employs"), "employs"),
        ("order_labels", SALE, {}, ("fire", "sale", "theft"), "fire"),
    ],
)  # fmt: skip
def test_the_schema_is_renamed_with_the_answer(
    name: str, before: Instruction, parameters: dict[str, Any], labels: tuple[str, ...], answer: str
) -> None:
    """A rule on labels changes the list that is asked as well as the facts."""
    after = apply(rule(before.family, name, **parameters), before)
    assert after is not None
    assert (after.schema.labels, after.answer[0]["label"]) == (labels, answer)


def test_a_turned_relation_swaps_its_ends() -> None:
    """Head and tail change places together with the name."""
    after = apply(rule(RE, "turn", labels=["works for"], name="employs"), WORK)
    assert after is not None
    assert after.answer[0] == relation("employs", "Northlight", "Ada Vance")


def test_roles_are_renamed_and_merged_in_the_schema_too() -> None:
    """Role names change in the schema of each event type and in the arguments."""
    renamed = apply(rule(EE, "rename_roles", mapping={"time": "when"}), SALE)
    merged = apply(rule(EE, "merge_roles", roles=["item", "time"], name="detail"), SALE)
    assert renamed is not None
    assert merged is not None
    assert renamed.schema.roles["sale"] == ("seller", "item", "when")
    assert merged.schema.roles == {"sale": ("seller", "detail"), "fire": ("detail",), "theft": ()}
    assert [argument["role"] for argument in merged.answer[0]["arguments"]] == ["seller", "detail", "detail"]


def test_yes_and_no_get_other_names_in_the_options_too() -> None:
    """A closed question shows the new options."""
    before = asked(MRC, "It rains.", {"text": "yes"}, labels=["yes", "no"])
    after = apply(rule(MRC, "rename_answers", mapping={"yes": "true", "no": "false"}), before)
    assert after is not None
    assert (after.schema, after.answer) == (Schema(("true", "false")), ({"text": "true"},))


def test_options_get_a_sign_together_with_the_answer() -> None:
    """The list that is shown and the answer stay the same words."""
    before = asked(MRC, "She took the tram.", {"text": "tram"}, labels=["bus", "tram"])
    after = apply(rule(MRC, "mark_options", style="letters"), before)
    assert after is not None
    assert (after.schema.labels, after.answer) == (("A) bus", "B) tram"), ({"text": "B) tram"},))
    assert apply(rule(MRC, "mark_options", style="numbers"), READ) is None


def test_what_became_equal_is_merged_and_what_was_repeated_stays_repeated() -> None:
    """Two relations that a rule makes equal are one; a gold answer that repeats itself is not cleaned by the way."""
    twice = relation("born", "Ada Vance", "Sarn")
    before = asked(RE, "Ada Vance, Eva Vance, Sarn", twice, twice, relation("born", "Eva Vance", "Sarn"))
    after = apply(rule(RE, "keep_word", position="last", parts=["head"]), before)
    assert after is not None
    assert after.answer == (relation("born", "Vance", "Sarn"),) * 2


@pytest.mark.parametrize(
    ("family", "name", "parameters", "words"),
    [
        (NER, "no_such", {}, "is not known"),
        (TC, "cut", {"marks": ["of"]}, "does not work on tc"),
        (NER, "cut", {}, "wrong marks"),
        (NER, "drop_form", {"form": "acronym", "extra": 1}, "wrong extra"),
        (NER, "drop_shorter", {"number": 0}, "wrong number"),
    ],
)
def test_a_wrong_operation_is_refused_with_the_reason(family: Family, name: str, parameters: Any, words: str) -> None:
    """Unknown operations, families and parameters are errors that name them."""
    with pytest.raises(DataError, match=words):
        apply(rule(family, name, **parameters), asked(family, "x"))


def test_every_operation_is_tried_here() -> None:
    """No operation is without an example."""
    schema_cases = {"merge_labels", "with_parent", "rename_labels", "recase_labels", "override", "split_label", "turn"}
    others = {"mark_options", "order_labels", "direct_only", "rename_roles", "merge_roles", "rename_answers"}
    assert {case[0] for case in CASES} | schema_cases | others == set(OPERATIONS)


def test_a_renaming_is_worded_for_the_labels_that_are_asked() -> None:
    """The prompt does not explain codes of labels that it does not list."""
    mapping = {"sad": "2", "glad": "1", "angry": "3"}
    made = rule(TC, "rename_labels", says="Use codes: {mapping}.", mapping=mapping)
    assert wording(made) == "Use codes: 2 for sad, 1 for glad, 3 for angry."
    assert wording(made, MOOD) == "Use codes: 2 for sad, 1 for glad."
    broader = rule(TC, "with_parent", says="Write {mapping}.", mapping={"sad": "bad"})
    assert wording(broader, MOOD) == "Write bad / sad for sad."


@pytest.mark.parametrize(
    ("text", "count"),
    [("Dr. Vance came. He left.", 2), ("It is 3.5 km. Far.", 2), ("Why? \"No!\" Good", 3), ("你好。再见。", 2),
     ("one line\nanother", 2), ("a . B .", 2)],
)  # fmt: skip
def test_sentences_are_cut_where_they_certainly_end(text: str, count: int) -> None:
    """Titles do not end a sentence; closing marks, lines and full-width stops do."""
    assert len(sentences(text)) == count
