"""Guidelines: label sets, what the data refuses, drafting in rounds with a scripted teacher, and prompts."""

from __future__ import annotations

from typing import Any

import pytest
from annotated import Reply, Scripted, asked, documents, entities, event, relation
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from synth.guidelines import (
    ANGLES,
    Draft,
    Guideline,
    Item,
    LabelSet,
    Sample,
    contradictions,
    draft,
    guideline_of,
    guideline_row,
    label_sets,
    labels_of,
    problems,
    show,
    shown,
)  # fmt: skip
from synth.guidelines.drafting import CORRECTIONS, LABELS_PER_REQUEST
from synth.prompts import prompt
from synth.recipe import GuidelineSettings
from synth.records import Document, Family, Instruction, Schema
from synth.teachers import Request

SARN = asked(Family.NER, "Ada Vance left Sarn.", *entities(("person", "Ada Vance"), ("place", "Sarn")))
BLY = asked(Family.NER, "Tom Bly met Eva.", *entities(("person", "Tom Bly"), ("person", "Eva")),
            labels=["person", "place"])  # fmt: skip
MADE = {"text": "Ann Roe slept.", "span": "Ann Roe", "invented": True}
COPIED = {"text": "Ada Vance left Sarn.", "span": "Ada Vance"}
NO_ROUNDS = GuidelineSettings(rounds=0)


def label_set(*instructions: Instruction) -> LabelSet:
    """The one label set of some instructions."""
    (found,) = label_sets(documents(*instructions))
    return found


def item(label: str = "person", **changes: Any) -> dict[str, Any]:
    """A valid item as a teacher writes it."""
    return {"label": label, "meaning": "A name.", "positive": [MADE]} | changes


def both(**changes: Any) -> dict[str, Any]:
    """A valid draft for both labels, with changes to that of the person."""
    place = item("place", positive=[{"text": "In Sarn.", "span": "Sarn", "invented": True}])
    return {"items": [item(**changes), place]}


def flaws(*items: dict[str, Any], of: LabelSet | None = None, labels: tuple[str, ...] = ("person",)) -> str:
    """Problems of a draft, joined."""
    return "; ".join(problems(Draft.model_validate({"items": items}), of or label_set(SARN, BLY), labels))


def test_label_sets_do_not_depend_on_the_order_of_documents() -> None:
    """The sample of each label is drawn by hash, whatever comes first."""
    made = [asked(Family.NER, f"Eva {n} left.", *entities(("person", f"Eva {n}"))) for n in range(60)]
    one, other = label_sets(documents(*made), seed=3), label_sets(documents(*reversed(made)), seed=3)
    assert one == other
    assert label_sets(documents(*made), seed=4) != one
    assert len(one[0].documents["person"]) < 60


def test_relations_make_a_label_set_of_open_extraction_too() -> None:
    """They are also asked without a schema, so rules and guidelines are needed there."""
    found = label_sets(documents(asked(Family.RE, "Eva wed Tom.", relation("wed", "Eva", "Tom"))))
    assert [(one.family, one.labels) for one in found] == [(Family.OPEN_IE, ("relation",)), (Family.RE, ("wed",))]


def test_seed_documents_take_turns_among_the_labels() -> None:
    """A request for two labels shows documents of both."""
    made = [asked(Family.NER, f"Eva {n}.", *entities(("person", f"Eva {n}"))) for n in range(9)]
    place = asked(Family.NER, "Sarn.", *entities(("place", "Sarn")))
    found = label_set(*made, place)
    assert "Sarn." in [document.text for document in found.examples(["person", "place"], 2)]


