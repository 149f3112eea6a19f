"""Overlap with test items: what counts as a match, what is wording, and what is stored."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from harness.contamination import (
    COMMON_TEXTS,
    Hit,
    Index,
    ItemText,
    Uncovered,
    build,
    index_key,
    item_texts,
    load,
    save,
)  # fmt: skip
from harness.contamination.words import fold, ngrams, original_span, words_of
from harness.errors import DataError, UsageError

FERRY = "The ferry to Brannay leaves at nine, and on Sundays it calls at the old lighthouse as well. Bring a coat."
BAKER = "A baker in Osgood Lane sells nine kinds of rye bread."
CHINESE = "港口明年将增加两个泊位，市议会星期二宣布。"


def index_over(texts: Sequence[str], task: str = "reading") -> Index:
    """An index of one task whose items have one text each."""
    return build(ItemText("suite", task, number, "test", "text", text) for number, text in enumerate(texts))


def levels(hits: Sequence[Hit]) -> dict[str, int]:
    """Longest match in words by level."""
    return {hit.level: max(other.words for other in hits if other.level == hit.level) for hit in hits}


def test_words_are_letters_and_digits_and_single_characters_of_chinese() -> None:
    """Case, width, punctuation and spacing do not count; marks belong to their word."""
    words = words_of(["Don't STOP: 3.5 \uff21bc", CHINESE[:4] + " ok", "", "e\u0301\U0001f600x हिन्दी"])
    assert [words.strings(text) for text in range(4)] == [
        ["don", "t", "stop", "3", "5", "abc"],
        ["港", "口", "明", "年", "ok"],
        [],
        ["é", "x", "हिन्दी"],
    ]


def test_equal_stretches_have_equal_hashes_wherever_they_stand() -> None:
    """The hash of an n-gram depends neither on what stands before it nor on the batch."""
    alone = ngrams(words_of([BAKER]), 8)[0]
    later = ngrams(words_of(["x " * 5000, "Look here: " + BAKER]), 8)[0]
    assert set(alone.tolist()) <= set(later.tolist())
    assert len(np.unique(later)) == len(np.unique(ngrams(words_of(["x " * 8, "Look here: " + BAKER]), 8)[0]))


def test_a_planted_text_is_found_with_its_spans() -> None:
    """A test text inside a longer one is found, at both ends by characters, whatever case and punctuation it has."""
    planted = "He wrote -- " + FERRY.upper().replace(",", " ;") + " Then he left."
    (hit,) = [hit for hit in index_over([BAKER, FERRY]).find(planted) if hit.level == "ngram"]
    assert planted[slice(*hit.span)] == FERRY.upper().replace(",", " ;")[:-1]
    assert hit.test_text[slice(*hit.test_span)] == FERRY[:-1]
    assert (hit.task, hit.docs, hit.kind, hit.split, hit.words) == ("reading", (1,), "text", "test", 21)


def test_levels_say_how_much_is_shared() -> None:
    """A whole text, one of its sentences, and eight words of it are three levels; seven words are nothing."""
    index = index_over([FERRY])
    sentence = FERRY.partition(". ")[0] + "."
    assert levels(index.find(FERRY)) == {"text": 21, "sentence": 18, "ngram": 21}
    assert levels(index.find("Yes! " + sentence)) == {"sentence": 18, "ngram": 18}
    assert levels(index.find("I know the ferry to Brannay leaves at nine and that is all")) == {"ngram": 8}
    assert index.find("I know the ferry to Brannay leaves at nine or so") == ()


def test_a_short_sentence_counts_where_it_is_the_test_text() -> None:
    """Five words are evidence as a whole test item, but not as one sentence of a long one."""
    short = "Who built the old lighthouse?"
    index = index_over([short, FERRY + " It was a great day."])
    assert levels(index.find("I ask you. Who built the old lighthouse? Nobody knows.")) == {"sentence": 5}
    assert index.find("It was a great day.") == ()
    assert index.find("Who built it?") == ()


def test_chinese_is_compared_by_characters() -> None:
    """Eight characters in a row are a match, seven are none."""
    index = index_over([CHINESE])
    assert levels(index.find("他说：" + CHINESE[2:10] + "了")) == {"ngram": 8}
    assert index.find("他说：" + CHINESE[2:9] + "了") == ()


def test_wording_that_many_items_share_proposes_nothing() -> None:
    """An n-gram of more than 20 test texts matches nothing by itself, but is part of a longer match."""
    frame = "Which of the following statements about the town of {} is true according to the guide?"
    names = [f"Ostley{number}" for number in range(COMMON_TEXTS + 1)]
    index = index_over([frame.format(name) for name in names])
    assert index.find(frame.format("Nowhere")) == ()
    (hit,) = [hit for hit in index.find(frame.format(names[3])) if hit.level == "ngram"]
    assert (hit.words, hit.docs) == (16, (3,))
    assert index.common["ngram"] > 0


def test_a_collision_of_hashes_is_never_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where every hash is the same, the words still decide."""
    monkeypatch.setattr("harness.contamination.words._mixed", lambda values: values * np.uint64(0) + np.uint64(7))
    index = index_over([FERRY])
    assert index.find(BAKER + " And it is open on every day of the week but one.") == ()
    assert levels(index.find(FERRY))["text"] == 21


