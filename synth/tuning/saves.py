"""States that are queued for scoring while the training goes on; nothing is scored in its process.

A trainer removes its older states. Each is held by hard links, which take no room, until ``harness run --queue`` has
scored it. What is queued stays queued through a kill: the state that a training goes on from is queued then, if it was
not before.
"""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

from harness.queue import QUEUE, Queue, read_queue, state_of, write_queue
from harness.show import stderr
from synth.tuning.adopting import files_of

_WEIGHTS = (".safetensors", ".bin")


def queueing(folder: Path, queue: Queue, states: Path) -> Any:
    """A transformers callback that queues every state.

    Args:
        folder: Folder of the queue.
        queue: How its states are scored; what the folder has queued already stays queued.
        states: Where the trainer writes its states.
    """
    from transformers import TrainerCallback

    class Queueing(TrainerCallback):  # type: ignore[misc]
        """Queues the base, then each state once it is whole; on the first process alone."""

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                steps = read_queue(folder / QUEUE).steps if (folder / QUEUE).is_file() else (0,)
                write_queue(folder, replace(queue, steps=steps))
                if state.global_step:
                    _queue(folder, states, state.global_step)

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                _queue(folder, states, state.global_step)

    return Queueing()


def close_queue(folder: Path) -> None:
    """Say that no other state comes, where there is a queue."""
    if (folder / QUEUE).is_file():
        write_queue(folder, replace(read_queue(folder / QUEUE), complete=True))


def _queue(folder: Path, states: Path, step: int) -> None:
    queue = read_queue(folder / QUEUE)
    if step in queue.steps:
        return
    state = states / f"checkpoint-{step}"
    if not any(path.suffix in _WEIGHTS for path in files_of(state)):
        stderr().print(f"note: {state.name} is not queued: it holds no whole weights, but shards of them")
        return
    _hold(state, state_of(folder, step))
    write_queue(folder, replace(queue, steps=tuple(sorted({*queue.steps, step}))))


def _hold(state: Path, held: Path) -> None:
    """Keep the checkpoint or adapter of a state, whole or not at all."""
    draft = held.with_name(f".{held.name}")
    shutil.rmtree(draft, ignore_errors=True)
    draft.mkdir(parents=True)
    for path in files_of(state):
        try:
            os.link(path, draft / path.name)
        except OSError:  # a file system without links
            shutil.copyfile(path, draft / path.name)
    shutil.rmtree(held, ignore_errors=True)
    draft.replace(held)
