"""Similarity against the libraries that define it: datasketch, rouge_score, and sets."""

from __future__ import annotations

import numpy as np
import pytest
from datasketch import MinHash
from hypothesis import example, given
from hypothesis import strategies as st
from rouge_score.rouge_scorer import RougeScorer

from synth.filters.duplicates import similarities
from synth.filters.similarity import PERMUTATIONS, SHINGLE, banding, bands_of, jaccard, rouge_l, shingles_of

WORDS = st.lists(st.sampled_from(["rye", "bread", "of", "nine", "ferry", "coat", "Oslo"]), max_size=25)
SETS = st.sets(st.integers(0, 40), max_size=30)
SCORER = RougeScorer(["rougeL"], use_stemmer=False)


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_signatures_are_those_of_datasketch(texts: list[list[str]]) -> None:
    """Bit for bit, for every text of a batch."""
    shingles = shingles_of([" ".join(words) for words in texts])
    for number in range(len(texts)):
        sketch = MinHash(PERMUTATIONS, seed=1, hashfunc=int)
        hashes = (shingles.of(number) >> np.uint64(32)).tolist()
        if hashes:
            sketch.update_batch(hashes)
        assert shingles.signatures[:, number].tolist() == sketch.hashvalues.tolist()


@given(st.lists(WORDS, min_size=1, max_size=4))
def test_shingles_are_the_word_ngrams(texts: list[list[str]]) -> None:
    """As many distinct ones as a set has, in any batch; a short text is one shingle, no text is none."""
    shingles = shingles_of([" ".join(words) for words in texts])
    for number, words in enumerate(texts):
        ngrams = {tuple(words[at : at + SHINGLE]) for at in range(len(words) - SHINGLE + 1)}
        assert len(shingles.of(number)) == (len(ngrams) or bool(words))


@given(SETS, SETS)
def test_jaccard_is_that_of_sets(one: set[int], other: set[int]) -> None:
    """Shared over all."""
    arrays = [np.array(sorted(items), np.uint64) for items in (one, other)]
    assert jaccard(*arrays) == (len(one & other) / len(one | other) if one | other else 0.0)


@given(WORDS, WORDS)
@example(["rye"], ["rye"])
def test_rouge_l_is_that_of_rouge_score(one: list[str], other: list[str]) -> None:
    """Equal to the reference implementation."""
    wanted = SCORER.score(" ".join(one), " ".join(other))["rougeL"].fmeasure
    numbers = {word: number for number, word in enumerate({*one, *other})}
    assert rouge_l([numbers[word] for word in one], [numbers[word] for word in other]) == pytest.approx(wanted)


def test_the_estimate_of_minhash_is_near_the_similarity() -> None:
    """Over pairs of every degree of overlap, the estimate's error is that of 128 draws."""
    rng = np.random.default_rng(0)
    base = [f"w{number}" for number in range(120)]
    texts = [" ".join(base)]
    for changed in range(1, 40):
        words = list(base)
        for at in rng.choice(len(words), changed // 2, replace=False):
            words[at] = f"x{changed}"
        texts.append(" ".join(words))
    shingles = shingles_of(texts)
    signatures = shingles.signatures
    errors = [
        (signatures[:, 0] == signatures[:, number]).mean() - jaccard(shingles.of(0), shingles.of(number))
        for number in range(1, len(texts))
    ]
    assert abs(np.mean(errors)) < 0.05
    assert np.max(np.abs(errors)) < 4 * np.sqrt(0.25 / PERMUTATIONS)


@pytest.mark.parametrize("threshold", [0.5, 0.8, 0.9, 1.0])
def test_bands_find_what_is_alike_and_little_else(threshold: float) -> None:
    """Equal texts share every band, unlike texts none, and a pair well above the threshold is found."""
    words = [f"w{number}" for number in range(400)]
    near = [*words]
    near[200] = "changed"
    texts = [
        " ".join(words),
        " ".join(words).upper() + "!",
        " ".join(near),
        " ".join(f"z{n}" for n in range(90)),
        "",
        "!",
    ]
    bands = bands_of(texts, threshold)
    assert bands.shape == (banding(threshold)[0], len(texts))
    assert (bands[:, 0] == bands[:, 1]).all()
    assert (bands[:, 0] == bands[:, 2]).any()
    assert not (bands[:, 0] == bands[:, 3]).any()
    assert not bands[:, 4:].any()


def test_pairs_are_scored_on_folded_words() -> None:
    """Case and punctuation do not count; one changed word in a long text costs five shingles."""
    text = " ".join(f"w{number}" for number in range(50))
    changed = text.replace("w25", "x")
    scores = similarities([text, text.upper() + "!", changed, ""], np.array([[0, 1], [0, 2], [0, 3]]))
    assert scores.tolist() == [[1.0, 1.0], [pytest.approx(41 / 51), pytest.approx(0.98)], [0.0, 0.0]]