@pytest.mark.parametrize(
    ("family", "labels", "expected"),
    [
        (Family.NER, ("a", "b"), ("a", "b")),
        (Family.MRC, (), ("answer",)),
        (Family.MRC, ("yes", "no"), ("yes or no",)),
        (Family.MRC, ("a tram", "a bus"), ("choice",)),
        (Family.OPEN_IE, (), ("relation",)),
        (Family.GENERAL, (), ("free answer",)),
    ],
)
def test_families_without_labels_are_explained_by_kind_of_answer(
    family: Family, labels: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    """A guideline on machine reading says what counts as an answer of that kind."""
    assert labels_of(Instruction(family, "s", "d", "t", Schema(labels), (), "none")) == expected


def test_a_long_document_is_shown_around_its_first_fact() -> None:
    """The prompt gets a stretch of bounded length, with the facts that stand in it and no others."""
    text = "word " * 300 + "Eva spoke. " + "word " * 300 + "Sarn."
    row = shown(*documents(asked(Family.NER, text, *entities(("person", "Eva"), ("place", "Sarn")))))
    assert len(row["text"]) <= 400
    assert row["text"] in text
    assert row["answer"] == [{"label": "person", "text": "Eva"}]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"positive": [{"text": "Nobody wrote this.", "span": "Nobody"}]}, "in no seed document"),
        ({"positive": [MADE | {"span": "Ann Smith"}]}, "does not hold its span"),
        ({"positive": [COPIED | {"span": "Sarn"}]}, "does not carry this label"),
        ({"negative": [COPIED | {"why": "no"}]}, "carries this label in the data"),
        ({"negative": [MADE]}, "has no reason"),
        ({"roles": {"agent": "who"}}, "the role 'agent' does not exist"),
    ],
)
def test_the_data_refuses_what_is_not_grounded(changes: dict[str, Any], words: str) -> None:
    """Each reason is a sentence that a teacher can act on."""
    assert words in flaws(item(**changes))


def test_labels_must_be_those_that_were_asked() -> None:
    """Unknown, missing and doubled labels are refused."""
    assert "'river' was not asked" in flaws(item(), item("river"))
    assert "'place' is missing" in flaws(item(), labels=("person", "place"))
    assert "'person' has 2 items" in flaws(item(), item())


def test_a_good_draft_is_not_refused() -> None:
    """A copied example with its gold span and an invented one that holds its span pass."""
    negative = {"text": "Ada Vance left Sarn.", "span": "Sarn", "why": "a place"}
    assert flaws(item(positive=[COPIED, MADE], negative=[negative])) == ""


def test_examples_of_relations_events_and_questions_are_checked_in_their_own_form() -> None:
    """Relations show head -> tail, events the trigger, reading the answer with its question."""
    wed = label_sets(documents(asked(Family.RE, "Eva wed Tom.", relation("wed", "Eva", "Tom"))))[1]
    good = item("wed", positive=[{"text": "Eva wed Tom.", "span": "Eva -> Tom"}])
    assert flaws(good, of=wed, labels=("wed",)) == ""
    bad = item("wed", positive=[{"text": "Eva wed Tom.", "span": "Eva"}])
    assert "not of the form head -> tail" in flaws(bad, of=wed, labels=("wed",))
    fire = label_set(asked(Family.EE, "It burned.", event("fire", "burned", ("what", "It")), roles={"fire": ["what"]}))
    good = item("fire", positive=[{"text": "It burned.", "span": "burned"}], roles={"what": "what burns"})
    assert flaws(good, of=fire, labels=("fire",)) == ""
    mill = label_set(asked(Family.MRC, "The mill is red.", {"text": "red"}))
    good = item("answer", positive=[{"text": "The mill is red.", "span": "red", "question": "Which?"}])
    assert flaws(good, of=mill, labels=("answer",)) == ""
    bad = item("answer", positive=[{"text": "The mill is red.", "span": "The mill", "question": "Which?"}])
    assert "does not carry" in flaws(bad, of=mill, labels=("answer",))


def test_contradictions_name_the_place_and_what_the_data_says() -> None:
    """A typical value that the data only knows under another label, and a negative example that is positive there."""
    told = {"text": "See Eva.", "span": "Eva", "why": "?", "invented": True}
    draft_items = Draft.model_validate({"items": [item(typical=["Sarn", "Zed"], negative=[told])]})
    found = contradictions(draft_items.model_dump(mode="json")["items"], label_set(SARN, BLY))
    assert [(one["where"], one["entry"]) for one in found] == [("typical", "Sarn"), ("negative", "See Eva.")]
    assert "in the data it is place" in found[0]["sentence"]


