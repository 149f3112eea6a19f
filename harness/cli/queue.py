"""``harness run --queue``: score the states of a training, each once, while it goes on or afterwards."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.options import request_of
from harness.errors import CheckpointError, DataError, FailedRunError, UsageError
from harness.queue import SAVES, SCORES, Score, read_queue, read_scores, state_of, write_scores

if TYPE_CHECKING:
    from harness.engines.job import Job, RunRequest
    from harness.nouns import SuiteScore

PLOT = "scores.svg"
_POLL_S = 2.0


def score_queue(path: Path, follow: bool, options: dict[str, Any], as_json: bool) -> int:
    """Score what waits in a queue, and show the curve; returns the exit code.

    Args:
        path: The queue.
        follow: Wait for states until the training has ended.
        options: Options of ``harness run``; suites named there replace those of the queue.
        as_json: Print one document, nothing else.

    Raises:
        HarnessError: As ``harness run``; what is scored stays scored, and what waits goes on waiting.
    """
    from harness.show import print_json
    from harness.show.curve import draw_curve, show_curve, show_score
    from harness.store.disk import alone

    request = _request(options)
    folder = path.parent
    read_queue(path)  # before anything is written into a folder that is none of a training
    with alone(folder):
        for score in _Scorer(path, request).work(follow):
            if not as_json:
                show_score(score)
            draw_curve(read_scores(folder), folder / PLOT)
    scores = read_scores(folder)
    if as_json:
        paths = {"path": str(folder / SCORES), "plot": str(folder / PLOT)}
        print_json({**paths, "complete": read_queue(path).complete, "scores": [asdict(score) for score in scores]})
    else:
        show_curve(scores, [folder / SCORES, folder / PLOT] if scores else [])
    return DataError.exit_code if any(score.run_id is None for score in scores) else 0


def _request(options: dict[str, Any]) -> RunRequest:
    """What every state is asked.

    Raises:
        UsageError: The options name a checkpoint.
    """
    from harness.engines.models import parse_arguments

    named = {"pretrained", "peft"} & set(parse_arguments(options["model_args"]))
    if named:
        raise UsageError(f"--model_args {' and '.join(sorted(named))}", "is named by the queue", "leave it out")
    request: RunRequest = request_of(options)
    return request


@dataclass
class _Scorer:
    """The states of one queue, one after the other.

    Attributes:
        path: The queue.
        request: What every state is asked.
        job: The last job, without its model: the next state shares cards, data, prompts and tokens with it.
    """

    path: Path
    request: RunRequest
    job: Job | None = None

    def work(self, follow: bool) -> Iterator[Score]:
        """Score what waits, and what comes where it follows; each is written down before its state is removed."""
        folder = self.path.parent
        while True:
            queue = read_queue(self.path)
            for step in queue.steps:
                scores = {score.step: score for score in read_scores(folder)}
                if step not in scores:
                    scores[step] = self._score(step, queue.suites, queue.arguments(folder, step))
                    write_scores(folder, [scores[number] for number in sorted(scores)])
                    yield scores[step]
                if scores[step].run_id is not None:
                    shutil.rmtree(state_of(folder, step), ignore_errors=True)
            if queue.complete or not follow:
                break
            time.sleep(_POLL_S)
        with suppress(OSError):  # it is not empty where a training goes on
            (folder / SAVES).rmdir()

    def _score(self, step: int, suites: tuple[str, ...], arguments: dict[str, str]) -> Score:
        """What comes of one state; a state that cannot be scored does not keep the others from it.

        Raises:
            HarnessError: Suites, data, memory or disk do not allow scoring; the state goes on waiting.
        """
        from harness.engines.job import prepare
        from harness.engines.models import free_memory
        from harness.run import run_job
        from harness.show import RunScreen

        if step and not state_of(self.path.parent, step).is_dir():
            return Score(step, None, reason="its state is gone")
        screen, asked, model = RunScreen(quiet=True), self.request, self.request.model
        if not asked.suites and not asked.tasks:
            asked = replace(asked, suites=suites)
        free_memory()
        try:
            request = replace(asked, model=replace(model, arguments={**model.arguments, **arguments}))
            job = prepare(request, screen.stage, earlier=self.job)
            outcome = run_job(job, screen)
        except (CheckpointError, FailedRunError) as error:
            return Score(step, None, reason=str(error))
        self.job = replace(job, model=replace(job.model, lm=None))
        return Score(step, outcome.run.id, tuple(map(_told, outcome.suites)), "; ".join(outcome.reasons) or None)


def _told(suite: SuiteScore) -> dict[str, Any]:
    return {"name": suite.name, "score": suite.score, "interval": list(suite.interval)}
