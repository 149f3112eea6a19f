"""Each filter on examples made by hand: what passes, what does not, and what it says."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import annotated
import pytest

from harness.errors import CheckpointError, DataError, UsageError
from synth.filters import FILTERS, Context, Work, chosen_filters
from synth.filters.length import token_counter
from synth.filters.patterns import occurrences
from synth.formats import example, train_phrasings
from synth.recipe import FilterSettings
from synth.records import Annotation, Example, Family, Instruction, Schema

TEXT = "Ines Prado of Harbour Trust opened the ferry line from Graz to Oslo in May."
ENTITIES = annotated.entities(("person", "Ines Prado"), ("city", "Oslo"))
LOCAL = ("schema_valid", "grounded", "parses_back", "length", "language", "secrets", "toxicity")
EVENT = annotated.event("opening", "opened", ("opener", "Ines Prado"))


def shown(asked: Instruction, form: str = "json") -> Example:
    """The example of an instruction."""
    return example(asked, form, train_phrasings(asked.family)[0])


def entities(text: str = TEXT, **changes: Any) -> Example:
    """An example about the persons and cities of a text."""
    made = shown(annotated.asked(Family.NER, TEXT, *ENTITIES))
    return replace(made, instruction=replace(made.instruction, text=text, **changes))


def check(name: str, *examples: Example, **settings: Any) -> list[Annotation]:
    """Annotations of one filter."""
    work = Work(Context(FilterSettings(**settings), Path("cache")), Path("state"), 0, None)
    return FILTERS[name].check(work)(examples)


def one(name: str, made: Example, **settings: Any) -> Annotation:
    """The annotation of one filter of one example."""
    (found,) = check(name, made, **settings)
    assert (found.name, found.version) == (name, FILTERS[name].version)
    assert bool(found.reason) != found.passed
    return found


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, ""),
        ({"answer": ()}, ""),
        ({"schema": Schema()}, "the schema has no label"),
        ({"schema": Schema(("person",))}, "'city' is not in the schema"),
        ({"answer": ({"label": "city", "text": " "},)}, "fact 1 has an empty text"),
        ({"answer": ({"label": "city"},)}, "fact 1 has the keys label"),
        ({"family": Family.TC, "answer": ()}, "the answer is empty"),
        ({"family": Family.EE, "schema": Schema(("opening",), {"opening": ("opener",)}), "answer": (EVENT,)}, ""),
        ({"family": Family.EE, "schema": Schema(("opening",)), "answer": (EVENT,)}, "has no role 'opener'"),
        ({"family": Family.MRC, "schema": Schema(("yes", "no")), "answer": ({"text": "yes"},)}, ""),
        ({"family": Family.MRC, "schema": Schema(("yes", "no")), "answer": ({"text": "so"},)}, "not in the schema"),
        ({"family": Family.MRC, "schema": Schema(), "answer": ()}, ""),
    ],
)
def test_schema_valid(changes: dict[str, Any], reason: str) -> None:
    """Labels, roles, choices and keys have to be those of the schema; no answer is one, but not to a classification."""
    found = one("schema_valid", entities(**changes))
    assert found.passed == (reason == "")
    assert reason in found.reason


@pytest.mark.parametrize(
    ("span", "passed", "level"),
    [("Oslo", True, "exact"), ("OSLO", True, "normalised"), ("Ferry line from Gratz", False, "near"),
     ("Lima", False, "None"), ("", False, "None")],
)  # fmt: skip
def test_grounded(span: str, passed: bool, level: str) -> None:
    """A span has to occur, whatever its case; nearly is not enough."""
    found = one("grounded", entities(answer=annotated.entities(("city", span))))
    assert (found.passed, found.value) == (passed, {level: 1})


def test_grounded_looks_at_every_kind_of_span() -> None:
    """Heads, tails, triggers, arguments and answers are spans; labels, choices and prose are none."""
    relation = entities(family=Family.RE, answer=(annotated.relation("opens", "Ines Prado", "Lima"),))
    event = entities(family=Family.EE, answer=(annotated.event("opening", "opened", ("opener", "Bob")),))
    span = entities(family=Family.MRC, answer=({"text": "in June"},), schema=Schema())
    choice = entities(family=Family.MRC, answer=({"text": "yes"},), schema=Schema(("yes", "no")))
    prose = entities(family=Family.GENERAL, answer=({"text": "Gladly."},), schema=Schema())
    label = entities(family=Family.TC, answer=({"label": "travel"},))
    found = check("grounded", relation, event, span, choice, prose, label)
    assert [item.passed for item in found] == [False, False, False, True, True, True]
    assert "'Lima' does not occur in the text" in found[0].reason


def test_parses_back() -> None:
    """A completion has to say the canonical answer in its format, and the format has to exist."""
    good = entities()
    assert one("parses_back", good).passed
    assert one("parses_back", replace(good, completion=good.completion.replace("Oslo", "Graz"))).value == 1
    assert "line" in one("parses_back", replace(good, completion="no JSON at all")).reason
    assert one("parses_back", replace(good, format="jsn")).reason == "there is no format 'jsn'"


def test_length_counts_the_tokens_of_the_checkpoint() -> None:
    """The value is what the tokenizer gives for prompt and completion together; the limit decides."""
    from transformers import AutoTokenizer

    from harness.cli.options import EMBEDDED

    made = entities()
    wanted = len(AutoTokenizer.from_pretrained(EMBEDDED)(made.prompt + made.completion)["input_ids"])
    assert one("length", made, max_tokens=wanted).value == wanted
    assert one("length", made, max_tokens=wanted - 1).reason == f"{wanted} tokens are more than {wanted - 1}"


def test_length_of_a_megabyte() -> None:
    """A text of 1 MB is counted, not cut."""
    found = one("length", replace(entities(), prompt="ferry " * 170_000))
    assert not found.passed
    assert found.value > 100_000


@pytest.mark.parametrize("content", [None, b"", b"{}", b'{"model": 3}', b"\xff\xfe"])
def test_a_broken_tokenizer_is_a_sentence(tmp_path: Path, content: bytes | None) -> None:
    """A folder without a tokenizer, or with a broken one, is named with what to do."""
    if content is not None:
        (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(CheckpointError, match="cannot be loaded"):
        token_counter(str(tmp_path))


@pytest.mark.parametrize(
    ("text", "passed"),
    [
        ("The harbour of Brannay will get two more basins next year, the council said on Tuesday.", True),
        ("港口明年将增加两个泊位，市议会星期二宣布。", True),
        ("Prado 3 1 , Lee 2 0", True),
        ("OSLO - RESULTS .", True),
        ("", True),
        ("Der Hafen von Brannay wird im kommenden Jahr um zwei Becken erweitert, wie der Rat mitteilte.", False),
        ("Le port sera agrandi de deux bassins au cours de l'année prochaine, a annoncé le conseil.", False),
        ("港には来年、二つの埠頭が増える予定だと市議会は発表した。", False),
    ],
)
def test_language(text: str, passed: bool) -> None:
    """Sentences of other languages do not pass; tables, names and what is too short to say do."""
    assert one("language", entities(text)).passed == passed
    if text.startswith("Der"):
        assert one("language", entities(text), languages=("de",)).passed


def test_an_unknown_language_is_a_sentence() -> None:
    """A code that the identifier does not know is named, with a near one."""
    with pytest.raises(UsageError, match="did you mean"):
        check("language", languages=("eng",))


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("write to ann.lee@harbour-trust.example today", "email"),
        ("call +43 316 555 0199 before noon", "phone"),
        ("call (316) 555-0199", "phone"),
        ("-----BEGIN OPENSSH PRIVATE " + "KEY-----", "private_key"),
        ("AKIA" + "ABCDEFGHIJKLMNOP", "aws_access_key"),
        ("ghp_" + "a1B2" * 9, "github_token"),
        ("xoxb-" + "1234567890-abc", "slack_token"),
        ("AIza" + "x" * 35, "google_api_key"),
        ("sk-" + "proj-a1b2c3d4e5f6g7h8i9j0", "model_service_key"),
        ("eyJ" + "hbGciOiJI.eyJzdWIiOiIx.c2lnbmF0dXJl", "web_token"),
        ("postgres://ann:" + "s3cret@db.example/ferries", "password_in_url"),
        ("api_key = '" + "a1b2c3d4e5'", "assigned"),
    ],
)
def test_secrets(text: str, name: str) -> None:
    """Keys and ways to reach a person are found and named, in text, question and completion."""
    assert occurrences("secrets", text) == {name: 1}
    assert one("secrets", entities(text)).value == {name: 1}
    assert one("secrets", replace(entities(), completion=text)).reason == f"it holds: {name.replace('_', ' ')}"


@pytest.mark.parametrize(
    "text",
    [TEXT, "It cost 1,234,567 euros (316 in 2020) on 12-03-2019.", "@user see you at 10.30", "the password was lost",
     "scores 10-3 4-6 7-5 +12 and 3.14159265358979", "ISBN 978-3-16-148410-0", "He said: token: yes"],
)  # fmt: skip
def test_ordinary_text_holds_no_secret(text: str) -> None:
    """Numbers, dates, scores and mentions are none."""
    assert occurrences("secrets", text) == {}


def test_toxicity_looks_at_what_the_model_would_write() -> None:
    """Abuse in the completion does not pass; in the text, as data about abuse, it does."""
    abuse = "I will " + "kill you"
    assert one("toxicity", replace(entities(), completion=abuse)).value == {"threat": 1}
    assert one("toxicity", entities(abuse)).passed
    assert occurrences("toxicity", "Dick Cox killed the lights in Scunthorpe; die Fähre") == {}


@pytest.mark.parametrize(
    "name", ["schema_valid", "grounded", "parses_back", "length", "language", "secrets", "toxicity"]
)
def test_lone_surrogates_and_empty_texts_are_annotated(name: str) -> None:
    """Text that is no Unicode, no text, and no fact are annotated like any other; nothing is raised."""
    odd = replace(entities("a \ud800 b"), prompt="\ud800", completion=" \udfff")
    nothing = replace(entities("", answer=(), schema=Schema()), prompt="", completion="")
    found = check(name, odd, nothing)
    assert [item.name for item in found] == [name, name]
    if name == "length":
        assert "lone surrogate" in found[0].reason
        assert found[1].value == 0


def test_the_choice_of_filters() -> None:
    """By default all that have something to check by; a wrong name says the nearest; a missing setting is named."""
    everything = list(FILTERS)
    assert [item.name for item in chosen_filters(FilterSettings(judge=4))] == everything
    assert [item.name for item in chosen_filters(FilterSettings())] == [name for name in everything if name != "judge"]
    assert "contamination" not in [item.name for item in chosen_filters(FilterSettings(suites=()))]
    assert [item.name for item in chosen_filters(FilterSettings(use=("length", "grounded")))] == ["length", "grounded"]
    with pytest.raises(UsageError, match="did you mean grounded"):
        chosen_filters(FilterSettings(use=("gruonded",)))
    with pytest.raises(DataError, match=r"filters\.judge"):
        chosen_filters(FilterSettings(use=("judge",)))
    with pytest.raises(DataError, match=r"filters\.suites"):
        chosen_filters(FilterSettings(use=("contamination",), suites=()))