def test_a_draft_of_a_model_waits_for_approval_and_keeps_its_provenance() -> None:
    """One request per piece; the guideline has the teacher, the prompt versions and the request keys."""
    teacher = Scripted(lambda request: both())
    (found,) = draft([label_set(SARN, BLY)], teacher, NO_ROUNDS)
    assert (found.status, found.origin, found.labels) == ("draft", "teacher", ("person", "place"))
    assert found.provenance["requests"] == ["guideline_draft/0"]
    assert found.provenance["prompts"] == {
        purpose: prompt(purpose).version for purpose in ("guideline_draft", "guideline_reflect")
    }
    assert guideline_of(guideline_row(found)) == found
    assert guideline_row(found)["id"] == found.id


def test_what_the_data_refuses_goes_back_with_the_reason() -> None:
    """The second request has the problems and the refused draft; then the guideline is there."""

    def says(request: Request) -> Reply:
        return both() if request.variables["problems"] else both(positive=[COPIED | {"span": "Sarn"}])

    teacher = Scripted(says)
    (found,) = draft([label_set(SARN, BLY)], teacher, NO_ROUNDS)
    assert found.status == "draft"
    assert len(teacher.asked) == 2
    assert "does not carry" in teacher.asked[1].variables["problems"][0]
    assert teacher.asked[1].variables["refused"]["items"][0]["label"] == "person"


def test_a_draft_that_stays_wrong_is_kept_as_rejected() -> None:
    """After so many corrections it is kept with what was said and why it cannot be used."""
    teacher = Scripted(lambda request: both(label="river"))
    (found,) = draft([label_set(SARN, BLY)], teacher, NO_ROUNDS)
    assert len(teacher.asked) == CORRECTIONS + 1
    assert found.status == "rejected"
    assert "the label 'river' was not asked" in found.reasons
    assert found.items[0].label == "river"


def test_a_teacher_that_declines_is_not_asked_again() -> None:
    """The guideline is rejected with the teacher's reason, and nothing is lost of the other label sets."""
    other = asked(Family.TC, "Good.", {"label": "glad"})
    glad = {"items": [item("glad", positive=[{"text": "Good.", "invented": True}])]}
    teacher = Scripted(lambda request: glad if request.variables["family"] == "tc" else None)
    found = list(draft(label_sets(documents(SARN, other)), teacher, NO_ROUNDS))
    assert [(one.family, one.status) for one in found] == [(Family.NER, "rejected"), (Family.TC, "draft")]
    assert "the model declined" in found[0].reasons[0]
    assert len(teacher.asked) == 2


def test_reflection_sees_draft_contradictions_and_values_and_its_result_counts() -> None:
    """Each round asks once per piece; what the teacher then says replaces the draft."""

    def says(request: Request) -> Reply:
        return both(typical=["Sarn"]) if request.purpose == "guideline_draft" else both(meaning="A human being.")

    teacher = Scripted(says)
    (found,) = draft([label_set(SARN, BLY)], teacher, GuidelineSettings(rounds=2))
    asked_of = [request.purpose for request in teacher.asked]
    assert asked_of == ["guideline_draft", "guideline_reflect", "guideline_reflect"]
    seen = teacher.asked[1].variables
    assert seen["guideline"]["items"][0]["typical"] == ["Sarn"]
    assert seen["contradictions"][0]["entry"] == "Sarn"
    assert seen["observed"] == {"person": ["Ada Vance", "Eva", "Tom Bly"], "place": ["Sarn"]}
    assert teacher.asked[2].variables["contradictions"] == []
    assert found.items[0].meaning == "A human being."


def test_a_failed_reflection_keeps_the_draft_before_it() -> None:
    """The guideline stays as it was, with a note of what the round could not mend."""
    teacher = Scripted(lambda request: both() if request.purpose == "guideline_draft" else both(label="river"))
    (found,) = draft([label_set(SARN, BLY)], teacher, GuidelineSettings(rounds=1))
    assert (found.status, found.items[0].label) == ("draft", "person")
    assert "river" in found.provenance["notes"][0]


