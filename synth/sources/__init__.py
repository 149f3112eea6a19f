"""Seed data sets to documents: train splits of a mirror or the hub, a user's own file, the embedded grammar."""

from __future__ import annotations

import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from harness.data import mirror_splits, mirrored, resolving
from harness.errors import DataError, MissingInputError, UnavailableError, UsageError
from synth import recipe, seeds
from synth.draws import Draws
from synth.records import Document, Family, Schema, digest
from synth.sources import readers, tasks
from synth.sources.readers import Reading, Row, Table
from synth.sources.registry import Entry, config_of, entry_of, reader_of, registry, split_of
from synth.sources.user import read_file

__all__ = ["StandInWarning", "read", "registry"]

SEEDS = "seeds"
_EXTRACTION = (Family.NER, Family.RE, Family.EE)
_STAND_IN = 0.1  # fewer rows than this share of the published split are no sample of it


class StandInWarning(UserWarning):
    """A split only stands in for the published one."""


def read(source: recipe.Source, seed: int, mirror: Path | None) -> Iterator[Document]:
    """Documents of one seed data set.

    Args:
        source: The data set, the file or the grammar.
        seed: Seed of the sample, where ``source.limit`` asks for one, and of the grammar.
        mirror: Folder that is looked into before the hub.

    Raises:
        UsageError: Both or neither of data set and file are named; the data set has no reader; the split is scored.
        DataError: Rows or lines are not as they should be.
        MissingInputError: It is not there.
    """
    if (source.dataset is None) == (source.file is None):
        raise UsageError("A source", "names both or neither of dataset and file", "name one of them")
    if source.file is not None:
        return read_file(source, seed)
    if source.dataset == SEEDS:
        return seeds.documents(seed, _needed(source), source.family, source.config)
    return _documents(source, seed, mirror)


def _needed(source: recipe.Source) -> int:
    if source.limit is None:
        raise UsageError("Source seeds", "has no end", "set its limit")
    return source.limit


def _documents(source: recipe.Source, seed: int, mirror: Path | None) -> Iterator[Document]:
    name, entry = entry_of(source.dataset or "")
    family, reader = reader_of(name, entry, source.family)
    config, split = config_of(name, entry, source.config), split_of(name, entry, source.split)
    rows = _rows(name, (config, split), entry.revision, mirror)
    _warn_of_stand_in(name, entry, config, len(rows))
    table = Table(entry, family, entry.classes(config), _tag_names(rows, entry))
    function: Callable[[Row, Table], Iterable[Reading]] = getattr(readers, reader, None) or getattr(tasks, reader)
    readings: Iterable[Reading] = _readings(function, rows, table, f"Split {split} of {name}")
    schema = None
    if family in _EXTRACTION:  # the label set is what the whole split uses, whatever the sample
        readings = joined = readers.merged(readings)
        schema = _schema([reading for reading in joined if reading.schema is None])
    label = f"{name}/{config}" if config is not None else name
    for reading in _sampled(readings, source.limit, f"{seed}/{label}"):
        yield Document(
            family, label, split, reading.text, reading.schema or schema or Schema(), tuple(reading.answer),
            entry.licence, reading.question, digest(reading.key) if reading.key else "",
        )  # fmt: skip


def _rows(name: str, part: tuple[str | None, str], revision: str | None, mirror: Path | None) -> Any:
    """Rows of one configuration and split: of the mirror where it holds them, else of the hub."""
    import datasets

    config, split = part
    folder = mirrored(name, mirror, config) if mirror is not None else None
    lacking = folder is not None and split not in mirror_splits(folder, config)
    try:
        with resolving(None if lacking else mirror):
            return datasets.load_dataset(name, config, split=split, revision=revision)
    except (MissingInputError, UnavailableError) as error:
        if not lacking:
            raise
        raise type(error)(
            f"Split {split} of {name}", f"is not in the mirror {mirror}, and the hub did not give it ({error.reason})",
            "connect to the hub, or leave the source out",
        ) from error  # fmt: skip


def _readings(
    function: Callable[[Row, Table], Iterable[Reading]], rows: Any, table: Table, thing: str
) -> Iterator[Reading]:
    for number, row in enumerate(rows):
        try:
            yield from function(row, table)
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise DataError(
                f"{thing}, row {number}", f"is not as its reader expects ({type(error).__name__}: {error})",
                "check that the data set has the columns of the hub id",
            ) from error  # fmt: skip


def _sampled(readings: Iterable[Reading], limit: int | None, key: str) -> Iterator[Reading]:
    """All readings, or a drawn sample of them in their own order."""
    if limit is None:
        yield from readings
        return
    held = readings if isinstance(readings, Sequence) else list(readings)
    kept = sorted(Draws(key).sample(range(len(held)), limit))
    yield from (held[number] for number in kept)


def _schema(readings: Sequence[Reading]) -> Schema:
    """Labels of all answers in alphabetical order, with the roles of each."""
    roles: dict[str, set[str]] = defaultdict(set)
    for reading in readings:
        for fact in reading.answer:
            roles[fact["label"]].update(argument["role"] for argument in fact.get("arguments", ()))
    labels = tuple(sorted(roles))
    return Schema(labels, {label: tuple(sorted(roles[label])) for label in labels if roles[label]})


def _tag_names(rows: Any, entry: Entry) -> Sequence[str]:
    feature = rows.features.get(entry.column("tags"))
    names: Sequence[str] = getattr(getattr(feature, "feature", None), "names", None) or ()
    return names


def _warn_of_stand_in(name: str, entry: Entry, config: str | None, rows: int) -> None:
    published = entry.published.get(config or "", next(iter(entry.published.values()), 0) if config is None else 0)
    if rows < published * _STAND_IN:
        warnings.warn(
            f"{name}: the train split holds {rows} of {published} published rows; it is a stand-in, read the hub's",
            StandInWarning, stacklevel=3,
        )  # fmt: skip
