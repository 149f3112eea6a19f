"""Scoring some items of a job now: for a gate that stops as soon as its verdict stands."""

from __future__ import annotations

from collections.abc import Sequence

from harness.engines.batches import plan_batches
from harness.engines.items import Item
from harness.engines.job import Job
from harness.engines.score import score_batch
from harness.engines.tasks import quiet_lm_eval
from harness.nouns import Record


def score_items(job: Job, picked: Sequence[tuple[str, Item]]) -> list[Record]:
    """Score items of any of a job's tasks; within the call they are batched by task and length.

    Args:
        job: A prepared job.
        picked: Task names and items.

    Returns:
        Records in the order given.

    Raises:
        UnavailableError: Memory does not suffice for a single item, or the backend is gone.
    """
    wanted: dict[str, list[Item]] = {}
    for task, item in picked:
        wanted.setdefault(task, []).append(item)
    found: dict[tuple[str, int], Record] = {}
    with quiet_lm_eval():
        for built in job.built:
            name = built.task.name
            for batch in plan_batches(wanted.get(name, ()), job.model):
                for record in score_batch(built, job.model, batch, job.cut[name]).records:
                    found[name, record.doc_id] = record
    return [found[task, item.doc_id] for task, item in picked]
