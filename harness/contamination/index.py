"""The index of test items: which of their sentences and word n-grams occur in a text.

Three kinds of evidence, from strong to weak: the whole text of a test item; one of its sentences; a run of at least 8
words. Hashes propose and the words themselves are compared, so that a collision is never reported. What very many test
items share is wording and proposes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from itertools import islice
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from harness.contamination.table import Table
from harness.contamination.texts import Uncovered
from harness.contamination.words import (
    Hashes,
    Positions,
    Words,
    batches,
    ngrams,
    original_span,
    range_hashes,
    stretches,
    words_of,
)  # fmt: skip

VERSION = "1"
"""Version of the matching rule."""

NGRAM = 8
"""Words of the shortest run that is reported; a run of 13 or more is what the field calls a 13-gram hit."""

SHORTEST = 5
"""Words of the shortest whole text or sentence that counts."""

COMMON_TEXTS = 20
"""An n-gram or sentence that more test texts than this have is common wording and proposes no match."""

Level = Literal["text", "sentence", "ngram"]
LEVELS: tuple[Level, ...] = ("text", "sentence", "ngram")
Span = tuple[int, int]
_Seed = tuple[Level, int, int, int]  # level, first word in the batch, words, position in the index


@dataclass(frozen=True, slots=True)
class Hit:
    """One stretch of a text that a test item has too.

    Attributes:
        level: ``text``: the whole text is a test text; ``sentence``: a sentence of it is; ``ngram``: a run of words is.
        suite: Suite of the test item.
        task: Its task.
        split: Its split.
        kind: Field of the row.
        docs: Row numbers of the test items that have this text.
        words: Words in the stretch.
        span: Where it stands in the text, in characters.
        test_span: Where it stands in the test text.
        test_text: The test text.
        whole: Whether the stretch is all of the test text.
    """

    level: Level
    suite: str
    task: str
    split: str
    kind: str
    docs: tuple[int, ...]
    words: int
    span: Span
    test_span: Span
    test_text: str
    whole: bool


@dataclass(frozen=True, slots=True)
class Place:
    """A field of a task's rows."""

    suite: str
    task: str
    split: str
    kind: str


@dataclass(frozen=True, slots=True)
class References:
    """Which items have which text: rows of a sparse table.

    Attributes:
        places: Fields of tasks, by number.
        first: (texts + 1,) first entry of each text.
        place: (entries,) number of the place.
        doc: (entries,) row number in the scored split.
    """

    places: tuple[Place, ...]
    first: NDArray[np.int64]
    place: NDArray[np.uint32]
    doc: NDArray[np.uint32]

    def of(self, text: int) -> dict[Place, tuple[int, ...]]:
        """Items of one text, by place."""
        found: dict[Place, tuple[int, ...]] = {}
        for entry in range(self.first[text], self.first[text + 1]):
            place = self.places[self.place[entry]]
            found[place] = (*found.get(place, ()), int(self.doc[entry]))
        return found


@dataclass(frozen=True)
class Index:
    """Test texts and their hashes.

    Attributes:
        texts: Distinct test texts.
        references: Where each occurs.
        first: (texts + 1,) number of the first word of each text.
        tables: Of whole texts, sentences and n-grams: hash to number of the first word.
        common: Sentences and n-grams that were left out as common wording.
        items: Scored rows per task.
        uncovered: Tasks of the suites that are not in it.
        ids: Ids that the items' records have in every run, in the order of ``items`` and of the rows; none where they
            are not known.
    """

    texts: Sequence[str]
    references: References
    first: Positions
    tables: Mapping[Level, Table]
    common: Mapping[Level, int]
    items: Mapping[str, int]
    uncovered: tuple[Uncovered, ...] = ()
    ids: Sequence[str] = ()

    def ids_of(self, task: str) -> Sequence[str]:
        """Ids of a task's items, by row number."""
        names = list(self.items)
        before = sum(self.items[name] for name in names[: names.index(task)])
        return self.ids[before : before + self.items[task]]

    def find(self, text: str) -> tuple[Hit, ...]:
        """Every stretch of a text that a test item has too, strongest evidence first."""
        return next(self.scan([text]))

    def scan(self, texts: Iterable[str]) -> Iterator[tuple[Hit, ...]]:
        """Hits of each of many texts, in their order; as a stream, in batches inside."""
        source = iter(texts)
        while chunk := list(islice(source, 2048)):
            for batch in batches(chunk):
                part = chunk[batch.start : batch.stop]
                yield from self._scanned(part, words_of(part))

    def _scanned(self, texts: Sequence[str], words: Words) -> Iterator[tuple[Hit, ...]]:
        seeds = self._seeds(words)
        for number, text in enumerate(texts):
            found = seeds.get(number)
            yield tuple(_Matcher(self, text, words, number).hits(found)) if found else ()

    def _seeds(self, words: Words) -> dict[int, list[_Seed]]:
        """Matches that hashes propose, by text, strongest level first."""
        seeds: dict[int, list[_Seed]] = {}
        texts = words.texts
        for level in LEVELS:
            hashes, begin, end = hashed(words, level)
            queries, positions = self.tables[level].find(hashes)
            for query, position in zip(queries.tolist(), positions.tolist(), strict=True):
                first, words_in = int(begin[query]), int(end[query] - begin[query])
                seeds.setdefault(int(texts[first]), []).append((level, first, words_in, position))
        return seeds

    @cached_property
    def words_of_text(self) -> Callable[[int], tuple[Words, list[str]]]:
        """Words of a test text by its number; the last few thousand are kept."""

        @lru_cache(maxsize=4096)
        def words(number: int) -> tuple[Words, list[str]]:
            made = words_of([self.texts[number]])
            return made, made.strings(0)

        return words


