"""``harness contamination`` as a user types it: planted items, reports, exit codes, and the way to a leaderboard."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import numpy as np
import pytest
from records import make_run, rows

from harness.cli import main
from harness.contamination import Index, load
from harness.nouns import Run
from harness.store import load_run, read_records

SCHEMA = files("harness") / "assets" / "schemas" / "contamination-1.json"
Call = Callable[..., tuple[int, str, str]]


def items(name: str) -> list[dict[str, Any]]:
    """Items of the embedded suite."""
    text = (files("harness") / "assets" / "quick" / f"{name}.jsonl").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


def write(path: Path, texts: Iterator[str] | list[str]) -> Path:
    """A training file of prompts."""
    path.write_text("".join(json.dumps({"prompt": text}) + "\n" for text in texts), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def out(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for reports; its index of the test items is built once."""
    return tmp_path_factory.mktemp("contamination")


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str], out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Call:
    """Run the verb in this process; returns exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("HARNESS_MIRROR", raising=False)

    def typed(*arguments: object, verb: str = "contamination") -> tuple[int, str, str]:
        capsys.readouterr()
        given = [verb, *map(str, arguments)]
        if verb == "contamination" and "-o" not in given:
            given += ["-o", str(out)]
        with pytest.raises(SystemExit) as ended:
            main(given)
        found = capsys.readouterr()
        return int(ended.value.code or 0), found.out, found.err

    return typed


@pytest.fixture
def index(out: Path, call: Call, tmp_path: Path) -> Index:
    """The index of the embedded suite."""
    call("-d", write(tmp_path / "first.jsonl", ["Nothing of it."]), "-S", "quick")
    (index,) = [found for found in map(load, out.glob("index/*/")) if not found.uncovered]
    return index


def planted() -> list[str]:
    """Training rows that hold test items in four ways, and one that holds none."""
    ner, mrc, topic = items("ner"), items("mrc"), items("topic")
    sentence = next(part for part in mrc[0]["context"].split(". ") if 9 <= len(part.split()) <= 12)
    words = topic[4]["text"].split()
    return [
        ner[0]["text"],
        "Translate what follows. " + ner[1]["text"].upper() + " Thank you.",
        f"He said this. {sentence}. Then he left.",
        "One more time we heard that " + " ".join(words[1:14]) + " and so on and on.",
        "They wrote " + " ".join(items("sentiment")[5]["text"].split()[:9]).rstrip(".") + " yesterday or so.",
        "A sentence of my own about the weather in a town that no test has ever heard of.",
    ]


def levels(document: dict[str, Any], task: str) -> dict[int, list[str]]:
    """Levels of every touched item of a task."""
    (entry,) = [entry for entry in document["tasks"] if entry["task"] == task]
    return {item["doc_id"]: item["levels"] for item in entry["touched"]}


def test_planted_items_are_found_and_nothing_else(call: Call, tmp_path: Path, out: Path) -> None:
    """A whole item, one inside a prompt, a sentence, 13 words and 8 words are told apart, in a valid document."""
    data = write(tmp_path / "train.jsonl", planted())
    code, printed, _ = call("--data", data, "--suite", "quick", "--json")
    assert code == 0
    document = json.loads(printed)
    jsonschema.validate(document, json.loads(SCHEMA.read_text(encoding="utf-8")), cls=jsonschema.Draft202012Validator)
    assert document == json.loads((out / "contamination.json").read_text(encoding="utf-8"))
    whole = ["text", "sentence", "13-gram", "8-gram"]
    assert levels(document, "quick_ner") == {0: whole, 1: whole}
    passage = items("mrc")[0]["passage_id"]
    of_passage = [number for number, item in enumerate(items("mrc")) if item["passage_id"] == passage]
    assert levels(document, "quick_mrc") == {number: ["sentence", "8-gram"] for number in of_passage}
    assert levels(document, "quick_topic") == {4: ["13-gram", "8-gram"]}
    assert levels(document, "quick_sentiment") == {5: ["8-gram"]}
    assert document["corpus"] | {"digest": ""} == {
        "name": "train.jsonl", "digest": "", "files": ["train.jsonl"], "fields": [], "rows": 6, "texts": 6,
    }  # fmt: skip
    clean = [entry["task"] for entry in document["tasks"] if not entry["touched"]]
    assert "quick_knowledge" in clean


def test_examples_show_both_sides(call: Call, tmp_path: Path, out: Path) -> None:
    """Terminal and page show the stretch in the training row and in the item, with place and length."""
    data = write(tmp_path / "train.jsonl", planted())
    code, printed, _ = call("-d", data, "-S", "quick")
    assert code == 0
    assert "quick_topic" in printed
    assert "In the corpus" in printed
    page = (out / "contamination.md").read_text(encoding="utf-8")
    document = json.loads((out / "contamination.json").read_text(encoding="utf-8"))
    (topic,) = [entry for entry in document["tasks"] if entry["task"] == "quick_topic"]
    (example,) = topic["examples"]
    assert (example["file"], example["row"], example["field"], example["doc_id"]) == ("train.jsonl", 4, "prompt", 4)
    assert example["trained"]["shared"] == example["tested"]["shared"]
    assert example["trained"]["before"] == "One more time we heard that "
    assert "train.jsonl:4" in page


def test_processes_pieces_and_order_change_nothing(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two processes, pieces of one row, and the files in another order find the same."""
    texts = planted() * 3
    write(tmp_path / "all.jsonl", texts)
    whole = json.loads(call("-d", tmp_path / "all.jsonl", "-S", "quick", "--json")[1])["tasks"]
    monkeypatch.setattr("harness.contamination.against._PIECE_ROWS", 1)
    cut = json.loads(call("-d", tmp_path / "all.jsonl", "-S", "quick", "-w", "2", "--json")[1])["tasks"]
    assert cut == whole


