"""Measures of diversity against hand-computed values, published values and the library itself."""

from __future__ import annotations

import math
import re

import numpy as np
import pytest
import sacrebleu
from hypothesis import given
from hypothesis import strategies as st

from synth.stats.diversity import distinct, entropy_of_counts, kernel, ngrams, self_bleu, vendi, words

texts = st.lists(st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=8), min_size=2, max_size=6)


def test_words_are_cut_in_every_script() -> None:
    """Words and signs apart, lower case, each Chinese character a word of its own."""
    assert words("Ann's 3 cats, 北京 and Größe!") == [
        *("ann", "'", "s", "3", "cats", ",", "北", "京", "and", "größe", "!"),
    ]


def test_distinct_is_the_share_of_different_ngrams() -> None:
    """By hand: of a b a / a b there are 5 unigrams, 2 different; 3 bigrams, 2 different; 1 trigram."""
    found = [distinct([["a", "b", "a"], ["a", "b"]], n) for n in (1, 2, 3, 4)]
    assert found == [2 / 5, 2 / 3, 1.0, None]


@pytest.mark.parametrize("size", [1, 3, 10])
def test_vendi_of_an_identity_is_its_size_and_of_ones_is_one(size: int) -> None:
    """The values that the authors' package publishes: all different, all alike."""
    assert vendi(np.eye(size)) == pytest.approx(size)
    assert vendi(np.ones((size, size))) == pytest.approx(1)


def test_vendi_counts_groups() -> None:
    """Two groups of three equal things are two things."""
    assert vendi(np.kron(np.eye(2), np.ones((3, 3)))) == pytest.approx(2)


def test_vendi_of_the_published_sentences() -> None:
    """The example of the authors' package (n-grams of order 1 and 2, case kept) has the published score of 3.91."""
    sentences = ("Look, Jane.", "See Spot.", "See Spot run.", "Run, Spot, run.", "Jane sees Spot run.")
    cut = [re.findall(r"\w+|[^\w\s]", sentence) for sentence in sentences]
    assert vendi(kernel(cut)) == pytest.approx(3.91, abs=0.005)


@given(texts)
def test_a_kernel_is_what_the_score_asks_for(cut: list[list[str]]) -> None:
    """Symmetric, ones on the diagonal, no negative eigenvalue; the score lies between 1 and the number of texts."""
    found = kernel(cut)
    assert np.allclose(found, found.T)
    assert np.allclose(np.diag(found), 1)
    assert np.linalg.eigvalsh(found).min() > -1e-9
    assert 1 - 1e-9 <= vendi(found) <= len(cut) + 1e-9


def test_kernel_by_hand() -> None:
    """Unigram cosine of a a b and a: 2 / sqrt(5); a text without a word is like itself alone."""
    found = kernel([["a", "a", "b"], ["a"], []], orders=(1,))
    assert found[0, 1] == pytest.approx(2 / math.sqrt(5))
    assert found[2].tolist() == [0, 0, 1]


@given(texts.filter(lambda cut: all(cut)))
def test_self_bleu_is_sacrebleu_of_each_against_the_rest(cut: list[list[str]]) -> None:
    """The mean of sacrebleu's own sentence function."""
    lines = [" ".join(text) for text in cut]
    scores = [
        sacrebleu.sentence_bleu(line, lines[:n] + lines[n + 1 :], tokenize="none", use_effective_order=True).score
        for n, line in enumerate(lines)
    ]
    assert self_bleu(cut) == pytest.approx(sum(scores) / len(scores) / 100)


def test_self_bleu_of_equal_texts_is_one() -> None:
    """The same sentence again and again has no diversity; one text has nothing to be compared with."""
    assert self_bleu([["the", "cat", "sat", "down"]] * 3) == pytest.approx(1)
    assert self_bleu([["a"]]) is None


def test_entropy_by_hand() -> None:
    """Even use of four is two bits, one alone is none, nothing has no entropy."""
    assert entropy_of_counts(dict.fromkeys("abcd", 5)) == pytest.approx(2)
    assert entropy_of_counts({"a": 7}) == 0
    assert entropy_of_counts({}) is None


def test_ngrams_of_a_short_text_are_none() -> None:
    """A text shorter than n has no n-gram."""
    assert ngrams(["a"], 2) == []
    assert ngrams(["a", "b", "c"], 2) == [("a", "b"), ("b", "c")]
