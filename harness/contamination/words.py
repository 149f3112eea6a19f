"""Words of many texts at once, as 64-bit hashes: what overlap and near-duplicates are counted over.

A text is folded (NFKC and lower case) and cut into words: runs of letters, digits and marks; every character of Chinese
and Japanese script is a word of its own. Punctuation and spacing do not count. The hash of any stretch of words is one
subtraction of prefix sums, so that n-grams, sentences and whole texts cost the same and no loop runs over words.
Hashes only propose: whoever reports a match compares the words themselves.
"""

from __future__ import annotations

import unicodedata
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import accumulate
from re import finditer
from typing import Any

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
Positions = NDArray[np.int64]

BATCH_CHARACTERS = 200_000
"""Characters that are hashed at once: what fits the processor's cache; a longer text is a batch of its own."""

_BASE = 0x9E3779B97F4A7C15  # any large odd number: it has an inverse modulo 2^64
_INVERSE = pow(_BASE, -1, 1 << 64)
_LENGTH = np.uint64(0xD6E8FEB86659FD93)
_OTHER, _WORD, _SINGLE, _STOP, _PERIOD = range(5)
_SINGLES = (
    (0x3040, 0x30FF),
    (0x31F0, 0x31FF),
    (0x3400, 0x4DBF),
    (0x4E00, 0x9FFF),
    (0xF900, 0xFAFF),
    (0x20000, 0x3FFFF),
)
_STOPS = "!?。\n\r\u2028\u2029"


@dataclass(frozen=True, slots=True)
class Words:
    """Words of a batch of texts, in order.

    Attributes:
        folded: The folded texts, joined by newlines.
        offsets: (texts + 1,) where each text begins in ``folded``.
        starts: (words,) where each word begins in ``folded``.
        ends: (words,) where it ends.
        hashes: (words,) hash of each word.
        first: (texts + 1,) number of the first word of each text.
        sentences: (words,) number of the sentence that each word stands in, counted over the batch.
    """

    folded: str
    offsets: Positions
    starts: Positions
    ends: Positions
    hashes: Hashes
    first: Positions
    sentences: Positions

    @property
    def texts(self) -> Positions:
        """(words,) number of the text of each word."""
        return np.repeat(np.arange(len(self.first) - 1), np.diff(self.first))

    def strings(self, text: int) -> list[str]:
        """Folded words of one text."""
        words = range(self.first[text], self.first[text + 1])
        return [self.folded[self.starts[word] : self.ends[word]] for word in words]


def words_of(texts: Sequence[str]) -> Words:
    """Words of several texts."""
    folded = [fold(text) for text in texts]
    offsets = np.fromiter(accumulate((len(text) + 1 for text in folded), initial=0), np.int64, len(folded) + 1)
    joined = "\n".join(folded) + "\n"
    points = np.frombuffer(joined.encode("utf-32-le", "surrogatepass"), np.uint32)
    classes = _classes()[points]
    starts, ends = _bounds(classes)
    first = np.searchsorted(starts, offsets)
    sentences = np.cumsum(_stops(classes), dtype=np.int64)[starts]
    return Words(joined, offsets, starts, ends, range_hashes(points + np.uint64(1), starts, ends), first, sentences)


def fold(text: str) -> str:
    """The text in NFKC and lower case."""
    if text.isascii():
        return text.lower()
    # Case folding can leave a decomposed character behind, hence NFKC on both sides of it.
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())


def range_hashes(values: NDArray[Any], starts: Positions, ends: Positions) -> Hashes:
    """(ranges,) hash of ``values[start:end]``: equal content has equal hashes wherever it stands.

    Args:
        values: (n,) characters or hashes of words.
        starts: (ranges,) where each range begins.
        ends: (ranges,) where it ends.

    Source:
        Polynomial rolling hash modulo 2^64 (Karp and Rabin 1987) in prefix sums, finished by splitmix64 (Steele, Lea
        and Flood 2014, doi 10.1145/2714064.2660195).
    """
    powers, inverses = _powers(1 << max(len(values), 1024).bit_length())
    sums = np.zeros(len(values) + 1, np.uint64)
    np.cumsum(values.astype(np.uint64) * powers[: len(values)], out=sums[1:])
    content = (sums[ends] - sums[starts]) * inverses[starts]
    return _mixed(content + (ends - starts).astype(np.uint64) * _LENGTH)


