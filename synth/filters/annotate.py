"""The step ``filter``: every shard of examples again, with what each filter found; nothing is deleted.

    survey every shard -> work out what they say together -> let the teacher judge -> annotate every shard

Each arrow leaves files, each complete or absent. A killed step goes on from them where the same settings, filters,
examples, tokenizer and test items would shape them again; otherwise it begins anew.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from harness import contamination
from harness.errors import StoreError
from harness.plugins import Executor
from synth.filters.filter import Check, Context, Filter, Work
from synth.filters.judge import JUDGE, judge_shards
from synth.filters.length import LENGTH
from synth.filters.overlap import CONTAMINATION
from synth.filters.registry import FILTERS, chosen_filters
from synth.filters.repeats import NEAR_DUPLICATE, SIBLINGS, survey_folder, work_out
from synth.filters.survey import save, survey
from synth.prompts import prompt
from synth.records import Annotation, digest, example_of
from synth.shards import done, mark_done, read_shard, shards, write_shard

_FIELDS = tuple(item.name for item in fields(Annotation))  # asdict would copy every value deeply
_ROWS = 512  # annotated at once: what siblings share is looked at once in a batch


@dataclass(frozen=True, slots=True)
class Counts:
    """What the filters found.

    Attributes:
        examples: Examples.
        passed: Examples that every filter passes.
        failed: Examples that do not pass, by filter.
        uncovered: Tasks of the suites whose test items were not on this machine, each with the reason.
    """

    examples: int
    passed: int
    failed: Mapping[str, int]
    uncovered: Mapping[str, str] = field(default_factory=dict)


def annotate(examples: Path, out: Path, context: Context, executor: Executor) -> Counts:
    """Annotate every example of a folder; the shards of ``out`` have the names, rows and order of the input's.

    Args:
        examples: Folder of shards of examples.
        out: Folder for the annotated shards; what a killed call left there is continued.
        context: What the filters need.
        executor: Where shards are worked on; the result is the same anywhere.

    Raises:
        MissingInputError: The folder holds no shard, or test items of no task are on this machine.
        UsageError: A filter, language or suite is not known; the message says the nearest name.
        DataError: A shard is torn, or a setting is missing.
        CheckpointError: The tokenizer cannot be loaded.
        StoreError: The disk is full.
    """
    paths = shards(examples)
    filters = chosen_filters(context.settings)
    index = _index(filters, context)
    shaped_by = _shaped_by(paths, filters, context, index)
    finished = done(out, shaped_by)
    if finished is not None:
        return Counts(**finished["counts"])
    state = _begun(out, shaped_by)
    names = [item.name for item in filters]
    probe = Work(context, state, 0, index)
    for item in filters:
        if item not in (NEAR_DUPLICATE, SIBLINGS, JUDGE):
            item.check(probe)  # a setting that cannot work is said before any shard is read
    if JUDGE in filters:
        judge_shards(paths, state, context)
    if NEAR_DUPLICATE in filters or SIBLINGS in filters:
        _look_at_all(paths, state, context, executor)
    work = [(path, out, Work(context, state, number, index)) for number, path in enumerate(paths)]
    parts = list(executor.map(partial(_annotated, names), work))
    counts = _sum(parts, names, index)
    mark_done(out, shaped_by, counts=asdict(counts))
    shutil.rmtree(state)
    return counts


def _index(filters: Sequence[Filter], context: Context) -> Path | None:
    if CONTAMINATION not in filters:
        return None
    settings = context.settings
    return contamination.index_of(settings.suites, context.mirror, context.include, context.cache / "contamination")


def _shaped_by(paths: Sequence[Path], filters: Sequence[Filter], context: Context, index: Path | None) -> str:
    """Digest of everything that shapes the annotations."""
    return digest(
        [
            context.settings.model_dump(mode="json"),
            [(item.name, item.version) for item in filters],
            [hashlib.sha256(path.read_bytes()).hexdigest() for path in paths],
            _tokenizer_files(context.settings.tokenizer) if LENGTH in filters else [],
            index.name if index else "",
            dict(context.guidelines),
            dict(context.rules),
            [context.teacher.model_dump(mode="json"), prompt("judge").digest] if JUDGE in filters else [],
        ]
    )


def _tokenizer_files(name: str | None) -> list[str]:
    folder = Path(name or "")
    found = sorted(folder.glob("*token*")) if name and folder.is_dir() else []
    return [hashlib.sha256(path.read_bytes()).hexdigest() for path in found if path.is_file()]


def _begun(out: Path, shaped_by: str) -> Path:
    """The state's folder of this very work; what other settings left behind is taken away."""
    state = out / f"_state-{shaped_by[:16]}"
    try:
        if not state.is_dir():
            for path in out.glob("_state-*"):
                shutil.rmtree(path)
            for path in [*out.glob("part-*"), out / "_done.json"]:
                path.unlink(missing_ok=True)
            state.mkdir(parents=True)
    except OSError as error:
        raise StoreError(
            f"Folder {out}", f"cannot be written ({error.strerror})", "free space or name another folder"
        ) from error
    return state


def _look_at_all(paths: Sequence[Path], state: Path, context: Context, executor: Executor) -> None:
    """Survey the shards that have no survey yet, then work out what they say together."""
    whole = state / "whole.json"
    if whole.is_file():
        return
    threshold = context.settings.near_duplicate
    missing = [(path, survey_folder(state, number)) for number, path in enumerate(paths)]
    missing = [pair for pair in missing if not pair[1].is_dir()]
    for _ in executor.map(partial(_surveyed, threshold), missing):
        pass
    work_out(state, len(paths), context, executor)
    whole.write_text("{}", encoding="utf-8")


def _surveyed(threshold: float, work: tuple[Path, Path]) -> None:
    path, folder = work
    save(survey(path, threshold), folder)


def _annotated(names: Sequence[str], work: tuple[Path, Path, Work]) -> dict[str, Any]:
    """Write one annotated shard; its counts."""
    path, out, one = work
    counted, target = one.state / f"counts-{one.shard:05}.json", out / path.name
    if not (counted.is_file() and target.is_file()):
        found: Counter[str] = Counter()
        checks = [FILTERS[name].check(one) for name in names]
        write_shard(out, int(path.name.split(".")[0].removeprefix("part-")), _rows(path, checks, found))
        counted.write_text(json.dumps(found), encoding="utf-8")
    counts: dict[str, Any] = json.loads(counted.read_text(encoding="utf-8"))
    return counts


def _rows(path: Path, checks: Sequence[Check], found: Counter[str]) -> Iterator[dict[str, Any]]:
    """Rows of a shard with their annotations; what was found is counted by ``_examples``, ``_passed`` and filter."""
    source = read_shard(path)
    while rows := list(islice(source, _ROWS)):
        examples = [example_of(row) for row in rows]
        for row, *said in zip(rows, *(check(examples) for check in checks), strict=True):
            failed = [annotation.name for annotation in said if not annotation.passed]
            for name in ("_examples", *failed, *(() if failed else ("_passed",))):
                found[name] += 1
            yield {**row, "filters": [{name: getattr(one, name) for name in _FIELDS} for one in said]}


def _sum(parts: Sequence[Mapping[str, int]], names: Sequence[str], index: Path | None) -> Counts:
    total: Counter[str] = Counter()
    for part in parts:
        total.update(part)
    uncovered = contamination.load(index).uncovered if index else ()
    return Counts(
        total["_examples"],
        total["_passed"],
        {name: total[name] for name in names},
        {task.task: task.reason for task in uncovered},
    )
