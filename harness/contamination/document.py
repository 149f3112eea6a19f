"""``contamination.json``: everything that was found, in a form that scripts may rely on."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from harness.contamination.against import METHOD, Overlap, TaskOverlap
from harness.contamination.claims import clean_sentences, overlap_sentences
from harness.contamination.clean import Contrast
from harness.contamination.tally import HEADLINE, LEVELS, Example

SCHEMA = "harness.contamination/1"
"""Version of the document's form; ``harness/assets/schemas/contamination-1.json`` describes it."""


@dataclass(frozen=True, slots=True)
class CleanScores:
    """Runs on clean items against all items.

    Attributes:
        candidate: Run id.
        baseline: Run id of the baseline, if there is one.
        tasks: Tasks.
        suites: Suites.
        left_out: Tasks and suites of which nothing can be said, and why.
    """

    candidate: str
    baseline: str | None
    tasks: tuple[Contrast, ...]
    suites: tuple[Contrast, ...]
    left_out: tuple[tuple[str, str], ...]


def document_of(overlap: Overlap, scores: CleanScores | None = None) -> dict[str, Any]:
    """The document of a check, with scores of runs where there are any; it holds excerpts of third parties' texts."""
    sentences = [*overlap_sentences(overlap), *(clean_sentences(scores.suites, scores.tasks) if scores else ())]
    return {
        "schema": SCHEMA,
        "method": METHOD,
        "headline": HEADLINE,
        "corpus": asdict(overlap.trained),
        "suites": [{"name": name, "digest": digest} for name, digest in overlap.suites.items()],
        "tasks": [_task(task, overlap.trained.files) for task in overlap.tasks],
        "not_checked": [asdict(task) for task in overlap.uncovered],
        "too_common": dict(overlap.common),
        "runs": None if scores is None else _runs(scores),
        "sentences": sentences,
    }


def _task(task: TaskOverlap, files: tuple[str, ...]) -> dict[str, Any]:
    levels = {
        level: {
            "items": len(task.touched[level]),
            "share": task.share(level),
            "interval": list(task.interval(level)),
            "rows": task.rows[level],
        }
        for level in LEVELS
    }
    return {
        "suite": task.suite,
        "task": task.task,
        "split": task.split,
        "items": task.items,
        "levels": levels,
        "touched": list(_touched(task)),
        "examples": [_example(example, task, files) for example in task.examples],
    }


def _touched(task: TaskOverlap) -> Iterator[dict[str, Any]]:
    """Every touched item with the levels that it is touched at."""
    for doc_id in sorted(frozenset().union(*task.touched.values())):
        levels = [level for level in LEVELS if doc_id in task.touched[level]]
        yield {"doc_id": doc_id, "item": task.ids[doc_id], "levels": levels}


def _example(example: Example, task: TaskOverlap, files: tuple[str, ...]) -> dict[str, Any]:
    return {
        "words": example.words,
        "doc_id": example.doc_id,
        "item": task.ids[example.doc_id],
        "items": example.docs,
        "kind": example.kind,
        "file": files[example.source],
        "row": example.row,
        "field": example.field,
        "trained": example.trained._asdict(),
        "tested": example.tested._asdict(),
    }


def _runs(scores: CleanScores) -> dict[str, Any]:
    left_out = [{"name": name, "reason": reason} for name, reason in scores.left_out]
    return {
        "candidate": scores.candidate,
        "baseline": scores.baseline,
        "tasks": [_finite(asdict(task)) for task in scores.tasks],
        "suites": [_finite(asdict(suite)) for suite in scores.suites],
        "left_out": left_out,
    }


def _finite(value: Any) -> Any:
    """The value with null where a number is not finite, which JSON has no form for."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {key: _finite(part) for key, part in value.items()}
    return [_finite(part) for part in value] if isinstance(value, list | tuple) else value
