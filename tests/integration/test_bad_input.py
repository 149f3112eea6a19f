"""Wrong names, cards, data, places and flags: one sentence with thing, reason, next step, and the right exit code."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main

Refused = Callable[..., str]
Cards = Callable[..., Path]

TWO_WAYS = """\
suite: {name}
title: A stock task asked with {shots} examples
version: "1.0"
tasks:
  - {{task: piqa, family: piqa, metric: acc, chance: 0.5, num_fewshot: {shots}}}
"""


def test_an_unknown_suite_gets_the_nearest_names(refused: Refused) -> None:
    """A misspelt suite is a usage error that names the suite that was meant."""
    refused(64, "run --suite quik", "Suite 'quik'", "did you mean quick")


def test_an_unknown_task_gets_the_nearest_names(refused: Refused) -> None:
    """A misspelt task is a usage error that names cards of ours as well as stock tasks."""
    refused(64, "run -t quick_nre", "Task 'quick_nre'", "did you mean", "quick_ner")
    refused(64, "run -t pika", "Task 'pika'", "did you mean", "piqa")


@pytest.mark.parametrize("number", ["0", "-3", "nan", "inf"])
def test_a_limit_that_leaves_nothing_is_refused(refused: Refused, number: str) -> None:
    """--limit must be a positive number."""
    refused(64, ["run", f"--limit={number}"], f"--limit {number}", "no number of items", "give 1 or more")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("-a dtype", ("--model_args 'dtype'", "key=value")),
        ("-a foo=1", ("--model_args for tree", "foo")),
        ("-a dtype=float3", ("--model_args dtype=float3", "torch type", "dtype=bfloat16")),
        ("--device gpu", ("--device gpu", "no torch device", "cuda")),
        ("--gen_kwargs top", ("--gen_kwargs 'top'", "key=value")),
        ("-M hff", ("Model 'hff'", "not known", "did you mean hf")),
        ("--batch_size many", ("--batch_size many", "auto")),
        ("--seed one", ("--seed one", "--seed 0")),
    ],
)
def test_bad_values_on_the_command_line_are_named(refused: Refused, arguments: str, words: tuple[str, ...]) -> None:
    """A value that cannot be understood, or a model name that lm-eval has not, is a usage error."""
    refused(64, f"run -t quick_topic -L 2 {arguments}", *words)


def test_an_absent_device_is_unavailable(refused: Refused) -> None:
    """A device that this machine has not is named, with the way out."""
    refused(69, "run -t quick_topic -L 2 --device cuda:7", "Device cuda:7", "is not there", "--device")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("suites: quick\n", ("unknown option 'suites'", "did you mean suite")),
        ("- suite\n", ("does not hold a mapping",)),
        ("suite: [quick\n", ("cannot be read",)),
    ],
)
def test_a_bad_config_file_is_named(refused: Refused, tmp_path: Path, text: str, words: tuple[str, ...]) -> None:
    """--config with an unknown option, another shape or broken YAML is a usage error that names the file."""
    file = tmp_path / "run.yaml"
    file.write_text(text, encoding="utf-8")
    refused(64, ["run", "--config", str(file)], str(file), *words)


def test_one_name_in_a_config_file_is_one_suite(refused: Refused, tmp_path: Path) -> None:
    """A repeatable option may be given as a single name; the command line's own options stay valid."""
    file = tmp_path / "run.yaml"
    file.write_text("suite: my_suite\nrestart: true\n", encoding="utf-8")
    refused(64, ["run", "-C", str(file)], "Suite 'my_suite'")


@pytest.mark.parametrize(
    ("old", "new", "place", "words"),
    [
        ("num_fewshot: 0", "num_fewshot: [0", "my_topic.yaml, line 7", ("not valid YAML",)),
        ("  licence: CC-BY-4.0\n", "", "my_topic.yaml, line 13, field metadata", ("licence",)),
        ("chance: 0.1667", "chance: 1.5", "my_topic.yaml, line 19, field chance", ("1.5", "from 0 to 1")),
        ("tasks:\n", "limit: 3\ntasks:\n", "my_suite.yaml, line 4, field limit", ("not a known field", "limits")),
        ("  - my_topic", "  - my_topics", "my_suite.yaml, line 5, field my_topics", ("my_topic",)),
        ("task: my_topic\n", "include: other.yaml\ntask: my_topic\n", "my_topic.yaml, line 1", ("other.yaml",)),
        ("task: my_topic\n", "task: quick_ner\n", "my_topic.yaml", ("'quick_ner'", "rename")),
        ("metric: acc\n", "metric: f1\n", "my_topic", ("no metric 'f1'", "acc")),
        ("{{text}}", "{{texts}}", "my_topic", ("texts",)),
        ("harness.data.embedded", "harness.data.nowhere", "my_topic.yaml", ("nowhere",)),
        ("quick/topic.jsonl", "quick/none.jsonl", "quick/none.jsonl", ("not in the package",)),
        ("test_split: test", "test_split: dev", "my_topic", ("dev",)),
        ("doc_to_choice: [", "nonsense: [", "my_topic", ("nonsense",)),
    ],
)
def test_a_broken_card_is_named_with_its_place(
    refused: Refused, cards: Cards, old: str, new: str, place: str, words: tuple[str, ...]
) -> None:
    """File, line and field of what is wrong in a card or suite file are in the sentence."""
    folder = cards((old, new))
    refused(65, ["run", "--suite", "my_suite", "-L", "2", "--include_path", str(folder)], place, *words)


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("chance: 0.1667", "chance: 0.9", ("chance", "0.1667")),
        ("unit: item", "unit: passage", ("cluster", "passage")),
        ("This text is about", "This text is about {{label}}", ("prompt", "label")),
        ("{{text}}\\nThis", "This", ("prompt", "same for every row")),
    ],
)
def test_validate_finds_what_only_the_rows_can_show(
    capsys: pytest.CaptureFixture[str], cards: Cards, old: str, new: str, words: tuple[str, ...]
) -> None:
    """A chance that is no guesser's, a cluster that is no column, a prompt with the gold or without the row."""
    folder = cards((old, new))
    with pytest.raises(SystemExit) as exit_:
        main(["validate", "--suite", "my_suite", "--include_path", str(folder), "--json"])
    document = json.loads(capsys.readouterr().out)
    problems = [check for check in document["checks"] if check["state"] == "problem"]
    assert exit_.value.code == document["exit_code"] == 65
    assert len(problems) == 1
    assert not [word for word in words if word not in " ".join(problems[0].values())], problems
    assert problems[0]["fix"]


