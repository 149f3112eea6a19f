"""``harness run``: score a checkpoint on suites and leave a record that can be trusted.

First everything that can fail is made to fail (``harness.engines.job``); then batch after batch goes into a journal
that survives a kill; then one immutable record is written, also where the run failed its suite's limits.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, replace
from typing import Any, Protocol

from harness.catalog import digest_of
from harness.engines.batches import plan_batches
from harness.engines.environment import environment, versions
from harness.engines.estimate import estimate_seconds
from harness.engines.items import Item
from harness.engines.job import Job, RunRequest, prepare
from harness.engines.score import score_batch
from harness.engines.tasks import quiet_lm_eval
from harness.errors import InterruptedRunError
from harness.manifest import manifest_of
from harness.nouns import Outcome, Record, Status, Task, TaskScore
from harness.scores import broken_suite_limits, suite_score, tally, task_score
from harness.store import Journal, commit
from harness.store.samples import SampleLog


class Screen(Protocol):
    """What a run tells while it works; ``harness.show`` has the one for people and the silent one."""

    def stage(self, text: str) -> None:
        """Say what is being done now."""

    def plan(self, rows: Sequence[tuple[Task, int, int]], done: int, seconds: float | None) -> None:
        """Show tasks with their items and requests, items already done, and the estimate."""

    def progress(self, weight: int, items: int) -> AbstractContextManager[Any]:
        """Return a context manager whose value is called as ``advance(task, weight, items)`` after each batch."""

    def note(self, text: str) -> None:
        """Say something that the user should know."""


def run(request: RunRequest, screen: Screen) -> Outcome:
    """Score a checkpoint; resume where an interrupted run of the same kind stopped.

    Returns:
        The outcome; its record is stored also where the run failed its suite's limits.

    Raises:
        HarnessError: One of the tree in ``harness.errors``; what was computed stays in the journal.
    """
    job = prepare(request, screen.stage)
    job.model.base = None  # no other adapter of it comes
    return run_job(job, screen)


def run_job(job: Job, screen: Screen) -> Outcome:
    """Score a prepared job, as ``run`` does.

    For several checkpoints of one base: prepare each with the job before it, so that cards, data, prompts and tokens
    are made once.
    """
    request, spec = job.request, _spec(job)
    if request.restart:
        with Journal.open(request.store, spec) as stale:
            stale.discard()
    with Journal.open(request.store, spec) as journal:
        samples = SampleLog(journal.folder) if request.log_samples else None
        _announce(job, journal, screen)
        try:
            _score(job, journal, samples, screen)
        except KeyboardInterrupt:
            done, total = len(journal.done), sum(map(len, job.items.values()))
            raise InterruptedRunError(
                "The run", f"was interrupted after {done} of {total} items", "run the same command again to continue"
            ) from None
        screen.stage("writing the record")
        outcome = _finish(job, journal, samples)
        journal.discard()
    for note in job.model.remarks:
        screen.note(note)
    return outcome


def _spec(job: Job) -> dict[str, Any]:
    """Whatever shapes the records: equal specs share a journal, and only they."""
    request, model = job.request, job.request.model
    return {
        "suites": {suite.name: suite.digest for suite in job.suites},
        "tasks": {task.task.name: [task.task.digest, task.task.num_fewshot] for task in job.built},
        "items": {name: digest_of([item.item for item in members]) for name, members in job.items.items()},
        "prompts": {name: digest_of([item.prompt_hash for item in members]) for name, members in job.items.items()},
        "checkpoint": asdict(job.checkpoint),
        "model": [model.model, digest_of(dict(model.arguments)), job.model.batch, model.max_memory, job.model.shares],
        "prompting": asdict(request.prompting),
        "gen_kwargs": dict(request.options.gen_kwargs or {}),
        "seeds": list(request.seeds),
        "limit": request.limit,
        "log_samples": request.log_samples,
        "versions": versions(),
    }


def _announce(job: Job, journal: Journal, screen: Screen) -> None:
    rows = [(task.task, len(job.items[task.task.name]), _requests(job.items[task.task.name])) for task in job.built]
    todo = [item for name, members in job.items.items() for item in members if (name, item.doc_id) not in journal.done]
    screen.plan(rows, len(journal.done), estimate_seconds(job.model, todo))


def _requests(items: Sequence[Item]) -> int:
    return sum(instance.repeats for item in items for instance in item.instances)


def _score(job: Job, journal: Journal, samples: SampleLog | None, screen: Screen) -> None:
    plans = [(task, plan_batches(job.items[task.task.name], job.model)) for task in job.built]
    open_batches = [
        (task, number, batch)
        for task, batches in plans
        for number, batch in enumerate(batches)
        if not all((task.task.name, item.doc_id) in journal.done for item in batch)
    ]
    weight = sum(item.bytes for _, _, batch in open_batches for item in batch)
    count = sum(len(batch) for _, _, batch in open_batches)
    with screen.progress(weight, count) as advance, quiet_lm_eval():
        for task, number, batch in open_batches:
            started = time.perf_counter()
            _seed_batch(job.request.seeds[2], task.task.name, number)
            scored = score_batch(task, job.model, batch, job.cut[task.task.name])
            if samples is not None:
                samples.append(task.task.name, scored.samples)
            journal.append(scored.records if samples is not None else [without_text(r) for r in scored.records])
            journal.append_note({"task": task.task.name, "seconds": time.perf_counter() - started})
            advance(task.task.name, sum(item.bytes for item in batch), len(batch))


def _finish(job: Job, journal: Journal, samples: SampleLog | None) -> Outcome:
    seconds: dict[str, float] = {}
    for note in journal.notes():
        seconds[note["task"]] = seconds.get(note["task"], 0.0) + note["seconds"]
    counted = {task.task.name: tally(journal.records(task.task.name)) for task in job.built}
    scores: dict[str, TaskScore] = {}
    for task in job.built:
        name = task.task.name
        if found := task_score(task.task, task.folds, counted[name], seconds.get(name, 0.0)):
            scores[name] = found
    reasons = broken_suite_limits(job.suites, counted, scores)
    suites = tuple(score for suite in job.suites if (score := suite_score(suite, tuple(scores.values()))))
    status = Status.FAILED if reasons else Status.COMPLETE
    manifest = manifest_of(job, scores, suites, (status, reasons))
    files: dict[str, Any] = {"env.json": json.dumps(environment(), indent=2).encode()}
    if samples is not None:
        files |= samples.files()
    stored = commit(job.request.store, manifest, journal.records, files)
    return Outcome(stored, tuple(scores.values()), suites, status, tuple(reasons))


def without_text(record: Record) -> Record:
    """A record without third-party text: generated answers and cluster names become hashes.

    An answer can quote its document; what was chosen, and every count, stay. Of a probe's answer each fact becomes a
    hash of its own, so that answers to several renderings can still be compared.
    """
    cluster = None if record.cluster is None else digest_of(record.cluster)[:16]
    return replace(record, prediction=_hashed(record.prediction), cluster=cluster)


def _hashed(told: Any) -> Any:
    if isinstance(told, Mapping) and "answer" in told:
        facts = told["answer"] and [digest_of(fact) for fact in told["answer"]]
        return {**{key: value for key, value in told.items() if key != "text"}, "answer": facts}
    if isinstance(told, list) and told and all(isinstance(part, Mapping) and "answer" in part for part in told):
        return [_hashed(part) for part in told]
    return told if told is None or isinstance(told, Mapping) else {"sha256": digest_of(told)}


def _seed_batch(seed: int, task: str, number: int) -> None:
    """Seed torch for one batch, so that sampled text does not depend on where a run was resumed."""
    import torch

    torch.manual_seed(int.from_bytes(hashlib.sha256(f"{seed}:{task}:{number}".encode()).digest()[:7]))
