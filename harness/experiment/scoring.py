"""Scoring a checkpoint: a run that the store has already is used, and what checkpoints share is prepared once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from harness.catalog import Catalog, digest_of
from harness.engines.items import Prompting
from harness.engines.job import Job, RunRequest, prepare
from harness.engines.models import TREE, LoadedModel, ModelOptions, free_memory
from harness.errors import FailedRunError
from harness.experiment.graph import Cell
from harness.nouns import Outcome, Run, Status
from harness.run import Screen, run_job
from harness.store import list_runs

_SCORED = ("weights", "config", "tokenizer", "chat_template")
"""Digests of a checkpoint that a score depends on."""

_NO_MODEL = LoadedModel(lm=None, batch=1)


@dataclass(frozen=True)
class Asking:
    """What every checkpoint of an experiment is asked.

    Attributes:
        request: A request without suites, limit and checkpoint.
        limits: Suites of each run, and its items per task; None for all.
        digests: Digest of each suite by name.
        earlier: The last job of each run, without its model: cards, data, prompts and tokens are made once.
    """

    request: RunRequest
    limits: Mapping[tuple[str, ...], float | None]
    digests: Mapping[str, str]
    earlier: dict[tuple[str, ...], Job] = field(default_factory=dict)

    def key(self, suites: tuple[str, ...], digests: Mapping[str, str]) -> str:
        """Digest of everything that shapes a run: equal keys mean that a recorded run answers the question."""
        request = self.request
        return _key(
            digests,
            self.limits[suites],
            suites={name: self.digests[name] for name in suites},
            model=request.model.model,
            prompting=asdict(request.prompting),
            seeds=list(request.seeds),
        )


def asking(request: RunRequest, limits: Mapping[tuple[str, ...], float | None], catalog: Catalog) -> Asking:
    """What every checkpoint is asked.

    Raises:
        HarnessError: A suite is unknown or its cards are wrong.
    """
    return Asking(request, limits, {name: catalog.suite(name).digest for names in limits for name in names})


def request_of(options: Mapping[str, Any]) -> RunRequest:
    """A request without suites, limit and checkpoint.

    Args:
        options: ``store``, ``mirror``, ``include``, ``log_samples``, ``chat_template``, ``batch_size``,
            ``device``.
    """
    return RunRequest(
        suites=(),
        tasks=(),
        model=ModelOptions(TREE, {}, batch_size=options["batch_size"], device=options["device"]),
        prompting=Prompting(chat_template=options["chat_template"]),
        **{name: options[name] for name in ("store", "mirror", "include", "log_samples")},
    )


def recorded(store: Path) -> dict[str, Run]:
    """Complete runs of a store by the key of :meth:`Asking.key`; of several the newest."""
    found: dict[str, Run] = {}
    for run in list_runs(store):
        manifest = run.manifest
        if manifest["status"] == Status.COMPLETE and not manifest.get("gen_kwargs"):
            found.setdefault(_recorded_key(manifest), run)
    return found


def _recorded_key(manifest: Mapping[str, Any]) -> str:
    return _key(
        manifest["checkpoint"]["digests"],
        manifest["limit"],
        suites={suite["name"]: suite["digest"] for suite in manifest["suites"]},
        model=manifest["engine"]["model"],
        prompting=manifest["prompting"],
        seeds=[manifest["seeds"][name] for name in ("python", "numpy", "torch", "fewshot")],
    )


def _key(digests: Mapping[str, str], limit: float | None, **facts: Any) -> str:
    checkpoint = {name: digests[name] for name in _SCORED if name in digests}
    return digest_of({"checkpoint": checkpoint, "limit": None if limit is None else float(limit), **facts})


def score(cell: Cell, suites: tuple[str, ...], asking: Asking, screen: Screen) -> Outcome:
    """Score a checkpoint on the suites of one run.

    Raises:
        FailedRunError: The run is recorded, but failed the limits of its suite.
        HarnessError: As ``harness.run.run_job``.
    """
    model = replace(asking.request.model, arguments={"pretrained": str(cell.folder)})
    request = replace(asking.request, suites=suites, model=model, limit=asking.limits[suites])
    job = prepare(request, screen.stage, earlier=asking.earlier.get(suites))
    job = replace(job, checkpoint=replace(job.checkpoint, reference=cell.label))
    try:
        outcome = run_job(job, screen)
    finally:
        asking.earlier[suites] = replace(job, model=_NO_MODEL)
        del job
        free_memory()
    if outcome.status is Status.FAILED:
        reason = f"failed ({'; '.join(outcome.reasons)}), and is recorded as {outcome.run.id[:12]}"
        raise FailedRunError(f"The run of {cell.label}", reason, "see its record, or change the limits of the suite")
    return outcome
