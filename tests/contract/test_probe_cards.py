"""Every probe card keeps the contract, asks the documents of its group, and says truly what training may have seen."""

from __future__ import annotations

import json
import os
from collections import defaultdict
from functools import cache
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.catalog import Card, load_catalog, task_of
from harness.engines.tasks import BuiltTask, TaskOptions, build_tasks
from harness.prompts.schema import words
from harness.testing import check_card, empty_answers, gold_answers
from synth import seeds
from synth.formats import FORMATS, held_out_formats, phrasings, train_formats
from synth.probes import folder
from synth.probes.reading import Reading
from synth.probes.rows import asked
from synth.probes.swaps import SWAPS
from synth.recipe import FormatSettings, InstructionSettings, RuleSettings
from synth.records import Family
from synth.rulebook import templates
from synth.rulebook.library import entries, lookup
from synth.rules import held_out_names
from synth.sources.registry import registry

ROOT = Path(__file__).parents[2]
MIRROR = Path(os.environ.get("HARNESS_MIRROR") or ROOT.parent / "shared" / "data")
CARDS = {name: card for name, card in load_catalog().cards.items() if card.path.is_relative_to(folder())}
REAL = sorted(task.name for task in load_catalog().suite("probe-formats-real").tasks)
EMBEDDED = sorted(CARDS.keys() - set(REAL))
GENERAL = ("probe_general", "probe_instructions")
SUITES = ("probe-formats", "probe-rules", "probe-schema", "probe-general")

cards = pytest.mark.parametrize("name", [*EMBEDDED, *(pytest.param(name, marks=pytest.mark.realdata) for name in REAL)])
asking = pytest.mark.parametrize(
    "name", [name for name in EMBEDDED if name not in GENERAL]
    + [pytest.param(name, marks=pytest.mark.realdata) for name in REAL],
)  # fmt: skip


@cache
def every(real: bool) -> dict[str, BuiltTask]:
    """The cards as a run builds them."""
    catalog = load_catalog()
    tasks = [catalog.task(name) for name in (REAL if real else EMBEDDED)]
    made = build_tasks(tasks, catalog.folders, MIRROR if real else None, TaskOptions())
    return {task.task.name: task for task in made}


def built(name: str) -> BuiltTask:
    """A card as a run builds it."""
    if name in REAL and not MIRROR.is_dir():
        pytest.skip("no mirror of the data sets: set HARNESS_MIRROR to a folder laid out as <org>/<name>/")
    return every(name in REAL)[name]


def metadata(name: str) -> dict[str, Any]:
    """The metadata block of a card."""
    return dict(CARDS[name].content["metadata"])


def probe(name: str) -> dict[str, Any]:
    """What a card probes."""
    return dict(metadata(name)["probe"])


def rates(name: str, answers: list[list[Any]]) -> dict[str, float]:
    """Every metric of a card, folded over its rows."""
    task = built(name).lm_task
    counted = [task.process_results(doc, answer) for doc, answer in zip(built(name).docs, answers, strict=True)]
    return {metric: fold([row[metric] for row in counted]) for metric, fold in task.aggregation().items()}


@cards
def test_card_keeps_the_contract(name: str) -> None:
    """Gold scores 1 and nothing less, counts and metric_list agree, the prompt does not depend on the gold."""
    assert check_card(built(name), docs=100) == []


@asking
def test_the_gold_of_every_document_is_read_back_and_right(name: str) -> None:
    """Rendered in the format and read again, each gold answer is whole, by the format's own parser, in no other format.

    Some answers are the same text in two formats, such as a label alone; then the asked parser takes it.
    """
    rows = [gold_answers(built(name), doc) for doc in built(name).docs]
    readings: list[Reading] = [reading for row in rows for reading in row]
    found = rates(name, rows)
    assert {reading["reading"] for reading in readings} == {"strict"}
    assert found["correct"] == found[metadata(name)["metric"]] == 1.0
    assert found["parse_failure"] == found["repaired"] == found["other_format"] == 0.0
    assert all(found.get(rate, 0.0) == 0.0 for rate in ("schema_violation", "absent_label", "off_list"))
    if "rule_followed" in found:
        assert (found["rule_followed"], found["rule_ignored"]) == (1.0, 0.0)


@asking
def test_no_answer_is_no_prediction(name: str) -> None:
    """An empty text is unreadable, neither right nor in another format, and follows no rule."""
    found = rates(name, [empty_answers(built(name), doc) for doc in built(name).docs])
    assert found["parse_failure"] == 1.0
    assert [found[metric] for metric in ("correct", "other_format", metadata(name)["metric"])] == [0.0, 0.0, 0.0]
    assert found.get("rule_followed", 0.0) == 0.0


