"""Overlap of training data with the items of real suites: embedded ones, and those of the mirror."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.contamination import (
    BOILERPLATE_ROWS,
    Index,
    Overlap,
    Place,
    Uncovered,
    index_of,
    item_texts,
    load,
    overlap,
)
from harness.data import load_mirrored, mirrored
from harness.errors import MissingInputError


def test_the_embedded_suite_is_indexed_with_every_kind_of_text(tmp_path: Path) -> None:
    """Each task of ``quick`` gives texts; what over 100 rows share is left out; a second call builds nothing."""
    found = list(item_texts(["quick"], None))
    assert {item.task for item in found} >= {"quick_ner", "quick_mrc", "quick_boolq", "quick_completion"}
    assert {"text", "context", "question", "options", "endings", "answers.text"} <= {item.kind for item in found}
    texts = [(item.task, item.text) for item in found]
    assert max(texts.count(text) for text in set(texts)) <= BOILERPLATE_ROWS
    folder = index_of(["quick"], None, (), tmp_path)
    stamp = (folder / "index.json").stat().st_mtime_ns
    assert index_of(["quick"], None, (), tmp_path) == folder
    assert (folder / "index.json").stat().st_mtime_ns == stamp
    item = next(item for item in found if item.task == "quick_mrc" and item.kind == "context")
    assert item.doc_id in next(hit for hit in load(folder).find(item.text) if hit.kind == "context").docs


def test_tasks_without_data_are_listed_or_raised(tmp_path: Path) -> None:
    """Data that is not on this machine stops a strict caller; another gets the list, but not where nothing is left."""
    with pytest.raises(MissingInputError, match="cross_ner"):
        list(item_texts(["ner"], tmp_path))
    uncovered: list[Uncovered] = []
    with pytest.raises(MissingInputError, match="no task whose data is on this machine"):
        list(item_texts(["ner"], tmp_path, (), uncovered))
    assert "crossner_ai" in {task.task for task in uncovered}


@pytest.fixture(scope="module")
def place(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Place:
    """Where the mirror and the indexes of this file are; each is built once."""
    return Place(mirror, cache=tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def nlu(place: Place) -> Index:
    """The index of the suite ``nlu``."""
    return load(index_of(["nlu"], place.mirror, (), place.cache))


def touched(found: Overlap, task: str) -> dict[str, int]:
    """Touched items of a task by level."""
    (one,) = [entry for entry in found.tasks if entry.task == task]
    return {level: len(docs) for level, docs in one.touched.items()}


def column(mirror: Path, dataset: str, config: str | None, splits: Iterable[str], name: str) -> list[str]:
    """A column of texts or of tokens of a mirrored dataset."""
    folder = mirrored(dataset, mirror, config)
    assert folder is not None
    values = [value for split in splits for value in load_mirrored(folder, config, split)[name]]
    return [value if isinstance(value, str) else " ".join(value) for value in values]


def items_hit(index: Index, texts: Iterable[str], task: str) -> dict[str, set[int]]:
    """Items of a task's texts that occur in training texts, by level, and by runs of 13 words."""
    found: dict[str, set[int]] = {"text": set(), "sentence": set(), "ngram": set(), "13": set()}
    for hits in index.scan(texts):
        for hit in hits:
            if hit.task == task and hit.kind == "text":
                found[hit.level] |= set(hit.docs)
                if hit.words >= 13:
                    found["13"] |= set(hit.docs)
    return found


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("domain", "items", "equal", "ngrams"),
    [("music", 465, 23, 60), ("science", 543, 16, 59), ("ai", 431, 4, 26), ("politics", 651, 1, 62),
     ("literature", 416, 0, 15)],
)  # fmt: skip
def test_released_splits_of_crossner_leak(
    nlu: Index, mirror: Path, domain: str, items: int, equal: int, ngrams: int
) -> None:
    """Items that stand word for word in train or validation, and those that share 8 words, counted with sets too."""
    trained = column(mirror, "DFKI-SLT/cross_ner", domain, ("train", "validation"), "tokens")
    tests = column(mirror, "DFKI-SLT/cross_ner", domain, ("test",), "tokens")
    found = items_hit(nlu, trained, f"crossner_{domain}")
    assert nlu.items[f"crossner_{domain}"] == items == len(tests)
    assert found["text"] == {number for number, text in enumerate(tests) if text in set(trained)}
    assert (len(found["text"]), len(found["ngram"])) == (equal, ngrams)


@pytest.mark.slow
@pytest.mark.realdata
def test_the_sample_of_imdb_shares_texts(nlu: Index, mirror: Path) -> None:
    """Train and test of the mirror's sample have 13 reviews in common."""
    trained = column(mirror, "stanfordnlp/imdb", None, ("train",), "text")
    tests = column(mirror, "stanfordnlp/imdb", None, ("test",), "text")
    found = items_hit(nlu, trained, "imdb")["text"]
    assert len(found) == 13
    assert {tests[number] for number in found} == set(tests) & set(trained)


@pytest.mark.slow
@pytest.mark.realdata
def test_a_public_instruction_mix_is_not_clean(nlu: Index, mirror: Path) -> None:
    """A sample of T0's training data holds passages of BoolQ and SQuAD in runs of 13 words and more."""
    rows = column(mirror, "local/t0_train_50k", None, ("train",), "prompt")
    long = {hit.task for hits in nlu.scan(rows) for hit in hits if hit.words >= 13}
    assert {"boolq_nlu", "squad", "squad_v2"} <= long


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("domain", "counts"),
    [("music", (26, 23, 31, 60)), ("science", (20, 16, 34, 59)), ("ai", (4, 4, 12, 26)), ("politics", (9, 1, 22, 72)),
     ("literature", (1, 1, 4, 15))],
)  # fmt: skip
def test_the_verb_reports_the_leak_of_crossner(place: Place, domain: str, counts: tuple[int, ...]) -> None:
    """Train and validation of a domain against its test split: whole texts, sentences, runs of 13 and of 8 words."""
    found = overlap([f"DFKI-SLT/cross_ner:{domain}:train+validation"], ["nlu"], place)
    assert tuple(touched(found, f"crossner_{domain}").values()) == counts


@pytest.mark.slow
@pytest.mark.realdata
def test_the_verb_reports_what_imdb_and_t0_hold(place: Place) -> None:
    """Reviews of the sample's own train split, and passages of BoolQ and SQuAD in a sample of T0's training data."""
    imdb = overlap(["stanfordnlp/imdb"], ["nlu"], place)
    assert touched(imdb, "imdb") == {"text": 13, "sentence": 49, "13-gram": 36, "8-gram": 1174}
    t0 = overlap(["local/t0_train_50k"], ["nlu"], place)
    assert {task: touched(t0, task)["13-gram"] for task in ("boolq_nlu", "squad", "squad_v2")} == {
        "boolq_nlu": 24, "squad": 24, "squad_v2": 36,
    }  # fmt: skip


@pytest.mark.slow
@pytest.mark.realdata
def test_a_public_instruction_mix_against_general_suites(place: Place) -> None:
    """The sample of T0 touches two of the tasks of ``general`` whose data the mirror has, BoolQ above all."""
    found = overlap(["local/t0_train_50k"], ["general"], place)
    assert len(found.tasks) == 219
    assert {task.task: len(task.touched["13-gram"]) for task in found.tasks if task.touched["13-gram"]} == {
        "boolq": 24, "mmlu_high_school_chemistry": 1,
    }  # fmt: skip
