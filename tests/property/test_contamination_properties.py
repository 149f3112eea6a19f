"""Properties of the overlap with test items, against a set-based implementation that hashes nothing."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from harness.contamination import NGRAM, ItemText, build
from harness.contamination.words import batches, fold, original_span, words_of

WORDS = st.sampled_from(["rye", "bread", "of", "the", "nine", "ferry", "coat", "3", "Ünal", "港", "口"])
SEPARATORS = st.sampled_from([" ", ", ", ". ", "! ", "\n", " - "])
TEXTS = st.lists(st.tuples(WORDS, SEPARATORS), max_size=40).map(lambda pairs: "".join(map("".join, pairs)))


def naive_words(text: str) -> list[str]:
    """Words by a regular expression over single characters."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    return re.findall(r"[\u3040-\u30ff\u3400-\u9fff]|[^\W_\u3040-\u30ff\u3400-\u9fff]+", folded)


def naive_ngrams(text: str) -> set[tuple[str, ...]]:
    """Set of word n-grams."""
    words = naive_words(text)
    return {tuple(words[at : at + NGRAM]) for at in range(len(words) - NGRAM + 1)}


def longest(one: Sequence[str], other: Sequence[str]) -> int:
    """Length of the longest common run."""
    return max(
        (
            next((n for n in range(min(len(one) - a, len(other) - b)) if one[a + n] != other[b + n]), 0)
            or min(len(one) - a, len(other) - b) * (one[a:][: len(other) - b] == other[b:][: len(one) - a])
            for a in range(len(one))
            for b in range(len(other))
        ),
        default=0,
    )


@given(st.lists(TEXTS, max_size=6), st.lists(TEXTS, max_size=4))
def test_ngram_hits_are_those_of_sets(tests: list[str], trained: list[str]) -> None:
    """An item is hit exactly where its n-grams meet those of a text, and the longest match is the longest run."""
    index = build(ItemText("s", "t", number, "test", "text", text) for number, text in enumerate(tests))
    for text, hits in zip(trained, index.scan(trained), strict=True):
        found = {doc for hit in hits if hit.level == "ngram" for doc in hit.docs}
        assert found == {number for number, item in enumerate(tests) if naive_ngrams(text) & naive_ngrams(item)}
        for number in found:
            words = max(hit.words for hit in hits if hit.level == "ngram" and number in hit.docs)
            assert words == longest(naive_words(text), naive_words(tests[number]))


@given(TEXTS, TEXTS, TEXTS)
def test_spans_hold_the_same_words(before: str, shared: str, after: str) -> None:
    """What a hit shows of both texts is the same stretch of words."""
    index = build([ItemText("s", "t", 0, "test", "text", shared)])
    text = before + shared + after
    for hit in index.find(text):
        mine, theirs = text[slice(*hit.span)], hit.test_text[slice(*hit.test_span)]
        assert naive_words(mine) == naive_words(theirs)
        assert len(naive_words(mine)) == hit.words


@given(st.lists(st.text(max_size=30), max_size=5))
def test_a_batch_changes_nothing(texts: list[str]) -> None:
    """Words and their hashes are the same alone and among others."""
    together = words_of(texts)
    for number, text in enumerate(texts):
        alone = words_of([text])
        assert together.strings(number) == alone.strings(0)
        assert together.hashes[together.first[number] : together.first[number + 1]].tolist() == alone.hashes.tolist()


@given(st.text(min_size=1, max_size=30), st.data())
def test_spans_stay_in_the_text(text: str, data: st.DataObject) -> None:
    """Any stretch of the folded text has a place in the text."""
    folded = fold(text)
    if not folded:
        return
    start = data.draw(st.integers(0, len(folded) - 1))
    end = data.draw(st.integers(start + 1, len(folded)))
    low, high = original_span(text, start, end)
    assert 0 <= low < high <= len(text)


@given(st.lists(st.text(max_size=9), max_size=9))
def test_batches_cover_every_text_once(texts: list[str]) -> None:
    """Batches are consecutive and complete."""
    assert [number for batch in batches(texts) for number in batch] == list(range(len(texts)))
