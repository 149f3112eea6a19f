"""What a part of a corpus has in common with test items: small, whatever the size of the part, and additive."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from harness.contamination.build import load
from harness.contamination.index import NGRAM, Hit, Index, Span
from harness.contamination.rows import Text

LONG = 13
"""Words of a run that chance hardly explains."""

LEVELS = ("text", "sentence", "13-gram", "8-gram")
"""Ways in which an item can stand in training data, from strong to weak; an item may be touched in several."""

HEADLINE = "13-gram"
"""The level that an item counts as touched at."""

EXAMPLES = 5
"""Items of a task that are shown, the longest stretches first."""

_AROUND, _LONGEST = 60, 140


class Excerpt(NamedTuple):
    """A stretch of a text with some of what stands around it; what was left out is marked by an ellipsis."""

    before: str
    shared: str
    after: str


@dataclass(frozen=True, slots=True)
class Example:
    """A stretch that a training row and a test item share, side by side.

    Attributes:
        words: Words in the stretch.
        doc_id: Row number of the test item.
        docs: How many items of the task have this text.
        kind: Field of the test item.
        field: Field of the training row.
        source: Number of the training file.
        row: Number of the training row in it.
        trained: The stretch in the training row.
        tested: The stretch in the test item.
    """

    words: int
    doc_id: int
    docs: int
    kind: str
    field: str
    source: int
    row: int
    trained: Excerpt
    tested: Excerpt

    @property
    def rank(self) -> tuple[int, int, int, int]:
        """What examples are sorted by: the longest first, then by place."""
        return -self.words, self.doc_id, self.source, self.row


@dataclass(slots=True)
class TaskTally:
    """What is touched of one task.

    Attributes:
        docs: Row numbers of items that are touched, by level.
        rows: Training rows that touch an item, by level.
        examples: Some of the longest stretches, one for each test text.
    """

    docs: dict[str, set[int]] = field(default_factory=lambda: {level: set() for level in LEVELS})
    rows: Counter[str] = field(default_factory=Counter)
    examples: list[Example] = field(default_factory=list)

    def add(self, other: TaskTally) -> None:
        """Take in what another part of the corpus touches."""
        for level, docs in other.docs.items():
            self.docs[level] |= docs
        self.rows += other.rows
        self.examples = _best([*self.examples, *other.examples])


@dataclass(slots=True)
class Piece:
    """Training rows that are looked at together.

    Attributes:
        source: Number of their file.
        rows: Their numbers in it.
        texts: Strings of each row.
        read: Bytes of the file that they take.
    """

    source: int
    rows: list[int] = field(default_factory=list)
    texts: list[list[Text]] = field(default_factory=list)
    read: int = 0


class Found(NamedTuple):
    """What a piece has in common with the test items, and how much was looked at."""

    tasks: dict[str, TaskTally]
    rows: int
    texts: int
    read: int


def levels_of(hit: Hit) -> Iterator[str]:
    """Levels of a hit. A whole test text counts at every level of n-grams, however short it is."""
    if hit.whole:
        yield "text"
    if hit.level == "sentence":
        yield "sentence"
    if hit.whole or hit.words >= LONG:
        yield "13-gram"
    if hit.whole or hit.words >= NGRAM:
        yield "8-gram"


def tallied(index: Path, piece: Piece) -> Found:
    """Compare a piece with the index in a folder; a function of its own, so that another process can run it."""
    texts = [text for row in piece.texts for text in row]
    hits = _loaded(index).scan(text.text for text in texts)
    tasks: dict[str, TaskTally] = {}
    for number, row in zip(piece.rows, piece.texts, strict=True):
        _tally_row(tasks, (piece.source, number), [(text, next(hits)) for text in row])
    return Found(tasks, len(piece.rows), len(texts), piece.read)


def _tally_row(tasks: dict[str, TaskTally], place: tuple[int, int], row: Sequence[tuple[Text, Sequence[Hit]]]) -> None:
    reached: set[tuple[str, str]] = set()
    for text, hits in row:
        for hit in hits:
            task = tasks.setdefault(hit.task, TaskTally())
            levels = tuple(levels_of(hit))
            for level in levels:
                task.docs[level].update(hit.docs)
                reached.add((hit.task, level))
            if len(task.examples) < EXAMPLES or (-hit.words, hit.docs[0], *place) < task.examples[-1].rank:
                task.examples = _best([*task.examples, _example(hit, text, place)])
    for name, level in reached:
        tasks[name].rows[level] += 1


def _best(examples: Iterable[Example]) -> list[Example]:
    """The longest stretches, one for each first item, as an order that does not depend on how the corpus was cut."""
    best: dict[int, Example] = {}
    for example in sorted(examples, key=lambda example: example.rank):
        best.setdefault(example.doc_id, example)
    return list(best.values())[:EXAMPLES]


def _example(hit: Hit, text: Text, place: tuple[int, int]) -> Example:
    trained, tested = excerpt(text.text, hit.span), excerpt(hit.test_text, hit.test_span)
    return Example(hit.words, hit.docs[0], len(hit.docs), hit.kind, text.field, *place, trained, tested)


def excerpt(text: str, span: Span) -> Excerpt:
    """A stretch of a text with what stands around it, each cut to what can be read at a glance."""
    start, end = span
    before, after = text[max(0, start - _AROUND) : start], text[end : end + _AROUND]
    shared = text[start:end]
    if len(shared) > _LONGEST:
        shared = f"{shared[: _LONGEST // 2]} […] {shared[-_LONGEST // 2 :]}"
    return Excerpt("…" * (start > _AROUND) + before, shared, after + "…" * (end + _AROUND < len(text)))


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Index:
    return load(folder)
