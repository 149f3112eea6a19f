"""Formats, phrasings and examples against other parsers, the harness's own cards, and bad input."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml

from harness.errors import DataError, UsageError
from harness.metrics.parsing import parse_json, parse_label
from harness.prompts import ee, ner, re, reading
from harness.prompts.schema import schema
from synth.formats import (
    FORMATS,
    ParseError,
    basic_format,
    canonical,
    example,
    held_out_formats,
    held_out_phrasings,
    phrasings,
    train_formats,
    train_phrasings,
)
from synth.recipe import FormatSettings
from synth.records import Family, Instruction, Schema, Strategy

TEXT = "Ann Lee met Bob in Lima; it rained."


def asked(family: Family, *answer: object, labels: tuple[str, ...] = (), **more: object) -> Instruction:
    """An instruction about the sentence above."""
    return Instruction(family, "seeds", "d", TEXT, Schema(labels), answer, "own", **more)  # type: ignore[arg-type]


ENTITIES = asked(
    Family.NER,
    {"label": "city", "text": "Lima"},
    {"label": "person", "text": "Ann Lee"},
    {"label": "person", "text": "Bob"},
    labels=("person", "city", "team"),
)
RELATIONS = asked(Family.RE, {"label": "met", "head": "Ann Lee", "tail": "Bob"}, labels=("met", "likes"))
EVENTS = replace(
    asked(
        Family.EE,
        {
            "label": "meeting",
            "trigger": "met",
            "arguments": [
                {"role": "place", "text": "Lima"},
                {"role": "guest", "text": "Bob"},
                {"role": "place", "text": "in Lima"},
            ],
        },
        {"label": "meeting", "trigger": "met", "arguments": []},
    ),
    schema=Schema(("meeting",), {"meeting": ("place", "guest")}),
)
OPEN = asked(Family.OPEN_IE, {"label": "met", "head": "Ann Lee", "tail": "Bob"})
READING = asked(Family.MRC, {"text": "Lima"}, question="Where did they meet?")
LABEL = asked(Family.TC, {"label": "positive"}, labels=("negative", "positive"))
CHOICE = asked(Family.MRC, {"text": "It rained."}, labels=("It snowed.", "It rained."), question="How was it there?")
GENERAL = asked(Family.GENERAL, {"text": "Red.\nBlue."})
ALL = (ENTITIES, RELATIONS, EVENTS, OPEN, READING, CHOICE, LABEL, GENERAL)


def format_rows() -> list[str]:
    """The rows of the table of formats in the documentation, with the entities (or the label) of the sentence above."""
    in_text_order = replace(ENTITIES, answer=canonical(ENTITIES))
    shown = {name: next(item for item in (in_text_order, READING) if form.can(item)) for name, form in FORMATS.items()}
    return [
        f"| `{name}` | {', '.join(form.families)} | {cell(form.limits or 'nothing')[0]} | "
        + "<br>".join(f"`{line}`" for line in cell(form.render(shown[name])))
        + " |"
        for name, form in FORMATS.items()
    ]


def cell(text: str) -> list[str]:
    """Lines of a text as they can stand in a cell of a table, tabs shown."""
    return text.replace("\t", "→").replace("|", "\\|").split("\n")


def test_the_documentation_has_the_table_of_formats() -> None:
    """docs/synthesis/formats.md shows every format, its families and limits, and an answer, as the code has them."""
    page = Path(__file__).parents[2] / "docs" / "synthesis" / "formats.md"
    lines = page.read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("| `") and line.count(" | ") >= 3] == format_rows()


def test_the_documentation_names_what_is_held_out() -> None:
    """Formats and phrasings that are kept for evaluation are listed."""
    page = (Path(__file__).parents[2] / "docs" / "synthesis" / "formats.md").read_text(encoding="utf-8")
    names = [*held_out_formats(FormatSettings()), *(name for family in Family for name in held_out_phrasings(family))]
    assert [name for name in names if f"`{name}`" not in page] == []


def test_there_are_enough_formats_for_every_family() -> None:
    """At least eleven formats, each under its own name, and several for each family."""
    assert len(FORMATS) >= 11
    assert {family: sum(family in item.families for item in FORMATS.values()) >= 5 for family in Family} == (
        dict.fromkeys(Family, True)
    )


def test_canonical_order_is_that_of_the_schema() -> None:
    """Labels as the schema lists them, roles as well; within a label the order of the text stays."""
    assert [fact["text"] for fact in canonical(ENTITIES)] == ["Ann Lee", "Bob", "Lima"]
    assert [item["text"] for item in canonical(EVENTS)[0]["arguments"]] == ["Lima", "in Lima", "Bob"]


def test_what_a_reader_adds_to_a_fact_is_no_part_of_the_answer() -> None:
    """Offsets and the like do not reach an answer."""
    with_offset = replace(LABEL, answer=({"label": "positive", "start": 3},))
    assert canonical(with_offset) == LABEL.answer


def test_json_is_the_shape_that_the_cards_ask_for() -> None:
    """The gold target of the harness's own card for the same document is the same text."""
    code = {"codes": {"person": {}, "city": {}, "team": {}}}["codes"]
    doc = {"text": TEXT, "entities": canonical(ENTITIES), "batches": (schema(code),)}
    assert FORMATS["json"].render(ENTITIES) == ner.doc_to_target(doc)
    doc = {"text": TEXT, "relations": RELATIONS.answer, "types": {}, "batches": (schema({"met": {}, "likes": {}}),)}
    assert FORMATS["json"].render(RELATIONS) == re.doc_to_target(doc)
    doc = {
        "text": TEXT,
        "events": canonical(EVENTS),
        "batches": (schema({"meeting": {"roles": ["place", "guest"]}}),),
    }
    assert FORMATS["json"].render(EVENTS) == ee.doc_to_target(doc)


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.family)
def test_the_harness_reads_json_answers_strictly(item: Instruction) -> None:
    """parse_json needs no repair for a completion, its leading space included."""
    completion = example(item, "json", train_phrasings(item.family)[0]).completion
    parsed = parse_json(completion)
    assert not parsed.repaired
    assert not parsed.failed
    assert FORMATS["json"].parse(json.dumps(parsed.value), item) == canonical(item)