def test_long_label_sets_are_drafted_in_pieces_and_a_bad_piece_costs_only_itself() -> None:
    """All pieces go out in one wave; the good ones make the guideline, the bad one is rejected apart."""
    labels = [f"kind {n}" for n in range(LABELS_PER_REQUEST + 2)]
    made = asked(Family.TC, "Good.", {"label": labels[0]}, labels=labels)

    def says(request: Request) -> Reply:
        asked_for = request.variables["labels"]
        if labels[-1] in asked_for:
            return {"items": [item("river")]}
        return {"items": [item(label, positive=[{"text": "x", "invented": True}]) for label in asked_for]}

    found = list(draft([label_set(made)], Scripted(says), NO_ROUNDS))
    assert [(one.status, len(one.items)) for one in found] == [("draft", LABELS_PER_REQUEST), ("rejected", 1)]
    assert found[1].provenance["labels"] == labels[LABELS_PER_REQUEST:]


def test_a_guideline_from_outside_is_validated() -> None:
    """A row with an unknown key or an empty meaning is refused by the schema."""
    row = {"family": "ner", "source": "s", "origin": "teacher", "items": [item(meaning="")]}
    with pytest.raises(ValidationError, match="meaning"):
        guideline_of(row)
    with pytest.raises(ValidationError, match="colour"):
        guideline_of(row | {"items": [item()], "colour": "red"})


GUIDE = Guideline(
    family=Family.NER, source="s", origin="rulebook", status="approved",
    items=(
        Item(label="person", meaning="A named human.", typical=("full names", "nicknames"),
             positive=(Sample(**COPIED), Sample(**MADE)), edge_cases=("Plurals count.",),
             negative=(Sample(text="A nurse slept.", span="nurse", why="a job"),)),
        Item(label="sale", meaning="A sale.", separates="Gifts are none.", roles={"buyer": "who pays"}),
    ),
)  # fmt: skip


@pytest.mark.parametrize(
    ("angle", "words"),
    [
        ("meaning", "- person: A named human.\n- sale: A sale. Gifts are none. Roles: buyer: who pays."),
        ("edges", "- person: Plurals count.\n- sale: Gifts are none."),
    ],
)
def test_a_guideline_is_shown_from_an_angle(angle: str, words: str) -> None:
    """One line per label, only what the angle is about."""
    assert show(GUIDE, ["person", "sale"], angle) == words


def test_an_example_out_of_the_text_that_is_asked_about_is_not_shown() -> None:
    """It would give the answer away."""
    assert "Ada Vance" in show(GUIDE, ["person"], "examples")
    seen = show(GUIDE, ["person"], "examples", text="She said: Ada Vance left Sarn. Then she slept.")
    assert "Ada Vance" not in seen
    assert "'Ann Roe' in \"Ann Roe slept.\"" in seen
    assert "No: 'nurse' in \"A nurse slept.\" (a job)" in seen


def test_labels_without_an_item_are_left_out() -> None:
    """A guideline that says nothing of the labels gives an empty text, and an unknown angle is an error."""
    assert show(GUIDE, ["river"], "meaning") == ""
    with pytest.raises(KeyError):
        show(GUIDE, ["person"], "sideways")


@given(st.sampled_from(ANGLES), st.integers(0, 400), st.integers(0, 5))
def test_what_is_shown_fits_its_budget_and_hangs_on_the_seed_alone(angle: str, budget: int, seed: int) -> None:
    """No entry is cut: the text is a choice of whole entries within the budget."""
    once = show(GUIDE, ["sale", "person"], angle, budget=budget, seed=seed)
    assert len(once) <= budget
    assert once == show(GUIDE, ["sale", "person"], angle, budget=budget, seed=seed)


def test_other_texts_are_shown_other_entries() -> None:
    """A corpus does not repeat the same two examples of a label a thousand times."""
    seen = {show(GUIDE, ["person"], "examples", text=f"Text {number}.", budget=120) for number in range(20)}
    assert len(seen) > 1


def test_documents_of_one_text_and_many_questions_are_kept_apart() -> None:
    """A copied example of reading is right only for its own question."""
    texts = [("Which?", "red"), ("Whose?", "Eva")]
    made = [
        Document(Family.MRC, "s", "train", "Eva has a red mill.", Schema(), ({"text": answer},), "none", question)
        for question, answer in texts
    ]
    (found,) = label_sets(made)
    wrong = item("answer", positive=[{"text": "Eva has a red mill.", "span": "Eva", "question": "Which?"}])
    assert "does not carry" in flaws(wrong, of=found, labels=("answer",))
