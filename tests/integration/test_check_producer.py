"""The contract of producers: sound ones pass, and each way to break it is found."""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from trainings import write

from harness.nouns import Checkpoint
from harness.plugins import Producer
from harness.testing import check_producer
from harness.testing.producers import _interrupted
from synth.tuning.producers import Lora

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it


@pytest.fixture(scope="module")
def scaled(repo: Path) -> Any:
    """The class of the producer in the plug-in package."""
    path = repo / "tests" / "plugin_pkg" / "weekday_cards" / "scaling.py"
    spec = importlib.util.spec_from_file_location("scaling", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.Scaled


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    """A recipe of that producer."""
    path = tmp_path / "twice.yaml"
    path.write_text("tensor: model.norm.weight\nfactor: 2.0\n", encoding="utf-8")
    return path


def test_a_strangers_producer_keeps_the_contract(scaled: Any, checkpoint: Path, recipe: Path, tmp_path: Path) -> None:
    """The one in the plug-in package has no problem."""
    assert check_producer(scaled(), str(checkpoint), recipe, tmp_path / "work") == []


def test_our_trainer_keeps_the_contract(checkpoint: Path, tmp_path: Path) -> None:
    """LoRA training is reproducible, and an interrupt costs nothing but time."""
    assert check_producer(Lora(), str(checkpoint), write(tmp_path, steps=12), tmp_path / "work") == []


def broken(scaled: Any, change: Callable[[str, Path, Path, Checkpoint], Any]) -> Producer:
    """The sound producer with something done after it; a change may return something else than the checkpoint."""

    class Broken:
        def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
            made = scaled().produce(base, recipe, out)
            result: Checkpoint = change(base, recipe, out, made)
            return result

    return Broken()


def wrong_digest(base: str, recipe: Path, out: Path, made: Checkpoint) -> Checkpoint:
    """Claim another digest."""
    return Checkpoint("hf", made.reference, digests={"weights": "0" * 64})


def without_config(base: str, recipe: Path, out: Path, made: Checkpoint) -> Checkpoint:
    """Leave no configuration."""
    (out / "config.json").unlink()
    return made


def changed_base(base: str, recipe: Path, out: Path, made: Checkpoint) -> Checkpoint:
    """Write into the base."""
    (Path(base) / "tokenizer.json").write_text("{}", encoding="utf-8")
    return made


def by_chance(base: str, recipe: Path, out: Path, made: Checkpoint) -> Checkpoint:
    """Weights that no seed decides."""
    with (out / "model.safetensors").open("r+b") as file:
        file.seek(-4, os.SEEK_END)
        file.write(time.time_ns().to_bytes(8, "little")[:2])
    return made


def no_checkpoint(base: str, recipe: Path, out: Path, made: Checkpoint) -> str:
    """Return a path."""
    return str(out)


def fails(base: str, recipe: Path, out: Path, made: Checkpoint) -> Checkpoint:
    """Raise what is no HarnessError."""
    raise RuntimeError("out of luck")


@pytest.mark.parametrize(
    ("change", "check"),
    [
        (wrong_digest, "digests"),
        (without_config, "folder"),
        (changed_base, "base"),
        (by_chance, "seed"),
        (no_checkpoint, "checkpoint"),
        (fails, "produce"),
    ],
)
def test_a_broken_producer_is_found(
    scaled: Any, checkpoint: Path, recipe: Path, tmp_path: Path, change: Any, check: str
) -> None:
    """Each breach has its check."""
    import shutil

    base = shutil.copytree(checkpoint, tmp_path / "base")
    found = check_producer(broken(scaled, change), str(base), recipe, tmp_path / "work")
    assert check in {problem.check for problem in found}


def test_a_missing_recipe_must_be_told(scaled: Any, checkpoint: Path, recipe: Path, tmp_path: Path) -> None:
    """A producer that raises what Python raises does not tell the user what is missing."""

    class Careless:
        def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
            recipe.read_text(encoding="utf-8")
            made: Checkpoint = scaled().produce(base, recipe, out)
            return made

    (problem,) = check_producer(Careless(), str(checkpoint), recipe, tmp_path / "work")
    assert problem.check == "recipe"


def test_an_interrupt_that_python_drops_is_sent_again() -> None:
    """Python drops what a finalizer raises; the call is interrupted all the same."""

    class Slow:
        def __del__(self) -> None:
            until = time.perf_counter() + 0.1
            while time.perf_counter() < until:
                pass

    ended = []

    def produce() -> None:
        Slow()  # the alarm goes off in its finalizer
        until = time.perf_counter() + 5
        while time.perf_counter() < until:
            pass
        ended.append(True)

    _interrupted(produce, 0.02)
    assert ended == []