@pytest.mark.parametrize("name", [name for name in EMBEDDED if CARDS[name].content["task"].startswith("probe_rule")])
def test_the_answer_without_the_rule_ignores_it(name: str) -> None:
    """What is right under the default rule is counted as ignoring on every document that the rule changes."""
    one = probe(name)
    if one["variant"] == "default":
        return
    without = built(f"probe_rule_{one['of']}_default")
    default = [gold_answers(without, doc) for doc in without.docs]
    task = built(name).lm_task
    weights = [task.process_results(*pair)["rule_followed"][1] for pair in zip(built(name).docs, default, strict=True)]
    found = rates(name, default)
    assert (found["rule_followed"], found["rule_ignored"]) == (0.0, 1.0)
    assert sum(weights) >= 10


def test_probes_of_one_kind_and_task_ask_the_same_documents() -> None:
    """Their records pair by row: same texts and questions in the same order, and as many as the card says."""
    groups: dict[tuple[str, str], list[list[tuple[str, str]]]] = defaultdict(list)
    for name in EMBEDDED:
        docs = built(name).docs
        if name not in GENERAL:
            assert len(docs) == metadata(name)["documents"]
            groups[probe(name)["kind"], probe(name)["of"]].append([(doc["text"], doc["question"]) for doc in docs])
    assert all(texts == group[0] for group in groups.values() for texts in group)
    assert all(len(group) >= 2 for group in groups.values())


@asking
def test_gold_fits_the_token_limit(name: str) -> None:
    """The longest gold answer fits into the generation limit at two characters per token."""
    task = built(name).lm_task
    texts = [text for doc in built(name).docs for text in _targets(task, doc)]
    assert max(map(len, texts)) <= 2 * task.config.generation_kwargs["max_gen_toks"]


def _targets(task: Any, doc: Any) -> list[str]:
    whole = task.batches
    found = []
    for batch in whole:
        task.batches = (batch,)
        found.append(task.doc_to_target(doc))
    task.batches = whole
    return found


@pytest.mark.parametrize("name", [name for name in CARDS if name not in GENERAL])
def test_seen_is_what_a_corpus_of_the_default_recipe_may_hold(name: str) -> None:
    """Formats, wordings and rules are flagged by the code that keeps them out, labels, order and size by reference."""
    one = probe(name)
    kind, variant = one["kind"], one["variant"]
    held_out = {
        "format": variant in held_out_formats(FormatSettings()),
        "phrasing": kind == "phrasing" and phrasings()[variant].held_out,
        "rule": variant in held_out_names(RuleSettings().held_out),
        "labels": variant == "renamed",
        "order": variant == "reversed",
        "schema": variant != str(InstructionSettings().labels[Family.NER]),
    }
    assert one["seen"] is not held_out[kind]


def test_every_group_has_seen_and_held_out_variants() -> None:
    """Of formats, wordings and rules there are both, so that the two can be compared."""
    flags: dict[tuple[str, str], set[bool]] = defaultdict(set)
    for name in CARDS:
        flags[probe(name)["kind"], probe(name)["of"]].add(probe(name)["seen"])
    assert all(found == {True, False} for (kind, _), found in flags.items() if kind != "general")


def test_a_held_out_format_writes_what_no_trained_format_writes() -> None:
    """No gold answer in a held-out format is a text that training may have shown; with one column TSV would be CSV."""
    trained = [FORMATS[name] for name in train_formats(FormatSettings())]
    for name in EMBEDDED:
        if probe(name)["kind"] == "format" and not probe(name)["seen"]:
            for doc in built(name).docs:
                question = asked(doc)
                seen = {form.render(question) for form in trained if form.can(question)}
                assert FORMATS[doc["format"]].render(question) not in seen
    topic = asked(built("probe_format_quick_topic_plain").docs[0])
    assert FORMATS["tsv"].render(topic) == FORMATS["csv"].render(topic)


