"""The queue of a training: what is held, what is written, and what is drawn of it."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from harness.queue import Queue, Score, read_queue, read_scores, state_of, write_queue, write_scores
from harness.show.curve import draw_curve
from synth.tuning.saves import close_queue, queueing

QUEUE = Queue(("quick",), {"pretrained": "base"}, adapter=True)


def state(states: Path, step: int, *names: str) -> Path:
    """A state of a trainer."""
    folder = states / f"checkpoint-{step}"
    folder.mkdir(parents=True)
    for name in ("adapter_config.json", "optimizer.pt", "training_args.bin", *names):
        (folder / name).write_text(name, encoding="utf-8")
    return folder


def saved(folder: Path, step: int, first: bool = True, begins: bool = False) -> None:
    """What the trainer tells after a save, or as it goes on at a state."""
    callback: Any = queueing(folder, QUEUE, folder / "states")
    told = SimpleNamespace(is_world_process_zero=first, global_step=step)
    (callback.on_train_begin if begins else callback.on_save)(None, told, None)


steps = st.lists(st.integers(0, 10**6), unique=True).map(lambda found: tuple(sorted(found)))


@given(suites=st.lists(st.text(min_size=1), min_size=1), steps=steps, adapter=st.booleans(), complete=st.booleans())
def test_a_queue_is_read_as_it_was_written(
    tmp_path_factory: pytest.TempPathFactory, suites: list[str], steps: tuple[int, ...], adapter: bool, complete: bool
) -> None:
    """Whatever it holds."""
    folder = tmp_path_factory.mktemp("queue")
    queue = Queue(tuple(suites), {"pretrained": "base", "dtype": "float32"}, adapter, steps, complete)
    write_queue(folder, queue)
    assert read_queue(folder / "queue.json") == queue


def test_scores_are_read_by_step(tmp_path: Path) -> None:
    """Whatever order they were written in; none where there is no file."""
    assert read_scores(tmp_path) == []
    rows = [Score(4, None, reason="NaN"), Score(0, "run", ({"name": "quick", "score": 0.5, "interval": [0.4, 0.6]},))]
    write_scores(tmp_path, rows)
    assert read_scores(tmp_path) == rows[::-1]


def test_a_state_says_how_it_is_loaded(tmp_path: Path) -> None:
    """Step 0 is the base; an adapter goes on top of it, a whole checkpoint stands in its place."""
    whole = Queue(("quick",), {"pretrained": "base"}, adapter=False)
    path = str(state_of(tmp_path, 2))
    assert QUEUE.arguments(tmp_path, 0) == whole.arguments(tmp_path, 0) == {"pretrained": "base"}
    assert QUEUE.arguments(tmp_path, 2) == {"pretrained": "base", "peft": path}
    assert whole.arguments(tmp_path, 2) == {"pretrained": path}


@pytest.mark.parametrize("links", [True, False])
def test_what_belongs_to_a_state_is_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool) -> None:
    """The adapter without the optimiser, by links or copies, and still there once the trainer removes its own."""
    if not links:
        monkeypatch.setattr(os, "link", _refuse)
    original = state(tmp_path / "states", 2, "adapter_model.safetensors")
    saved(tmp_path, 0, begins=True)
    saved(tmp_path, 2)
    held = state_of(tmp_path, 2)
    names = {"adapter_config.json", "adapter_model.safetensors"}
    assert {path.name for path in held.iterdir()} == names
    same = [(held / name).samefile(original / name) for name in sorted(names)]
    assert same == [links, links]
    for path in original.iterdir():
        path.unlink()
    assert (held / "adapter_model.safetensors").read_text(encoding="utf-8") == "adapter_model.safetensors"


def _refuse(*_: object) -> None:
    raise OSError(errno.EPERM, "no links here")


def test_a_state_is_queued_once_and_by_the_first_process(tmp_path: Path) -> None:
    """Told twice, it stays once; other processes write nothing; a state that was scored is not held again."""
    state(tmp_path / "states", 2, "adapter_model.safetensors")
    saved(tmp_path, 0, first=False, begins=True)
    assert not (tmp_path / "queue.json").exists()
    saved(tmp_path, 0, begins=True)
    saved(tmp_path, 2, first=False)
    assert read_queue(tmp_path / "queue.json").steps == (0,)
    saved(tmp_path, 2)
    for path in state_of(tmp_path, 2).iterdir():
        path.unlink()
    state_of(tmp_path, 2).rmdir()
    saved(tmp_path, 2, begins=True)
    assert read_queue(tmp_path / "queue.json").steps == (0, 2)
    assert not state_of(tmp_path, 2).exists()


def test_a_state_in_shards_is_not_queued(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It is told, and the training goes on."""
    state(tmp_path / "states", 2)
    saved(tmp_path, 0, begins=True)
    saved(tmp_path, 2)
    assert read_queue(tmp_path / "queue.json").steps == (0,)
    assert "checkpoint-2 is not queued" in capsys.readouterr().err


def test_a_queue_is_closed_where_there_is_one(tmp_path: Path) -> None:
    """A training without a queue leaves none behind."""
    close_queue(tmp_path)
    assert list(tmp_path.iterdir()) == []
    saved(tmp_path, 0, begins=True)
    close_queue(tmp_path)
    assert read_queue(tmp_path / "queue.json").complete


def test_equal_scores_are_drawn_alike(tmp_path: Path) -> None:
    """The same bytes; a state without a score leaves a gap, and no score an empty picture."""
    suite = {"name": "quick", "score": 0.5, "interval": [0.4, 0.6]}
    rows = [Score(0, "a", (suite,)), Score(2, None, reason="NaN"), Score(4, "b", (suite,))]
    for name in ("one.svg", "other.svg"):
        draw_curve(rows, tmp_path / name)
    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "other.svg").read_bytes()
    draw_curve([], tmp_path / "empty.svg")
    assert {path.name for path in tmp_path.iterdir()} == {"one.svg", "other.svg", "empty.svg"}
