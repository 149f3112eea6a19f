"""Runs with probes for tests: answers to several renderings of the same documents, counted as a probe card does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from records import make_run, sha

from harness.metrics.spans import count_tuples
from harness.nouns import Record, Run

Facts = Sequence[str] | None
"""Facts of one answer, as words; None where it could not be read."""


def extraction(task: str, answers: Sequence[Facts], gold: Sequence[Sequence[str]], **more: Any) -> list[Record]:
    """One record per document of a probe that asks for facts.

    Args:
        task: Name of the probe.
        answers: Facts that the model states, by document.
        gold: Facts that are right.
        **more: ``clusters``: cluster of each document; ``counts``: further counts of each document by metric.
    """
    clusters, extra = more.get("clusters"), more.get("counts", {})
    return [
        Record(
            task=task,
            item=sha(f"{task}:{i}"),
            doc_id=i,
            cluster=None if clusters is None else clusters[i],
            counts={
                "f1": tuple(map(float, count_tuples(answer or (), right))),
                "correct": (float(sorted(answer or ()) == sorted(right) and answer is not None), 1.0),
                **{name: tuple(map(float, values[i])) for name, values in extra.items()},
            },
            prediction={"answer": None if answer is None else sorted([fact] for fact in answer), "reading": "strict"},
            prompt_hash=sha(f"prompt {task}:{i}"),
            target_hash=sha(f"target {i}"),
        )
        for i, (answer, right) in enumerate(zip(answers, gold, strict=True))
    ]


def probe_run(store: Path, probes: Mapping[str, tuple[Mapping[str, Any], Sequence[Record]]], **changes: Any) -> Run:
    """Commit a run of probes.

    Args:
        store: Folder of the store.
        probes: ``Task.probe`` and records by task name.
        **changes: As in ``records.make_run``; fields of ``entries`` are added to those of the probes.
    """
    entries = changes.pop("entries", {})
    fields = {
        name: {"probe": dict(probe), "folds": folds(records)} | entries.get(name, {})
        for name, (probe, records) in probes.items()
    }
    return make_run(store, {name: records for name, (_, records) in probes.items()}, entries=fields, **changes)


def folds(records: Sequence[Record]) -> dict[str, str]:
    """Fold of each metric, by the number of its counts."""
    counts = {name: len(values) for record in records for name, values in record.counts.items()}
    return {name: "micro_f1" if length == 3 else "mean" for name, length in counts.items()}


def formats(store: Path, answers: Mapping[str, Sequence[Facts]], gold: Sequence[Sequence[str]], **changes: Any) -> Run:
    """A run of format probes of ``quick_ner``; formats whose name begins with ``new`` are held out.

    Args:
        store: Folder of the store.
        answers: Facts of each document, by format.
        gold: Facts that are right.
        **changes: As in :func:`probe_run`, and ``clusters``.
    """
    clusters, kind = changes.pop("clusters", None), changes.pop("kind", "format")
    made = {
        f"probe_{name}": (
            {"kind": kind, "of": "quick_ner", "variant": name, "seen": not name.startswith("new")},
            extraction(f"probe_{name}", told, gold, clusters=clusters),
        )
        for name, told in answers.items()
    }
    return probe_run(store, made, **changes)