@pytest.mark.parametrize("of", sorted({probe(name)["of"] for name in CARDS} - set(GENERAL)))
def test_labels_are_those_of_the_probed_card(of: str) -> None:
    """A probe asks for the labels that its card asks for, under the same names; others only where it says so."""
    base = load_catalog().cards[of].content["metadata"].get("labels")
    for name in CARDS:
        one = probe(name)
        if one["of"] != of or base is None or one["kind"] == "labels" or one["variant"] == "all":
            continue
        own = metadata(name)["labels"]
        assert own.keys() == base.keys() or (of == "geneva" and own.keys() < base.keys())
        for code, label in own.items():
            assert (label.get("name", words(code)), label.get("roles")) == (
                base[code].get("name", words(code)), base[code].get("roles")
            )  # fmt: skip


def test_renamed_labels_occur_in_no_corpus() -> None:
    """No seed domain, data set, guideline or rule of synthesis knows the new names."""
    known = {label for document in seeds.documents(0, 1500) for label in document.schema.labels}
    known |= {name for family in Family for name, entry in entries(family).items() for name in (name, *entry.names)}
    known |= {new for template in templates() for new in template.names.values()}
    known |= {word for entry in registry().values() for word in entry.labels.values()}
    renamed = [
        (Family(metadata(name)["asks"]), label["name"])
        for name in EMBEDDED if probe(name)["variant"] == "renamed" for label in metadata(name)["labels"].values()
    ]  # fmt: skip
    assert len(renamed) == 17
    assert not {name for _, name in renamed} & known
    assert [name for family, name in renamed if lookup(family, name)] == []


def test_sizes_of_the_schema_are_one_six_and_all() -> None:
    """One label per prompt, the size that training uses, and twelve labels of which the texts hold six at most."""
    sizes = {name: [len(batch) for batch in built(name).lm_task.batches] for name in EMBEDDED
             if probe(name)["kind"] == "schema"}  # fmt: skip
    assert sizes == {
        "probe_schema_quick_ner_1": [1] * 5, "probe_schema_quick_ner_6": [5], "probe_schema_quick_ner_all": [12],
        "probe_schema_quick_re_1": [1] * 6, "probe_schema_quick_re_6": [6], "probe_schema_quick_re_all": [12],
    }  # fmt: skip


def test_every_rule_of_the_swaps_has_a_card_and_every_task_a_default() -> None:
    """The table of rules and the cards agree: no document is left out for a rule that nobody asks for."""
    asked: dict[str, set[str]] = defaultdict(set)
    for name in EMBEDDED:
        if probe(name)["kind"] == "rule":
            asked[probe(name)["of"]].add(probe(name)["variant"])
    assert asked == {of: {"default", *rules} for of, rules in SWAPS.items()}


def test_suites_hold_every_card_once() -> None:
    """The four suites together are all embedded cards, and ``probes`` is the four; families are kinds of probes."""
    catalog = load_catalog()
    parts = [task.name for suite in SUITES for task in catalog.suite(suite).tasks]
    assert sorted(parts) == EMBEDDED
    assert [task.name for task in catalog.suite("probes").tasks] == parts
    assert all(task.family == task.probe["kind"] for suite in SUITES for task in catalog.suite(suite).tasks)


@pytest.mark.parametrize("card", CARDS.values(), ids=CARDS.keys())
def test_card_names_what_it_is(card: Card) -> None:
    """The name of a card is its file's, and holds kind, task and variant; items come from where they lie."""
    task = task_of(card)
    one = task.probe
    assert card.path.stem == card.name
    if card.name not in GENERAL:
        assert card.name == f"probe_{one['kind']}_{one['of']}_{one['variant'].replace('-', '_')}"
        assert one["kind"] != "format" or one["variant"] in FORMATS
        assert card.content.get("dataset_kwargs", {}).get("items", "").startswith("quick/") or card.name in REAL


def test_the_harness_finds_the_suites_through_the_entry_point_alone() -> None:
    """The group ``harness.suites`` names the folder; nothing in the harness does."""
    points = {point.name: point.value for point in entry_points(group="harness.suites")}
    assert points["synth"] == "synth.probes:folder"
    assert yaml.safe_load((folder() / "suites" / "probes.yaml").read_text(encoding="utf-8"))["suite"] == "probes"


@pytest.mark.parametrize(
    "name", ["probe_format_quick_ner_tsv", "probe_rule_quick_ee_no_place", "probe_schema_quick_re_1"]
)
def test_a_prediction_is_plain_data(name: str) -> None:
    """What a record keeps of an answer survives JSON, and counts the same afterwards."""
    task = built(name).lm_task
    for doc in built(name).docs:
        answers = gold_answers(built(name), doc)
        kept = json.loads(json.dumps(answers))
        assert task.process_results(doc, kept) == task.process_results(doc, answers)