def test_repetitive_texts_stay_cheap_and_right() -> None:
    """A megabyte of one phrase has one match per place in the test text, not one per repetition."""
    index = index_over(["la " * 40, FERRY])
    hits = index.find("la " * 300_000 + FERRY)
    assert {hit.docs for hit in hits} == {(0,), (1,)}
    assert len(hits) < 20


def test_one_text_of_many_items_is_one_hit() -> None:
    """A passage with several questions is found once, with all its items; another task has a hit of its own."""
    items = [ItemText("a", "squad", number, "test", "context", FERRY) for number in (4, 7)]
    index = build([*items, ItemText("b", "boolq", 1, "validation", "passage", FERRY)])
    found = [(hit.suite, hit.task, hit.docs) for hit in index.find(FERRY) if hit.level == "text"]
    assert found == [("a", "squad", (4, 7)), ("b", "boolq", (1,))]
    assert index.items == {"squad": 8, "boolq": 2}


@pytest.mark.parametrize("text", ["", "...", "\ud800", "a\ud800b " * 20, "\x00" * 9, "字" * 4])
def test_odd_texts_match_nothing(text: str) -> None:
    """Empty text, punctuation, lone surrogates and zeros are read without an error."""
    assert index_over([FERRY, "\ud800", ""]).find(text) == ()


def test_lone_surrogates_are_matched_and_stored(tmp_path: Path) -> None:
    """A test text with a lone surrogate can be stored and found."""
    odd = FERRY.replace("Brannay", "Bran\ud800nay")
    save(index_over([odd]), tmp_path / "index")
    assert levels(load(tmp_path / "index").find(odd)) == {"text": 22, "sentence": 19, "ngram": 22}


@pytest.mark.parametrize("text", ["ﬁne ½ words", "İstanbul and more", "plain text", "A\u0308pfel sind rot"])
def test_spans_lie_in_the_text_as_it_was(text: str) -> None:
    """Where folding changes lengths, a span is widened to whole words and never leaves the text."""
    folded = fold(text)
    start, end = original_span(text, 0, len(folded))
    assert (start, end) == (0, len(text))
    word = folded.split()[-1]
    start, end = original_span(text, folded.rindex(word), len(folded))
    assert fold(text[start:end]) == word


def test_an_index_comes_back_from_disk(tmp_path: Path) -> None:
    """Stored and loaded, an index finds the same, and says which tasks it lacks."""
    items = [ItemText("s", "t", number, "test", "text", text) for number, text in enumerate([FERRY, BAKER, CHINESE])]
    index = build(items, [Uncovered("s", "missing", "no data")])
    save(index, tmp_path / "index")
    again = load(tmp_path / "index")
    for text in (FERRY, "so " + BAKER, CHINESE, "nothing at all"):
        assert again.find(text) == index.find(text)
    assert again.uncovered == (Uncovered("s", "missing", "no data"),)
    assert not list(tmp_path.glob("*.partial"))


def test_an_empty_index_finds_nothing(tmp_path: Path) -> None:
    """No test text at all is no error."""
    save(build([]), tmp_path / "index")
    assert load(tmp_path / "index").find(FERRY) == ()


@pytest.mark.parametrize("damage", ["index.json", "texts.npy", "ngram.hashes.npy"])
def test_a_torn_index_is_refused(tmp_path: Path, damage: str) -> None:
    """A missing or cut file is named, with what to do."""
    save(index_over([FERRY]), tmp_path / "index")
    (tmp_path / "index" / damage).write_bytes(b"x")
    with pytest.raises(DataError, match="delete the folder"):
        load(tmp_path / "index")


def test_the_key_follows_the_suites(tmp_path: Path) -> None:
    """Other suites and other files of data give another key; the same ones the same."""
    assert index_key(["quick"], None, ()) == index_key(["quick"], None, ())
    assert index_key(["quick"], None, ()) != index_key(["nlu"], None, ())
    folder = tmp_path / "DFKI-SLT" / "cross_ner" / "ai"
    folder.mkdir(parents=True)
    before = index_key(["ner"], tmp_path, ())
    (folder / "test.parquet").write_bytes(b"1")
    assert index_key(["ner"], tmp_path, ()) != before


def test_an_unknown_suite_is_a_sentence() -> None:
    """The nearest name is said."""
    with pytest.raises(UsageError, match="did you mean quick"):
        list(item_texts(["quik"], None))
