"""What holds for every answer in every format, and for every text that a model may write."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from harness.errors import DataError
from synth.formats import FORMATS, Answer, Format, ParseError, canonical
from synth.formats.canonical import values
from synth.records import FACT_KEYS, Family, Instruction, Schema

PAIRS = [(FORMATS[name], family) for name in FORMATS for family in FORMATS[name].families]
EVERYTHING = ("json", "jsonl", "function_call")
NARROW = ("marked", "plain")
"""Formats that refuse ordinary answers: those that are not marked, not exactly one."""
EXAMPLES = 25
"""Per format and family; 300 found nothing more when the formats were written."""
AWKWARD = (
    *('"', "'", "|", "\t", "\n", "\r", "\\", "```", "</", "<!--", "]]>", "&amp;", ": ", " -> ", "**", "[[", "]]"),
    *("🇺🇸", "👩‍👩‍👧", "שלום", "\u202eright", "\u2028", "\x85", "\ufeff", "\x00", "\x1f", "\u3000", "“", "”", " :: "),
    *(
        "(none)",
        "null",
        "yes",
        "~",
        "- ",
        "#",
        "%",
        "@",
        "1",
        "2001-01-01",
        "unanswerable",
        "{}",
        "[]",
        "-",
        "Q: ",
        "A: ",
    ),
    *(" ", "", "a", "Ann Lee", "词", "é", "e\u0301"),
)
pieces = st.sampled_from(AWKWARD) | st.text(max_size=4)
strings = st.lists(pieces, max_size=4).map("".join)
calm = st.text("abcde XYZ éü词🙂.,;'()/&0123", min_size=1, max_size=12).map(str.strip).filter(bool)


def answers(family: Family, text: st.SearchStrategy[str]) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Lists of facts of a family; labels and values repeat often."""
    few = st.sampled_from(["person", "works for", "A B"]) | text
    values = {key: few if key == "label" else st.sampled_from(["Ann", "Bob"]) | text for key in FACT_KEYS[family]}
    if family == Family.EE:
        values["arguments"] = st.lists(st.fixed_dictionaries({"role": few, "text": text}), max_size=3)
    return st.lists(st.fixed_dictionaries(values), max_size=4)


def instructions(family: Family, text: st.SearchStrategy[str] = strings) -> st.SearchStrategy[Instruction]:
    """Instructions of a family whose schema lists some labels, not always those of the answer."""

    def build(labels: list[str], answer: list[dict[str, Any]], passage: str, question: str) -> Instruction:
        roles = dict.fromkeys(labels, ("place", "agent")) if family == Family.EE else {}
        return Instruction(
            family=family, source="seeds", document="d", text=passage, schema=Schema(tuple(labels), roles),
            answer=tuple(answer), licence="own", question=question if family == Family.MRC else None,
        )  # fmt: skip

    labels = st.lists(st.sampled_from(["person", "works for"]) | text, max_size=3, unique=True)
    return st.builds(build, labels, answers(family, text), text, text)


def ids(pair: Any) -> str:
    """Name of a format or a family."""
    return pair.id if isinstance(pair, Format) else str(pair)


def parsed(form: Format, text: str, asked: Instruction) -> Answer:
    """What a parser reads off a text; nothing where it says at which place the text is not in its format."""
    try:
        return form.parse(text, asked)
    except ParseError as error:
        return () if error.place in str(error) else pytest.fail("a place is missing")


def mentions(words: list[tuple[str, str | None]]) -> Instruction:
    """A text of words, some of which are mentions with a label, in text order."""
    answer = tuple({"label": label, "text": word} for word, label in words if label)
    text = " ".join(word for word, _ in words)
    return Instruction(Family.NER, "seeds", "d", text, Schema(("person", "city")), answer, "own")


@pytest.mark.parametrize(("form", "family"), PAIRS, ids=ids)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_what_a_format_can_carry_comes_back(form: Format, family: Family, data: st.DataObject) -> None:
    """Rendering and parsing gives the canonical answer, also with white space around it; else rendering refuses."""
    asked = data.draw(instructions(family, strings) | instructions(family, calm))
    if not form.can(asked):
        with pytest.raises(DataError):
            form.render(asked)
        return
    text = form.render(asked)
    for before, after in (("", ""), (" ", "\n"), ("\n", " \n\n")):
        assert form.parse(before + text + after, asked) == canonical(asked)


@pytest.mark.parametrize(("form", "family"), [pair for pair in PAIRS if pair[0].id not in NARROW], ids=ids)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_format_carries_every_ordinary_answer(form: Format, family: Family, data: st.DataObject) -> None:
    """Letters, digits, emoji and common punctuation in any number of facts are no reason to refuse."""
    asked = data.draw(instructions(family, calm))
    assume(family != Family.MRC or asked.question)
    assert form.can(asked) or (form.id == "qa" and not asked.answer and not asked.schema.labels)


@pytest.mark.parametrize("name", EVERYTHING)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_json_carries_everything(name: str, data: st.DataObject) -> None:
    """The formats that stand in for the others refuse nothing that UTF-8 can hold."""
    asked = data.draw(st.sampled_from(FORMATS[name].families).flatmap(instructions))
    assert FORMATS[name].can(asked)


@given(
    st.lists(st.tuples(st.sampled_from(["Ann", "Bob", "Ann Lee", "met", "in", "«x»"]), st.sampled_from([None, "city"])))
)
def test_marks_come_back_or_are_refused(words: list[tuple[str, str | None]]) -> None:
    """A marked text gives back its mentions; it is written only where all words of a mention are mentions."""
    asked, form = mentions(words), FORMATS["marked"]
    if form.can(asked):
        assert form.parse(form.render(asked), asked) == canonical(asked)
    bare = {word for word, label in words if label is None}
    if not any(fact["text"] in word for fact in asked.answer for word in bare | {"Ann Lee"}):
        assert form.can(asked)


@pytest.mark.parametrize(("form", "family"), PAIRS, ids=ids)
@given(data=st.data())
@settings(max_examples=EXAMPLES, deadline=None)
def test_a_parser_says_what_is_wrong_and_nothing_else(form: Format, family: Family, data: st.DataObject) -> None:
    """Any text, and any damaged answer, gives canonical facts or a ParseError with a place."""
    asked = data.draw(instructions(family, calm))
    text = data.draw(strings | st.text())
    if form.can(asked):
        whole = form.render(asked)
        cut = data.draw(st.integers(0, len(whole)))
        text = data.draw(st.sampled_from([text, whole[:cut] + text + whole[cut:], whole[:cut], whole[cut:], whole * 2]))
    found = parsed(form, text, asked)
    assert all(tuple(fact) == FACT_KEYS[family] for fact in found)
    assert all(isinstance(value, str) for value in values(found))
    assert canonical(replace(asked, answer=found)) == found


@pytest.mark.parametrize(("form", "family"), PAIRS, ids=ids)
@pytest.mark.parametrize(
    "text", ["[" * 5000, "{" * 5000, '{"a":' * 5000, "- " * 5000, "<a>" * 5000, "9" * 5000, "\ud800"]
)
def test_hostile_depth_is_a_parse_error(form: Format, family: Family, text: str) -> None:
    """Nesting and numbers beyond every limit, and text that no encoding holds, do not crash a parser."""
    asked = Instruction(family, "seeds", "d", "Ann", Schema(("person",)), (), "own", question="Who?")
    parsed(form, text, asked)
