"""What a probe reads off any answer: gold in any format is perfect, another format is told, nothing raises."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from synth.formats import FORMATS, ParseError
from synth.formats.plain import PLAIN
from synth.probes.counting import counts
from synth.probes.reading import other_format, reading, tuples
from synth.probes.rows import asked
from synth.probes.signs import loops, repeated, sign
from synth.records import Family

PAIRS = [(name, family) for name, form in FORMATS.items() for family in form.families
         if family not in (Family.GENERAL, Family.OPEN_IE) and name != "marked"]  # fmt: skip
TEXT = "Ann Lee met Bob in Lima and sold him a red kite for ten crowns."
WORDS = ("Ann Lee", "Bob", "Lima", "a red kite", "ten crowns")
LABELS = ("person", "place", "thing")
ROLES = {label: ["who", "where"] for label in LABELS}

spans = st.sampled_from(WORDS)
labels = st.sampled_from(LABELS)
arguments = st.lists(st.fixed_dictionaries({"role": st.sampled_from(["who", "where"]), "text": spans}), max_size=3)
FACTS: dict[Family, st.SearchStrategy[list[dict[str, Any]]]] = {
    Family.NER: st.lists(st.fixed_dictionaries({"label": labels, "text": spans}), max_size=5),
    Family.RE: st.lists(st.fixed_dictionaries({"label": labels, "head": spans, "tail": spans}), max_size=4),
    Family.EE: st.lists(st.fixed_dictionaries({"label": labels, "trigger": spans, "arguments": arguments}), max_size=3),
    Family.MRC: st.lists(st.fixed_dictionaries({"text": spans}), min_size=1, max_size=1),
    Family.TC: st.lists(st.fixed_dictionaries({"label": labels}), min_size=1, max_size=1),
}  # fmt: skip


def row(family: Family, form: str, facts: list[dict[str, Any]]) -> dict[str, Any]:
    """A row of a probe."""
    return {
        "of": "own", "family": str(family), "text": TEXT, "question": "Who?" if family is Family.MRC else "",
        "schema": json.dumps({"labels": [] if family is Family.MRC else LABELS,
                              "roles": ROLES if family is Family.EE else {}}),
        "answer": json.dumps(facts), "golds": [], "format": form, "phrasing": f"{family}-plain", "rule": "",
        "rule_text": "", "default": "",
    }  # fmt: skip


@pytest.mark.parametrize(("form", "family"), PAIRS)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_gold_rendered_in_a_format_is_read_and_counted_as_perfect(form: str, family: Family, data: Any) -> None:
    """Render, read, count: no error of any kind, whatever the gold set."""
    doc = row(family, form, data.draw(FACTS[family]))
    question = asked(doc)
    said = reading(FORMATS[form].render(question), question, form)
    found = counts(doc, [said], [question.schema.labels])
    assert said["reading"] == "strict"
    assert said["answer"] == tuples(question.answer, family)
    assert found["correct"] == (1.0, 1.0)
    assert [found[rate] for rate in ("parse_failure", "repaired")] == [(0.0, 1.0)] * 2
    headline = found.get("tc", found.get("f1", found.get("acc", ())))
    assert headline[0] == headline[1] if len(headline) == 2 else headline[1:] == (0, 0)


@pytest.mark.parametrize("family", FACTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_an_answer_in_another_format_is_told(family: Family, data: Any) -> None:
    """What the asked parser rejects and another one takes is in another format; what it takes is not."""
    names = [name for name, of_format in PAIRS if of_format is family and name != PLAIN.id]
    wanted, used = data.draw(st.sampled_from(names)), data.draw(st.sampled_from(names))
    doc = row(family, wanted, data.draw(FACTS[family].filter(bool)))
    question = asked(doc)
    text = FORMATS[used].render(question)
    said = reading(text, question, wanted)
    try:
        FORMATS[wanted].parse(text, question)
    except ParseError:
        assert said["other"] is not None
        assert said["reading"] != "strict"
        assert tuples(FORMATS[said["other"]].parse(text, question), family)
    else:
        assert (said["other"], said["reading"]) == (None, "strict")


@pytest.mark.parametrize("family", FACTS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_text_after_the_answer_is_repaired_and_never_lost_in_silence(family: Family, data: Any) -> None:
    """An answer with a line of talk below it, or in a code fence, says what it says, and the repair is counted.

    In a table of one column any line is a row, so talk below it is an answer.
    """
    open_ended = (PLAIN.id, "by_example", *(("csv", "tsv") if family in (Family.MRC, Family.TC) else ()))
    names = [name for name, of_format in PAIRS if of_format is family and name not in open_ended]
    form = data.draw(st.sampled_from(names))
    doc = row(family, form, data.draw(FACTS[family]))
    question = asked(doc)
    text = FORMATS[form].render(question)
    said = reading(f"```\n{text}\n```\n@@ I hope that this helps", question, form)
    assume(said["reading"] != "strict")
    assert (said["reading"], said["answer"]) == ("repaired", tuples(question.answer, family))


@pytest.mark.parametrize(("form", "family"), PAIRS)
@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=60) | st.text('{}[]"<>|:,-\t\n QA*()=/a', max_size=60))
def test_no_text_raises(form: str, family: Family, text: str) -> None:
    """Whatever a model writes, there is a reading, it is plain data, and it is counted."""
    doc = row(family, form, [{"label": "person"}] if family is Family.TC else [])
    question = asked(doc)
    said = reading(text, question, form)
    json.dumps(said, ensure_ascii=False).encode()
    found = counts(doc, [said], [question.schema.labels])
    assert found["parse_failure"][0] + found["repaired"][0] + (said["reading"] == "strict") == 1
    assert other_format("", question, form) is None


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_repeated_is_the_share_of_grams_that_occurred_before(words: list[str]) -> None:
    """Against a brute-force count of the 4-grams beyond the first of each kind."""
    grams = Counter(tuple(words[start : start + 4]) for start in range(len(words) - 3))
    wanted = sum(count - 1 for count in grams.values()) / max(1, grams.total()) if len(words) >= 8 else 0.0
    assert repeated(" ".join(words)) == pytest.approx(wanted)


@given(st.text(max_size=80))
def test_any_text_has_a_sign_or_none(text: str) -> None:
    """Signs and loops are told of every text."""
    assert sign(text) is None or isinstance(sign(text), str)
    assert loops(text) in (True, False)