def test_a_field_is_searched_alone(call: Call, tmp_path: Path) -> None:
    """What stands in another field does not count; a field that no row has is an error with the rows."""
    text = items("ner")[0]["text"]
    data = tmp_path / "train.jsonl"
    data.write_text(json.dumps({"prompt": "Hello.", "messages": [{"content": text}]}) + "\n", encoding="utf-8")
    inside = json.loads(call("-d", data, "-S", "quick", "--field", "messages.content", "--json")[1])
    outside = json.loads(call("-d", data, "-S", "quick", "--field", "prompt", "--json")[1])
    assert levels(inside, "quick_ner")
    assert not levels(outside, "quick_ner")
    code, _, said = call("-d", data, "-S", "quick", "--field", "text")
    assert code == 65
    assert "has 1 rows and no string in the field text" in said


def test_a_limit_fails_the_build(call: Call, tmp_path: Path) -> None:
    """--fail_over is 1 where a task's share is over it, and names the task; at the share itself it is 0."""
    data = write(tmp_path / "train.jsonl", planted())
    code, _, said = call("-d", data, "-S", "quick", "--fail_over", "0.01")
    assert code == 1
    assert "over the limit of 1.0 %: quick_ner 2.0 %" in said
    assert call("-d", data, "-S", "quick", "--fail_over", repr(2 / 98))[0] == 0


@pytest.mark.parametrize(
    ("arguments", "code", "why"),
    [
        (["-d", "train.jsonl"], 64, "names none"),
        (["-S", "quick"], 64, "--data"),
        (["-d", "train.jsonl", "-S", "quik"], 64, "quick"),
        (["-d", "train.jsonl", "-S", "quick", "-B", "1234"], 64, "has no run to be held against it"),
        (["-d", "train.jsonl", "-S", "quick", "--fail_over", "2"], 64, "--fail_over"),
        (["-d", "nowhere", "-S", "quick"], 66, "is neither a file nor a folder"),
        (["-d", "empty.jsonl", "-S", "quick"], 65, "holds no row"),
        (["-d", "numbers.jsonl", "-S", "quick"], 65, "no string of text"),
        (["-d", "broken.jsonl", "-S", "quick"], 65, "line 2: is no JSON"),
        (["-d", "train.jsonl", "-S", "quick", "--mirror", "nowhere"], 66, "is not a folder"),
        (["-d", "train.jsonl", "-S", "ner"], 66, "no task whose data is on this machine"),
        (["-d", "train.jsonl", "-S", "quick", "--run", "latest"], 66, "holds no runs"),
        (["-d", "train.jsonl", "-S", "quick", "-o", "train.jsonl"], 73, "cannot be written"),
    ],
)
def test_bad_input_is_said_in_a_sentence(call: Call, tmp_path: Path, arguments: list[str], code: int, why: str) -> None:
    """Nothing named, nothing there, nothing in it, a broken row: each has its exit code and its reason."""
    write(tmp_path / "train.jsonl", ["A text of some length for all."])
    (tmp_path / "empty.jsonl").write_text("\n", encoding="utf-8")
    (tmp_path / "numbers.jsonl").write_text("[1, 2]\n", encoding="utf-8")
    (tmp_path / "broken.jsonl").write_text('{"a": "b"}\n{"a"\n', encoding="utf-8")
    found, printed, said = call(*arguments)
    assert (found, printed) == (code, "")
    assert why in said
    assert "Traceback" not in said


