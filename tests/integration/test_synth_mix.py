"""A corpus on disk: its files, its hashes, the libraries that load it, and what goes wrong."""

from __future__ import annotations

import errno
import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from synth_pools import annotated, examples, instructions, write_pool

from harness.errors import DataError, MissingInputError, StoreError
from harness.executors import Local
from synth.formats import example, held_out_phrasings
from synth.mix import mix, shuffle
from synth.recipe import Recipe, recipe_of
from synth.records import Family


def recipe(**given: Any) -> Recipe:
    """A recipe with settings of the mix."""
    return recipe_of({"name": "Trial", "sources": [{"dataset": "seeds"}], "mix": {"shard": 40, **given}})


@pytest.fixture(scope="module")
def pool(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Filtered examples of 200 documents in ten shards."""
    return write_pool(tmp_path_factory.mktemp("pool"), list(examples(200)))


def rows(corpus: Path, split: str) -> list[dict[str, str]]:
    """Rows of a split."""
    paths = sorted(corpus.glob(f"{split}-*.jsonl"))
    return [json.loads(line) for path in paths for line in path.read_text(encoding="utf-8").split("\n") if line]


def test_the_files_are_what_the_manifest_says(pool: Path, tmp_path: Path) -> None:
    """Every file but the manifest is listed with its hash and its rows; no other file is left."""
    corpus = tmp_path / "corpus"
    found = mix(pool, corpus, recipe(records=100), Local(1))
    listed = json.loads((corpus / "manifest.json").read_text())["files"]
    assert {path.name for path in corpus.iterdir()} == {*listed, "manifest.json"}
    assert {path.name for path in tmp_path.iterdir()} == {"corpus"}
    for name, facts in listed.items():
        assert hashlib.sha256((corpus / name).read_bytes()).hexdigest() == facts["sha256"]
    assert {name: facts["rows"] for name, facts in listed.items() if facts.get("rows")} == {
        "train-00000-of-00003.jsonl": 40,
        "train-00001-of-00003.jsonl": 40,
        "train-00002-of-00003.jsonl": 15,
        "dev-00000-of-00001.jsonl": 5,
    }
    assert found == json.loads((corpus / "datasheet.json").read_text())


def test_the_datasheet_counts_what_is_in_the_files(pool: Path, tmp_path: Path) -> None:
    """Families, strategies, sources and splits agree with the rows; rejections with the pool."""
    found = mix(pool, tmp_path / "corpus", recipe(), Local(1))
    train, dev = rows(tmp_path / "corpus", "train"), rows(tmp_path / "corpus", "dev")
    assert found["records"] == len(train) + len(dev) == sum(found["families"].values())
    assert found["families"]["ner"] == sum(row["family"] == "ner" for row in train + dev)
    assert found["strategies"]["rules"] == sum("rules" in row["strategies"] for row in train + dev)
    assert found["strategies"]["basic"] == sum(row["strategies"] == "basic" for row in train + dev)
    assert found["splits"]["dev"]["documents"] == len({row["document"] for row in dev})
    assert found["sources"]["diary"]["licence"] == "CC-BY-4.0"
    assert found["rejected"] == {"grounded": 100, "contamination": 40}
    assert found["pool"]["passed"] == 860


def test_a_card_names_files_sources_and_licences(pool: Path, tmp_path: Path) -> None:
    """The front matter is YAML with the files of each split; every source stands with its licence."""
    mix(pool, tmp_path / "corpus", recipe(records=100), Local(1))
    text = (tmp_path / "corpus" / "README.md").read_text(encoding="utf-8")
    _, front, body = text.split("---\n", 2)
    facts = yaml.safe_load(front)
    assert facts["configs"][0]["data_files"] == [
        {"split": "train", "path": "train-*.jsonl"},
        {"split": "dev", "path": "dev-*.jsonl"},
    ]
    assert facts["pretty_name"] == "Trial"
    assert "| diary |" in body
    assert "CC0-1.0" in body
    assert "tsv, qa" in body


@pytest.mark.parametrize("form", ["jsonl", "parquet"])
def test_datasets_loads_the_folder(pool: Path, tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """load_dataset on the folder gives both splits, text columns, and the rows as they were written."""
    import datasets

    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    mix(pool, tmp_path / "corpus", recipe(records=100, form=form), Local(1))
    loaded = datasets.load_dataset(str(tmp_path / "corpus"))
    assert {split: len(part) for split, part in loaded.items()} == {"train": 95, "dev": 5}
    assert {str(feature.dtype) for feature in loaded["train"].features.values()} == {"string"}
    mix(pool, tmp_path / "lines", recipe(records=100), Local(1))
    assert loaded["train"].to_list() == rows(tmp_path / "lines", "train")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`gradient_checkpointing` is deprecated:FutureWarning")
def test_trl_trains_on_the_folder(pool: Path, tmp_path: Path) -> None:
    """SFTTrainer takes prompt and completion as they are; the loss covers the completion and the end."""
    trl = pytest.importorskip("trl")
    import datasets

    mix(pool, tmp_path / "corpus", recipe(records=100), Local(1))
    train = datasets.load_dataset(str(tmp_path / "corpus"), split="train", cache_dir=str(tmp_path / "cache"))
    settings = trl.SFTConfig(
        output_dir=str(tmp_path / "out"), max_steps=1, per_device_train_batch_size=2, use_cpu=True, bf16=False,
        report_to=[], save_strategy="no", gradient_checkpointing=False,
    )  # fmt: skip
    nano = Path(shuffle.__file__).parents[2] / "harness" / "assets" / "nano"
    trainer = trl.SFTTrainer(model=str(nano), args=settings, train_dataset=train)
    first = trainer.train_dataset[0]
    learned = trainer.processing_class.decode([token for token in first["labels"] if token != -100])
    assert learned.startswith(first["completion"])
    assert len(trainer.train_dataset) == len(train)


def test_processes_write_the_same_bytes(pool: Path, tmp_path: Path) -> None:
    """Two processes and one leave the same manifest."""
    for name, workers in (("one", 1), ("two", 2)):
        mix(pool, tmp_path / name, recipe(records=100), Local(workers))
    assert (tmp_path / "one/manifest.json").read_bytes() == (tmp_path / "two/manifest.json").read_bytes()


def test_nothing_that_is_held_out_enters_a_corpus(tmp_path: Path) -> None:
    """Formats, phrasings and rules that are kept for evaluation are left out and counted, filtered or not."""
    kept = list(examples(100))
    asked = next(item for item in instructions(1) if item.family == Family.NER)
    barred = [
        annotated(example(asked, "tsv", "ner-plain"), 0),
        annotated(example(asked, "qa", "ner-plain"), 0),
        annotated(example(asked, "json", held_out_phrasings(Family.NER)[0]), 0),
    ]
    folder = write_pool(tmp_path / "filtered", kept + barred)
    for ablation in ("none", "unfiltered"):
        wanted = recipe(records=40, ablation=ablation)
        found = mix(folder, tmp_path / ablation, wanted, Local(1), held_out_rules={"r0"})
        written = rows(tmp_path / ablation, "train") + rows(tmp_path / ablation, "dev")
        assert not {row["format"] for row in written} & {"tsv", "qa"}
        assert not {row["phrasing"] for row in written} & set(held_out_phrasings(Family.NER))
        assert "r0" not in {row["rule"] for row in written}
        assert found["pool"]["held_out"] == {"rules": 50, "formats": 2, "phrasings": 1}


def test_what_a_person_rejected_stays_out(pool: Path, tmp_path: Path) -> None:
    """Also of a corpus that is not filtered; it counts as rejected by the review."""
    first = mix(pool, tmp_path / "first", recipe(records=40), Local(1))
    refused = {row["id"] for row in rows(tmp_path / "first", "train")[:9]}
    wanted = recipe(records=40, ablation="unfiltered")
    found = mix(pool, tmp_path / "second", wanted, Local(1), refused=refused)
    assert not refused & {row["id"] for row in rows(tmp_path / "second", "train")}
    assert (first["rejected"].get("review"), found["rejected"]["review"]) == (None, 9)


def test_an_empty_dev_split_is_said(tmp_path: Path) -> None:
    """Too few documents for the share of the dev split: the corpus is made, with a note."""
    folder = write_pool(tmp_path / "filtered", list(examples(4)))
    assert "dev split is empty" in mix(folder, tmp_path / "corpus", recipe(dev=0.01), Local(1))["notes"][0]


def test_a_corpus_that_cannot_be_filled_leaves_the_old_one(pool: Path, tmp_path: Path) -> None:
    """An error comes before anything is touched."""
    corpus = tmp_path / "corpus"
    mix(pool, corpus, recipe(records=100), Local(1))
    before = (corpus / "manifest.json").read_bytes()
    with pytest.raises(DataError, match=r"mix\.records to \d+ or less"):
        mix(pool, corpus, recipe(records=5000), Local(1))
    assert (corpus / "manifest.json").read_bytes() == before


def test_a_full_disk_leaves_the_old_corpus_and_nothing_else(
    pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A write that fails is a sentence with the exit code of a place that cannot be written."""
    corpus = tmp_path / "corpus"
    mix(pool, corpus, recipe(records=100), Local(1))
    before = (corpus / "manifest.json").read_bytes()

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(shuffle.os, "fsync", full)
    with pytest.raises(StoreError, match="No space left on device"):
        mix(pool, corpus, recipe(records=50), Local(1))
    assert (corpus / "manifest.json").read_bytes() == before
    assert {path.name for path in tmp_path.iterdir()} == {"corpus"}


def test_what_a_killed_call_left_is_cleared(pool: Path, tmp_path: Path) -> None:
    """Half a corpus of an earlier process neither stays nor gets into the new one."""
    (tmp_path / "corpus.partial" / "spills").mkdir(parents=True)
    (tmp_path / "corpus.partial" / "train-00000-of-00009.jsonl").write_text("half a r")
    mix(pool, tmp_path / "corpus", recipe(records=50), Local(1))
    assert {path.name for path in tmp_path.iterdir()} == {"corpus"}
    assert len(rows(tmp_path / "corpus", "train")) == 48


def test_without_filtered_examples_the_step_before_is_named(tmp_path: Path) -> None:
    """An empty or missing folder is a missing input."""
    with pytest.raises(MissingInputError, match="run the step before"):
        mix(tmp_path / "filtered", tmp_path / "corpus", recipe(), Local(1))


def test_tokens_are_no_budget_where_they_were_not_counted(tmp_path: Path) -> None:
    """Without the filter of length a budget of tokens is refused, not guessed."""
    bare = [replace(item, filters=item.filters[1:]) for item in examples(20)]
    folder = write_pool(tmp_path / "filtered", bare)
    with pytest.raises(DataError, match="the filter length"):
        mix(folder, tmp_path / "corpus", recipe(tokens=500), Local(1))
    assert mix(folder, tmp_path / "corpus", recipe(dev=0.0), Local(1))["splits"]["train"]["tokens"] is None


@pytest.mark.parametrize("workers", [1, 2])
def test_a_torn_shard_is_named(tmp_path: Path, workers: int) -> None:
    """Half a file is an error with its name, not a smaller corpus, in this process as in another."""
    folder = write_pool(tmp_path / "filtered", list(examples(40)))
    path = sorted(folder.iterdir())[1]
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(DataError, match=path.name):
        mix(folder, tmp_path / "corpus", recipe(), Local(workers))


def test_a_lone_surrogate_is_said_with_its_row(tmp_path: Path) -> None:
    """Text that no file can hold is not replaced in silence."""
    items = list(examples(40))
    items[0] = replace(items[0], prompt="\ud800" + items[0].prompt)
    folder = write_pool(tmp_path / "filtered", items)
    with pytest.raises(DataError, match="lone surrogate"):
        mix(folder, tmp_path / "corpus", recipe(dev=0.0, compound=0.0), Local(1))
