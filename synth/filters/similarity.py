"""How alike two texts are: Jaccard similarity of word 5-grams, estimated by MinHash, and ROUGE-L.

Signatures are those of datasketch's ``MinHash``, bit for bit, computed for many texts at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray
from rapidfuzz.distance import LCSseq

from harness.contamination.words import Hashes, batches, ngrams, range_hashes, words_of

SHINGLE = 5
"""Words per shingle; a shorter text is one shingle."""

PERMUTATIONS = 128
_SEED = 1  # datasketch's own default


@dataclass(frozen=True)
class Shingles:
    """Word n-grams of several texts.

    Attributes:
        hashes: (n,) hash of each shingle, text by text.
        bounds: (texts + 1,) first shingle of each text.
        words: (w,) hash of each word.
        first: (texts + 1,) first word of each text.
    """

    hashes: Hashes
    bounds: NDArray[np.int64]
    words: Hashes
    first: NDArray[np.int64]

    def of(self, text: int) -> Hashes:
        """Distinct shingles of one text, sorted."""
        found: Hashes = np.unique(self.hashes[self.bounds[text] : self.bounds[text + 1]])
        return found

    @cached_property
    def signatures(self) -> NDArray[np.uint32]:
        """(permutations, texts) MinHash signatures; the largest number where a text has no shingle.

        Source:
            Broder 1997, doi 10.1109/SEQUEN.1997.666900; the scheme ``affine32`` of datasketch 2.0.0.
        """
        counts = np.diff(self.bounds)
        filled = np.flatnonzero(counts)
        signatures = np.full((PERMUTATIONS, len(counts)), np.iinfo(np.uint32).max, np.uint32)
        if len(filled):
            mixed = _finished((self.hashes >> np.uint64(32)).astype(np.uint32))
            factors, offsets = _permutations()
            for row, factor, offset in zip(signatures, factors, offsets, strict=True):
                row[filled] = np.minimum.reduceat(mixed * factor + offset, self.bounds[:-1][filled])
        return signatures


def shingles_of(texts: Sequence[str]) -> Shingles:
    """Shingles of several texts."""
    words = words_of(texts)
    hashes, begin = ngrams(words, SHINGLE)
    owners = words.texts[begin]
    lengths = np.diff(words.first)
    short = np.flatnonzero((lengths > 0) & (lengths < SHINGLE))
    if len(short):
        whole = range_hashes(words.hashes, words.first[short], words.first[short + 1])
        hashes, owners = np.concatenate((hashes, whole)), np.concatenate((owners, short))
        order = np.argsort(owners, kind="stable")
        hashes, owners = hashes[order], owners[order]
    return Shingles(hashes, np.searchsorted(owners, np.arange(len(texts) + 1)), words.hashes, words.first)


def jaccard(one: Hashes, other: Hashes) -> float:
    """Jaccard similarity of two sorted sets; 0 where both are empty."""
    both = len(np.intersect1d(one, other, assume_unique=True))
    either = len(one) + len(other) - both
    return both / either if either else 0.0


def rouge_l(one: Sequence[int], other: Sequence[int]) -> float:
    """F1 of the longest common subsequence of two word sequences; 0 where one is empty.

    Source:
        Lin 2004, aclanthology.org/W04-1013; equal to ``rougeL.fmeasure`` of rouge_score 0.1.2 on equal words.
    """
    if not one or not other:
        return 0.0
    return 2.0 * float(LCSseq.similarity(one, other)) / (len(one) + len(other))


def bands_of(texts: Sequence[str], threshold: float) -> NDArray[np.uint64]:
    """(bands, texts) hash of each band of the signatures: equal in one band, two texts are candidates.

    The number of bands and rows is datasketch's best for the threshold. A text without words has no candidates: its
    bands are 0.
    """
    bands, rows = banding(threshold)
    found = []
    for batch in batches(texts):
        shingles = shingles_of(texts[batch.start : batch.stop])
        count = len(batch)
        flat = shingles.signatures[: bands * rows].reshape(bands, rows, count).transpose(0, 2, 1).reshape(-1)
        begin = np.arange(bands * count) * rows
        hashes = range_hashes(flat, begin, begin + rows).reshape(bands, count)
        hashes[:, np.diff(shingles.bounds) == 0] = 0
        found.append(hashes)
    return np.concatenate(found, axis=1) if found else np.zeros((bands, 0), np.uint64)


@cache
def banding(threshold: float) -> tuple[int, int]:
    """Bands and rows per band: datasketch's best where a missed pair weighs nine times a pair that is looked at."""
    from datasketch import MinHashLSH

    lsh = MinHashLSH(threshold=min(threshold, 0.95), num_perm=PERMUTATIONS, weights=(0.1, 0.9))
    return lsh.b, lsh.r


@cache
def _permutations() -> tuple[NDArray[np.uint32], NDArray[np.uint32]]:
    from datasketch import MinHash

    factors, offsets = MinHash(PERMUTATIONS, seed=_SEED, scheme="affine32").permutations
    return factors, offsets


def _finished(values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """MurmurHash3's 32-bit finaliser, which datasketch applies before its permutations."""
    values = (values ^ (values >> np.uint32(16))) * np.uint32(0x85EBCA6B)
    values = (values ^ (values >> np.uint32(13))) * np.uint32(0xC2B2AE35)
    return values ^ (values >> np.uint32(16))