def test_plain_answers_are_what_the_cards_ask_for() -> None:
    """A label stands alone, an answer is the first line, and an unanswerable question has the cards' word."""
    label = example(LABEL, "plain", "tc-plain").completion
    assert parse_label(label, LABEL.schema.labels) == ("positive", False, False)
    assert reading.first_line(example(READING, "plain", "mrc-plain").completion) == "Lima"
    assert FORMATS["plain"].render(replace(READING, answer=())) == reading.UNANSWERABLE


@pytest.mark.parametrize("item", [ENTITIES, RELATIONS, EVENTS, READING], ids=lambda item: item.family)
def test_yaml_means_the_same_to_another_reader(item: Instruction) -> None:
    """YAML's own safe loader, which resolves types, reads the tree that JSON holds."""
    assert yaml.safe_load(FORMATS["yaml"].render(item)) == json.loads(FORMATS["json"].render(item))


@pytest.mark.parametrize("word", ["no", "NULL", "2001-01-01", "1e3", "~", "a: b", "- x", "é", "\x85", "\u2028", "🙂"])
def test_yaml_texts_stay_texts(word: str) -> None:
    """What YAML 1.1 would take for a truth value, a date, a number or a sign is quoted."""
    item = replace(ENTITIES, answer=({"label": word, "text": word},))
    assert yaml.safe_load(FORMATS["yaml"].render(item)) == {word: [word]}


