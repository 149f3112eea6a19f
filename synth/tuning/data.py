"""Instruction rows for training: read, counted in the tokens of the model, and cut to what it can learn from.

Nothing is left out in silence: a row with an empty answer teaches nothing and a row longer than the limit would lose
its answer, so both are left out before training, and the manifest says how many.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingInputError
from synth.records import digest

_KINDS = {".jsonl": "json", ".json": "json", ".parquet": "parquet"}


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows that a model is trained on.

    Attributes:
        rows: ``datasets.Dataset`` with ``prompt`` and ``completion``, as texts or as chat messages.
        digest: SHA-256 of the rows that were read.
        read: Rows read.
        empty: Rows left out because their answer is empty.
        long: Rows left out because they exceed the limit.
        prompt_tokens: Tokens of the prompts that stay.
        completion_tokens: Tokens of the answers that stay.
    """

    rows: Any
    digest: str
    read: int
    empty: int
    long: int
    prompt_tokens: int
    completion_tokens: int

    def facts(self) -> dict[str, Any]:
        """What the manifest says of them."""
        names = ("digest", "read", "empty", "long", "prompt_tokens", "completion_tokens")
        return {name: getattr(self, name) for name in names} | {"rows": len(self.rows)}


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


def read(files: list[Path], tokenizer: Any, max_length: int, template: str) -> Rows:
    """Rows of files, those that can be learned from.

    Args:
        files: JSON lines or parquet.
        tokenizer: The tokenizer of the base.
        max_length: Longest prompt with answer, in tokens.
        template: ``plain`` or ``chat``.

    Raises:
        DataError: A file cannot be read, a field is missing, or no row is left.
        CheckpointError: A chat template is asked for and the tokenizer has none.
    """
    rows = [row for path in files for row in _table(path)]
    content = digest([[row["prompt"], row["completion"]] for row in rows])
    pairs = [_pair(row, template) for row in rows if _answer(row)]
    lengths = [_lengths(pair, tokenizer, template) for pair in pairs]
    kept = [(pair, size) for pair, size in zip(pairs, lengths, strict=True) if sum(size) <= max_length]
    if not kept:
        raise DataError(
            f"Data {files[0].parent}",
            f"leaves no row to learn from ({len(rows)} read, {len(rows) - len(pairs)} with an empty answer, "
            f"{len(pairs)} longer than {max_length} tokens)",
            "raise max_length or give other data",
        )
    from datasets import Dataset

    return Rows(
        rows=Dataset.from_list([pair for pair, _ in kept]),
        digest=content,
        read=len(rows),
        empty=len(rows) - len(pairs),
        long=len(pairs) - len(kept),
        prompt_tokens=sum(size[0] for _, size in kept),
        completion_tokens=sum(size[1] for _, size in kept),
    )


def sampled(rows: Rows, count: int | None, seed: int) -> Any:
    """The rows, or a seeded sample of them in file order; samples of one seed contain the smaller ones.

    Raises:
        DataError: There are fewer rows than asked.
    """
    if count is None:
        return rows.rows
    if count > len(rows.rows):
        reason = f"has {len(rows.rows)} rows that can be learned from, fewer than the {count} asked"
        raise DataError("The training data", reason, "lower rows, or give more data")
    order = sorted(range(len(rows.rows)), key=lambda number: digest([seed, number]))[:count]
    return rows.rows.select(sorted(order))


def _table(path: Path) -> list[Mapping[str, Any]]:
    import json

    import pyarrow.parquet as pq

    try:
        if path.suffix == ".parquet":
            rows = pq.read_table(path).to_pylist()
        else:
            rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except (OSError, ValueError) as error:
        raise DataError(f"{path}", f"cannot be read ({error})", "write it again") from error
    return [_checked(row, path, number) for number, row in enumerate(rows, 1)]


def _checked(row: Any, path: Path, number: int) -> dict[str, Any]:
    """A row as prompt and completion; chat messages are split before the last one."""
    if isinstance(row, dict) and isinstance(row.get("messages"), list) and len(row["messages"]) > 1:
        return {"prompt": row["messages"][:-1], "completion": row["messages"][-1:]}
    missing = [name for name in ("prompt", "completion") if not isinstance(row, dict) or name not in row]
    if missing:
        raise DataError(
            f"{path}, row {number}", f"lacks {' and '.join(missing)}", "give prompt and completion, or messages"
        )
    if type(row["prompt"]) is not type(row["completion"]) or not isinstance(row["prompt"], str | list):
        raise DataError(f"{path}, row {number}", "has a prompt or completion that is no text", "write both as text")
    return {"prompt": row["prompt"], "completion": row["completion"]}


def _answer(row: Mapping[str, Any]) -> str:
    told = row["completion"]
    return (told if isinstance(told, str) else "".join(str(turn.get("content", "")) for turn in told)).strip()


def _pair(row: Mapping[str, Any], template: str) -> dict[str, Any]:
    if template == "plain" or not isinstance(row["prompt"], str):
        return dict(row)
    return {
        "prompt": [{"role": "user", "content": row["prompt"]}],
        "completion": [{"role": "assistant", "content": row["completion"].strip()}],
    }


def _lengths(pair: Mapping[str, Any], tokenizer: Any, template: str) -> tuple[int, int]:
    """Tokens of prompt and answer, the end of the answer included."""
    if template == "plain" and isinstance(pair["prompt"], str):
        prompt, both = (len(tokenizer(text)["input_ids"]) for text in (pair["prompt"], "".join(pair.values())))
        return prompt, both - prompt + 1
    whole = tokenizer.apply_chat_template([*pair["prompt"], *pair["completion"]], tokenize=True, return_dict=False)
    prompt = tokenizer.apply_chat_template(pair["prompt"], tokenize=True, add_generation_prompt=True, return_dict=False)
    return len(prompt), len(whole) - len(prompt)
