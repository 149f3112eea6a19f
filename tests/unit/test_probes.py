"""Probes by example: readings, signs of a format, loops, wishes, rule swaps; and the prompts that ship."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.errors import DataError
from synth import probes, seeds
from synth.formats import FORMATS
from synth.probes import general
from synth.probes.checks import CHECKS, followed, sentences
from synth.probes.counting import counts
from synth.probes.documents import instruction
from synth.probes.reading import reading
from synth.probes.rows import rows, shown
from synth.probes.signs import SIGNS, loops, repeated, sign
from synth.probes.swaps import ruled
from synth.records import Family, Instruction, Schema

OPEN, WISHES = (
    yaml.safe_load((Path(probes.__file__).parent / name).read_text(encoding="utf-8"))
    for name in ("open.yaml", "wishes.yaml")
)
NER = Instruction(
    Family.NER, "own", "", "Ann Lee met Bob in Lima.", Schema(("person", "place")),
    ({"label": "person", "text": "Ann Lee"}, {"label": "place", "text": "Lima"}), "",
)  # fmt: skip
TOPIC = Instruction(Family.TC, "own", "", "The kite flew well.", Schema(("sports", "arts")), ({"label": "sports"},), "")
ANSWER = Instruction(Family.MRC, "own", "", "Ann met Bob in Lima.", Schema(), ({"text": "Lima"},), "", "Where?")
GOLD = [("person", "Ann Lee"), ("place", "Lima")]


@pytest.mark.parametrize(
    ("form", "text", "how", "other"),
    [
        ("json", '{"person": ["Ann Lee"], "place": ["Lima"]}', "strict", None),
        ("json", 'Sure! {"person": ["Ann Lee"], "place": ["Lima"],}', "repaired", None),
        ("json", '```json\n{"person": ["Ann Lee"], "place": ["Lima"]}\n```', "repaired", None),
        ("json", '{"person": ["Ann Lee"], "place": ["Lima"]}\nText: and so on', "repaired", None),
        ("json", "type\ttext\nperson\tAnn Lee\nplace\tLima", "failed", "tsv"),
        ("tsv", '{"person": ["Ann Lee"], "place": ["Lima"]}', "failed", "json"),
        ("tsv", "type,text\nperson,Ann Lee\nplace,Lima", "failed", "csv"),
        ("yaml", '{"person": ["Ann Lee"], "place": ["Lima"]}', "strict", None),  # JSON is YAML
        ("qa", "I do not know.", "failed", None),
        ("tsv", "{}", "failed", None),  # nothing, in several formats
        ("json", "Ann Lee met Bob in Lima.", "failed", None),  # a text without marks is no answer in marks
        ("xml", "[[Ann Lee|person]] met Bob in [[Lima|place]].", "failed", "marked"),
    ],
)
def test_entities_are_read_strictly_then_repaired_then_not_at_all(
    form: str, text: str, how: str, other: str | None
) -> None:
    """Each answer has one reading; another format is told where the asked parser rejects the text."""
    said = reading(text, NER, form)
    assert (said["reading"], said["other"]) == (how, other)
    assert said["answer"] == (None if how == "failed" else GOLD)
    assert said["text"] == (text if how == "failed" else None)


@pytest.mark.parametrize(
    ("question", "form", "text", "how", "answer", "other"),
    [
        (TOPIC, "plain", "sports", "strict", [("sports",)], None),
        (TOPIC, "plain", "Label: Sports.", "repaired", [("sports",)], None),
        (TOPIC, "plain", '{"label": "sports"}', "failed", None, "json"),
        (TOPIC, "plain", "It is about a kite", "failed", None, None),
        (TOPIC, "json", '{"label": "Sports"}', "repaired", [("sports",)], None),
        (TOPIC, "json", '{"label": "travel"}', "strict", [("travel",)], None),
        (TOPIC, "xml", "arts", "failed", None, "plain"),
        (ANSWER, "plain", "The Lima", "strict", [("lima",)], None),
        (ANSWER, "plain", "unanswerable", "strict", [], None),
        (ANSWER, "plain", '{"answer": "Lima"}', "strict", [("answer lima",)], "json"),
        (ANSWER, "json", "Lima", "failed", None, "plain"),
        (ANSWER, "json", "Quito", "failed", None, None),
        (ANSWER, "plain", "  ", "failed", None, None),
    ],
)
def test_labels_and_answers_are_read(
    question: Instruction, form: str, text: str, how: str, answer: Any, other: str | None
) -> None:
    """Labels in the spelling of the list, answers normalised; plain text takes anything and so tells other formats."""
    said = reading(text, question, form)
    assert (said["reading"], said["answer"], said["other"]) == (how, answer, other)


def test_half_a_character_is_unreadable() -> None:
    """JSON can escape what UTF-8 cannot hold; a record could not keep it."""
    assert reading('{"person": ["\\ud800"]}', NER, "json")["answer"] is None


def test_two_events_with_one_trigger_count_as_the_card_counts_them() -> None:
    """Tuples of events hold all that the metrics look at."""
    event = {"label": "meeting", "trigger": "met"}
    facts = [event | {"arguments": [{"role": "who", "text": "Ann"}]}, event | {"arguments": []}]
    row = _row(Family.EE, facts, {"meeting": ["who"]})
    said = reading(FORMATS["json"].render(_asked(row)), _asked(row), "json")
    found = counts(row, [said], [["meeting"]])
    assert said["answer"] == [("meeting", "met"), ("meeting", "met"), ("meeting", "met", "who", "Ann")]
    assert (found["tc"], found["ac"]) == ((2, 0, 0), (1, 0, 0))


def _row(family: Family, facts: list[dict[str, Any]], roles: dict[str, list[str]]) -> dict[str, Any]:
    return {
        "of": "own", "family": str(family), "text": "They met.", "question": "",
        "schema": json.dumps({"labels": list(roles), "roles": roles}), "answer": json.dumps(facts), "golds": [],
        "format": "json", "phrasing": f"{family}-plain", "rule": "", "rule_text": "", "default": "",
    }  # fmt: skip


def _asked(row: dict[str, Any]) -> Instruction:
    return shown(row).instruction


def test_a_document_that_a_rule_cannot_decide_is_left_out() -> None:
    """Where the answer under one rule of the task cannot be told, no probe asks the document; unknown rules raise."""
    one = ruled(NER, ("determiner-in", "no-persons"))
    assert one is not None
    assert one.by_name["no-persons"].answer == ({"label": "place", "text": "Lima"},)
    assert one.changing == 1
    assert ruled(NER, ("first-sentence-only",)) is None
    with pytest.raises(DataError, match="do not fit"):
        ruled(NER, ("no-such-rule",))


def test_rows_take_a_fixed_sample_whatever_the_order_of_labels() -> None:
    """The sample hangs on task and text; labels, their order and their names do not move it."""
    docs = [{"text": f"Ann saw town {number}.", "entities": [{"label": "p", "text": "Ann"}]} for number in range(9)]
    made = [
        [row["text"] for row in rows(docs, {
            "asks": "ner", "labels": labels, "licence": "", "unit": "item", "documents": 4,
            "probe": {"kind": "labels", "of": "own", "variant": "x"},
        })]
        for labels in ({"p": {}, "q": {}}, {"q": {}, "p": {}}, {"p": {"name": "human"}})
    ]  # fmt: skip
    assert made[0] == made[1] == made[2]
    assert len(made[0]) == 4
    assert made[0] == sorted(made[0])


def test_facts_of_labels_that_a_card_does_not_ask_for_are_left_out() -> None:
    """A card may ask for some labels of its data only."""
    doc = {"text": "Ann in Lima", "entities": [{"label": "p", "text": "Ann"}, {"label": "q", "text": "Lima"}]}
    made = instruction(doc, {"asks": "ner", "labels": {"p": {"name": "person"}}, "licence": "", "probe": {"of": "own"}})
    assert made.answer == ({"label": "person", "text": "Ann"},)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("json", '{"answer": "a kite"}'), ("json", 'Here: [{"a": 1}]'), ("json", '["one", "two"]'),
        ("xml", "<answer>a kite</answer>"), ("yaml", "things:\n  - kite\n"),
        ("markdown", "# Kites\nThey fly."), ("markdown", "It is **very** light."), ("markdown", "| a | b |"),
        ("markdown", "- wood\n- paper"), ("markdown", "1. wood\n2. paper"), ("markdown", "```\nkite\n```"),
        ("tsv", "kite\tred\nball\tblue"), ("csv", "kite,red\nball,blue"), ("qa", "Q: What flies?\nA: A kite."),
        ("function_call", 'answer(text="a kite")'), ("marked", "The [[kite|thing]] flies."),
    ],
)  # fmt: skip
def test_marks_of_a_format_are_seen(name: str, text: str) -> None:
    """Every format that training renders has its marks."""
    assert sign(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "", "A kite.", "I said: take wood, paper and string, then wait.\nIt was red, white and blue.",
        "2 < 3 and 4 > 1",
        "Q: is that you?", "He paid 1,000 or 2,000.", "- one dash at the start", "A list: wood, paper.", "f(x) = 2",
        "See [1] and [2].", "Tom's {odd} braces", "Wait...\n\nIt *was* there.",
        "one\ttab only",
    ],
)  # fmt: skip
def test_prose_has_no_marks(text: str) -> None:
    """Commas, brackets, a single dash and stress on a word are prose."""
    assert sign(text) is None


def test_every_sign_is_tested() -> None:
    """The definitions are all asked above, and there is one for every structured format of synthesis."""
    assert set(SIGNS) == {"json", "xml", "yaml", "markdown", "tsv", "csv", "qa", "function_call", "marked"}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("and then we went home " * 6, True), ("aaaa" * 30, True), ("ab" * 40, True),
        ("The kite rose over the hill and the children ran after it until dusk.", False),
        ("no no no", False), ("", False), ("Donaudampfschifffahrtsgesellschaft", False),
    ],
)  # fmt: skip
def test_loops_are_told_from_prose(text: str, wanted: bool) -> None:
    """Half of the 4-grams have to repeat; short answers never loop."""
    assert loops(text) is wanted
    assert 0 <= repeated(text) <= 1


def test_repeated_by_hand() -> None:
    """Twelve words that say six twice: 9 grams of which 3 occurred before."""
    assert repeated("a b c d e f a b c d e f") == pytest.approx(3 / 9)


@pytest.mark.parametrize("item", WISHES, ids=lambda item: item["prompt"][:30])
def test_the_sample_answer_of_a_wish_fulfils_it_and_others_do_not(item: dict[str, Any]) -> None:
    """The checks accept what a person wrote, and neither silence nor a flood of words."""
    assert followed(item["check"], item["answer"])
    assert followed(item["check"], f"  {item['answer']}\n")
    assert not followed(item["check"], "")
    flood = 'Well, "THE trunk" of water is\n- one\n- two, 7\n\n' * 9 + "and so on, and on"
    assert not followed(item["check"], flood)
    assert item["check"].keys() <= CHECKS.keys()


@pytest.mark.parametrize(
    ("check", "text", "wanted"),
    [
        ({"words": 1}, "Honey.", True), ({"words": 1}, "Sweet honey", False), ({"words": 2}, "- blue whale", True),
        ({"most_words": 2}, "a b c", False), ({"least_words": 2}, "a", False),
        ({"sentences": 2}, "It costs 3.50 a day. Good!", True), ({"sentences": 1}, "No stop", True),
        ({"case": "upper"}, "STOP 7!", True), ({"case": "upper"}, "STOp", False), ({"case": "upper"}, "7!", False),
        ({"case": "lower"}, "stop", True), ({"case": "lower"}, "Stop", False),
        ({"one_of": ["yes", "no"]}, "Yes.", True), ({"one_of": ["yes", "no"]}, "yes, it is", False),
        ({"items": 2}, "- a\n- b", True), ({"items": 2}, "- a\n- b\n- c", False),
        ({"items": 2}, "Here:\n1. a\n2) b", True),
        ({"items": 0}, "red\ngreen", True), ({"lines": 2}, "a\n\nb", True), ({"paragraphs": 2}, "a\n\nb", True),
        ({"paragraphs": 2}, "a\nb", False), ({"begins": "Books"}, "Booksellers", False),
        ({"ends": "patience"}, "It takes Patience.", True), ({"ends": "?"}, "Why? Because", False),
        ({"holds": ["train"]}, "The training", False), ({"holds": ["train"]}, "A Train!", True),
        ({"lacks": ["th"]}, "The end", False), ({"digits": False}, "7 days", False), ({"digits": True}, "seven", False),
        ({"quoted": True}, "\"Hello\"", True), ({"quoted": True}, "\"Hello\" he said", False),
        ({"equals": "The tram."}, "The tram", False),
    ],
)  # fmt: skip
def test_checks_by_example(check: dict[str, Any], text: str, wanted: bool) -> None:
    """Each check has texts that hold and texts that do not."""
    assert followed(check, text) is wanted


@pytest.mark.parametrize(
    ("text", "count"), [("", 0), ("A. B.", 2), ("A\nb", 2), ("A b", 1), ("A... b?", 2), ('"A." b', 2)]
)
def test_sentences_are_counted(text: str, count: int) -> None:
    """Stops that end a word end a sentence; a rest without a stop is one more."""
    assert sentences(text) == count


def test_open_prompts_are_many_different_and_soundly_answered() -> None:
    """At least 80 prompts, none twice, of at least ten of each kind, each with an answer that is sound prose."""
    assert len(OPEN) == len({row["prompt"] for row in OPEN}) >= 80
    kinds = [row["kind"] for row in OPEN]
    assert {kind: kinds.count(kind) >= 10 for kind in set(kinds)} == dict.fromkeys(set(kinds), True)
    assert all(general.open_results(row, [row["answer"]])["sound"] == (1.0, 1.0) for row in OPEN)
    assert all(general.open_results(row, [bad])["sound"] == (0.0, 1.0)
               for row in OPEN[:1] for bad in ("", '{"a": "b"}', "so it goes " * 9))  # fmt: skip
    assert all(sign(row["prompt"]) is None for row in (*OPEN, *WISHES))


def test_no_prompt_is_one_of_the_seed_grammar() -> None:
    """Training on the grammar's general share does not train on a probe."""
    trained = {document.text.strip().casefold() for document in seeds.documents(0, 3000, Family.GENERAL)}
    assert not trained & {row["prompt"].casefold() for row in (*OPEN, *WISHES)}


def test_an_unfinished_prompt_is_to_be_continued_and_a_finished_one_to_be_answered() -> None:
    """A whole sentence ends its line; a text that breaks off does not."""
    assert general.doc_to_text({"prompt": "Is it late?"}) == "Is it late?\n"
    assert general.doc_to_text({"prompt": "In the box were a key and"}) == "In the box were a key and"