def hashed(words: Words, level: Level) -> tuple[Hashes, Positions, Positions]:
    """Hash, first word and end of everything that a level compares."""
    if level == "ngram":
        hashes, begin = ngrams(words, NGRAM)
        return hashes, begin, begin + NGRAM
    if level == "sentence":
        return stretches(words, SHORTEST)
    long = np.flatnonzero(np.diff(words.first) >= SHORTEST)
    begin, end = words.first[long], words.first[long + 1]
    return range_hashes(words.hashes, begin, end), begin, end


def telling(words: Words, begin: Positions, end: Positions) -> NDArray[np.bool_]:
    """Whether a sentence of a test text tells of that text: it has 8 words or more, or is at least half of the text."""
    texts = words.texts[begin]
    whole = words.first[texts + 1] - words.first[texts]
    return (end - begin >= NGRAM) | (2 * (end - begin) >= whole)


class _Matcher:
    """Compares one text's words with those of the test texts that hashes propose."""

    def __init__(self, index: Index, text: str, words: Words, number: int) -> None:
        self.index, self.text, self.words = index, text, words
        self.base = int(words.first[number])
        self.offset = int(words.offsets[number])
        self.strings = words.strings(number)

    def hits(self, seeds: Iterable[_Seed]) -> Iterator[Hit]:
        """Each stretch once; an n-gram is widened to the longest run of equal words around it."""
        seen: set[tuple[Level, int]] = set()
        reached: dict[tuple[int, int], int] = {}
        for level, first, count, position in seeds:
            number = int(np.searchsorted(self.index.first, position, side="right")) - 1
            theirs = self.index.words_of_text(number)[1]
            mine, at = first - self.base, position - int(self.index.first[number])
            if (level, position) in seen or self.strings[mine : mine + count] != theirs[at : at + count]:
                continue
            if level == "ngram":
                if mine < reached.get((number, mine - at), 0):
                    continue
                mine, at, count = _widened(self.strings, theirs, mine, at)
                reached[number, mine - at] = mine + count
            seen.add((level, position))
            yield from self._hits(level, number, (mine, at, count))

    def _hits(self, level: Level, number: int, stretch: tuple[int, int, int]) -> Iterator[Hit]:
        mine, at, count = stretch
        test_text = self.index.texts[number]
        made, theirs = self.index.words_of_text(number)
        span = self._span(self.text, self.words, self.base + mine, count, self.offset)
        test_span = self._span(test_text, made, at, count, 0)
        whole = count == len(theirs)
        for place, docs in self.index.references.of(number).items():
            where = place.suite, place.task, place.split, place.kind
            yield Hit(level, *where, docs, count, span, test_span, test_text, whole)

    @staticmethod
    def _span(text: str, words: Words, first: int, count: int, offset: int) -> Span:
        start, end = int(words.starts[first]), int(words.ends[first + count - 1])
        return original_span(text, start - offset, end - offset)


def _widened(mine: Sequence[str], theirs: Sequence[str], here: int, there: int) -> tuple[int, int, int]:
    """First word in both and length of the longest run of equal words through a pair of equal words."""
    while here and there and mine[here - 1] == theirs[there - 1]:
        here, there = here - 1, there - 1
    room, count = min(len(mine) - here, len(theirs) - there), 0
    while count < room and mine[here + count] == theirs[there + count]:
        count += 1
    return here, there, count
