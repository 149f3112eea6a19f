"""Second pass: the chosen rows from the order of the pool into the order of the corpus, shard by shard.

Each filtered shard is read once and leaves its chosen rows in a file of its own, sorted by their rank in the corpus;
each shard of the corpus is then gathered from the slices of these files. No process holds more than one shard, and the
files of a corpus do not depend on how the pool was cut.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError, StoreError
from synth.mix.selection import SPLITS
from synth.shards import read_shard

COLUMNS = {
    "prompt": "what the model reads",
    "completion": "what it learns to write",
    "id": "SHA-256 of instruction, format, phrasing, prompt and completion",
    "family": "family of the task",
    "source": "seed data set",
    "document": "key of the document; a document is in one split only",
    "format": "answer format",
    "phrasing": "wording of the prompt",
    "strategies": "strategies that shaped it, joined with +; basic without",
    "guideline": "id of the guideline that the prompt shows; empty without",
    "rule": "id of the preference rule that the answer follows; empty without",
    "parent": "id of the base instruction; empty for a base instruction",
    "licence": "licence of the seed data",
}
"""Columns of the corpus. All are text and none is null: a column of nulls in one file and of text in the next has two
types to a JSON reader, and such files do not load together."""

COUNTED = ("family", "strategies", "source", "licence", "format", "phrasing")
"""Columns whose combinations of values are counted."""

Cube = Counter[tuple[str, ...]]
"""Rows by split and the values of ``COUNTED``."""


@dataclass(frozen=True, slots=True)
class Scatter:
    """One filtered shard's work.

    Attributes:
        shard: The shard.
        chosen: (rows,) numbers of its chosen rows, ascending.
        ranks: (rows,) their ranks in the corpus, those of train first.
        train: Rows of the train split.
        spill: Where its chosen rows go, without suffix.
    """

    shard: Path
    chosen: NDArray[np.intp]
    ranks: NDArray[np.int64]
    train: int
    spill: Path


@dataclass(frozen=True, slots=True)
class Gather:
    """One shard of the corpus.

    Attributes:
        path: Its file.
        first: Rank of its first row.
        last: Rank behind its last row.
        spills: What ``scatter`` left, without suffix.
    """

    path: Path
    first: int
    last: int
    spills: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Written:
    """A file of the corpus.

    Attributes:
        name: Its name.
        sha256: Of its content.
        size: Bytes.
        rows: Rows.
    """

    name: str
    sha256: str
    size: int
    rows: int


def row_of(example: Mapping[str, Any]) -> dict[str, str]:
    """The row of the corpus that a filtered example becomes."""
    asked = example["instruction"]
    values = {**asked, **example, "strategies": "+".join(example["strategies"]) or "basic"}
    return {column: values[column] or "" for column in COLUMNS}


def scatter(work: Scatter) -> Cube:
    """Write the chosen rows of one filtered shard, sorted by rank, and count them.

    Raises:
        DataError: A row is no text that can be written.
        StoreError: The folder cannot be written.
    """
    wanted = dict(zip(work.chosen.tolist(), work.ranks.tolist(), strict=True))
    lines: dict[int, bytes] = {}
    cube: Cube = Counter()
    for number, example in enumerate(read_shard(work.shard)):
        if number in wanted:
            row, rank = row_of(example), wanted[number]
            lines[rank] = _line(row)
            cube[(SPLITS[rank >= work.train], *(row[column] for column in COUNTED))] += 1
    ranks = sorted(lines)
    bounds = np.cumsum([0, *(len(lines[rank]) for rank in ranks)])
    try:
        work.spill.with_suffix(".jsonl").write_bytes(b"".join(lines[rank] for rank in ranks))
        np.savez(work.spill.with_suffix(".npz"), ranks=np.array(ranks, np.int64), bounds=bounds)
    except OSError as error:
        raise unwritable(work.spill, error) from error
    return cube


def gather(work: Gather) -> Written:
    """Write one shard of the corpus, whole or not at all.

    Raises:
        StoreError: The folder cannot be written.
    """
    lines = [line for _, line in sorted(pair for spill in work.spills for pair in _slice(spill, work))]
    content = _parquet(lines) if work.path.suffix == ".parquet" else b"".join(lines)
    return write(work.path, content, len(lines))


def write(path: Path, content: bytes, rows: int = 0) -> Written:
    """Write a file, whole or not at all.

    Raises:
        StoreError: The folder cannot be written.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        with temporary.open("wb") as raw:
            raw.write(content)
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise unwritable(path, error) from error
    return Written(path.name, hashlib.sha256(content).hexdigest(), len(content), rows)


def unwritable(path: Path, error: OSError) -> StoreError:
    """The error of a place that cannot be written."""
    return StoreError(f"File {path}", f"cannot be written ({error.strerror})", "free space or name another folder")


def _slice(spill: Path, work: Gather) -> Iterator[tuple[int, bytes]]:
    """Rank and line of the rows of one spill that belong to a shard of the corpus."""
    with np.load(spill.with_suffix(".npz")) as index:
        ranks, bounds = index["ranks"], index["bounds"]
    start, stop = np.searchsorted(ranks, (work.first, work.last))
    with spill.with_suffix(".jsonl").open("rb") as raw:
        raw.seek(bounds[start])
        for rank, size in zip(ranks[start:stop], np.diff(bounds[start : stop + 1]), strict=True):
            yield int(rank), raw.read(int(size))


def _line(row: Mapping[str, str]) -> bytes:
    try:
        return (json.dumps(row, ensure_ascii=False) + "\n").encode()
    except UnicodeEncodeError as error:
        reason = "holds a lone surrogate, which is no character"
        raise DataError(f"Example {row['id']}", reason, "use the filter length, which rejects it") from error


def _parquet(lines: Sequence[bytes]) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    schema = pa.schema([(column, pa.string()) for column in COLUMNS])
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.Table.from_pylist([json.loads(line) for line in lines], schema), sink)
    return bytes(sink.getvalue())
