"""What watches a training: guards that stop it with advice, the live line, the loss log and its plot."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import DataError

LOG = "log.jsonl"
PLOT = "loss.svg"
_STILL = 10
"""Logged losses that may be equal before training is stopped: a loss that never moves learns nothing."""


def refuse_nan(step: int, loss: float) -> None:
    """Stop where the loss is no number.

    Raises:
        DataError: The loss is NaN or infinite.
    """
    if not math.isfinite(loss):
        raise DataError(
            "The training", f"has a loss of {loss} at step {step}",
            "lower learning_rate or max_grad_norm, use dtype: float32, or look for broken rows",
        )  # fmt: skip


def refuse_stillness(losses: Sequence[float]) -> None:
    """Stop where the last losses are all the same.

    Raises:
        DataError: The loss has not moved at all.
    """
    last = losses[-_STILL:]
    if len(last) == _STILL and max(last) == min(last):
        raise DataError(
            "The training", f"has a loss that stays at {last[0]:.4g} for {_STILL} reports",
            "check that answers are not empty, that something is trainable, and that learning_rate is not too small",
        )  # fmt: skip


def watcher(folder: Path, total_tokens: int) -> Any:
    """A transformers callback that guards, shows progress on a terminal, and writes ``log.jsonl`` and ``loss.svg``.

    Args:
        folder: Where the log goes.
        total_tokens: Tokens that the whole training will see, for tokens per second.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        """Reads every log of the trainer."""

        def __init__(self) -> None:
            self.losses: list[float] = []
            self.started = time.perf_counter()
            self.first_step = 0
            self.line = _Line()

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.started, self.first_step = time.perf_counter(), state.global_step
            self.line.begin(state.max_steps, state.global_step)

        def on_log(self, args: Any, state: Any, control: Any, logs: Mapping[str, Any], **_: Any) -> None:
            if not state.is_world_process_zero:
                return
            row = {"step": state.global_step, **{name: float(value) for name, value in logs.items()}}
            with (folder / LOG).open("a", encoding="utf-8") as log:
                log.write(json.dumps(row) + "\n")
            if "loss" not in logs:
                return
            refuse_nan(state.global_step, row["loss"])
            self.losses.append(row["loss"])
            refuse_stillness(self.losses)
            share = (state.global_step - self.first_step) / max(1, state.max_steps)
            speed = total_tokens * share / max(1e-9, time.perf_counter() - self.started)
            self.line.move(state.global_step, row["loss"], speed)

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.line.end()
            if state.is_world_process_zero:
                plot(folder)

    return Watcher()


def plot(folder: Path) -> Path:
    """Draw the losses of ``log.jsonl`` against the step; the path of the picture."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    rows = read_log(folder)
    figure, axes = pyplot.subplots(figsize=(7, 3.5), layout="constrained")
    for name, label in (("loss", "training"), ("eval_loss", "dev")):
        points = [(row["step"], row[name]) for row in rows if name in row]
        if points:
            axes.plot(*zip(*points, strict=True), marker="." if len(points) < 60 else "", label=label)
    axes.set(xlabel="step", ylabel="loss of the answer, nats per token")
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
    figure.savefig(folder / PLOT)
    pyplot.close(figure)
    return folder / PLOT


def read_log(folder: Path) -> list[dict[str, float]]:
    """Rows of the log, the last of each step and kind: a resumed training writes some steps twice."""
    path = folder / LOG
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()] if path.is_file() else []
    kept = {(row["step"], "eval_loss" in row, "train_loss" in row): row for row in rows}
    return [kept[key] for key in sorted(kept)]


class _Line:
    """One live line with loss, tokens per second and time left; nothing where stderr is no terminal."""

    def __init__(self) -> None:
        self._progress: Any = None

    def begin(self, steps: int, done: int) -> None:
        if not sys.stderr.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        told = TextColumn("{task.fields[told]}")
        columns = (TextColumn("training"), BarColumn(), MofNCompleteColumn(), told, TextColumn("left"))
        self._progress = Progress(*columns, TimeRemainingColumn(), console=Console(stderr=True), transient=True)
        self._task = self._progress.add_task("", total=steps, completed=done, told="")
        self._progress.start()

    def move(self, step: int, loss: float, speed: float) -> None:
        if self._progress is not None:
            told = f"loss {loss:.3f}, {speed:,.0f} tokens/s"
            self._progress.update(self._task, completed=step, told=told)

    def end(self) -> None:
        if self._progress is not None:
            self._progress.stop()
