"""Filters of what occurs too often: near-duplicates, by level, and siblings of one document.

Variants of one document share its text on purpose, so they are never near-duplicates of each other; how many there are
is capped instead. Both need all shards: ``work_out`` reads their surveys once and leaves small tables for every shard.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.plugins import Executor
from synth.filters.duplicates import Surveys, Texts, alike_value, near_shown, near_texts, shown_key
from synth.filters.filter import Check, Context, Filter, Work
from synth.filters.survey import key_of, load
from synth.records import Annotation, Example

_TABLE = ("keys", "first", "of", "jaccard", "rouge_l")


def survey_folder(state: Path, shard: int) -> Path:
    """Where the survey of a shard lies."""
    return state / f"survey-{shard:05}"


def work_out(state: Path, shards: int, context: Context, executor: Executor) -> None:
    """Leave in the state's folder what the two filters need to know of all shards.

    Args:
        state: Folder with the surveys of all shards.
        shards: Number of shards.
        context: Threshold, and the texts of guidelines and rules.
        executor: Where pairs of texts are compared.
    """
    folders = [survey_folder(state, shard) for shard in range(shards)]
    surveys = [load(folder) for folder in folders]
    threshold = context.settings.near_duplicate
    texts = near_texts(folders, threshold, executor)
    for name in _TABLE:
        np.save(state / f"{name}.npy", getattr(texts, name))
    shown = [thing for survey in surveys for thing in survey.shown]
    written = {"guideline": context.guidelines, "rule": context.rules}
    (state / "shown.json").write_text(json.dumps(near_shown(shown, written, threshold)), encoding="utf-8")
    earlier = _earlier([survey.documents for survey in surveys], [survey.counts for survey in surveys])
    copies = _earlier([survey.examples for survey in surveys], [np.ones_like(survey.examples) for survey in surveys])
    for shard in range(shards):
        np.save(state / f"siblings-{shard:05}.npy", earlier[shard])
        np.save(state / f"copies-{shard:05}.npy", copies[shard] > 0)


def _earlier(keys: Sequence[NDArray[Any]], counts: Sequence[NDArray[Any]]) -> list[NDArray[np.int64]]:
    """For each key of each shard, the sum of its counts at all places before."""
    joined, numbers = np.concatenate(keys), np.concatenate(counts).astype(np.int64)
    order = np.argsort(joined, kind="stable")
    sums = np.cumsum(numbers[order]) - numbers[order]
    begins = np.flatnonzero(np.diff(joined[order], prepend=joined[order][:1] - np.uint64(1)) != 0)
    lengths = np.diff(np.append(begins, len(joined)))
    before = np.empty(len(joined), np.int64)
    before[order] = sums - np.repeat(sums[begins], lengths)
    return np.split(before, np.cumsum([len(part) for part in keys])[:-1])


def _check_siblings(work: Work) -> Check:
    most = work.context.settings.siblings
    found = load(survey_folder(work.state, work.shard))
    earlier = np.load(work.state / f"siblings-{work.shard:05}.npy")
    ranks = dict(zip(found.documents.tolist(), earlier.tolist(), strict=True))

    def check(examples: Sequence[Example]) -> list[Annotation]:
        annotations = []
        for example in examples:
            document = key_of(example.instruction.document)
            ranks[document] = rank = ranks[document] + 1
            annotations.append(SIBLINGS.found(rank <= most, rank, f"the document has {most} examples before it"))
        return annotations

    return check


def _check_near_duplicates(work: Work) -> Check:
    texts = _texts(work.state)
    surveys = Surveys([survey_folder(work.state, shard) for shard in range(_shards(work.state))])
    shown = json.loads((work.state / "shown.json").read_text(encoding="utf-8"))
    copies = iter(np.load(work.state / f"copies-{work.shard:05}.npy").tolist())

    def annotation(example: Example) -> Annotation:
        asked = example.instruction
        value: dict[str, Any] = {}
        if next(copies):
            value["copy"] = True
        repeated = _input(asked.family, asked.text, asked.document, texts, surveys)
        if repeated:
            value["input"] = repeated
        for kind, name in (("guideline", asked.guideline), ("rule", asked.rule)):
            found = shown.get(shown_key(kind, name, asked.family, asked.source)) if name else None
            if found:
                value[kind] = found
        return NEAR_DUPLICATE.found(not value, value, _reason(value))

    return lambda examples: [annotation(example) for example in examples]


def _input(family: str, text: str, document: str, texts: Texts, surveys: Surveys) -> dict[str, Any] | None:
    """What the input repeats: an equal text of another document, or a text that is nearly equal."""
    at = int(np.searchsorted(texts.keys, np.uint64(key_of(family, text))))
    owner = surveys.owner(int(texts.first[at]))
    if owner != document:
        return alike_value(owner, 1.0, 1.0)
    if texts.of[at] < 0:
        return None
    earlier = surveys.owner(int(texts.of[at]))
    return None if earlier == document else alike_value(earlier, float(texts.jaccard[at]), float(texts.rouge_l[at]))


def _reason(value: dict[str, Any]) -> str:
    parts = ["it is a copy of an earlier example"] if value.get("copy") else []
    for level in ("input", "guideline", "rule"):
        if level in value:
            of = f"document {value[level]['of']}" if level == "input" else f"{level} {value[level]['of']}"
            parts.append(f"its {level} repeats {of} (Jaccard similarity {value[level]['jaccard']})")
    return "; ".join(parts)


def _shards(state: Path) -> int:
    return len(list(state.glob("siblings-*.npy")))


@lru_cache(maxsize=2)
def _texts(state: Path) -> Texts:
    arrays: dict[str, Any] = {name: np.load(state / f"{name}.npy", mmap_mode="r") for name in _TABLE}
    return Texts(**arrays)


NEAR_DUPLICATE = Filter("near_duplicate", "1", _check_near_duplicates)
"""No earlier document of the family has nearly the same text, no earlier guideline or rule of the family and source
nearly the same words, and no earlier example the same id. Value: per level, what is repeated and how alike they are."""

SIBLINGS = Filter("siblings", "1", _check_siblings)
"""At most ``siblings`` examples per document, the first in the order of the folder. Value: number of this one."""
