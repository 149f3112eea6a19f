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
        first_shots: Every document gets the same examples, the first of their split, as those of MMLU do.
        most_tokens: Most tokens of a generated text, whose random author seldom stops; None for what the card says.
    """

    tasks: tuple[str, ...]
    shots: int = 0
    own_shots: bool = False
    first_shots: bool = False
    most_tokens: int | None = None


WORKS = {
    "mmlu 5-shot": Work(("mmlu_marketing",), 5),
    "hellaswag 0-shot": Work(("hellaswag",)),
    "hellaswag 10-shot": Work(("hellaswag",), 10, own_shots=True),
    "arc 25-shot": Work(("arc_challenge",), 25),
    "piqa 0-shot": Work(("piqa",)),
    "ner generation": Work(("crossner_ai",)),
    "ner generation 3-shot": Work(("crossner_ai",), 3, first_shots=True, most_tokens=64),
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
            requests = [request for task in tasks for request in built(task, -(-documents // len(tasks)))]
    if work.most_tokens is not None:
        for request in requests:
            request.arguments = (request.args[0], {**request.args[1], "max_gen_toks": work.most_tokens})
    return requests


def loaded(work: Work) -> list[Any]:
    """lm-eval's task objects, with their data and shots; call it inside ``resolving``."""
    from lm_eval.api.samplers import FirstNSampler

    catalog = load_catalog()
    nouns = tuple(catalog.task(name) for name in work.tasks)
    tasks = build_tasks(nouns, catalog.folders, None, TaskOptions())
    for task in tasks:
        if work.own_shots:
            task.lm_task.sampler.replace_df(list(task.lm_task.eval_docs))
        if work.first_shots:
            task.lm_task.sampler = FirstNSampler(task.lm_task.sampler.fewshot_docs())
        if work.shots:
            task.lm_task.set_config("num_fewshot", work.shots)
        task.lm_task.set_fewshot_seed(seed=1234)
    return [task.lm_task for task in tasks]


def built(task: Any, documents: int | None) -> Sequence[Any]:
    """Requests of the first documents of a task."""
    task.build_all_requests(limit=documents)
    return list(task.instances)
