"""Guards, log and plot of a training, without a training."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from harness.errors import DataError, HarnessError, StoreError, UnavailableError
from synth.tuning.faults import explained
from synth.tuning.watch import LOG, plot, read_log, refuse_nan, refuse_stillness


def report(step: int, loss: float, **more: float) -> dict[str, float]:
    """A report of the trainer."""
    return {"step": step, "loss": loss, **more}


@pytest.mark.parametrize("loss", [float("nan"), float("inf"), float("-inf")])
def test_a_loss_that_is_no_number_names_its_step(loss: float) -> None:
    """The message has the step and what to lower."""
    refuse_nan(report(6, 1.0))
    with pytest.raises(DataError, match="at step 7; lower learning_rate"):
        refuse_nan(report(7, loss))


def test_stillness_is_ten_equal_losses_or_ten_gradients_of_zero() -> None:
    """Nine do not stop, nor do losses that move with gradients; ten of either do."""
    moving = [report(step, 2 - step / 100, grad_norm=0.1) for step in range(10)]
    still = [report(step, 2.0, grad_norm=0.1) for step in range(10)]
    dead = [report(step, 2 - step / 100, grad_norm=0.0) for step in range(10)]
    for rows in (moving, still[:9], dead[:9], [*moving, *still[:9]]):
        refuse_stillness(rows)
    for rows in (still, dead, [*moving, *still]):
        with pytest.raises(DataError, match="does not move"):
            refuse_stillness(rows)


def test_the_log_of_a_continued_training_has_each_step_once(tmp_path: Path) -> None:
    """The last report of a step counts, half a line of a killed call does not, and the plot is drawn."""
    rows = [report(1, 3.0), report(2, 2.0), {"step": 2, "eval_loss": 2.5}, report(2, 1.9), report(3, 1.5)]
    lines = [json.dumps(row) for row in rows]
    lines.insert(3, '{"step": 3, "lo' + lines[0])
    (tmp_path / LOG).write_text("\n".join([*lines, '{"step": 4']), encoding="utf-8")
    found = read_log(tmp_path)
    assert [(row["step"], row.get("loss")) for row in found] == [(1, 3.0), (2, 1.9), (2, None), (3, 1.5)]
    first = plot(tmp_path).read_bytes()
    assert b"<svg" in first


def test_a_plot_without_reports_is_empty(tmp_path: Path) -> None:
    """A training that is stopped before its first report leaves axes and no warning."""
    assert read_log(tmp_path) == []
    assert plot(tmp_path).is_file()


@pytest.mark.parametrize(
    ("raised", "kind", "words"),
    [
        (OSError(28, "No space left on device"), StoreError, "No space left.*free space"),
        (
            RuntimeError("[enforce fail] PytorchStreamWriter failed writing file data/0"),
            StoreError,
            "cannot be written",
        ),
        (Exception("I/O error: No space left on device (os error 28)"), StoreError, "cannot be written"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), UnavailableError, "lower batch"),
        (RuntimeError("CUDA out of memory. Tried to allocate"), UnavailableError, "lower batch"),
        (ValueError("Target modules {'a'} not found"), DataError, r"refused \(ValueError: Target modules"),
        (DataError("Rows", "are few", "give more"), DataError, "^Rows: are few; give more.$"),
    ],
)
def test_what_libraries_raise_is_explained(raised: Exception, kind: type[HarnessError], words: str) -> None:
    """Each becomes the error with the right exit code; ours pass as they are."""

    def work() -> Any:
        raise raised

    with pytest.raises(kind, match=words), explained("The training"):
        work()