def test_csv_means_the_same_to_another_reader() -> None:
    """The csv module reads quotes, commas and line breaks as they were."""
    item = replace(ENTITIES, answer=({"label": 'a "b", c', "text": "x\ny"},))
    rows = list(csv.reader(io.StringIO(FORMATS["csv"].render(item))))
    assert rows == [["type", "text"], ['a "b", c', "x\ny"]]


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("json", '{"person": "Ann"}', "person"),
        ("json", '{"person": ["Ann", 3]}', "person, entry 2"),
        ("json", '{"person": [], "person": ["Ann"]}', "the whole"),
        ("jsonl", '{"label": "person", "text": "Ann"}\nAnn', "line 2"),
        ("jsonl", '{"label": "person"}', "line 1"),
        ("yaml", "person:\n  - Ann\n - Bob", "line 3"),
        ("markdown_table", "| type | text |\n| a | b |", "line 2"),
        ("markdown_table", "| text | type |\n|---|---|", "line 1"),
        ("tsv", "type\ttext\nperson", "line 2"),
        ("csv", 'type,text\nperson,"Ann', "line 2"),
        ("xml", "<answer><entity>Ann</entity></answer>", "element 1"),
        ("xml", "<answer>\n<entity", "line 2"),
        ("xml", "<answer>Ann</answer>", "the whole"),
        ("markdown_list", "- **person**: Ann\nBob", "line 2"),
        ("prose", "“Ann” is a mention of the type “person”. And Bob.", "character 41"),
        ("qa", "A: Ann", "line 1"),
        ("qa", 'Q: Which mentions of the type "person" are in the text?', "the end"),
        ("marked", "[[Ann Lee|person]] met Rob in Lima; it rained.", "character 13 of the text without marks"),
        ("function_call", 'entity(type="person")', "call 1, type"),
        ("function_call", 'entity(type="person", text=Ann)', "call 1, text"),
    ],
)
def test_a_parse_error_names_the_place(name: str, text: str, place: str) -> None:
    """A damaged answer is refused with the place of the damage."""
    with pytest.raises(ParseError) as caught:
        FORMATS[name].parse(text, ENTITIES)
    assert caught.value.place == place
    assert place in str(caught.value)


@pytest.mark.parametrize(
    ("name", "item"),
    [
        ("markdown_table", replace(ENTITIES, answer=({"label": "person", "text": "a\nb"},))),
        ("tsv", replace(ENTITIES, answer=({"label": "person", "text": "a\tb"},))),
        ("prose", replace(ENTITIES, answer=({"label": "person", "text": "“Ann”"},))),
        ("xml", replace(ENTITIES, answer=({"label": "person", "text": "\x00"},))),
        ("json", replace(ENTITIES, answer=({"label": "person", "text": "\ud800"},))),
        ("markdown_list", replace(RELATIONS, answer=({"label": "met", "head": "a -> b", "tail": "c"},))),
        ("csv", replace(EVENTS, answer=({**EVENTS.answer[0], "arguments": [{"role": "-", "text": "-"}]},))),
        ("qa", replace(READING, answer=({"text": "(none)"},))),
        ("plain", replace(READING, answer=({"text": "unanswerable"},))),
        ("plain", replace(LABEL, answer=({"label": "negative"}, {"label": "positive"}))),
        ("plain", replace(LABEL, answer=())),
        ("marked", RELATIONS),
    ],
    ids=lambda value: value if isinstance(value, str) else value.family,
)
def test_a_format_says_what_it_cannot_carry(name: str, item: Instruction) -> None:
    """can() is false and rendering raises where the answer would not come back."""
    assert not FORMATS[name].can(item)
    with pytest.raises(DataError, match=name):
        FORMATS[name].render(item)


@pytest.mark.parametrize(
    "facts",
    [
        [("person", "Lima"), ("person", "Ann Lee")],  # not in text order
        [("person", "Ann Lee"), ("person", "Lee")],  # nested
        [("person", "Eve")],  # not in the text
        [("word", "t")],  # only inside words
    ],
)
def test_marks_are_refused_in_doubt(facts: list[tuple[str, str]]) -> None:
    """A mention whose place does not follow from the answer is not marked at a guess."""
    assert not FORMATS["marked"].can(
        replace(ENTITIES, answer=tuple({"label": label, "text": text} for label, text in facts))
    )


