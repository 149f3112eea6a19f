"""States that a training queues, and ``harness run --queue``: each is scored once, and none is lost."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from producing import arguments, made
from trainings import write

from harness.cli import main
from harness.queue import Queue, read_queue, read_scores, write_queue
from harness.store import list_runs, load_run

Refused = Callable[..., str]
Tiny = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it

SAVES = {"score_saves": ["quick-general"], "save_steps": 2}


def scoring(training: Path, *more: str) -> list[str]:
    """A command line that scores a queue on a few items."""
    queue, store = training / "queue.json", training.parent.parent / "runs"
    return ["run", "--queue", str(queue), "-o", str(store), "--limit", "5", *more]


def scored(training: Path, capsys: pytest.CaptureFixture[str], *more: str, code: int = 0) -> dict[str, Any]:
    """What ``harness run --queue --json`` prints."""
    capsys.readouterr()
    with pytest.raises(SystemExit) as exit_:
        main(scoring(training, *more, "--json"))
    told = capsys.readouterr()
    assert exit_.value.code == code, told.err
    document: dict[str, Any] = json.loads(told.out)
    return document


def waiting(training: Path) -> set[str]:
    """Names of the states that are held."""
    saves = training / "saves"
    return {path.name for path in saves.iterdir()} if saves.is_dir() else set()


@pytest.fixture(scope="module")
def once(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that ``lora`` made in four steps, with two states in its queue."""
    folder = tmp_path_factory.mktemp("queued")
    made("lora", checkpoint, write(folder, **SAVES), folder / "out")
    return folder / "out"


@pytest.fixture
def trained(once: Path, tmp_path: Path) -> Path:
    """The training folder in a copy of it."""
    return shutil.copytree(once, tmp_path / "out") / "training"