def ngrams(words: Words, n: int) -> tuple[Hashes, Positions]:
    """Hash of every n-gram that lies in one text, and the number of its first word."""
    texts = words.texts
    begin = np.flatnonzero(texts[: len(texts) - n + 1] == texts[n - 1 :]) if len(texts) >= n else np.zeros(0, np.int64)
    return range_hashes(words.hashes, begin, begin + n), begin


def stretches(words: Words, shortest: int) -> tuple[Hashes, Positions, Positions]:
    """Hash, first word and end of every sentence of at least ``shortest`` words."""
    begin = np.flatnonzero(np.diff(words.sentences, prepend=-1))
    end = np.append(begin[1:], len(words.sentences))
    long = end - begin >= shortest
    begin, end = begin[long], end[long]
    return range_hashes(words.hashes, begin, end), begin, end


def original_span(text: str, start: int, end: int) -> tuple[int, int]:
    """Where a stretch of the folded text stands in the text itself.

    Folding can change lengths. There, the stretch is widened to whole words between white space.

    Args:
        text: The text, not folded.
        start: Where the stretch begins in ``fold(text)``.
        end: Where it ends.
    """
    if len(fold(text)) == len(text):
        return start, end
    chunks = [match.span() for match in finditer(r"\s+|\S+", text)]
    lengths = [len(fold(text[a:b])) for a, b in chunks]
    begins = [0, *accumulate(lengths)]

    def place(position: int) -> tuple[int, int]:
        chunk = min(bisect_right(begins, position), len(chunks)) - 1
        a, b = chunks[chunk]
        at = a + position - begins[chunk]
        return (at, at + 1) if b - a == lengths[chunk] else (a, b)

    return place(start)[0], place(end - 1)[1]


def batches(texts: Sequence[str]) -> list[range]:
    """Numbers of the texts, cut into batches of at most ``BATCH_CHARACTERS`` where texts allow."""
    cuts, size = [0], 0
    for number, text in enumerate(texts):
        if size and size + len(text) > BATCH_CHARACTERS:
            cuts.append(number)
            size = 0
        size += len(text)
    return [range(a, b) for a, b in zip(cuts, [*cuts[1:], len(texts)], strict=True) if b > a]


def _bounds(classes: NDArray[np.uint8]) -> tuple[Positions, Positions]:
    """Where words begin and end: runs of word characters, and single characters alone."""
    single = classes == _SINGLE
    word = classes == _WORD
    before = np.concatenate(([False], word[:-1]))
    after = np.concatenate((word[1:], [False]))
    return np.flatnonzero(single | (word & ~before)), np.flatnonzero(single | (word & ~after)) + 1


def _stops(classes: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a sentence ends: at a stop, and at a period that no word follows at once (3.5 goes on)."""
    following = np.concatenate((classes[1:], np.zeros(1, np.uint8)))
    ends: NDArray[np.bool_] = (classes == _STOP) | (
        (classes == _PERIOD) & (following != _WORD) & (following != _SINGLE)
    )
    return ends


@lru_cache(maxsize=1)
def _classes() -> NDArray[np.uint8]:
    """(0x110000,) class of every code point."""
    classes = np.zeros(0x110000, np.uint8)
    for point in range(len(classes)):
        if unicodedata.category(chr(point))[0] in "LNM":
            classes[point] = _WORD
    for low, high in _SINGLES:
        letters = classes[low : high + 1]
        letters[letters == _WORD] = _SINGLE
    classes[[ord(stop) for stop in _STOPS]] = _STOP
    classes[ord(".")] = _PERIOD
    return classes


@lru_cache(maxsize=2)
def _powers(length: int) -> tuple[Hashes, Hashes]:
    """Powers of the base and of its inverse, modulo 2^64."""
    tables = []
    for factor in (_BASE, _INVERSE):
        table = np.full(length, factor, np.uint64)
        table[0] = 1
        tables.append(np.cumprod(table))
    return tables[0], tables[1]


def _mixed(values: Hashes) -> Hashes:
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
