"""Rows on disk: shards of compressed JSON lines, each written whole or not at all.

A folder of shards is a step's result. ``part-00000.jsonl.zst`` exists only when it is complete (temporary name,
fsync, rename), so the files themselves say how far a killed step came; ``_done.json`` marks the whole step and holds
the digest of whatever shaped it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import zstandard

from harness.errors import DataError, MissingInputError, StoreError

ROWS_PER_SHARD = 20_000
_DONE = "_done.json"


def write_shard(folder: Path, number: int, rows: Iterable[Mapping[str, Any]]) -> Path:
    """One shard, complete or absent; its path.

    Raises:
        StoreError: The folder cannot be written.
    """
    path = folder / f"part-{number:05}.jsonl.zst"
    temporary = path.with_suffix(".partial")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as raw:
            with zstandard.ZstdCompressor(level=3).stream_writer(raw, closefd=False) as packed:
                for row in rows:
                    packed.write(json.dumps(row, ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
            raw.flush()
            os.fsync(raw.fileno())
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error
    return path


def write_text(path: Path, text: str) -> None:
    """A small file, complete or absent.

    Raises:
        StoreError: It cannot be written.
    """
    temporary = path.with_name(path.name + ".partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_text(text, encoding="utf-8")
        temporary.replace(path)
    except OSError as error:
        raise unwritable(path, error) from error


def unwritable(path: Path, error: OSError) -> StoreError:
    """The error of a place that cannot be written."""
    return StoreError(f"{path}", f"cannot be written ({error.strerror or error})", "free space or name another folder")


def write_shards(folder: Path, rows: Iterable[Mapping[str, Any]], size: int = ROWS_PER_SHARD) -> int:
    """All rows in shards of ``size``; the number of rows."""
    source, number, total = iter(rows), 0, 0
    while batch := list(islice(source, size)):
        write_shard(folder, number, batch)
        number, total = number + 1, total + len(batch)
    return total


def shards(folder: Path) -> list[Path]:
    """Complete shards of a folder, in order.

    Raises:
        MissingInputError: There are none.
    """
    found = sorted(folder.glob("part-*.jsonl.zst"))
    if not found:
        raise MissingInputError(f"Folder {folder}", "holds no shard", "run the step before it first")
    return found


def read_shard(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of one shard.

    Raises:
        DataError: It is torn or no JSON; the message names shard and line.
    """
    number = 0
    try:
        for line in _lines(path):
            number += 1
            yield json.loads(line)
    except (zstandard.ZstdError, ValueError) as error:
        raise DataError(
            f"Shard {path}, line {number}", f"cannot be read ({error})", "run the step that wrote it again"
        ) from error


def _lines(path: Path) -> Iterator[str]:
    unpacker, rest = zstandard.ZstdDecompressor().decompressobj(), b""
    with path.open("rb") as raw:
        while piece := raw.read(1 << 20):
            *lines, rest = (rest + unpacker.decompress(piece)).split(b"\n")
            yield from (line.decode("utf-8", "surrogatepass") for line in lines)
    if not unpacker.eof or rest:
        raise ValueError("it is cut off")


def read_shards(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows of all shards of a folder, in order."""
    for path in shards(folder):
        yield from read_shard(path)


def mark_done(folder: Path, shaped_by: str, **facts: Any) -> None:
    """Mark a step's folder as complete.

    Args:
        folder: The folder.
        shaped_by: Digest of everything that shaped its content.
        **facts: JSON-able counts that later steps show.
    """
    write_text(folder / _DONE, json.dumps({"shaped_by": shaped_by, **facts}, indent=1))


def done(folder: Path, shaped_by: str) -> dict[str, Any] | None:
    """The facts of a complete step that was shaped by the same content, else None."""
    path = folder / _DONE
    if not path.is_file():
        return None
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return content if content["shaped_by"] == shaped_by else None
