"""``harness run`` with the model tree: stock's answers, shared work, resumed runs, several checkpoints."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.engines.batches import plan_batches
from harness.engines.items import Prompting
from harness.engines.job import RunRequest, prepare
from harness.engines.models import ModelOptions
from harness.engines.score import score_batch
from harness.errors import InterruptedRunError
from harness.run import run, run_job
from harness.show import RunScreen
from harness.store import load_run, read_records

NEAR = 2e-4
"""Two log-likelihoods closer than this are a near-tie: single precision cannot order them."""


def document(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    """The JSON document of a command that ends well."""
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--json"])
    told = capsys.readouterr()
    assert exit_.value.code == 0, told.err
    found: dict[str, Any] = json.loads(told.out)
    return found


def predictions(path: str) -> dict[tuple[str, int], Any]:
    """What was predicted, by task and row."""
    stored = load_run(path, Path(path).parent)
    return {
        (name, record.doc_id): record.prediction
        for name in stored.manifest["records"]
        for record in read_records(stored, name)
    }


def request_for(checkpoint: Path, store: Path, **changes: Any) -> RunRequest:
    """A small run of one multiple-choice and one generative task."""
    model = ModelOptions("tree", {"pretrained": str(checkpoint)})
    return RunRequest((), ("quick_topic", "quick_mrc"), model, store, **{"limit": 6, **changes})


@pytest.mark.slow
def test_quick_has_the_choices_and_texts_of_stock(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """On all of quick with trained weights every text and choice is stock's; near-ties are few and told."""
    ours = document(capsys, "run", "-o", str(tmp_path))
    stock = document(capsys, "run", "-M", "hf", "-o", str(tmp_path))
    assert [task["score"] for task in ours["tasks"]] == [task["score"] for task in stock["tasks"]]
    first, second = predictions(ours["path"]), predictions(stock["path"])
    assert first.keys() == second.keys()
    near = 0
    for key, told in first.items():
        if not isinstance(told, dict):
            assert told == second[key], key
            continue
        best = sorted(second[key]["loglikelihoods"])[-2:]
        near += best[1] - best[0] < NEAR
        assert told["choice"] == second[key]["choice"], key
        assert told["loglikelihoods"] == pytest.approx(second[key]["loglikelihoods"], abs=1e-3), key
    assert near <= 5, f"{near} near-ties of {len(first)} items"


def test_the_manifest_tells_how_the_tree_scored(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Model, memory limit, peak, fall-back and tokenising are in the engine section; the limit is a run option."""
    found = document(capsys, "run", "-t", "quick_topic", "-L", "4", "--max_memory", "1GiB", "-o", str(tmp_path))
    engine = load_run(found["path"], tmp_path).manifest["engine"]
    assert (engine["model"], engine["max_memory"], engine["fallback"], engine["tokenising"]) == (
        "tree", "1GiB", None, None,
    )  # fmt: skip
    assert 1 << 26 < engine["peak_bytes"] < 1 << 36


def test_what_the_tree_cannot_do_is_scored_by_stock_and_told(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A checkpoint with another attention has stock's records, and the reason is told and recorded."""
    folder = _bloom(checkpoint, tmp_path / "bloom")
    chosen = ("run", "-t", "quick_topic", "-L", "6", "-a", f"pretrained={folder}", "-o", str(tmp_path))
    ours, stock = document(capsys, *chosen), document(capsys, *chosen, "-M", "hf")
    engine = load_run(ours["path"], tmp_path).manifest["engine"]
    assert "attention" in engine["fallback"]
    assert any("stock lm-eval scored in place of tree" in note for note in engine["notes"])
    assert predictions(ours["path"]) == predictions(stock["path"])


def _bloom(checkpoint: Path, folder: Path) -> Path:
    """A small random BLOOM, which knows positions by a bias, with the tokenizer of another checkpoint."""
    import torch
    from transformers import BloomConfig, BloomForCausalLM

    torch.manual_seed(0)
    BloomForCausalLM(BloomConfig(vocab_size=6144, hidden_size=32, n_layer=2, n_head=2)).save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(checkpoint / name, folder / name)
    return folder


def test_a_memory_limit_is_for_the_tree_alone(refused: Callable[..., str]) -> None:
    """--max_memory with another model, or that is no amount of memory, is a usage error."""
    refused(64, "run -t quick_topic -M hf --max_memory 1GiB", "--max_memory", "--model tree")
    refused(64, "run -t quick_topic --max_memory plenty", "max_memory=plenty")


def test_a_run_that_was_interrupted_ends_in_the_same_records(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Batches depend on the rows alone: what is asked after a restart is batched as if nothing had happened."""
    monkeypatch.setattr("harness.engines.batches.NEW_BYTES", 1000)
    quiet = RunScreen(quiet=True)
    calm = run(request_for(checkpoint, tmp_path / "calm", limit=12), quiet)
    job = prepare(request_for(checkpoint, tmp_path / "hit", limit=12), lambda _: None)
    assert min(len(plan_batches(items, job.model)) for items in job.items.values()) > 2
    calls = count()

    def interrupted(*arguments: Any) -> Any:
        if next(calls) == 3:
            raise KeyboardInterrupt
        return score_batch(*arguments)

    with monkeypatch.context() as patch:
        patch.setattr("harness.run.score_batch", interrupted)
        with pytest.raises(InterruptedRunError):
            run_job(job, quiet)
    resumed = run(request_for(checkpoint, tmp_path / "hit", limit=12), quiet)
    assert list(_plain(calm)) == list(_plain(resumed))


def _plain(outcome: Any) -> Iterator[tuple[Any, ...]]:
    for name in sorted(outcome.run.manifest["records"]):
        for record in read_records(outcome.run, name):
            yield name, record.doc_id, dict(record.counts), json.dumps(record.prediction)


def test_a_second_checkpoint_reuses_cards_data_prompts_and_tokens(
    tiny: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Prepared after another job that asks the same, a job loads weights only, and its records are its own."""
    first, second = tiny("one"), tiny("two", lambda model: model.lm_head.weight.mul_(0.5))
    alone = run(request_for(second, tmp_path / "alone"), RunScreen(quiet=True))
    stages: list[str] = []
    job = prepare(request_for(first, tmp_path / "both"), lambda _: None)
    run_job(job, RunScreen(quiet=True))
    again = prepare(request_for(second, tmp_path / "both"), stages.append, earlier=job)
    assert stages == ["checking the checkpoint", "loading the model"]
    assert all(again.items[name] is job.items[name] for name in job.items)
    monkeypatch.setattr("harness.engines.tree.pieces.Pieces._encoded", _refusing)
    assert list(_plain(run_job(again, RunScreen(quiet=True)))) == list(_plain(alone))


def _refusing(pieces: Any, texts: list[str]) -> list[list[int]]:
    assert texts == [], "a piece is tokenised again"
    return []


def test_another_question_is_not_answered_from_an_earlier_job(checkpoint: Path, tmp_path: Path) -> None:
    """Other rows, seeds or prompts are built anew."""
    job = prepare(request_for(checkpoint, tmp_path), lambda _: None)
    for change in ({"limit": 5}, {"seeds": (7, 1, 1, 1)}, {"prompting": Prompting(system_instruction="Be brief.")}):
        other = prepare(request_for(checkpoint, tmp_path, **change), lambda _: None, earlier=job)
        assert all(other.items[name] is not job.items[name] for name in job.items)
