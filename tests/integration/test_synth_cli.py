"""``harness synth`` and ``harness produce synth``: the whole road offline, in steps and at once, and its refusals."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from harness.cli import main
from synth import pipeline
from synth.prompts import Prompt, prompt
from synth.recipe import Recipe
from synth.review import Item, VerdictLog, queue
from synth.shards import read_shards

SMALL: dict[str, Any] = {
    "name": "small",
    "sources": [{"dataset": "seeds", "limit": 240}],
    "filters": {"suites": ["quick"]},
    "mix": {"records": 120},
}
STEPS = ("draft", "render", "filter", "mix", "stats")


def call(*arguments: str) -> int:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as exit_:
        main(list(arguments))
    return int(exit_.value.code or 0)


def write(folder: Path, **changes: Any) -> Path:
    """A recipe file with some settings changed."""
    path = folder / "recipe.yaml"
    path.write_text(yaml.safe_dump({**SMALL, **changes}), encoding="utf-8")
    return path


def fine(item: Item) -> bool:
    """Whether an example passes every filter."""
    return item.example is not None and item.example.passed


def corpus(folder: Path) -> dict[str, bytes]:
    """Files of a corpus by name."""
    return {path.name: path.read_bytes() for path in sorted((folder / "corpus").iterdir())}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working folder after ``harness synth run``, made in one process."""
    folder = tmp_path_factory.mktemp("synth")
    recipe = str(write(folder))
    assert call("synth", "run", "-r", recipe, "-o", str(folder / "out"), "-w", "1", "--json") == 0
    return folder / "out"


