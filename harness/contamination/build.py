"""Building, storing and loading an index of test items."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from importlib.metadata import version as version_of
from importlib.resources import files
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from harness.catalog import digest_of, load_catalog
from harness.contamination.arrays import load_strings, save_array, save_strings
from harness.contamination.index import (
    COMMON_TEXTS,
    LEVELS,
    SHORTEST,
    VERSION,
    Index,
    Level,
    Place,
    References,
    hashed,
    telling,
)
from harness.contamination.table import Table, load_table, table_of
from harness.contamination.texts import ItemText, Uncovered, item_texts, tasks_of
from harness.contamination.words import batches, words_of
from harness.errors import DataError, StoreError
from harness.nouns import Task

_ARRAYS = ("first", "place", "doc")
_FORM = "2"  # of the files; the matching rule has a version of its own


def index_of(suites: Sequence[str], mirror: Path | None, include: Sequence[Path], cache: Path) -> Path:
    """Folder of the index of the suites' test items; built where the cache has none of the same key.

    Args:
        suites: Names of suites.
        mirror: Local mirror of datasets, if any.
        include: Folders of the user's own cards.
        cache: Folder that keeps indexes, one folder per key.

    Raises:
        UsageError, CardError, DataError: A suite is unknown or broken.
        MissingInputError: No task of the suites has its data on this machine.
        StoreError: The cache cannot be written.
    """
    folder = cache / index_key(suites, mirror, include)[:32]
    if not (folder / "index.json").is_file():
        uncovered: list[Uncovered] = []
        ids: dict[str, list[str]] = {}
        save(build(item_texts(suites, mirror, include, uncovered, ids), uncovered, ids), folder)
    return folder


def index_key(suites: Sequence[str], mirror: Path | None, include: Sequence[Path]) -> str:
    """SHA-256 of what shapes an index: the rule, the cards' digests, lm-eval's version, the files of the data."""
    catalog = load_catalog(include)
    stamps = [(suite, task.name, task.digest, _stamp(task, mirror)) for suite, task in tasks_of(suites, catalog)]
    return digest_of([VERSION, _FORM, version_of("lm-eval"), stamps])


def build(
    texts: Iterable[ItemText],
    uncovered: list[Uncovered] | None = None,
    ids: Mapping[str, Sequence[str]] | None = None,
) -> Index:
    """The index of test texts; ``uncovered`` and ``ids`` (of the items, by task) are read when they are exhausted."""
    numbers: dict[str, int] = {}
    places: dict[Place, int] = {}
    items: dict[str, int] = {}
    entries: list[tuple[int, int, int]] = []
    for item in texts:
        items[item.task] = max(items.get(item.task, 0), item.doc_id + 1)
        if len(item.text) < SHORTEST:
            continue
        place = Place(item.suite, item.task, item.split, item.kind)
        text = numbers.setdefault(item.text, len(numbers))
        entries.append((text, places.setdefault(place, len(places)), item.doc_id))
    distinct = list(numbers)
    first, tables, common = _tables(distinct)
    references = _references(tuple(places), np.array(entries, np.int64).reshape(-1, 3), len(distinct))
    items |= {task: len(known) for task, known in (ids or {}).items()}
    known = [one for task in items for one in (ids or {}).get(task, ())]
    return Index(distinct, references, first, tables, common, items, tuple(uncovered or ()), known)


def save(index: Index, folder: Path) -> None:
    """Write an index, whole or not at all.

    Raises:
        StoreError: The place cannot be written.
    """
    temporary = folder.with_name(f"{folder.name}.{os.getpid()}.partial")
    try:
        shutil.rmtree(temporary, ignore_errors=True)
        temporary.mkdir(parents=True)
        _write(index, temporary)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.replace(folder)
    except OSError as error:
        shutil.rmtree(temporary, ignore_errors=True)
        raise StoreError(
            f"Index {folder}", f"cannot be written ({error.strerror})", "free space or name another folder"
        ) from error


def load(folder: Path) -> Index:
    """The index that ``save`` wrote, mapped from disk.

    Raises:
        DataError: It is torn or of another version.
    """
    try:
        facts = json.loads((folder / "index.json").read_text(encoding="utf-8"))
        if facts["version"] != VERSION:
            raise ValueError(f"version {facts['version']} instead of {VERSION}")
        arrays = [np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS]
        return Index(
            texts=load_strings(folder, "texts"),
            references=References(tuple(Place(**place) for place in facts["places"]), *arrays),
            first=np.load(folder / "words.npy"),
            tables={level: load_table(folder, level) for level in LEVELS},
            common=facts["common"],
            items=facts["items"],
            uncovered=tuple(Uncovered(**task) for task in facts["uncovered"]),
            ids=load_strings(folder, "ids"),
        )
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(
            f"Index {folder}", f"cannot be read ({error})", "delete the folder; it is built again"
        ) from error


def _write(index: Index, folder: Path) -> None:
    save_strings(index.texts, folder, "texts")
    save_strings(index.ids, folder, "ids")
    save_array(index.first, folder / "words.npy")
    for name in _ARRAYS:
        save_array(getattr(index.references, name), folder / f"{name}.npy")
    for level, table in index.tables.items():
        table.save(folder, level)
    facts = {
        "version": VERSION,
        "places": [asdict(place) for place in index.references.places],
        "common": dict(index.common),
        "items": dict(index.items),
        "uncovered": [asdict(task) for task in index.uncovered],
    }
    (folder / "index.json").write_text(json.dumps(facts, indent=1, ensure_ascii=False), encoding="utf-8")


def _tables(texts: Sequence[str]) -> tuple[NDArray[np.int64], dict[Level, Table], dict[Level, int]]:
    """First word of every text, and the tables with the number of hashes that each leaves out."""
    found: dict[Level, list[NDArray[np.int64] | NDArray[np.uint64]]] = {level: [] for level in LEVELS}
    firsts, total = [np.zeros(1, np.int64)], 0
    for batch in batches(texts):
        words = words_of(texts[batch.start : batch.stop])
        for level in LEVELS:
            hashes, begin, end = hashed(words, level)
            kept = telling(words, begin, end) if level == "sentence" else slice(None)
            found[level] += [hashes[kept], begin[kept] + total]
        firsts.append(words.first[1:] + total)
        total += len(words.hashes)
    first = np.concatenate(firsts)
    tables: dict[Level, Table] = {}
    common: dict[Level, int] = {}
    for level in LEVELS:
        hashes = np.concatenate([np.zeros(0, np.uint64), *found[level][0::2]])
        positions = np.concatenate([np.zeros(0, np.int64), *found.pop(level)[1::2]])
        owners = np.searchsorted(first, positions, side="right") - 1
        most = len(texts) if level == "text" else COMMON_TEXTS
        tables[level], common[level] = table_of(hashes, positions, owners, most)
    return first, tables, common


def _references(places: tuple[Place, ...], entries: NDArray[np.int64], texts: int) -> References:
    entries = entries[np.argsort(entries[:, 0], kind="stable")]
    first = np.searchsorted(entries[:, 0], np.arange(texts + 1))
    return References(places, first, entries[:, 1].astype(np.uint32), entries[:, 2].astype(np.uint32))


def _stamp(task: Task, mirror: Path | None) -> list[str]:
    """What identifies a task's data on this machine: digest of embedded items, files of the mirror's folder."""
    if task.dataset.startswith("embedded:"):
        items = files("harness") / "assets" / task.dataset.removeprefix("embedded:")
        return [digest_of(items.read_text(encoding="utf-8"))] if items.is_file() else []
    if mirror is None or not task.dataset:
        return [str(task.revision)]
    pattern = task.dataset if "/" in task.dataset else f"*/{task.dataset}"
    return sorted(_facts(path, mirror) for path in mirror.glob(f"{pattern}/**/*.parquet"))


def _facts(path: Path, mirror: Path) -> str:
    stat = path.stat()
    return f"{path.relative_to(mirror)}:{stat.st_size}:{stat.st_mtime_ns}"
