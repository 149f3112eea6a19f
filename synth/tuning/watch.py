"""What watches a training: guards that stop it with advice, the live line, the loss log and its plot."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.show import plural, stderr

LOG = "log.jsonl"
PLOT = "loss.svg"
_STILL = 10
"""Reports in a row without any movement that stop a training."""

Row = Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Counted:
    """What is known before a training.

    Attributes:
        rows: Counts of the rows, see ``synth.tuning.data.Rows``.
        limit: Tokens at most.
        state: Name of the state that a killed training goes on at; None for a new one.
    """

    rows: Mapping[str, int]
    limit: int
    state: str | None


def say(counted: Counted) -> None:
    """Say on stderr what is trained on, what is left out of it, and where a killed training goes on."""
    console, rows = stderr(), counted.rows
    if counted.state is not None:
        console.print(f"going on at {counted.state}")
    console.print(
        f"training on {plural(rows['rows'], 'row')}, {rows['prompt_tokens'] + rows['completion_tokens']:,} tokens"
    )
    too_long = f"are longer than {counted.limit:,} tokens ({rows['long_prompts']:,} by the prompt alone)"
    for count, reason in ((rows["empty"], "have an empty answer"), (rows["long"], too_long)):
        if count:
            console.print(f"note: {count:,} of {rows['read']:,} rows are left out: they {reason}", soft_wrap=True)


def refuse_nan(row: Row) -> None:
    """Stop where the loss is no number.

    Raises:
        DataError: The loss is NaN or infinite.
    """
    if not math.isfinite(row["loss"]):
        raise DataError(
            "The training", f"has a loss of {row['loss']} at step {row['step']:.0f}",
            "lower learning_rate or max_grad_norm, use dtype: float32, or look for broken weights in the base",
        )  # fmt: skip


def refuse_stillness(rows: Sequence[Row]) -> None:
    """Stop where nothing moves: the last losses are all the same, or their gradients are all zero.

    Raises:
        DataError: The training learns nothing.
    """
    last = rows[-_STILL:]
    losses = {row["loss"] for row in last}
    if len(last) == _STILL and (len(losses) == 1 or not any(row.get("grad_norm", 1.0) for row in last)):
        raise DataError(
            "The training", f"does not move: its loss is {last[-1]['loss']:.4g} after {_STILL} reports",
            "raise learning_rate, and check that lora.targets names modules of this model",
        )  # fmt: skip


def watcher(folder: Path) -> Any:
    """A transformers callback that guards, shows progress on a terminal, and writes ``log.jsonl`` and ``loss.svg``.

    Args:
        folder: Where log and plot go. ``close()`` must be called in the end, whatever happens.
    """
    from transformers import TrainerCallback

    class Watcher(TrainerCallback):  # type: ignore[misc]
        """Reads every report of the trainer."""

        def __init__(self) -> None:
            self.rows: list[Row] = []
            self.line: Line | None = None

        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if state.is_world_process_zero:
                self.line = Line(state.max_steps, state.global_step, state.num_input_tokens_seen)

        def on_log(self, args: Any, state: Any, control: Any, logs: Row, **_: Any) -> None:
            counts = {"step": state.global_step, "steps": state.max_steps, "tokens": state.num_input_tokens_seen}
            row = {**counts, **logs}
            if self.line is not None:
                with (folder / LOG).open("a", encoding="utf-8") as log:
                    log.write(json.dumps(row) + "\n")
            if "loss" in row:
                refuse_nan(row)
                self.rows.append(row)
                refuse_stillness(self.rows)
                if self.line is not None:
                    self.line.move(row)

        def close(self) -> None:
            if self.line is not None:
                self.line.end()
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
    axes.set(xlabel="step", ylabel="loss (nats per answer token)")
    axes.grid(alpha=0.3)
    if axes.lines:
        axes.legend(frameon=False)
    figure.savefig(folder / PLOT, metadata={"Date": None})
    pyplot.close(figure)
    return folder / PLOT


def read_log(folder: Path) -> list[Row]:
    """Rows of the log, the last of each step and kind: a resumed training writes some steps twice."""
    path = folder / LOG
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    kept = {}
    for line in lines:
        with suppress(ValueError):  # a killed call may leave half a line
            row = json.loads(line)
            kept[row["step"], "eval_loss" in row, "train_loss" in row] = row
    return [kept[key] for key in sorted(kept)]


class Line:
    """One live line with loss, tokens per second and time left; nothing where stderr is no terminal."""

    def __init__(self, steps: int, done: int, tokens: float) -> None:
        """Begin at a step and the tokens that have been read until there."""
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        console = stderr()
        told = TextColumn("{task.fields[told]}")
        columns = (TextColumn("training"), BarColumn(24), MofNCompleteColumn(), told, TimeRemainingColumn())
        self._progress = Progress(*columns, TextColumn("left"), console=console, disable=not console.is_terminal)
        self._task = self._progress.add_task("", total=steps, completed=done, told="")
        self._started, self._tokens = time.perf_counter(), tokens
        self._progress.start()

    def move(self, row: Row) -> None:
        """Show a report."""
        speed = (row["tokens"] - self._tokens) / max(1e-9, time.perf_counter() - self._started)
        self._progress.update(
            self._task, completed=int(row["step"]), told=f"loss {row['loss']:.3f}, {speed:,.0f} tokens/s"
        )

    def end(self) -> None:
        """Leave the line as it is."""
        self._progress.stop()
