"""What ``run.json`` says of a run: enough to repeat it, to compare it, and to doubt it."""

from __future__ import annotations

import datetime
import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from harness.engines.environment import versions
from harness.engines.job import Job
from harness.engines.models import TREE
from harness.engines.tree.tokens import encoder_of
from harness.metrics.folds import Fold
from harness.nouns import Status, Suite, SuiteScore, Task, TaskScore

SCHEMA = "harness.run/1"


def manifest_of(
    job: Job,
    scores: Mapping[str, TaskScore],
    suites: Sequence[SuiteScore],
    verdict: tuple[Status, Sequence[str]],
) -> dict[str, Any]:
    """The manifest of a finished run, without the file list that the store adds.

    Args:
        job: The job.
        scores: Task scores by task name.
        suites: Suite scores.
        verdict: Status and the reasons for it.
    """
    request = job.request
    by_name = {suite.name: suite for suite in suites}
    return {
        "schema": SCHEMA,
        "status": str(verdict[0]),
        "reasons": list(verdict[1]),
        "suites": [suite_entry(suite, by_name.get(suite.name)) for suite in job.suites],
        "tasks": [
            task_entry(built.task, built.folds, (len(job.items[name]), len(built.docs)), scores.get(name))
            for built in job.built
            for name in (built.task.name,)
        ],
        "checkpoint": asdict(job.checkpoint),
        "engine": {
            "model": request.model.model,
            "arguments": {name: _shown(value) for name, value in request.model.arguments.items()},
            "batch_size": request.model.batch_size,
            "largest_batch": None if job.model.shares and job.model.planned else job.model.batch,
            "device": str(getattr(job.model.lm, "device", "")),
            "dtype": str(getattr(getattr(job.model.lm, "model", None), "dtype", "")),
            "context": job.model.max_length,
            "notes": list(job.model.remarks),
            **_sharing(job),
        },
        "prompting": asdict(request.prompting),
        "chat_template": job.checkpoint.digests.get("chat_template") if request.prompting.chat_template else None,
        "gen_kwargs": dict(request.options.gen_kwargs or {}),
        "limit": request.limit,
        "seeds": dict(zip(("python", "numpy", "torch", "fewshot"), request.seeds, strict=True)),
        "versions": versions(),
        "signature": signature(job),
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "seconds": round(time.time() - job.started, 3),
    }


def _sharing(job: Job) -> dict[str, Any]:
    """What the tree tells of itself; nothing of other models."""
    lm = job.model.lm
    if job.request.model.model != TREE:
        return {}
    return {
        "max_memory": job.request.model.max_memory,
        "peak_bytes": lm.peak_bytes,
        "fallback": lm.stock_because,
        "self_checks": [asdict(check) for check in (lm.check, lm.text_check) if check is not None],
        "tokenising": encoder_of(lm).note,
    }


def signature(job: Job) -> str:
    """One line that pins what a score depends on, in the manner of sacrebleu."""
    request, known = job.request, versions()
    weights = job.checkpoint.digests.get("weights", "")
    parts = {
        "suites": "+".join(f"{suite.name}/{suite.version}/{suite.digest[:8]}" for suite in job.suites),
        "model": request.model.model,
        "weights": weights[:12] or "unknown",
        "limit": "all" if request.limit is None else f"{request.limit:g}",
        "seeds": ",".join(map(str, request.seeds)),
        "template": "chat" if request.prompting.chat_template else "none",
        "harness": known.get("hum-harness", ""),
        "lm_eval": known.get("lm-eval", ""),
    }
    return "|".join(f"{name}:{value}" for name, value in parts.items())


def suite_entry(suite: Suite, score: SuiteScore | None) -> dict[str, Any]:
    """What the manifest says of a suite; a suite with an unscored task has no score."""
    return {
        "name": suite.name,
        "title": suite.title,
        "version": suite.version,
        "digest": suite.digest,
        "policy": suite.policy,
        "tasks": [task.name for task in suite.tasks],
        "families": {task.name: task.family for task in suite.tasks},
        "pooled": sorted(suite.pooled),
        "limits": asdict(suite.limits),
        "score": None if score is None else score.score,
        "interval": None if score is None else list(score.interval),
        "family_scores": None if score is None else dict(score.families),
    }


def task_entry(
    task: Task, folds: Mapping[str, Fold], items: tuple[int, int], score: TaskScore | None
) -> dict[str, Any]:
    """What the manifest says of a task.

    Args:
        task: The task.
        folds: Fold of each of its metrics.
        items: Items asked, and rows of the split that they are from.
        score: Its score, where it has one.
    """
    entry = {key: value for key, value in asdict(task).items() if key not in ("card", "chances")}
    return entry | {
        "folds": {metric: fold.name for metric, fold in folds.items()},
        "items": items[0],
        "of": items[1],
        "score": None if score is None else score.score,
        "interval": None if score is None else [end if math.isfinite(end) else None for end in score.interval],
        "metrics": {} if score is None else dict(score.metrics),
        "health": {} if score is None else dict(score.health),
        "failed": None if score is None else score.failed,
        "seconds": None if score is None else round(score.seconds, 3),
    }


def _shown(value: Any) -> Any:
    """A model argument without the folders of the machine: a path becomes its last part."""
    if isinstance(value, str) and Path(value).expanduser().exists():
        return Path(value).expanduser().resolve().name
    return value if isinstance(value, str | int | float | bool | None) else str(value)