def test_a_mention_that_occurs_once_more_is_not_marked_at_a_guess() -> None:
    """One of two equal words is a mention: which one is unknown, so the format refuses; with both it does not."""
    one = replace(ENTITIES, text="May met May.", answer=({"label": "person", "text": "May"},))
    both = replace(one, answer=one.answer * 2)
    assert not FORMATS["marked"].can(one)
    assert FORMATS["marked"].render(both) == "[[May|person]] met [[May|person]]."


def test_formats_by_example_differ_between_texts_and_not_between_answers() -> None:
    """The example depends on the text alone: the answer cannot be read off it."""
    form = FORMATS["by_example"]
    texts = [replace(ENTITIES, text=f"Text {number}.") for number in range(40)]
    assert len({form.describe(item) for item in texts}) > 30
    assert form.describe(texts[0]) == form.describe(replace(texts[0], answer=()))


def test_strategies_say_what_shaped_an_example() -> None:
    """Nothing for the basic form; guideline, rule and format each by their own name."""
    basic = example(ENTITIES, "json", "ner-plain")
    assert basic.strategies == ()
    assert example(LABEL, "plain", "tc-plain").strategies == ()
    assert example(LABEL, "json", "tc-plain").strategies == (Strategy.FORMATS,)
    assert example(ENTITIES, "yaml", "ner-plain", basic="yaml").strategies == ()
    shaped = example(
        replace(ENTITIES, guideline="g", rule="r"), "yaml", "ner-plain", "Cities are places.", "No titles."
    )
    assert shaped.strategies == (Strategy.FORMATS, Strategy.GUIDELINES, Strategy.RULES)
    assert "Cities are places." in shaped.prompt
    assert "No titles." in shaped.prompt


@pytest.mark.parametrize(("guideline", "text"), [("g", ""), (None, "Cities are places.")])
def test_a_guideline_and_its_text_come_together(guideline: str | None, text: str) -> None:
    """An example neither claims a guideline that it does not show nor shows one that it does not name."""
    with pytest.raises(DataError, match="guideline"):
        example(replace(ENTITIES, guideline=guideline), "json", "ner-plain", text)


def test_unknown_names_are_errors_with_the_nearest_name() -> None:
    """A misspelt format or phrasing, or a phrasing of another family, is said."""
    with pytest.raises(UsageError, match="did you mean yaml"):
        example(ENTITIES, "yml", "ner-plain")
    with pytest.raises(UsageError, match="did you mean ner-plain"):
        example(ENTITIES, "json", "ner-plane")
    with pytest.raises(UsageError, match="asks about tc"):
        example(ENTITIES, "json", "tc-plain")


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.family)
def test_every_phrasing_shows_the_question_and_ends_where_the_answer_follows(item: Instruction) -> None:
    """Text, labels, question, guideline and rule are in the prompt; no white space is left at its end."""
    shaped = replace(item, guideline="g", rule="r")
    for name in (*train_phrasings(item.family), *held_out_phrasings(item.family)):
        prompt = example(shaped, basic_format(shaped, "json"), name, "Mind the gap.", "No titles.").prompt
        shown = (item.text, item.question or "", "Mind the gap.", "No titles.", *item.schema.labels)
        assert all(part in prompt for part in shown), name
        assert prompt.endswith(":")
        bare = example(item, basic_format(item, "json"), name).prompt
        assert "{" not in bare.replace(FORMATS["json"].describe(item), "") or phrasings()[name].structured
        assert len(bare) < len(prompt)


