"""Training data as it lies on disks: what is read, how it is named, and what is refused in words."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from harness.contamination import corpus_of
from harness.contamination.corpus import Source
from harness.contamination.rows import rows_of, texts_of
from harness.errors import DataError, HarnessError, MissingInputError, UsageError

ROWS = [{"text": "Ferries leave at nine."}, {"text": "Trams leave at ten.", "note": "sic"}]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)
CARD = """---
configs:
- config_name: spring
  data_files:
  - split: train
    path: spring/train-*.jsonl
  - split: test
    path: spring/test.jsonl
- config_name: autumn
  data_files:
  - split: train
    path: autumn/train.jsonl
---
Weather.
"""


def values(path: Path, fields: Sequence[str] = ()) -> list[Any]:
    return [row.value for row in rows_of(Source(path, path.name), fields)]


@pytest.fixture
def mirror(tmp_path: Path) -> Path:
    """A mirror with one data set of two configurations."""
    folder = tmp_path / "mirror" / "org" / "weather"
    for name in ("spring/train-0", "spring/train-1", "spring/test", "autumn/train"):
        path = folder / f"{name}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({"text": name}) + "\n", encoding="utf-8")
    (folder / "README.md").write_text(CARD, encoding="utf-8")
    return tmp_path / "mirror"


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", LINES.encode()), ("a.ndjson", ("\ufeff" + LINES).encode()), ("a.json", LINES.encode()),
        ("a.json", json.dumps(ROWS, indent=2).encode()), ("a.jsonl.gz", gzip.compress(LINES.encode())),
        ("a.jsonl.zst", zstandard.compress(LINES.encode())),
        ("a.jsonl.zst", b"".join(zstandard.compress(line.encode()) for line in LINES.splitlines(keepends=True))),
    ],
)  # fmt: skip
def test_rows_are_the_same_in_every_form(tmp_path: Path, name: str, content: bytes) -> None:
    """Lines, a list, lines called JSON, a byte-order mark, and both packings hold the same rows."""
    (tmp_path / name).write_bytes(content)
    assert values(tmp_path / name) == ROWS


def test_parquet_reads_the_columns_that_are_asked_for(tmp_path: Path) -> None:
    """Nested columns come whole; with fields the others are not even read."""
    path = tmp_path / "a.parquet"
    messages = [[{"role": "user", "content": "Hello there."}], [{"role": "user", "content": "Bye."}]]
    pq.write_table(pa.table({"messages": messages, "picture": [b"\x00", b"\x01"], "n": [1, 2]}), path)
    assert [sorted(value) for value in values(path)] == [["messages", "n", "picture"]] * 2
    assert [row.value for row in rows_of(Source(path, "a"), ("messages.content",))] == [
        {"messages": messages[0]}, {"messages": messages[1]},
    ]  # fmt: skip
    assert [row.number for row in rows_of(Source(path, "a"))] == [1, 2]


def test_a_text_file_is_read_in_paragraphs(tmp_path: Path) -> None:
    """A run of words goes on over the end of a line and ends at an empty one; paragraphs are numbered by their line."""
    path = tmp_path / "a.txt"
    path.write_text("\nOne line\nand another.\n\n\nLast", encoding="utf-8")
    assert [(row.number, row.value) for row in rows_of(Source(path, "a"))] == [
        (2, "One line\nand another.\n"), (6, "Last"),
    ]  # fmt: skip


def test_strings_of_a_row_are_found_with_their_fields() -> None:
    """Every string counts, tokens as one text; a named field takes what stands below it and nothing else."""
    row = {"messages": [{"role": "user", "content": "Say hi."}], "tokens": ["Say", "hi"], "n": 3, "textual": "no"}
    assert [tuple(text) for text in texts_of(row)] == [
        ("messages.role", "user"), ("messages.content", "Say hi."), ("tokens", "Say hi"), ("textual", "no"),
    ]  # fmt: skip
    assert [text.field for text in texts_of(row, ("messages",))] == ["messages.role", "messages.content"]
    assert texts_of(row, ("text",)) == []
    assert [text.text for text in texts_of("A line.")] == ["A line."]


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    """How far a file has been read ascends and never exceeds its size, packed or not."""
    for name, content in (
        ("a.jsonl", LINES.encode() * 9000),
        ("a.jsonl.gz", gzip.compress(os.urandom(40).hex().encode())),
    ):
        path = tmp_path / name
        path.write_bytes(content if name == "a.jsonl" else gzip.compress(LINES.encode() * 9000))
        read = [row.read for row in rows_of(Source(path, name))]
        assert read == sorted(read)
        assert 0 < read[0] <= read[-1] <= path.stat().st_size


def test_a_folder_is_all_of_its_data_files(tmp_path: Path) -> None:
    """Files of known kinds at any depth, in order; hidden ones and others are not data."""
    for name in ("b/two.jsonl.gz", "a/one.parquet", ".cache/three.jsonl", "four.bin", "five.TXT"):
        (tmp_path / "set" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "set" / name).write_bytes(b"x")
    corpus = corpus_of([str(tmp_path / "set")], None)
    assert corpus.name == "set"
    assert [source.name for source in corpus.sources] == ["a/one.parquet", "b/two.jsonl.gz", "five.TXT"]


@pytest.mark.parametrize(
    ("reference", "files"),
    [
        ("org/weather", ["spring/train-0", "spring/train-1", "autumn/train"]),
        ("org/weather:spring", ["spring/train-0", "spring/train-1"]),
        ("org/weather:spring:test", ["spring/test"]),
        ("org/weather:spring:train+test", ["spring/train-0", "spring/train-1", "spring/test"]),
        ("org/weather::train", ["spring/train-0", "spring/train-1", "autumn/train"]),
    ],
)
def test_a_data_set_of_the_mirror_is_named_by_configuration_and_split(
    mirror: Path, reference: str, files: list[str]
) -> None:
    """What is left out means every configuration, and the training split: test data of the set is not training data."""
    corpus = corpus_of([reference], mirror)
    assert [source.name for source in corpus.sources] == [f"org/weather/{name}.jsonl" for name in files]
    assert str(mirror) not in corpus.name


def test_a_folder_with_a_card_is_its_training_split(mirror: Path) -> None:
    """A corpus that synth mix wrote, or a clone of a data set, is read by its card; a split can be named there too."""
    folder = mirror / "org" / "weather"
    assert len(corpus_of([str(folder)], None).sources) == 3
    assert [source.name for source in corpus_of([f"{folder}:spring:test"], None).sources] == [
        "weather/spring/test.jsonl"
    ]


def test_digest_is_of_content_and_fields(tmp_path: Path) -> None:
    """The same bytes under another name and elsewhere have one digest; another byte, order or field has another."""
    for name, content in (("a/x.jsonl", LINES), ("b/y.jsonl", LINES), ("c/x.jsonl", LINES + " ")):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text(content, encoding="utf-8")
    one, other, longer = (corpus_of([str(tmp_path / name)], None) for name in "abc")
    assert one.digest == other.digest != longer.digest
    assert corpus_of([str(tmp_path / "a")], None, ("text",)).digest != one.digest
    twice = corpus_of([str(tmp_path / "a"), str(tmp_path / "a/x.jsonl")], None)
    assert len(twice.sources) == 1, "a file that is named twice is read once"


@pytest.mark.parametrize(
    ("name", "content", "why"),
    [
        ("a.jsonl", b'{"text": "x"}\n{"text": \n', "line 2: is no JSON"),
        ("a.json", b'{"text": "x"}\nno\n', "line 2: is no JSON"),
        ("a.json", b'[{"text": "x"', "cannot be read"),
        ("a.jsonl", b'{"text": "\xff"}\n', "is not UTF-8"),
        ("a.txt", "näin".encode("latin-1"), "is not UTF-8"),
        ("a.parquet", b"PAR1 torn", "cannot be read"),
        ("a.jsonl.gz", gzip.compress(LINES.encode())[:-9], "cannot be read"),
        ("a.jsonl.gz", b"plain", "cannot be read"),
        ("a.jsonl.zst", zstandard.compress(os.urandom(9000).hex().encode())[:4000], "Truncated"),
    ],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, name: str, content: bytes, why: str) -> None:
    """A broken row, a wrong encoding and a torn file stop with their place: nothing is left out in silence."""
    (tmp_path / name).write_bytes(content)
    with pytest.raises(DataError, match=why) as caught:
        values(tmp_path / name)
    assert name in caught.value.thing


@pytest.mark.parametrize(
    ("reference", "kind", "why"),
    [
        ("nowhere.jsonl", MissingInputError, "neither a file nor a folder, and no mirror is named"),
        ("{tmp}/a.xlsx", UsageError, "is of no kind that is read"),
        ("{tmp}/a.parquet.gz", UsageError, "is of no kind that is read"),
        ("{tmp}/empty", MissingInputError, "holds no file of training rows"),
    ],
)
def test_data_that_is_not_there_is_an_error(tmp_path: Path, reference: str, kind: type[HarnessError], why: str) -> None:
    """A name that means nothing, a file of another kind and an empty folder are told apart."""
    (tmp_path / "a.xlsx").write_bytes(b"x")
    (tmp_path / "a.parquet.gz").write_bytes(b"x")
    (tmp_path / "empty").mkdir()
    with pytest.raises(kind, match=why):
        corpus_of([reference.format(tmp=tmp_path)], None)


@pytest.mark.parametrize(
    ("reference", "kind", "why"),
    [
        ("org/snow", MissingInputError, "nor a data set of the mirror"),
        ("org/weather:winter", DataError, r"no configuration 'winter'.*autumn"),
        ("org/weather:autumn:test", DataError, r"no split 'test'.*train"),
    ],
)
def test_a_data_set_that_is_not_in_the_mirror_is_an_error(
    mirror: Path, reference: str, kind: type[HarnessError], why: str
) -> None:
    """An unknown data set, configuration or split is named with those that are there."""
    with pytest.raises(kind, match=why):
        corpus_of([reference], mirror)
