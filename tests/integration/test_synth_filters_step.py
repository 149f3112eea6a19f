"""The step ``filter`` over folders of shards: the same anywhere, resumable, nothing deleted, siblings spared."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import pytest
from faulty_server import Act, FaultyServer
from rouge_score.rouge_scorer import RougeScorer
from synth_pools import instructions, write_pool

from harness.contamination import item_texts
from harness.errors import CheckpointError, DataError, MissingInputError, UsageError
from harness.executors import local
from synth.filters import FILTERS, Context, Counts, annotate
from synth.formats import FORMATS, example, train_phrasings
from synth.recipe import FilterSettings, TeacherSettings
from synth.records import Annotation, Example, Family, Instruction, Schema, example_of
from synth.shards import read_shards, shards

T = TypeVar("T")
R = TypeVar("R")

LONG = "The harbour office of Graz said on Monday that the ferry to Oslo will leave at nine and call at every island."
NEAR = LONG.replace("Monday", "Friday") + " It was late."


class Killed(Exception):  # noqa: N818
    """The end of a process."""


class Dying:
    """An executor that is killed after some shards of its last job."""

    def __init__(self, jobs: int, shards: int) -> None:
        """Die in the given job, after the given number of shards."""
        self.jobs, self.shards = jobs, shards

    def map(self, function: Callable[[T], R], inputs: Sequence[T]) -> Iterator[R]:
        """Results, up to the end."""
        self.jobs -= 1
        for number, item in enumerate(inputs):
            if not self.jobs and number == self.shards:
                raise Killed
            yield function(item)


def asked(document: str, text: str, family: Family = Family.TC, **changes: Any) -> Instruction:
    """An instruction about one text."""
    schema = Schema() if family is Family.GENERAL else Schema(("travel", "food"))
    answer: Any = ({"text": "Gladly."},) if family is Family.GENERAL else ({"label": "travel"},)
    return replace(Instruction(family, "notes", document, text, schema, answer, "none"), **changes)


def shown(one: Instruction, form: str = "plain") -> Example:
    """The example of an instruction."""
    texts = ("A guideline." if one.guideline else "", "A rule." if one.rule else "")
    return example(one, form, train_phrasings(one.family)[0], *texts)


def pool(folder: Path, documents: int = 30) -> Path:
    """Two examples of each of some documents, in shards of 8."""
    made = [shown(one, form) for one in instructions(documents) for form in ("json", "yaml")]
    return write_pool(folder, made, 8)


def run(folder: Path, made: Sequence[Example], size: int = 100, **settings: Any) -> dict[str, list[Annotation]]:
    """Annotations of examples by filter, in their order."""
    texts = {key: settings.pop(key) for key in ("guidelines", "rules") if key in settings}
    write_pool(folder / "examples", list(made), size)
    context = Context(FilterSettings(**{"suites": (), **settings}), folder, **texts)
    annotate(folder / "examples", folder / "filtered", context, local(1))
    rows = [example_of(row) for row in read_shards(folder / "filtered")]
    assert [replace(row, filters=()) for row in rows] == list(made)
    return {name: [item for row in rows for item in row.filters if item.name == name] for name in FILTERS}


def content(folder: Path) -> list[tuple[str, bytes]]:
    """Names and bytes of all shards."""
    return [(path.name, path.read_bytes()) for path in shards(folder)]


def test_the_result_is_the_same_with_any_number_of_workers(tmp_path: Path) -> None:
    """One process and two write the same bytes and counts; a second call of the same content does nothing."""
    pool(tmp_path / "examples")
    light = tuple(name for name in FILTERS if name not in ("length", "judge"))  # a tokenizer starts slowly
    context = Context(FilterSettings(use=light, near_duplicate=0.3), tmp_path)
    one = annotate(tmp_path / "examples", tmp_path / "one", context, local(1))
    two = annotate(tmp_path / "examples", tmp_path / "two", context, local(2))
    assert one == two
    assert content(tmp_path / "one") == content(tmp_path / "two")
    assert one.examples == 60
    before = [path.stat().st_mtime_ns for path in shards(tmp_path / "one")]
    assert annotate(tmp_path / "examples", tmp_path / "one", context, local(1)) == one
    assert [path.stat().st_mtime_ns for path in shards(tmp_path / "one")] == before


@pytest.mark.parametrize(("jobs", "kept"), [(1, 3), (2, 0), (3, 0), (3, 5)])
def test_a_killed_step_goes_on(tmp_path: Path, jobs: int, kept: int) -> None:
    """Killed while it surveys, compares or annotates, it keeps whole shards and ends as if it had not been killed."""
    pool(tmp_path / "examples")
    context = Context(FilterSettings(suites=(), near_duplicate=0.3), tmp_path)
    whole = annotate(tmp_path / "examples", tmp_path / "whole", context, local(1))
    with pytest.raises(Killed):
        annotate(tmp_path / "examples", tmp_path / "out", context, Dying(jobs, kept))
    there = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").glob("part-*")}
    assert len(there) == (kept if jobs == 3 else 0)
    assert annotate(tmp_path / "examples", tmp_path / "out", context, local(1)) == whole
    assert content(tmp_path / "out") == content(tmp_path / "whole")
    assert all(path.stat().st_mtime_ns == stamp for path, stamp in there.items())
    assert not list((tmp_path / "out").glob("_state*"))


def test_other_settings_begin_anew(tmp_path: Path) -> None:
    """Shards of other settings, or of other examples, are not kept."""
    pool(tmp_path / "examples")

    def made(most: int) -> Counts:
        context = Context(FilterSettings(suites=(), max_tokens=most), tmp_path)
        return annotate(tmp_path / "examples", tmp_path / "out", context, local(1))

    assert made(2000).failed["length"] == 0
    assert made(1).failed["length"] == 60
    pool(tmp_path / "examples", 31)
    assert made(1).failed["length"] == 62


def test_near_duplicates_are_later_documents_with_nearly_the_same_text(tmp_path: Path) -> None:
    """Equal and nearly equal texts of other documents are named with both similarities; variants are not."""
    texts = [("a", LONG), ("a", LONG), ("b", "A baker sells rye bread."), ("c", LONG), ("d", NEAR), ("e", NEAR[:60])]
    forms = ["plain", "json", "plain", "plain", "plain", "plain"]
    made = [shown(asked(*text), form) for text, form in zip(texts, forms, strict=True)]
    found = run(tmp_path, made, size=2, use=("near_duplicate",), near_duplicate=0.5)["near_duplicate"]
    assert [item.passed for item in found] == [True, True, True, False, False, True]
    assert found[3].value == {"input": {"of": "a", "jaccard": 1.0, "rouge_l": 1.0}}
    wanted = RougeScorer(["rougeL"]).score(LONG, NEAR)["rougeL"].fmeasure
    assert found[4].value["input"] == {
        "of": "a",
        "jaccard": 0.5,
        "rouge_l": round(wanted, 3),
    }
    assert found[4].reason == "its input repeats document a (Jaccard similarity 0.5)"


def test_families_are_not_compared(tmp_path: Path) -> None:
    """The same text asked for labels and for prose is two tasks."""
    made = [shown(asked("a", LONG)), shown(asked("b", LONG, Family.GENERAL))]
    assert all(item.passed for item in run(tmp_path, made, use=("near_duplicate",))["near_duplicate"])


def test_what_repeats_a_near_duplicate_only_passes(tmp_path: Path) -> None:
    """In a chain of ever more changed texts, one that is far from all that pass is kept."""
    words = [f"w{number}" for number in range(100)]
    texts = []
    for step in range(3):
        texts.append(" ".join(words[: 100 - 9 * step] + [f"x{number}" for number in range(9 * step)]))
    found = run(tmp_path, [shown(asked(str(n), text)) for n, text in enumerate(texts)], use=("near_duplicate",))
    assert [item.passed for item in found["near_duplicate"]] == [True, False, True]


def test_copies_and_repeated_guidelines_and_rules(tmp_path: Path) -> None:
    """An example twice is a copy; a guideline repeats an earlier one of the same source, not of another."""
    one, two, other = (asked(name, f"{name} went away.") for name in "abc")
    made = [
        shown(replace(one, guideline="g1", rule="r1")),
        shown(replace(one, guideline="g1", rule="r1")),
        shown(replace(two, guideline="g2", rule="r2")),
        shown(replace(other, guideline="g2", source="diary")),
    ]
    guidelines, rules = {"g1": LONG, "g2": LONG.upper()}, {"r1": "Leave titles out.", "r2": "Give titles too."}
    texts: dict[str, Any] = {"guidelines": guidelines, "rules": rules}
    found = run(tmp_path, made, use=("near_duplicate",), **texts)["near_duplicate"]
    alike = {"of": "g1", "jaccard": 1.0, "rouge_l": 1.0}
    assert [item.value for item in found] == [{}, {"copy": True}, {"guideline": alike}, {}]
    assert found[2].reason == "its guideline repeats guideline g1 (Jaccard similarity 1.0)"


def test_siblings_are_capped_over_shards(tmp_path: Path) -> None:
    """The first examples of a document pass, wherever the shards are cut."""
    made = [shown(asked(name, name), form) for form in ("plain", "json", "yaml", "xml") for name in ("a", "b")]
    found = run(tmp_path, made, size=3, use=("siblings",), siblings=3)["siblings"]
    assert [item.value for item in found] == [1, 1, 2, 2, 3, 3, 4, 4]
    assert [item.passed for item in found] == [True] * 6 + [False] * 2


def test_test_items_are_found_in_text_and_prose(tmp_path: Path) -> None:
    """An item of the chosen suite is named with its task; text of our own is clean; a label is no prose."""
    item = next(one for one in item_texts(["quick"], None) if one.task == "quick_mrc" and one.kind == "context")
    prose = asked("c", "Tell me about it.", Family.GENERAL, answer=({"text": item.text},))
    made = [shown(asked("a", LONG)), shown(asked("b", "Note. " + item.text)), shown(prose)]
    found = run(tmp_path, made, use=("contamination",), suites=("quick",))["contamination"]
    assert [one.passed for one in found] == [True, False, False]
    assert found[0].value == {}
    assert found[1].value["levels"] == ["sentence", "ngram"]
    assert found[2].value["levels"] == ["text", "sentence", "ngram"]
    assert set(found[1].value["tasks"]) == {"quick_mrc"}
    assert f"of quick_mrc (test): {item.text[:20]!r}"[:-1] in found[1].reason


def test_the_judge_scores_every_example_once(tmp_path: Path) -> None:
    """Scores below the recipe's do not pass, nor does an example without one; a second step asks nothing again."""
    replies = ["5", "2", "no idea"]

    def plan(number: int, body: dict[str, Any]) -> Act:
        prompt = json.dumps(body["messages"])
        reply = next(reply for place, reply in zip("xyz", replies, strict=True) if f"went to {place}." in prompt)
        return Act(text=json.dumps({"score": int(reply), "reason": "So it is."}) if reply.isdigit() else reply)

    made = [shown(asked(name, f"{name} went to {place}.")) for name, place in (("a", "x"), ("b", "y"), ("c", "z"))]
    with FaultyServer(plan) as server:
        teacher = TeacherSettings(kind="endpoint", model="fake", url=server.url, reasks=0)
        write_pool(tmp_path / "examples", made, 2)
        context = Context(FilterSettings(use=("judge",), judge=3), tmp_path, teacher=teacher)
        counts = annotate(tmp_path / "examples", tmp_path / "filtered", context, local(1))
        found = [example_of(row).filters[0] for row in read_shards(tmp_path / "filtered")]
    assert counts == Counts(3, 1, {"judge": 2})
    assert [item.value for item in found] == [5, 2, None]
    assert found[1].reason == "the judge gave 2 of 5: So it is."
    assert found[2].reason.startswith("the judge gave no score: ")
    again = Context(FilterSettings(use=("judge",), judge=2), tmp_path, teacher=teacher)  # the server is gone
    assert annotate(tmp_path / "examples", tmp_path / "again", again, local(1)).failed == {"judge": 1}


