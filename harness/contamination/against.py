"""Overlap of a corpus with the test items of suites: which items of which tasks stand in it, and how much of them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from harness.catalog import load_catalog
from harness.contamination.build import index_of, load
from harness.contamination.corpus import Corpus, corpus_of
from harness.contamination.index import VERSION, Index, Level
from harness.contamination.rows import rows_of, texts_of
from harness.contamination.tally import HEADLINE, LEVELS, Example, Found, Piece, TaskTally, tallied
from harness.contamination.texts import Uncovered
from harness.errors import DataError
from harness.executors import Local, local
from harness.nouns import Interval
from harness.stats.intervals import wilson

METHOD = f"1.{VERSION}"
"""Version of what counts as touched: of the levels, and of the matching rule below them."""

_PIECE_CHARACTERS, _PIECE_ROWS = 4_000_000, 20_000
_WORTH_PROCESSES = 32_000_000
"""Bytes of a corpus from which on other processes save more time than their start costs."""

Advance = Callable[[str, int, int], None]
"""Told after every piece: the file that is read, bytes and rows of the piece."""


@dataclass(frozen=True, slots=True)
class Trained:
    """What was looked at.

    Attributes:
        name: Name of the corpus.
        digest: SHA-256 over the SHA-256 of its files, and over the chosen fields.
        files: Names of its files.
        fields: Fields whose strings count; none means all.
        rows: Training rows.
        texts: Strings in them.
    """

    name: str
    digest: str
    files: tuple[str, ...]
    fields: tuple[str, ...]
    rows: int
    texts: int


@dataclass(frozen=True, slots=True)
class TaskOverlap:
    """How much of a task stands in the corpus.

    Attributes:
        suite: The first chosen suite that has the task.
        task: Task name; of a stock group, the leaf.
        split: The scored split.
        ids: Ids of its items, by row number.
        touched: Row numbers of the items that are touched, by level.
        rows: Training rows that touch an item, by level.
        examples: Some of the longest stretches.
    """

    suite: str
    task: str
    split: str
    ids: Sequence[str]
    touched: Mapping[str, frozenset[int]]
    rows: Mapping[str, int]
    examples: tuple[Example, ...]

    @property
    def items(self) -> int:
        """Items of the task."""
        return len(self.ids)

    def share(self, level: str = HEADLINE) -> float:
        """Share of the items that are touched."""
        return len(self.touched[level]) / self.items

    def interval(self, level: str = HEADLINE) -> Interval:
        """95 % interval of the share, for other items of the same kind."""
        return wilson(len(self.touched[level]), self.items)


@dataclass(frozen=True, slots=True)
class Overlap:
    """A corpus against suites.

    Attributes:
        trained: What was looked at.
        suites: Names and digests of the suites.
        tasks: Tasks whose data is on this machine, in the order of the suites.
        uncovered: The others, and why.
        common: Sentences and n-grams that are too common to tell of an item.
    """

    trained: Trained
    suites: Mapping[str, str]
    tasks: tuple[TaskOverlap, ...]
    uncovered: tuple[Uncovered, ...]
    common: Mapping[Level, int]


@dataclass(frozen=True, slots=True)
class Place:
    """Where data and cards are, and where the index is kept.

    Attributes:
        mirror: Local mirror of datasets, if any.
        include: Folders of the user's own cards.
        cache: Folder that keeps indexes, one folder per set of suites, cards and data.
    """

    mirror: Path | None
    include: tuple[Path, ...] = ()
    cache: Path = Path("contamination/index")


def overlap(
    data: Corpus | Sequence[str],
    suites: Sequence[str],
    place: Place,
    workers: int | None = None,
    advance: Advance | None = None,
) -> Overlap:
    """Find the test items of suites in training data.

    Args:
        data: The corpus, or what it is called on the command line.
        suites: Names of suites.
        place: Where data and cards are.
        workers: Processes; None means one per core for a corpus that is worth it.
        advance: Told after every piece how far the corpus has been read.

    Raises:
        UsageError, CardError: A suite or a file is unknown.
        MissingInputError: The corpus is not there, or no task of the suites has its data on this machine.
        DataError: A row cannot be read, or there is no text to compare.
        StoreError: The index cannot be written.
    """
    corpus = data if isinstance(data, Corpus) else corpus_of(data, place.mirror)
    catalog = load_catalog(place.include)
    digests = {name: catalog.suite(name).digest for name in suites}
    folder = index_of(suites, place.mirror, place.include, place.cache)
    executor = Local(1) if workers is None and corpus.size < _WORTH_PROCESSES else local(workers)
    tasks: dict[str, TaskTally] = {}
    seen: Counter[str] = Counter()
    pieces = _pieces(corpus)
    for found in executor.stream(partial(tallied, folder), pieces):
        _take(found, tasks, seen)
        if advance is not None:
            advance(corpus.name, found.read, found.rows)
    _check_seen(corpus, seen)
    names = [source.name for source in corpus.sources]
    trained = Trained(corpus.name, corpus.digest, tuple(names), corpus.fields, seen["rows"], seen["texts"])
    index = load(folder)
    return Overlap(trained, digests, tuple(_tasks(index, tasks)), index.uncovered, index.common)


def _pieces(corpus: Corpus) -> Iterator[Piece]:
    """Rows of a corpus in pieces that fit memory."""
    for number, source in enumerate(corpus.sources):
        piece, size, before, read = Piece(number), 0, 0, 0
        for row in rows_of(source, corpus.fields):
            texts = texts_of(row.value, corpus.fields)
            piece.rows.append(row.number)
            piece.texts.append(texts)
            size, read = size + sum(len(text.text) for text in texts), row.read
            if size > _PIECE_CHARACTERS or len(piece.rows) >= _PIECE_ROWS:
                piece.read = read - before
                yield piece
                piece, size, before = Piece(number), 0, read
        piece.read = source.path.stat().st_size - before
        yield piece


def _take(found: Found, tasks: dict[str, TaskTally], seen: Counter[str]) -> None:
    for name, tally in found.tasks.items():
        tasks.setdefault(name, TaskTally()).add(tally)
    seen["rows"] += found.rows
    seen["texts"] += found.texts


def _check_seen(corpus: Corpus, seen: Counter[str]) -> None:
    if not seen["rows"]:
        raise DataError(f"Data {corpus.name}", "holds no row", "name the file that the model was trained on")
    if not seen["texts"]:
        named = f"in the field {' or '.join(corpus.fields)}" if corpus.fields else "of text"
        raise DataError(f"Data {corpus.name}", f"has {seen['rows']:,} rows and no string {named}", "correct --field")


def _tasks(index: Index, tallies: Mapping[str, TaskTally]) -> Iterator[TaskOverlap]:
    places = {place.task: place for place in reversed(index.references.places)}
    for name in index.items:
        tally = tallies.get(name, TaskTally())
        touched = {level: frozenset(tally.docs[level]) for level in LEVELS}
        rows = {level: tally.rows[level] for level in LEVELS}
        place = places[name]
        yield TaskOverlap(
            place.suite, name, place.split, tuple(index.ids_of(name)), touched, rows, tuple(tally.examples)
        )