def test_a_corpus_is_made_offline(made: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The document has the contract's keys, says what the corpus holds, and is all that stdout gets."""
    assert call("synth", "run", "-r", str(write(tmp_path)), "-o", str(made), "-w", "1", "--json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document["path"] == str(made)
    assert document["records"] == 120
    assert sum(document["families"].values()) == 120
    assert set(document["strategies"]) >= {"basic", "formats", "guidelines", "rules"}
    assert document["strategies"]["basic"] == 66
    assert isinstance(document["rejected"], dict)
    assert {path.name for path in (made / "stats").iterdir()} >= {"stats.json", "README.md", "index.html"}


def test_a_corpus_loads_as_a_dataset(made: Path) -> None:
    """The files give train and dev with prompt and completion, and every file is as its manifest says."""
    import hashlib

    from datasets import load_dataset

    parts = {split: str(made / "corpus" / f"{split}-*.jsonl") for split in ("train", "dev")}
    loaded = load_dataset("json", data_files=parts, cache_dir=str(made / "cache"))
    assert {name: len(rows) for name, rows in loaded.items()} == {"train": 114, "dev": 6}
    assert all(row["prompt"] and row["completion"] for row in loaded["train"])
    listed = json.loads((made / "corpus" / "manifest.json").read_text(encoding="utf-8"))["files"]
    assert {name: hashlib.sha256(data).hexdigest() for name, data in corpus(made).items() if name in listed} == {
        name: entry["sha256"] for name, entry in listed.items()
    }


def test_steps_one_by_one_in_two_processes_give_the_same_corpus(made: Path, tmp_path: Path) -> None:
    """Neither the number of processes nor the way of calling shapes a byte."""
    out = str(tmp_path / "out")
    assert call("synth", "draft", "-r", str(write(tmp_path)), "-o", out) == 0
    for step in STEPS[1:]:
        assert call("synth", step, "-o", out) == 0
    assert corpus(tmp_path / "out") == corpus(made)


def test_a_step_that_is_done_is_not_done_again(made: Path, tmp_path: Path) -> None:
    """The shards of a finished step stay untouched; a change of the recipe makes only what it shapes anew."""
    parts = [made / name / "part-00000.jsonl.zst" for name in ("documents", "instructions", "examples", "filtered")]
    before = [path.stat().st_mtime_ns for path in parts]
    assert call("synth", "run", "-r", str(write(tmp_path, mix={"records": 100})), "-o", str(made), "-w", "1") == 0
    assert [path.stat().st_mtime_ns for path in parts] == before
    assert json.loads((made / "corpus" / "datasheet.json").read_text(encoding="utf-8"))["records"] == 100
    assert call("synth", "run", "-r", str(write(tmp_path)), "-o", str(made), "-w", "1") == 0


def test_a_killed_step_goes_on_from_its_whole_shards(made: Path) -> None:
    """A shard that is missing after a kill is made again, with the same bytes; its mark comes last."""
    folder = made / "examples"
    shard = folder / "part-00000.jsonl.zst"
    bytes_before = shard.read_bytes()
    shard.unlink()
    (folder / "_done.json").unlink()
    (folder / "part-00000.jsonl.partial").write_bytes(b"half a shard")
    assert call("synth", "render", "-o", str(made), "-w", "1") == 0
    assert shard.read_bytes() == bytes_before
    assert (folder / "_done.json").is_file()


def test_the_producer_is_the_same_pipeline(tmp_path: Path, made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``produce synth`` prints its manifest: the base, the digest of the recipe and of the corpus."""
    recipe, out = write(tmp_path), tmp_path / "out"
    assert call("produce", "synth", "-r", str(recipe), "-o", str(out), "--json") == 0
    manifest = json.loads(capsys.readouterr().out)
    assert manifest["producer"] == "synth"
    assert manifest["status"] == "complete"
    assert manifest["base"]["reference"] == "nano"
    assert set(manifest["checkpoint"]["digests"]) == {"corpus"}
    assert json.loads((out / "checkpoint.json").read_text(encoding="utf-8")) == manifest
    assert corpus(out) == corpus(made)


def test_producers_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    """``ls producers`` names what the entry points offer."""
    assert call("ls", "producers", "--json") == 0
    assert {"name": "synth"} in json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("code", "changes", "words"),
    [
        (65, {"mixx": {}}, ["unknown key mixx", "did you mean mix?"]),
        (65, {"sources": None, "source": []}, ["unknown key source", "did you mean sources?"]),
        (65, {"sources": []}, ["sources"]),
        (65, {"instructions": {"labels": {"ner": 0}}}, ["instructions.labels.ner", "greater than or equal to 1"]),
        (64, {"sources": [{"dataset": "seeds"}]}, ["seeds", "limit"]),
        (64, {"sources": [{"dataset": "no/such-set"}]}, ["no/such-set"]),
        (66, {"sources": [{"file": "missing.jsonl"}]}, ["missing.jsonl"]),
        (64, {"filters": {"use": ["grounde"]}}, ["grounde", "did you mean grounded?"]),
        (64, {"filters": {"suites": ["quik"]}}, ["quik"]),
        (64, {"formats": {"held_out": ["tvs"]}}, ["tvs", "did you mean tsv?"]),
        (65, {"formats": {"basic": "yaml", "held_out": ["yaml"]}}, ["yaml"]),
        (65, {"mix": {"records": 100_000}}, ["mix.records", "sources"]),
        (65, {"mix": {"records": 10, "tokens": 10}}, ["records", "tokens"]),
        (65, {"mix": {"families": {"ner": 0.7}}}, ["mix.families", "0.7"]),
        (65, {"teacher": {"kind": "endpoint"}}, ["endpoint"]),
        (65, {"filters": {"judge": 4}}, ["rulebook"]),
        (
            65,
            {"teacher": {"kind": "endpoint", "model": "m", "url": "http://me:pass@host/v1"}},
            ["more than an address"],
        ),
    ],
)
def test_a_wrong_recipe_is_refused(
    tmp_path: Path, refused: Callable[..., str], code: int, changes: dict[str, Any], words: list[str]
) -> None:
    """Each mistake gets one sentence that names it, and its code, wherever in the pipeline it shows."""
    recipe = write(tmp_path, **({"sources": [{"dataset": "seeds", "limit": 60}]} | changes))
    refused(code, ["synth", "run", "-r", str(recipe), "-o", str(tmp_path / "out"), "-w", "1", "--json"], *words)


def test_a_step_without_the_one_before_says_what_to_run(
    tmp_path: Path, refused: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    """A folder that was not begun, and one whose step is missing, name the next command."""
    refused(66, ["synth", "render", "-o", str(tmp_path / "none")], "run harness synth draft first")
    call("synth", "draft", "-r", str(write(tmp_path)), "-o", str(tmp_path / "out"), "-w", "1")
    capsys.readouterr()
    refused(66, ["synth", "mix", "-o", str(tmp_path / "out")], "run the step before it first")
    refused(66, ["synth", "run", "-r", "none.yaml", "-o", str(tmp_path / "out")], "none.yaml")


def test_an_unknown_producer_or_executor_lists_the_known_ones(tmp_path: Path, refused: Callable[..., str]) -> None:
    """A misspelt plug-in is a usage error that says what there is."""
    recipe = str(write(tmp_path))
    refused(64, ["produce", "sinth", "-r", recipe, "-o", str(tmp_path / "out")], "'sinth'", "synth")
    refused(64, ["synth", "run", "-r", recipe, "-o", str(tmp_path / "o"), "--executor", "rays"], "'rays'", "local")
    refused(66, ["produce", "synth", "-r", "none.yaml", "-o", str(tmp_path / "out")], "none.yaml")


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path, refused: Callable[..., str]) -> None:
    """A file where the working folder should be is an error of the store."""
    (tmp_path / "file").write_text("", encoding="utf-8")
    refused(73, ["synth", "run", "-r", str(write(tmp_path)), "-o", str(tmp_path / "file")], "cannot be written")


def test_a_review_needs_a_reviewer_and_something_to_review(made: Path, refused: Callable[..., str]) -> None:
    """The page does not open without a name in the verdicts."""
    refused(64, ["synth", "review", "-o", str(made)], "--reviewer")


def test_agreement_without_verdicts_is_an_empty_list(made: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing to measure is said as nothing, not as a zero."""
    assert call("synth", "review", "-o", str(made), "--agreement", "--json") == 0
    assert json.loads(capsys.readouterr().out) == []


def test_rules_of_an_earlier_recipe_are_not_used(tmp_path: Path) -> None:
    """A draft with fewer rules leaves the lines of the one before in the file and uses its own alone."""
    from synth.pipeline import usable
    from synth.work import open_work

    counts = []
    for most in (3, 1):
        recipe = write(tmp_path, rules={"per_source": most})
        assert call("synth", "draft", "-r", str(recipe), "-o", str(tmp_path / "out"), "-w", "1") == 0
        library = usable(open_work(tmp_path / "out", None))
        counts.append(max(len(group) for group in library.rules.values()))
    assert counts == [3, 1]


def test_an_edited_answer_is_learned_instead_of_the_original(tmp_path: Path) -> None:
    """After an edit and the steps from rendering on, the corpus holds the person's answer and not the one before."""
    out = tmp_path / "out"
    recipe = write(tmp_path, mix={"compound": 0.4, "dev": 0.0})
    assert call("synth", "run", "-r", str(recipe), "-o", str(out), "-w", "1") == 0
    queued = queue(out, 200, 0, "ida", 0)
    one = next(
        item for item in queued if item.strategy == "basic" and (item.text or "").startswith('{"') and fine(item)
    )
    verdict = VerdictLog(out).record(one, "edit", "ida", edited="{}")
    for step in ("render", "filter", "mix"):
        assert call("synth", step, "-o", str(out), "-w", "1") == 0
    rows = {row["id"]: row for row in read_shards(out / "filtered")}
    assert one.id not in rows
    new = rows[verdict.replacement or ""]
    assert new["completion"] == " {}"
    assert new["instruction"]["provenance"]["edited_from"] == one.id
    assert all(annotation["passed"] for annotation in new["filters"])


def test_a_seed_file_of_mixed_languages_is_sorted_out(tmp_path: Path) -> None:
    """Texts in another language than the recipe's are annotated, stay in the filtered rows, and are not trained on."""
    english = "The committee met on Tuesday and talked for a long time about the new bridge near town number {}."
    german = "Der Ausschuss traf sich am Dienstag und sprach lange über die neue Brücke bei der Stadt Nummer {}."
    rows = [
        {"text": text.format(number), "label": label}
        for number in range(40)
        for text, label in ((english, "report"), (german, "notice"))
    ]
    (tmp_path / "mixed.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    filters = {"suites": ["quick"], "languages": ["en"], "near_duplicate": 1.0}
    recipe = write(
        tmp_path, sources=[{"file": str(tmp_path / "mixed.jsonl")}], filters=filters, mix={"records": 8, "compound": 0}
    )
    assert call("synth", "run", "-r", str(recipe), "-o", str(tmp_path / "out"), "-w", "1") == 0
    basic = [row for row in read_shards(tmp_path / "out" / "filtered") if not row["strategies"]]
    foreign = [row for row in basic if "Ausschuss" in row["prompt"]]
    assert foreign
    for row in foreign:
        assert any(one["name"] == "language" and not one["passed"] for one in row["filters"])
    texts = "".join(path.read_text(encoding="utf-8") for path in (tmp_path / "out" / "corpus").glob("*.jsonl"))
    assert "committee" in texts
    assert "Ausschuss" not in texts


def test_a_draft_hangs_on_the_library_that_it_was_drawn_from(
    tmp_path: Path, refused: Callable[..., str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Another rulebook, as a newer version brings it, means another draft: the old one is not rendered in silence."""
    out = str(tmp_path / "out")
    assert call("synth", "draft", "-r", str(write(tmp_path)), "-o", out, "-w", "1") == 0
    capsys.readouterr()
    with monkeypatch.context() as patched:
        patched.setattr("synth.rulebook.fingerprint", lambda: "another")
        refused(66, ["synth", "render", "-o", out, "-w", "1"], "is not done with this recipe")
    assert call("synth", "render", "-o", out, "-w", "1") == 0


def test_a_finished_draft_does_not_outlive_its_prompts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A model's draft is marked with the prompts that it was asked with, whichever of them changes."""
    model = Recipe.model_validate(
        {**SMALL, "teacher": {"kind": "endpoint", "model": "m", "url": "http://localhost/v1"}}
    )
    before = pipeline._knowledge(model)
    for purpose in pipeline.DRAFTING:
        changed = Prompt.model_validate({**prompt(purpose).model_dump(), "version": 99})
        with monkeypatch.context() as patched:
            patched.setattr(pipeline, "prompt", lambda name, new=changed: new if name == new.id else prompt(name))
            assert pipeline._knowledge(model) != before