def test_an_own_card_runs_and_validates(capsys: pytest.CaptureFixture[str], cards: Cards, tmp_path: Path) -> None:
    """A folder of the user's own cards is all that --include_path needs."""
    chosen = ["--suite", "my_suite", "--include_path", str(cards()), "-L", "3", "--json"]
    with pytest.raises(SystemExit) as exit_:
        main(["validate", *chosen])
    assert exit_.value.code == 0
    assert json.loads(capsys.readouterr().out)["status"] == "ok"
    with pytest.raises(SystemExit) as exit_:
        main(["run", *chosen, "-o", str(tmp_path / "runs")])
    assert exit_.value.code == 0
    assert [task["items"] for task in json.loads(capsys.readouterr().out)["tasks"]] == [3]


def test_an_empty_split_is_named(refused: Refused, cards: Cards) -> None:
    """A split without rows after process_docs is bad data, named by its task."""
    folder = cards(("test_split: test", "test_split: test\nprocess_docs: !function empty.none"))
    (folder / "empty.py").write_text("def none(rows):\n    return rows.select([])\n", encoding="utf-8")
    refused(65, ["run", "--suite", "my_suite", "--include_path", str(folder)], "my_topic", "no rows", "split")


def test_absent_card_folders_and_mirrors_are_missing_input(refused: Refused, tmp_path: Path) -> None:
    """A folder that is named and not there is code 66."""
    refused(66, ["run", "--include_path", str(tmp_path / "no")], str(tmp_path / "no"), "--include_path")
    refused(66, ["run", "--mirror", str(tmp_path / "no")], str(tmp_path / "no"), "--mirror")


def test_missing_data_are_named_with_the_way_to_get_them(refused: Refused, tmp_path: Path) -> None:
    """Data that neither the mirror nor the switched-off hub has: the hub id, and how to get it."""
    sentence = refused(66, ["run", "-t", "conll2003", "--mirror", str(tmp_path)], "DFKI-SLT/cross_ner", "--mirror DIR")
    assert str(tmp_path) in sentence


def test_validate_tells_missing_data_of_a_named_suite(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Every task of a named suite without data is a problem of code 66."""
    with pytest.raises(SystemExit) as exit_:
        main(["validate", "--suite", "re", "--mirror", str(tmp_path), "--json"])
    checks = json.loads(capsys.readouterr().out)["checks"]
    assert exit_.value.code == 66
    assert [check["state"] for check in checks] == ["problem", "problem"]
    assert all("--mirror DIR" in check["fix"] for check in checks)


def test_an_interrupted_download_says_that_it_can_go_on(refused: Refused, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection that breaks while data come in is code 69, with the hub id."""
    import datasets

    monkeypatch.delenv("HARNESS_MIRROR", raising=False)

    def broken(*_: Any, **__: Any) -> Any:
        raise ConnectionError("connection reset by peer")

    monkeypatch.setattr(datasets, "load_dataset", broken)
    refused(69, "run -t conll2003", "DFKI-SLT/cross_ner", "connection reset by peer", "run the same command again")


def test_two_suites_must_ask_one_task_in_one_way(refused: Refused, tmp_path: Path) -> None:
    """The same stock task with other shots in a second suite is refused before anything is loaded."""
    for shots in (0, 5):
        text = TWO_WAYS.format(name=f"piqa_{shots}", shots=shots)
        (tmp_path / f"piqa_{shots}.yaml").write_text(text, encoding="utf-8")
    chosen = ["--suite", "piqa_0", "--suite", "piqa_5", "--include_path", str(tmp_path)]
    refused(64, ["run", *chosen], "Task piqa", "in two ways", "one after the other")


def test_a_full_disk_is_named(refused: Refused, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the disk is full, the place and what to do are told, and the code is 73."""

    def full(*_: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    store = tmp_path / "runs"
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", full)
        refused(73, ["run", "-t", "quick_topic", "-L", "2", "-o", str(store)], str(store), "No space", "free space")


def test_a_store_below_a_file_is_refused(refused: Refused, tmp_path: Path) -> None:
    """A store that cannot be a folder is code 73, before the model has computed anything."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    store = tmp_path / "file" / "runs"
    refused(73, ["run", "-t", "quick_topic", "-L", "2", "-o", str(store)], str(store), "choose a folder")
