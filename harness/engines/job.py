"""From a request to a job: suites resolved, data loaded, model loaded, prompts built and checked.

The order is fixed so that what can fail fails before anything is computed.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from harness.catalog import Catalog, digest_of, load_catalog
from harness.data import mirror_folder
from harness.engines.checkpoint import identify
from harness.engines.items import Item, Prompting, build_items, refuse_double_bos, sample_ids, sampled_as, truncated
from harness.engines.models import LoadedModel, ModelOptions, load_model
from harness.engines.tasks import BuiltTask, TaskOptions, build_tasks, quiet_lm_eval
from harness.errors import FailedRunError, UsageError
from harness.nouns import Checkpoint, Suite, Task


@dataclass(frozen=True)
class RunRequest:
    """Everything that the command line says about a run.

    Attributes:
        suites: Suite names.
        tasks: Task names beside them.
        model: What is scored and how it is loaded.
        store: Folder of the run store.
        prompting: Chat template, system prompt, turns.
        options: Shots and generation settings.
        limit: Items per task: a count, a share below 1, or None for all.
        seeds: Python, NumPy, torch and few-shot seed, as lm-eval orders them; the first also draws the sample.
        mirror: Local mirror of datasets.
        include: Folders with the user's own cards and suites.
        log_samples: Keep documents, prompts and answers in the record.
        restart: Discard what an interrupted run of the same kind has computed.
    """

    suites: tuple[str, ...]
    tasks: tuple[str, ...]
    model: ModelOptions
    store: Path
    prompting: Prompting = field(default_factory=Prompting)
    options: TaskOptions = field(default_factory=TaskOptions)
    limit: float | None = None
    seeds: tuple[int, int, int, int] = (0, 1234, 1234, 1234)
    mirror: Path | None = None
    include: tuple[Path, ...] = ()
    log_samples: bool = True
    restart: bool = False


@dataclass(frozen=True)
class Job:
    """A run under way.

    Attributes:
        request: What was asked.
        suites: Resolved suites, stock groups expanded to their leaves.
        checkpoint: Identity of what is scored.
        model: The loaded model.
        built: Tasks with data, each once.
        items: Items per task name.
        cut: Row numbers per task name whose prompt exceeds the context.
        started: Unix time at which its preparation began.
    """

    request: RunRequest
    suites: tuple[Suite, ...]
    checkpoint: Checkpoint
    model: LoadedModel
    built: tuple[BuiltTask, ...]
    items: Mapping[str, list[Item]]
    cut: Mapping[str, set[int]]
    started: float


def resolve(request: RunRequest) -> tuple[Catalog, tuple[Suite, ...]]:
    """Suites of a request; tasks named beside them form a suite called ``tasks``.

    Raises:
        UsageError: Nothing is named, a name is unknown, or one task is asked for in two ways.
    """
    catalog = load_catalog(request.include)
    suites = [catalog.suite(name) for name in request.suites]
    if request.tasks:
        extra = tuple(catalog.task(name) for name in request.tasks)
        suites.append(Suite("tasks", "tasks named on the command line", "1", digest_of(request.tasks), extra))
    if not suites:
        raise UsageError("The run", "has neither a suite nor a task", "pass --suite or --tasks")
    seen: dict[str, Task] = {}
    for task in (task for suite in suites for task in suite.tasks):
        if seen.setdefault(task.name, task).digest != task.digest:
            raise UsageError(f"Task {task.name}", "is asked for in two ways", "run the suites one after the other")
    return catalog, tuple(suites)


def prepare(request: RunRequest, stage: Callable[[str], None], earlier: Job | None = None) -> Job:
    """Resolve, load and check everything that a run needs.

    Args:
        request: What was asked.
        stage: Told what is being done.
        earlier: A job of another checkpoint. Where it asks the same, its cards, data and prompts are used again, and
            where both are adapters of one base, its weights. Pieces of text that its tokenizer has seen are known
            anyway to a checkpoint with an equal one.

    Raises:
        HarnessError: Names, cards, data, checkpoint or context do not allow the run.
    """
    started, mirror = time.time(), mirror_folder(request.mirror)
    catalog, suites = resolve(request)
    stage("checking the checkpoint")
    checkpoint = identify(request.model.model, request.model.arguments)
    wanted = {task.name: task for suite in suites for task in suite.tasks}
    base = earlier.model.base if earlier is not None and _on_one_base(checkpoint, earlier.checkpoint) else None
    if earlier is None or not _asks_alike(request, earlier.request):
        stage("loading cards and data")
        built, earlier = tuple(build_tasks(tuple(wanted.values()), catalog.folders, mirror, request.options)), None
    else:
        built = earlier.built
    seed_everything(request.seeds)
    stage("loading the model")
    with quiet_lm_eval():
        model = load_model(request.model, base)
        if earlier is not None and _wraps_alike(request, checkpoint, earlier.checkpoint):
            items = earlier.items
            for members in items.values():
                refuse_double_bos(model, members)
        else:
            stage("building prompts")
            items = {task.task.name: _items(task, request, model) for task in built}
    cut = {name: truncated(model, members) for name, members in items.items()}
    job = Job(request, _expanded(suites, wanted, built), checkpoint, model, built, items, cut, started)
    _refuse_small_context(job)
    return job


def _asks_alike(request: RunRequest, other: RunRequest) -> bool:
    """Whether two requests ask the same rows in the same way, of whatever checkpoint."""
    aside = {name: getattr(other, name) for name in ("model", "store", "log_samples", "restart")}
    return replace(request, **aside) == other


def _on_one_base(checkpoint: Checkpoint, other: Checkpoint) -> bool:
    """Whether two checkpoints have the same weights below their adapters."""
    named = ("weights", "config", "tokenizer")
    return all(checkpoint.digests.get(name) == other.digests.get(name) for name in named)


def _wraps_alike(request: RunRequest, checkpoint: Checkpoint, other: Checkpoint) -> bool:
    """Whether the prompts are the same text: without a chat template always, else where it is the same."""
    if not request.prompting.chat_template:
        return True
    known = [(each.digests.get("tokenizer"), each.digests.get("chat_template")) for each in (checkpoint, other)]
    return known[0] == known[1] and all(known[0])


def _items(built: BuiltTask, request: RunRequest, model: LoadedModel) -> list[Item]:
    ids = sample_ids(sampled_as(built.task), len(built.docs), request.limit, request.seeds[0])
    built.lm_task.set_fewshot_seed(seed=request.options.fewshot_seed)  # a task may be asked of several checkpoints
    return build_items(built, ids, model, request.prompting)


def _expanded(suites: Sequence[Suite], wanted: Mapping[str, Task], built: Sequence[BuiltTask]) -> tuple[Suite, ...]:
    """Suites whose stock groups are replaced by the leaves that were built from them."""
    leaves: dict[str, list[Task]] = {name: [] for name in wanted}
    for task in built:
        leaves[task.asked_as].append(task.task)
    return tuple(
        replace(suite, tasks=tuple(leaf for task in suite.tasks for leaf in leaves[task.name])) for suite in suites
    )


def _refuse_small_context(job: Job) -> None:
    for suite in job.suites:
        for task in suite.tasks:
            share = len(job.cut[task.name]) / len(job.items[task.name])
            if share > suite.limits.truncated:
                raise FailedRunError(
                    f"Task {task.name}",
                    f"has {share:.1%} of prompts longer than the context of {job.model.max_length} tokens "
                    f"(suite {suite.name} allows {suite.limits.truncated:.1%})",
                    "use fewer shots, a checkpoint with a longer context, or a suite file with a higher limit",
                )


def seed_everything(seeds: tuple[int, int, int, int]) -> None:
    """Seed Python, NumPy and torch, as lm-eval does."""
    import numpy as np
    import torch

    random.seed(seeds[0])
    np.random.seed(seeds[1])
    torch.manual_seed(seeds[2])
