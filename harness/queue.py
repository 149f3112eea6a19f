"""States of a training that wait to be scored: what a trainer leaves for ``harness run --queue``.

    FOLDER/queue.json       which states there are, and how they are to be scored; written by the trainer alone
    FOLDER/saves/step-N/    a state that is not scored yet
    FOLDER/scores.json      what was scored; written by the scorer alone

Each file is replaced as a whole, so a reader never sees half of one, and both sides can be killed at any moment. The
trainer keeps a state under ``saves/`` until it is scored, however soon it removes its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingInputError
from harness.store.disk import replace_file

QUEUE, SCORES, SAVES = "queue.json", "scores.json", "saves"
SCHEMA = "harness.queue/1"


@dataclass(frozen=True, slots=True)
class Queue:
    """States of one training.

    Attributes:
        suites: Suites that they are to be scored on.
        model_args: ``pretrained`` is the base; others that lm-eval is given with it.
        adapter: Whether a state is an adapter of the base, instead of a whole checkpoint.
        steps: Optimiser steps after which there was a state; 0 is the base itself.
        complete: Whether the training has ended, so that no other state comes.
    """

    suites: tuple[str, ...]
    model_args: Mapping[str, str]
    adapter: bool
    steps: tuple[int, ...] = ()
    complete: bool = False

    def arguments(self, folder: Path, step: int) -> dict[str, str]:
        """What lm-eval is given for the state after a step.

        Args:
            folder: Folder of the queue.
            step: One of the steps.
        """
        if step == 0:
            return dict(self.model_args)
        return {**self.model_args, "peft" if self.adapter else "pretrained": str(state_of(folder, step))}


@dataclass(frozen=True, slots=True)
class Score:
    """What came of scoring a state.

    Attributes:
        step: Its step.
        run_id: The run; None where it could not be scored.
        suites: ``name``, ``score`` and ``interval`` of each suite.
        reason: Why it could not be scored.
    """

    step: int
    run_id: str | None
    suites: tuple[Mapping[str, Any], ...] = ()
    reason: str | None = None


def state_of(folder: Path, step: int) -> Path:
    """Where the state after a step waits."""
    return folder / SAVES / f"step-{step}"


def write_queue(folder: Path, queue: Queue) -> None:
    """Write the queue of a folder.

    Raises:
        StoreError: It cannot be written.
    """
    _write(folder / QUEUE, {"schema": SCHEMA, **asdict(queue)})


def read_queue(path: Path) -> Queue:
    """The queue of a file.

    Raises:
        MissingInputError: There is none.
        DataError: It is no queue.
    """
    if not path.is_file():
        reason, advice = "is not there", "name the queue.json of a training whose recipe has score_saves"
        raise MissingInputError(f"Queue {path}", reason, advice)
    content = _read(path)
    try:
        if content.pop("schema") != SCHEMA:
            raise ValueError(f"its schema is not {SCHEMA}")
        suites, steps = tuple(map(str, content.pop("suites"))), tuple(map(int, content.pop("steps")))
        return Queue(suites=suites, steps=steps, **content)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise DataError(f"Queue {path}", f"is no queue of saves ({error})", "name the one of a training") from error


def write_scores(folder: Path, scores: Sequence[Score]) -> None:
    """Write what was scored.

    Raises:
        StoreError: It cannot be written.
    """
    _write(folder / SCORES, {"schema": SCHEMA, "scores": [asdict(score) for score in scores]})


def read_scores(folder: Path) -> list[Score]:
    """What was scored before, by step.

    Raises:
        DataError: The file is no list of scores.
    """
    path = folder / SCORES
    if not path.is_file():
        return []
    try:
        known = {item.name for item in fields(Score)}
        rows = [{name: row[name] for name in known} for row in _read(path)["scores"]]
        return sorted((Score(**{**row, "suites": tuple(row["suites"])}) for row in rows), key=lambda one: one.step)
    except (KeyError, TypeError) as error:
        raise DataError(f"Scores {path}", f"cannot be read ({error!r})", "remove the file to score again") from error


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}", f"cannot be read ({error})", "remove it, or restore it from a copy") from error


def _write(path: Path, content: Mapping[str, Any]) -> None:
    replace_file(path, (json.dumps(content, indent=1) + "\n").encode())