def test_tasks_without_data_are_said(call: Call, tmp_path: Path) -> None:
    """Where some tasks can be checked and others not, the others are named on stderr, and listed in the document."""
    code, printed, said = call("-d", write(tmp_path / "train.jsonl", planted()), "-S", "quick", "-S", "ner", "--json")
    document = json.loads(printed)
    assert code == 0
    assert "crossner_ai" in {task["task"] for task in document["not_checked"]}
    assert {task["suite"] for task in document["tasks"]} == {"quick"}
    assert "Contamination" not in said
    shown = call("-d", tmp_path / "train.jsonl", "-S", "quick", "-S", "ner")
    assert "was not checked" in shown[2]


def test_ids_are_those_of_records(index: Index, repo: Path) -> None:
    """The index knows every item of a published run by the id that its record has."""
    store = repo / "leaderboards" / "runs"
    files = [f"items/{task}.jsonl.zst" for task in index.items]
    whole = (run for run in sorted(store.glob("[0-9a-f]*/")) if all((run / file).is_file() for file in files))
    published = next(whole, None)
    if published is None:
        pytest.skip("the published records are not part of a source distribution")
    run = load_run(str(published), store)
    for task in index.items:
        ids = index.ids_of(task)
        assert {record.doc_id: record.item for record in read_records(run, task)} == dict(enumerate(ids))


def scored(store: Path, index: Index, day: int, values: dict[str, np.ndarray]) -> Run:
    """A run on the items of the embedded suite with given outcomes."""
    records = {}
    for task, outcomes in values.items():
        made = zip(rows(task, outcomes), index.ids_of(task), strict=True)
        records[task] = [type(record)(**{**_fields(record), "item": item}) for record, item in made]
    return make_run(store, records, checkpoint=f"day{day}", date=f"2026-05-0{day}T00:00:00+00:00")


def _fields(record: Any) -> dict[str, Any]:
    return {name: getattr(record, name) for name in record.__slots__}


def test_a_run_is_scored_on_clean_items_and_the_board_says_so(
    call: Call, index: Index, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """From corpus to board: the gain rests on planted items, the record has no text, verify and check accept it."""
    texts = [item["text"] for item in items("topic")[:40]]
    data = write(tmp_path / "train.jsonl", texts)
    base = np.array([1.0, 0.0] * 57)
    store = tmp_path / "leaderboards" / "runs"
    store.mkdir(parents=True)
    theirs = scored(store, index, 1, {"quick_topic": base})
    ours = scored(store, index, 2, {"quick_topic": np.where(np.arange(114) < 40, 1.0, base)})
    code, printed, _ = call("-d", data, "--run", ours.id[:8], "--baseline", theirs.id[:8], "--store", store, "--json")
    document = json.loads(printed)
    assert code == 0
    assert any("The gain is not shown on clean items alone" in sentence for sentence in document["sentences"])
    (task,) = document["runs"]["tasks"]
    assert (task["touched"], round(task["gain"]["full"]["delta"], 4), task["gain"]["clean"]["delta"]) == (40, 0.1754, 0)
    (record,) = (store / "contamination").iterdir()
    content = record.read_text(encoding="utf-8")
    assert not any(text[:20] in content for text in texts)
    assert str(tmp_path) not in content
    assert call(store, verb="verify")[0] == 0
    code, printed, _ = call("build", "--json", verb="leaderboard")
    assert code == 0
    rows_of_board = json.loads(printed)["boards"][0]["rows"]
    (check,) = next(row["contamination"] for row in rows_of_board if row["run_id"] == ours.id)
    assert check["tasks"]["quick_topic"] == {"items": 114, "text": 40, "sentence": 40, "13-gram": 40, "8-gram": 40}
    page = (tmp_path / "leaderboards" / "quick.md").read_text(encoding="utf-8")
    assert "35.1 % \\(quick\\_topic 35.1 %\\)" in page
    assert "training data train.jsonl, 40 rows" in page
    assert call("check", verb="leaderboard")[0] == 0
    record.unlink()
    assert call("check", verb="leaderboard")[0] == 65, "a page that shows a record that is gone is stale"


def test_scores_are_shown_in_tables(call: Call, index: Index, tmp_path: Path) -> None:
    """One run has its scores on all and clean items, two have their differences; both on the page too."""
    data = write(tmp_path / "train.jsonl", [item["text"] for item in items("topic")[:40]])
    base = np.array([1.0, 0.0] * 57)
    theirs, ours = (
        scored(tmp_path / "runs", index, day, {"quick_topic": one}) for day, one in enumerate((base, 1 - base), 1)
    )
    one = call("-d", data, "--run", ours.id)[1]
    two = call("-d", data, "--run", ours.id, "-B", theirs.id)[1]
    assert "Clean − all" in one
    assert "Δ clean" in two
    copy = tmp_path / "copied"
    shutil.copytree(ours.path, copy)
    code, _, said = call("-d", data, "--run", copy)
    assert code == 0
    assert "is not in a store" in said
