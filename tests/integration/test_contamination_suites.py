"""Overlap of training data with the items of real suites: embedded ones, and those of the mirror."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from harness.contamination import BOILERPLATE_ROWS, Index, Uncovered, index_of, item_texts, load
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
def nlu(mirror: Path, tmp_path_factory: pytest.TempPathFactory) -> Index:
    """The index of the suite ``nlu``; one build for all tests of this file."""
    return load(index_of(["nlu"], mirror, (), tmp_path_factory.mktemp("cache")))


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
