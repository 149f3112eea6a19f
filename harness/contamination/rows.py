"""Rows of training files: what is in a row, and how far the file has been read."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from harness.contamination.corpus import Source, kind_of
from harness.contamination.texts import strings_of
from harness.errors import DataError

_PACKINGS = {".gz": "gzip", ".zst": "zstd"}
_BATCH = 200
_LONGEST_BLOCK = 1 << 20
"""Characters of a block of a text file, which ends at an empty line or here."""


class Row(NamedTuple):
    """A training row.

    Attributes:
        number: Its line, or its number, counted from 1.
        value: What it holds.
        read: Bytes of the file that have been read up to here.
    """

    number: int
    value: Any
    read: int


class Text(NamedTuple):
    """A string of a row: the path to it, and itself."""

    field: str
    text: str


def rows_of(source: Source, fields: Sequence[str] = ()) -> Iterator[Row]:
    """Rows of a file.

    Raises:
        DataError: The file or a row of it cannot be read; the message says which.
    """
    kind = kind_of(source.path)
    try:
        if kind == ".parquet":
            yield from _parquet(source.path, fields)
            return
        with _opened(source.path) as (lines, raw):
            reader = {".json": _json, ".txt": _blocks}.get(kind or "", _lines)
            for number, value in reader(lines, source):
                yield Row(number, value, raw.tell())
    except UnicodeDecodeError as error:
        raise DataError(f"{source.path}", f"is not UTF-8 ({error.reason})", "convert it") from error
    except (OSError, ValueError) as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise DataError(f"{source.path}", f"cannot be read ({reason})", "restore it, or leave it out") from error


def texts_of(value: Any, fields: Sequence[str] = ()) -> list[Text]:
    """Strings of a row; with fields, those that stand in one of them."""
    found = (Text(kind, text) for kind, text in strings_of(value, "") if text)
    return [one for one in found if not fields or any(_inside(one.field, field) for field in fields)]


def _inside(path: str, field: str) -> bool:
    return path == field or path.startswith(f"{field}.")


@contextmanager
def _opened(path: Path) -> Iterator[tuple[IO[str], IO[bytes]]]:
    """A file as text, unpacked, and as the bytes that lie on the disk."""
    with path.open("rb") as raw:
        packing = _PACKINGS.get(path.suffix.lower())
        content: Any = raw
        if packing:
            from pyarrow import CompressedInputStream  # unlike zstandard's reader, it tells of a file that was cut

            content = io.BufferedReader(CompressedInputStream(raw, packing), 1 << 18)
        yield io.TextIOWrapper(content, encoding="utf-8-sig", newline="\n"), raw


def _lines(lines: Iterable[str], source: Source) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        if line.strip():
            try:
                yield number, json.loads(line)
            except ValueError as error:
                raise DataError(
                    f"{source.path}, line {number}", f"is no JSON ({error})", "correct or remove the line"
                ) from error


def _json(lines: IO[str], source: Source) -> Iterator[tuple[int, Any]]:
    """A list of rows, or one row; a file of several values is one of lines under another name."""
    content = lines.read()
    try:
        value = json.loads(content)
    except json.JSONDecodeError as error:
        if "Extra data" not in error.msg:
            raise
        yield from _lines(io.StringIO(content), source)
        return
    yield from enumerate(value if isinstance(value, list) else [value], 1)


def _blocks(lines: Iterable[str], source: Source) -> Iterator[tuple[int, str]]:
    """Paragraphs: lines up to an empty one, so that a run of words goes on over the end of a line."""
    block: list[str] = []
    size = 0
    for number, line in enumerate(lines, 1):
        if block and (not line.strip() or size > _LONGEST_BLOCK):
            yield number - len(block), "".join(block)
            block, size = [], 0
        if line.strip():
            block.append(line)
            size += len(line)
    if block:
        yield number - len(block) + 1, "".join(block)


def _parquet(path: Path, fields: Sequence[str]) -> Iterator[Row]:
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    size, total, number = path.stat().st_size, max(file.metadata.num_rows, 1), 0
    wanted = {field.partition(".")[0] for field in fields}
    columns = [name for name in file.schema_arrow.names if not wanted or name in wanted]
    for batch in file.iter_batches(_BATCH, columns=columns):
        for value in batch.to_pylist():
            number += 1
            yield Row(number, value, size * number // total)
