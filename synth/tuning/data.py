"""Instruction rows for training: read, turned into tokens, and cut to what a model can learn from.

Nothing is left out in silence. A row with an empty answer teaches nothing, and a row that is too long would lose its
answer: TRL 1.16 drops the second kind without a count, and packing keeps it without its answer. Both are left out here,
and the manifest says how many. The tokens themselves are those of TRL's own preparation.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingInputError
from synth.records import digest
from synth.tuning.encoding import Encoded, encode

_KINDS = (".jsonl", ".json", ".parquet")
_BATCH = 1000
"""Rows that are held as Python objects at once."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that a model is trained on.

    Attributes:
        rows: ``datasets.Dataset`` with ``input_ids`` and ``labels`` (-100 where nothing is learned).
        facts: What the manifest says of them: ``digest`` of what was read, rows ``read``, ``empty`` (left out: no
            answer), ``long`` (left out: over the limit), ``long_prompts`` (those of them whose prompt alone is over
            it), ``merged`` (prompt and answer share a token, which is learned), ``rows`` that are trained on, with
            their ``prompt_tokens`` and ``completion_tokens``.
    """

    rows: Any
    facts: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Cut:
    """What is kept of the rows.

    Attributes:
        max_length: Longest prompt with answer, in tokens.
        rows: Rows at most, a seeded sample; None for all.
        seed: Seed of the sample.
    """

    max_length: int
    rows: int | None = None
    seed: int = 0


def find(data: Path, split: str) -> list[Path]:
    """Files of a split of a corpus folder, or the one file that is named; none where the folder lacks the split.

    Raises:
        MissingInputError: Nothing is there.
    """
    if data.is_dir():
        return sorted(path for path in data.glob(f"{split}-*") if path.suffix in _KINDS)
    if not data.is_file():
        raise MissingInputError(f"Data {data}", "is not there", "name a corpus folder or a file")
    return [data]


def read(files: list[Path], tokenizer: Any, template: str, cut: Cut) -> Rows:
    """Rows of files, those that can be learned from.

    Args:
        files: JSON lines or parquet.
        tokenizer: The tokenizer of the base.
        template: ``plain`` or ``chat``.
        cut: What is kept.

    Raises:
        DataError: A file cannot be read, a field is missing, or fewer rows are left than asked.
        CheckpointError: The tokenizer's chat template is needed and does not allow it.
    """
    import pyarrow as pa
    from datasets import Dataset

    content, seen = hashlib.sha256(), Counter[str]()
    kind = pa.schema([(name, pa.list_(pa.int32())) for name in ("input_ids", "labels")])
    tables, lengths = [kind.empty_table()], []
    source = (row for path in files for row in _rows(path))
    while batch := list(islice(source, _BATCH)):
        content.update("".join(digest(row) for row in batch).encode())
        seen["read"] += len(batch)
        told = [row for row in batch if _answer(row)]
        seen["empty"] += len(batch) - len(told)
        kept = [one for one in encode(told, tokenizer, template) if _fits(one, cut.max_length, seen)]
        tables.append(pa.table([[one.ids for one in kept], [one.labels for one in kept]], schema=kind))
        lengths += [(one.start, len(one.ids) - one.start) for one in kept]
    chosen = _sample(len(lengths), cut, files[0], seen)
    rows = Dataset(pa.concat_tables(tables))
    facts = {
        "digest": content.hexdigest(),
        **{name: seen[name] for name in ("read", "empty", "long", "long_prompts", "merged")},
        "rows": len(chosen),
        "prompt_tokens": sum(lengths[number][0] for number in chosen),
        "completion_tokens": sum(lengths[number][1] for number in chosen),
    }
    return Rows(rows.select(chosen) if len(chosen) < len(rows) else rows, facts)


def _fits(one: Encoded, limit: int, seen: Counter[str]) -> bool:
    fits = len(one.ids) <= limit
    seen["long"] += not fits
    seen["long_prompts"] += one.start >= limit
    seen["merged"] += fits and one.merged
    return fits


def _sample(count: int, cut: Cut, file: Path, seen: Counter[str]) -> list[int]:
    """Numbers of the rows to train on, in file order; samples of one seed contain the smaller ones.

    Raises:
        DataError: There are fewer rows than asked.
    """
    wanted = cut.rows or 1
    if count < wanted:
        raise DataError(
            f"Data {file}",
            f"leaves {count} of {seen['read']} rows to learn from where {wanted} are needed ({seen['empty']} have an "
            f"empty answer, {seen['long']} are longer than {cut.max_length} tokens)",
            "give more data, lower rows, or raise max_length as far as the model's context",
        )
    if cut.rows is None:
        return list(range(count))
    return sorted(sorted(range(count), key=lambda number: digest([cut.seed, number]))[:wanted])


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        for number, row in enumerate(_table(path), 1):
            yield _checked(row, f"{path}, row {number}")
    except (OSError, ValueError) as error:
        raise DataError(f"{path}", f"cannot be read ({error})", "write it again") from error


def _table(path: Path) -> Iterable[Any]:
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        for batch in pq.ParquetFile(path).iter_batches(_BATCH):
            yield from batch.to_pylist()
    elif path.suffix == ".json":
        content = json.loads(path.read_text(encoding="utf-8"))
        yield from content if isinstance(content, list) else [content]
    else:
        with path.open(encoding="utf-8") as lines:
            yield from (json.loads(line) for line in lines if line.strip())


def _checked(row: Any, place: str) -> dict[str, Any]:
    """A row with ``messages``, or with ``prompt`` and ``completion``; both as texts or both as messages.

    Raises:
        DataError: It is neither.
    """
    if isinstance(row, dict) and row.get("messages"):
        return {"messages": _turns(row["messages"], place)}
    missing = [name for name in ("prompt", "completion") if not isinstance(row, dict) or row.get(name) is None]
    if missing:
        raise DataError(place, f"lacks {' and '.join(missing)}", "give prompt and completion, or messages")
    prompt, completion = row["prompt"], row["completion"]
    if isinstance(prompt, str) and isinstance(completion, str):
        return {"prompt": prompt, "completion": completion}
    if isinstance(prompt, list) and isinstance(completion, list):
        return {"messages": _turns([*prompt, *completion], place)}
    raise DataError(place, "has a prompt or completion that is no text", "write both as texts or both as messages")


def _turns(messages: Any, place: str) -> list[dict[str, str]]:
    whole = isinstance(messages, list) and all(
        isinstance(turn, dict) and isinstance(turn.get("role"), str) and isinstance(turn.get("content"), str)
        for turn in messages
    )
    if not whole or len(messages) < 2 or messages[-1]["role"] != "assistant":
        raise DataError(
            place, "has messages that do not end with an assistant's answer",
            "give each a role and a content, and the assistant the last word",
        )  # fmt: skip
    return [{"role": turn["role"], "content": turn["content"]} for turn in messages]


def _answer(row: Mapping[str, Any]) -> str:
    return str(row["completion"] if "completion" in row else row["messages"][-1]["content"]).strip()