def test_the_rulebook_is_no_judge(tmp_path: Path) -> None:
    """A recipe that asks for a judge needs a model."""
    with pytest.raises(DataError, match=r"cannot judge; set teacher\.kind"):
        run(tmp_path, [shown(asked("a", LONG))], judge=3)


def test_a_text_of_a_megabyte_and_lone_surrogates(tmp_path: Path) -> None:
    """Both go through every filter and come back whole."""
    huge = asked("a", "The ferry leaves at nine. " * 40_000, Family.GENERAL)
    odd = asked("b", "The \ud800 ferry leaves at nine.", Family.GENERAL)
    found = run(tmp_path, [shown(huge), shown(odd)], suites=("quick",))
    assert [item.passed for item in found["length"]] == [False, False]
    assert [len(found[name]) for name in FILTERS if name != "judge"] == [2] * (len(FILTERS) - 1)


def test_zero_labels_are_annotated(tmp_path: Path) -> None:
    """A schema without labels and an answer without facts is one problem of the schema and none of the step."""
    made = shown(asked("a", LONG))
    empty = replace(made, instruction=replace(made.instruction, schema=Schema(), answer=()))
    found = run(tmp_path, [empty])
    assert found["schema_valid"][0].reason == "the schema has no label; the answer is empty"


def test_what_stops_the_step_is_a_sentence(tmp_path: Path) -> None:
    """No shard, a torn shard, a wrong name, a broken tokenizer: said before or with the place, and nothing is lost."""

    def stopped(error: type[Exception], words: str, **settings: Any) -> None:
        context = Context(FilterSettings(**{"suites": (), **settings}), tmp_path)
        with pytest.raises(error, match=words):
            annotate(tmp_path / "examples", tmp_path / "out", context, local(1))

    stopped(MissingInputError, "holds no shard")
    folder = pool(tmp_path / "examples")
    stopped(UsageError, "did you mean near_duplicate", use=("near_duplicates",))
    stopped(UsageError, "did you mean quick", suites=("quik",))
    stopped(CheckpointError, "name a folder with tokenizer files", tokenizer=str(tmp_path))
    last = shards(folder)[-1]
    last.write_bytes(last.read_bytes()[:-20])
    stopped(DataError, f"{last.name}, line")
    assert set(FORMATS) >= {"json", "yaml"}
