"""What is measured: requests of real tasks from a mirror of their data, built as a run builds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.catalog import load_catalog
from harness.data import resolving
from harness.engines.tasks import TaskOptions, build_tasks, quiet_lm_eval


@dataclass(frozen=True)
class Work:
    """A kind of work.

    Attributes:
        tasks: Stock lm-eval tasks or cards of ours.
        shots: Few-shot examples.
        own_shots: Draw the examples from the scored split: the mirror's train split is a stand-in of few rows.
    """

    tasks: tuple[str, ...]
    shots: int = 0
    own_shots: bool = False


WORKS = {
    "mmlu 5-shot": Work(("mmlu_marketing",), 5),
    "hellaswag 0-shot": Work(("hellaswag",)),
    "hellaswag 10-shot": Work(("hellaswag",), 10, own_shots=True),
    "arc 25-shot": Work(("arc_challenge",), 25),
    "piqa 0-shot": Work(("piqa",)),
    "ner generation": Work(("crossner_ai",)),
}


def requests_of(work: Work, documents: int, mirror: Path, wrap: Callable[[], Any] = nullcontext) -> list[Any]:
    """lm-eval requests of the first documents of each task, as ``evaluate`` builds them.

    Args:
        work: What is asked.
        documents: Documents over all tasks, spread evenly.
        mirror: Mirror of the data.
        wrap: A context manager to build under, such as ``compiled_templates``.
    """
    with quiet_lm_eval(), resolving(mirror):
        tasks = loaded(work)
        with wrap():
            return [request for task in tasks for request in built(task, -(-documents // len(tasks)))]


def loaded(work: Work) -> list[Any]:
    """lm-eval's task objects, with their data and shots; call it inside ``resolving``."""
    catalog = load_catalog()
    nouns = tuple(catalog.task(name) for name in work.tasks)
    tasks = build_tasks(nouns, catalog.folders, None, TaskOptions())
    for task in tasks:
        if work.own_shots:
            task.lm_task.sampler.replace_df(list(task.lm_task.eval_docs))
        if work.shots:
            task.lm_task.set_config("num_fewshot", work.shots)
        task.lm_task.set_fewshot_seed(seed=1234)
    return [task.lm_task for task in tasks]


def built(task: Any, documents: int | None) -> Sequence[Any]:
    """Requests of the first documents of a task."""
    task.build_all_requests(limit=documents)
    return list(task.instances)