def test_a_question_with_choices_shows_them_and_asks_for_no_span() -> None:
    """Choices stand in every wording; only a question without them is answered with words of the passage."""
    for name in (*train_phrasings(Family.MRC), *held_out_phrasings(Family.MRC)):
        choice, span = (example(item, "plain", name).prompt for item in (CHOICE, READING))
        assert "It snowed." in choice
        assert ("unanswerable" in span, "unanswerable" in choice) == (True, False)
        assert not any(words in choice for words in ("in as few of its words", "phrase of the", "Quote the source"))
    content = json.loads(example(CHOICE, "plain", "mrc-structured").prompt.removesuffix("\nOutput:"))
    assert content["schema"] == {"question": CHOICE.question, "choices": ["It snowed.", "It rained."]}


def test_a_text_with_braces_is_shown_as_it_is() -> None:
    """Signs of our own templates in a text are nothing special."""
    prompt = example(replace(ENTITIES, text="{text} {0} %s $x {{"), "json", "ner-plain").prompt
    assert "Text: {text} {0} %s $x {{\n" in prompt


def test_structured_prompts_are_json() -> None:
    """The style of IEPile: one object with instruction, schema and input, schema order kept."""
    prompt = example(ENTITIES, "json", "ner-structured").prompt
    content = json.loads(prompt.removesuffix("\nOutput:"))
    assert list(content) == ["instruction", "schema", "input"]
    assert content["schema"] == ["person", "city", "team"]
    assert json.loads(example(EVENTS, "json", "ee-structured").prompt.partition("\n")[0])["schema"] == [
        {"type": "meeting", "roles": ["place", "guest"]}
    ]


@pytest.mark.parametrize("item", ALL, ids=lambda item: item.family)
def test_prompt_and_completion_have_the_same_tokens_apart_and_together(item: Instruction) -> None:
    """A trainer that tokenizes both apart sees what a model sees that writes on from the prompt."""
    from tokenizers import Tokenizer

    import harness

    folder = Path(harness.__file__).parent / "assets" / "nano"
    tokenizer = Tokenizer.from_file(str(next(folder.rglob("tokenizer.json"))))
    for name, form in FORMATS.items():
        if form.can(item):
            made = example(item, name, train_phrasings(item.family)[0])
            apart = [tokenizer.encode(part, add_special_tokens=False).ids for part in (made.prompt, made.completion)]
            together = tokenizer.encode(made.prompt + made.completion, add_special_tokens=False).ids
            assert apart[0] + apart[1] == together, name


def test_training_and_evaluation_share_no_format_and_no_phrasing() -> None:
    """What is held out is never offered for training; every family keeps a phrasing back."""
    settings = FormatSettings()
    assert not set(train_formats(settings)) & set(held_out_formats(settings))
    assert set(train_formats(settings)) | set(held_out_formats(settings)) == set(FORMATS)
    for family in Family:
        assert train_phrasings(family)
        assert held_out_phrasings(family)
        assert not set(train_phrasings(family)) & set(held_out_phrasings(family))


def test_a_recipe_that_contradicts_itself_is_refused() -> None:
    """A format that is trained on and held out, or that does not exist, is an error that names it."""
    with pytest.raises(DataError, match="yaml"):
        train_formats(FormatSettings(train=("yaml",), held_out=("yaml",)))
    with pytest.raises(DataError, match="json"):
        train_formats(FormatSettings(held_out=("json",)))
    with pytest.raises(UsageError, match="did you mean tsv"):
        held_out_formats(FormatSettings(held_out=("tvs",)))


def test_json_stands_in_where_the_basic_format_cannot_carry_an_answer() -> None:
    """Two labels have no plain answer, a line break has no table: the basic example is JSON."""
    assert basic_format(LABEL, "json") == "plain"
    assert basic_format(replace(LABEL, answer=({"label": "a"}, {"label": "b"})), "yaml") == "yaml"
    assert basic_format(replace(ENTITIES, answer=({"label": "a", "text": "x\ny"},)), "markdown_table") == "json"
