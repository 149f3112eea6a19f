"""Items that changed hands: which ones, what was asked, what was wanted, and what either run answered."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import zstandard

from harness.compare import aligned_task
from harness.compare.align import Aligned
from harness.compare.scope import side_of
from harness.compare.tasks import changes
from harness.errors import RunRecordError
from harness.metrics.folds import FOLDS
from harness.nouns import Comparison, Run
from harness.show import Flip
from harness.store import file_digest, read_records
from harness.store.manifest import file_of
from harness.store.samples import sample_file

Answers = Mapping[int, Any]


def find_flips(candidate: Run, baseline: Run, comparison: Comparison, count: int) -> Iterator[Flip]:
    """The items that moved most, per task: lost ones first, then won ones, the largest change first.

    Args:
        candidate: The candidate.
        baseline: The baseline.
        comparison: Their comparison; its tasks are looked through.
        count: Items per task and direction.

    Raises:
        RunRecordError: A record or a sample log was changed.
    """
    ours, theirs = side_of("candidate", candidate), side_of("baseline", baseline)
    for task in comparison.tasks:
        aligned = aligned_task(ours, theirs, task.task)
        moved, rows = _moved(aligned, task.metric, task.fold, count)
        if len(rows):
            yield from _described((candidate, baseline), task.task, aligned, (moved, rows))


def _moved(aligned: Aligned, metric: str, fold: str, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Change of every item, and the rows to show: the worst ones, then the best ones; ties in row order."""
    change = changes(FOLDS[fold], aligned.candidate[metric], aligned.baseline[metric])
    order = np.argsort(change, kind="stable")
    lost = order[change[order] < 0][:count]
    order = np.argsort(-change, kind="stable")
    return change, np.concatenate([lost, order[change[order] > 0][:count]])


def _described(
    runs: tuple[Run, Run], task: str, aligned: Aligned, chosen: tuple[np.ndarray, np.ndarray]
) -> Iterator[Flip]:
    change, rows = chosen
    places = [{int(doc) for doc in ids[rows]} for ids in aligned.doc_ids]
    records = [
        {record.doc_id: record for record in read_records(run, task) if record.doc_id in wanted}
        for run, wanted in zip(runs, places, strict=True)
    ]
    samples = [_samples(run, task, wanted) for run, wanted in zip(runs, places, strict=True)]
    for row in rows:
        ids = [int(side[row]) for side in aligned.doc_ids]
        held = [found.get(doc) for found, doc in zip(samples, ids, strict=True)]
        sample = next((one for one in held if one is not None), None)
        answers = [records[side][ids[side]].prediction for side in (0, 1)]
        yield Flip(
            task=task,
            item=records[0][ids[0]].item,
            change=float(change[row]),
            text=None if sample is None else _text(sample),
            gold=None if sample is None else _gold(sample),
            candidate=_answer(answers[0], sample),
            baseline=_answer(answers[1], sample),
        )


def _samples(run: Run, task: str, wanted: set[int]) -> dict[int, Mapping[str, Any]]:
    """Rows of lm-eval's sample log by doc_id; none where the run keeps no log."""
    name = sample_file(run, task)
    if name is None:
        return {}
    path = file_of(Path(run.path), name)
    if not path.is_file() or file_digest(path) != run.manifest["files"][name]["sha256"]:
        raise RunRecordError(str(path), "was changed after the run was stored", "restore it from a copy")
    entry = next(entry for entry in run.manifest["tasks"] if entry["name"] == task)
    rows = (row for row in _rows(path) if row.get("doc_id") in wanted)
    return {row["doc_id"]: row for row in rows if row.get("filter", entry["filter"]) == entry["filter"]}


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    with path.open("rb") as source:
        plain: Any = zstandard.ZstdDecompressor().stream_reader(source) if path.suffix == ".zst" else source
        for line in io.BufferedReader(plain) if path.suffix == ".zst" else plain:
            yield json.loads(line)


def _text(sample: Mapping[str, Any]) -> str:
    """The prompt, or the document where the log has none."""
    arguments = _arguments(sample)
    return str(arguments[0][0]) if arguments and arguments[0] else json.dumps(sample.get("doc"), ensure_ascii=False)


def _gold(sample: Mapping[str, Any]) -> Any:
    """The target; the number of a choice becomes its text."""
    target = sample.get("target")
    place = int(target) if isinstance(target, str) and target.isdecimal() else target
    choices = _choices(sample)
    if type(place) is int and 0 <= place < len(choices):
        return choices[place]
    return target


def _answer(prediction: Any, sample: Mapping[str, Any] | None) -> Any:
    """A prediction as a person reads it: of a choice its text."""
    choices = [] if sample is None else _choices(sample)
    chosen = prediction.get("choice") if isinstance(prediction, Mapping) else None
    return choices[chosen] if type(chosen) is int and 0 <= chosen < len(choices) else prediction


def _choices(sample: Mapping[str, Any]) -> list[str]:
    """Continuations among which a model chose; none for a generation."""
    arguments = _arguments(sample)
    if len(arguments) < 2 or not all(len(pair) > 1 and isinstance(pair[1], str) for pair in arguments):
        return []
    return [pair[1].strip() for pair in arguments]


def _arguments(sample: Mapping[str, Any]) -> list[Sequence[Any]]:
    """Arguments of each request, as a list or in lm-eval's form ``{"gen_args_0": {"arg_0": ...}}``."""
    given = sample.get("arguments") or []
    outer = list(given.values()) if isinstance(given, Mapping) else given
    return [list(inner.values()) if isinstance(inner, Mapping) else inner for inner in outer]