def test_every_state_is_scored_once(trained: Path, checkpoint: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The base and each state become runs, the curve and its table; the last state scores as what was made of it."""
    assert read_queue(trained / "queue.json").steps == (0, 2, 4)
    assert waiting(trained) == {"step-2", "step-4"}
    document = scored(trained, capsys)
    store, out = trained.parent.parent / "runs", trained.parent
    assert [(one["step"], one["reason"]) for one in document["scores"]] == [(0, None), (2, None), (4, None)]
    assert document["complete"] is True
    assert waiting(trained) == set()
    runs = [load_run(one["run_id"], store) for one in document["scores"]]
    assert [run.manifest["checkpoint"]["adapter"] for run in runs] == [None, "step-2", "step-4"]
    assert (trained / "scores.svg").read_text(encoding="utf-8").startswith("<?xml")
    with pytest.raises(SystemExit):
        main(["run", "-S", "quick-general", "-a", f"pretrained={out}", "-o", str(store), "--limit", "5", "--json"])
    merged = json.loads(capsys.readouterr().out)
    assert merged["suites"][0] == document["scores"][-1]["suites"][0]
    assert scored(trained, capsys) == document
    assert len(list(list_runs(store))) == 4


def test_whole_checkpoints_are_scored_too(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``full`` queues states that stand on their own; a table is printed where no JSON is asked for."""
    made("full", checkpoint, write(tmp_path, **SAVES), tmp_path / "out")
    told = capsys.readouterr().err
    assert f"harness run --queue {tmp_path / 'out' / 'training' / 'queue.json'} --follow" in told
    with pytest.raises(SystemExit) as exit_:
        main(scoring(tmp_path / "out" / "training"))
    assert exit_.value.code == 0
    told = capsys.readouterr().out
    assert [line.split()[0] for line in told.splitlines()[:4]] == ["Step", "0", "2", "4"]
    names = {run.manifest["checkpoint"]["reference"] for run in list_runs(tmp_path / "runs")}
    assert names == {checkpoint.name, "step-2", "step-4"}


def test_a_training_that_queues_is_the_same_training(trained: Path, checkpoint: Path, tmp_path: Path) -> None:
    """The key shapes nothing: adapter and settings are those of a training without it."""
    folder = tmp_path / "plain"
    folder.mkdir()
    plain = made("lora", checkpoint, write(folder, save_steps=2), folder / "out")
    queued = json.loads((trained.parent / "checkpoint.json").read_text(encoding="utf-8"))
    assert plain["checkpoint"]["digests"] == queued["checkpoint"]["digests"]
    assert plain["production"]["config"] == queued["production"]["config"]
    assert not (folder / "out" / "training" / "queue.json").exists()


def test_a_killed_training_queues_each_state_once(checkpoint: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle and the same command again: every state is held, though the trainer keeps two of them."""
    recipe, training = write(tmp_path, steps=12, **SAVES), tmp_path / "out" / "training"
    command = [sys.executable, "-m", "harness", *arguments("lora", checkpoint, recipe, tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (training / "saves" / "step-4").is_dir():
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    assert read_queue(training / "queue.json").complete is False
    made("lora", checkpoint, recipe, tmp_path / "out")
    queue = read_queue(training / "queue.json")
    assert (queue.steps, queue.complete) == (tuple(range(0, 13, 2)), True)
    assert waiting(training) == {f"step-{step}" for step in range(2, 13, 2)}
    names = [folder / "adapter_model.safetensors" for folder in (training / "saves" / "step-12", training / "result")]
    assert names[0].read_bytes() == names[1].read_bytes()


def test_a_state_whose_queueing_was_interrupted_is_queued_on_resuming(
    checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """An end between a state and its place in the queue loses neither."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    recipe, training = write(tmp_path, **SAVES), tmp_path / "out" / "training"
    with monkeypatch.context() as context:
        context.setattr("synth.tuning.saves._hold", interrupt)
        refused(130, arguments("lora", checkpoint, recipe, tmp_path / "out"), "run the same command again")
    assert read_queue(training / "queue.json").steps == (0,)
    made("lora", checkpoint, recipe, tmp_path / "out")
    assert read_queue(training / "queue.json").steps == (0, 2, 4)
    assert waiting(training) == {"step-2", "step-4"}


def test_an_interrupted_scorer_goes_on(
    trained: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """What was scored is not scored again, and what was not is still there."""
    from harness import run

    real, calls = run.run_job, []

    def interrupted(job: Any, screen: Any) -> Any:
        calls.append(job)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(job, screen)

    with monkeypatch.context() as context:
        context.setattr(run, "run_job", interrupted)
        with pytest.raises(SystemExit) as exit_:
            main(scoring(trained))
    assert exit_.value.code == 130
    assert [score.step for score in read_scores(trained)] == [0]
    assert waiting(trained) == {"step-2", "step-4"}
    assert [one["step"] for one in scored(trained, capsys)["scores"]] == [0, 2, 4]
    assert len(list(list_runs(trained.parent.parent / "runs"))) == 3


def test_a_scorer_follows_a_training(checkpoint: Path, tmp_path: Path) -> None:
    """Started beside a training, it scores states while more come, and ends when the training has ended."""
    recipe, training = write(tmp_path, steps=6, **SAVES), tmp_path / "out" / "training"
    training.mkdir(parents=True)
    write_queue(training, Queue(("quick-general",), {"pretrained": str(checkpoint)}, adapter=True, steps=(0,)))
    process = subprocess.Popen([sys.executable, "-m", "harness", *scoring(training, "--follow")])
    try:
        made("lora", checkpoint, recipe, tmp_path / "out")
        assert process.wait(120) == 0
    finally:
        process.kill()
    assert [score.step for score in read_scores(training)] == [0, 2, 4, 6]
    assert waiting(training) == set()


def test_a_state_that_cannot_be_scored_does_not_keep_the_others(
    trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is told with its reason and kept; another that somebody removed is told as well."""
    (trained / "saves" / "step-2" / "adapter_config.json").unlink()
    shutil.rmtree(trained / "saves" / "step-4")
    found = {one["step"]: one for one in scored(trained, capsys, code=65)["scores"]}
    assert found[0]["run_id"]
    assert "lacks adapter_config.json" in found[2]["reason"]
    assert found[4]["reason"] == "its state is gone"
    assert waiting(trained) == {"step-2"}


def test_a_suite_that_is_not_there_loses_nothing(
    checkpoint: Path, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    """The scorer names the nearest suite; with --suite the same queue is scored."""
    made("lora", checkpoint, write(tmp_path, save_steps=4, score_saves=["quick-generl"]), tmp_path / "out")
    capsys.readouterr()
    training = tmp_path / "out" / "training"
    refused(64, scoring(training), "quick-generl", "did you mean quick-general")
    assert waiting(training) == {"step-4"}
    assert [one["step"] for one in scored(training, capsys, "--suite", "quick-general")["scores"]] == [0, 4]


def test_what_is_no_queue_is_refused(tmp_path: Path, refused: Refused) -> None:
    """A file that is absent, broken or something else, and options that a queue does not go with."""
    path = tmp_path / "queue.json"
    refused(66, ["run", "--queue", str(path)], "is not there", "score_saves")
    for text in ("{", "[]", "{}", '{"schema": "harness.queue/1", "suites": ["quick"], "steps": ["a"]}'):
        path.write_text(text, encoding="utf-8")
        refused(65, ["run", "--queue", str(path)], "queue.json")
    write_queue(tmp_path, Queue(("quick-general",), {"pretrained": "none"}, adapter=True))
    refused(64, ["run", "--queue", str(path), "-a", "pretrained=other"], "is named by the queue", "leave it out")
    refused(64, ["run", "--follow"], "--queue")
    (tmp_path / "scores.json").write_text("{}", encoding="utf-8")
    write_queue(tmp_path, Queue(("quick-general",), {"pretrained": "none"}, adapter=True, steps=(0,)))
    refused(65, ["run", "--queue", str(path)], "scores.json", "remove the file")


def test_two_scorers_do_not_share_a_queue(trained: Path, refused: Refused, capsys: pytest.CaptureFixture[str]) -> None:
    """The second one is told that another process is at work."""
    from harness.store.disk import alone

    capsys.readouterr()
    with alone(trained):
        refused(73, scoring(trained), "is being worked on by another process")


@pytest.mark.slow
def test_one_of_several_processes_queues(checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Under ``accelerate launch`` two processes train, and each state is in the queue once."""
    processes = {
        "compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_CPU", "num_processes": 2, "num_machines": 1,
        "machine_rank": 0, "use_cpu": True, "mixed_precision": "no", "main_process_port": 0,
    }  # fmt: skip
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(processes), encoding="utf-8")
    made("lora", checkpoint, write(tmp_path, accelerate="two.yaml", batch=2, **SAVES), tmp_path / "out")
    document = scored(tmp_path / "out" / "training", capsys)
    assert [(one["step"], one["reason"]) for one in document["scores"]] == [(0, None), (2, None), (4, None)]
