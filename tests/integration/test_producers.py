"""``harness produce`` with the producers that train: what they make, what they say of it, and how they go on."""

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
from disks import small_disk
from producing import arguments, made
from trainings import rows, write, write_recipe

from harness.cli import main

Refused = Callable[..., str]
Tiny = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it


def adapter(out: Path) -> dict[str, bytes]:
    """The files that say what an adapter is."""
    names = ("adapter_config.json", "adapter_model.safetensors")
    return {name: (out / "adapter" / name).read_bytes() for name in names}


def interrupt(*_: object) -> None:
    """What Ctrl-C does."""
    raise KeyboardInterrupt


@pytest.fixture(scope="module")
def trained(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that ``lora`` made."""
    folder = tmp_path_factory.mktemp("lora")
    made("lora", checkpoint, write(folder), folder / "out")
    return folder / "out"


def test_a_manifest_says_how_a_checkpoint_was_made(checkpoint: Path, trained: Path) -> None:
    """Base, digests, recipe, seed, versions, counts, time and status are there, and the merge was compared."""
    manifest = json.loads((trained / "checkpoint.json").read_text(encoding="utf-8"))
    told = manifest["production"]
    assert manifest["status"] == "complete"
    assert manifest["base"]["reference"] == checkpoint.name
    assert manifest["parent"] == manifest["base"]["digests"]["weights"]
    assert set(manifest["checkpoint"]["digests"]) == {"weights", "config", "tokenizer", "adapter", "data"}
    assert manifest["checkpoint"]["digests"]["weights"] != manifest["parent"]
    assert manifest["merge_difference"] < 1e-4
    assert manifest["seconds"] > 0
    assert (told["config"]["learning_rate"], told["seed"], told["steps"]) == (0.01, 0, 4)
    assert told["versions"]["trl"]
    assert (told["data"]["read"], told["data"]["rows"], told["data"]["long"], told["data"]["empty"]) == (24, 24, 0, 0)
    assert told["last_loss"] < told["first_loss"]
    assert 0 < told["tokens_seen"] <= told["data"]["prompt_tokens"] + told["data"]["completion_tokens"]
    assert (trained / "training" / "loss.svg").read_text(encoding="utf-8").startswith("<?xml")


def test_equal_seeds_give_equal_bytes(
    checkpoint: Path, trained: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """A second run writes the same adapter, byte by byte; libraries are silent meanwhile."""
    with pytest.raises(SystemExit):
        main([*arguments("lora", checkpoint, write(tmp_path), tmp_path / "out"), "--json"])
    told = capfd.readouterr()
    assert adapter(tmp_path / "out") == adapter(trained)
    assert json.loads(told.out)["producer"] == "lora"
    assert [line.split(",")[0] for line in told.err.splitlines()] == ["training on 24 rows"]


def test_another_seed_gives_another_adapter(checkpoint: Path, trained: Path, tmp_path: Path) -> None:
    """The seed reaches the training."""
    made("lora", checkpoint, write(tmp_path, seed=1), tmp_path / "out")
    assert adapter(tmp_path / "out")["adapter_model.safetensors"] != adapter(trained)["adapter_model.safetensors"]


def test_a_finished_folder_is_not_trained_again(checkpoint: Path, trained: Path) -> None:
    """The same command on a finished folder gives the same adapter and says the same of it."""
    before, told = adapter(trained), (trained / "production.json").read_bytes()
    made("lora", checkpoint, write(trained.parent), trained)
    assert adapter(trained) == before
    assert (trained / "production.json").read_bytes() == told


def test_a_training_killed_at_its_end_takes_no_step_more(
    checkpoint: Path, trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """Between the last state and the result, a kill costs the steps since the state before, and nothing else."""
    recipe, out = write(tmp_path), tmp_path / "out"
    with monkeypatch.context() as context:
        context.setattr("synth.tuning.train._losses", interrupt)
        refused(130, arguments("lora", checkpoint, recipe, out), "was interrupted", "run the same command again")
    assert [path.name for path in sorted((out / "training" / "states").glob("check*"))] == [
        "checkpoint-3",
        "checkpoint-4",
    ]
    told = made("lora", checkpoint, recipe, out)["production"]
    assert (told["resumed_at"], told["steps"]) == (3, 4)
    assert adapter(out) == adapter(trained)


def test_another_recipe_does_not_overwrite_a_training(
    checkpoint: Path, trained: Path, tmp_path: Path, refused: Refused
) -> None:
    """A folder that holds a training is not continued with other settings, another producer or another base."""
    before = adapter(trained)
    recipe = write(tmp_path, learning_rate=0.02)
    refused(64, arguments("lora", checkpoint, recipe, trained), "what lora made of sound", "name another folder")
    refused(64, arguments("full", checkpoint, recipe, trained), "what lora made of sound", "name another folder")
    unfinished = shutil.copytree(trained, tmp_path / "unfinished", ignore=shutil.ignore_patterns("checkpoint.json"))
    refused(65, arguments("lora", checkpoint, recipe, unfinished), "another recipe", "name another folder")
    refused(64, arguments("lora", checkpoint, recipe, checkpoint), "is the base itself")
    assert adapter(trained) == before


def test_full_trains_every_weight(checkpoint: Path, tmp_path: Path) -> None:
    """All parameters are trainable, packed rows are learned, and the configuration is the base's, its cache on."""
    manifest = made("full", checkpoint, write(tmp_path, packing=True, max_length=64), tmp_path / "out")
    assert manifest["production"]["trainable"] > 6144 * 32
    assert manifest["production"]["last_loss"] < manifest["production"]["first_loss"]
    assert manifest["merge_difference"] is None
    assert manifest["checkpoint"]["digests"]["config"] == manifest["base"]["digests"]["config"]
    assert not (tmp_path / "out" / "adapter").exists()


def test_a_killed_training_goes_on(checkpoint: Path, tmp_path: Path) -> None:
    """SIGKILL in the middle, the same command again: it goes on at the last whole state and ends as if nothing was."""
    recipe = write(tmp_path, steps=40, save_steps=4)
    command = [sys.executable, "-m", "harness", *arguments("lora", checkpoint, recipe, tmp_path / "out")]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    states = tmp_path / "out" / "training" / "states"
    while process.poll() is None and not list(states.glob("checkpoint-*/trainer_state.json")):
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    manifest = made("lora", checkpoint, recipe, tmp_path / "out")
    assert 0 < manifest["production"]["resumed_at"] < manifest["production"]["steps"] == 40
    made("lora", checkpoint, recipe, tmp_path / "whole")
    assert adapter(tmp_path / "out") == adapter(tmp_path / "whole")


def test_a_full_disk_keeps_what_was_trained(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """A state that cannot be written ends with advice; once there is space, the same command finishes."""
    recipe, out = write(tmp_path), tmp_path / "out"
    with small_disk(100_000):
        refused(73, arguments("lora", checkpoint, recipe, out), "The training", "cannot be written", "free space")
    assert made("lora", checkpoint, recipe, out)["production"]["steps"] == 4


@pytest.mark.parametrize("producer", ["null", "lora"])
def test_a_folder_that_cannot_be_written_is_refused(
    checkpoint: Path, tmp_path: Path, refused: Refused, producer: str
) -> None:
    """An output folder below a file is a place that cannot be written."""
    recipe = write(tmp_path) if producer == "lora" else write_recipe(tmp_path)
    refused(73, arguments(producer, checkpoint, recipe, recipe / "out"), "cannot be written")


def test_a_loss_that_is_no_number_stops(tiny: Tiny, tmp_path: Path, refused: Refused) -> None:
    """Weights that overflow are told at the first report, with what to lower."""

    def spoil(model: Any) -> None:
        model.lm_head.weight.fill_(float("nan"))

    base = tiny("spoilt", spoil)
    refused(65, arguments("lora", base, write(tmp_path), tmp_path / "out"), "has a loss of nan at step 1", "lower")


def test_a_loss_that_never_moves_stops(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """One row, and a learning rate that changes nothing: stopped after ten reports, with advice."""
    recipe = write(tmp_path, rows(1), steps=50, batch=1, learning_rate=1e-30)
    sentence = refused(65, arguments("lora", checkpoint, recipe, tmp_path / "out"), "does not move", "raise learning_")
    assert "after 10 reports" in sentence


def test_rows_that_teach_nothing_are_counted_before(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Rows without an answer, and rows over the limit, are left out, told before the training and in the manifest."""
    empty = {"prompt": "Who met?", "completion": "  "}
    answer = {"prompt": "Who met?", "completion": "Ada and " * 60}
    prompt = {"prompt": "Ada met Bo. " * 60, "completion": "Bo"}
    recipe = write(tmp_path, [*rows(), empty, answer, prompt, prompt], max_length=64)
    data = made("lora", checkpoint, recipe, tmp_path / "out")["production"]["data"]
    assert (data["read"], data["rows"], data["empty"], data["long"], data["long_prompts"]) == (28, 24, 1, 3, 2)
    told = capsys.readouterr().err
    assert "1 of 28 rows are left out: they have an empty answer" in told
    assert "3 of 28 rows are left out: they are longer than 64 tokens (2 by the prompt alone)" in told


def test_the_context_of_the_base_is_a_limit(tiny: Tiny, tmp_path: Path, refused: Refused) -> None:
    """Rows longer than the model can read are left out, whatever max_length says; without any row it is an error."""
    base = tiny("short", max_position_embeddings=16)
    refused(65, arguments("lora", base, write(tmp_path), tmp_path / "out"), "leaves 0 of 24", "24 are longer than 16")


def test_modules_that_are_not_there_are_named(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """An adapter for modules that the model lacks is refused with their names."""
    recipe = write(tmp_path, lora={"targets": ["query_proj"]})
    refused(65, arguments("lora", checkpoint, recipe, tmp_path / "out"), "query_proj", "correct the recipe")


def test_the_dev_split_is_measured_and_counted(checkpoint: Path, tmp_path: Path) -> None:
    """The loss on other rows is reported after the epoch, and rows left out of them are in the manifest."""
    long = {"prompt": "Ada met Bo. " * 60, "completion": "Bo"}
    (tmp_path / "dev.jsonl").write_text("".join(json.dumps(row) + "\n" for row in [*rows(5), long]), encoding="utf-8")
    recipe = write(tmp_path, dev="dev.jsonl", steps=None, epochs=1, max_length=64)
    told = made("lora", checkpoint, recipe, tmp_path / "out")["production"]
    assert (told["dev"]["read"], told["dev"]["rows"], told["dev"]["long"]) == (6, 5, 1)
    assert told["last_eval_loss"] > 0


def test_packing_is_refused_where_rows_see_each_other(tmp_path: Path, refused: Refused, checkpoint: Path) -> None:
    """A state-space model carries its state from row to row, which is measured before training."""
    from transformers import AutoTokenizer, MambaConfig, MambaForCausalLM

    base = tmp_path / "mamba"
    MambaForCausalLM(MambaConfig(vocab_size=6144, hidden_size=32, num_hidden_layers=2)).save_pretrained(base)
    AutoTokenizer.from_pretrained(checkpoint).save_pretrained(base)
    recipe = write(tmp_path, packing=True)
    refused(65, arguments("full", base, recipe, tmp_path / "out"), "Packing", "mamba model", "use packing: false")


def test_corpus_and_training_in_one_recipe(
    checkpoint: Path, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    """``synth+lora`` makes a corpus and trains on it; both digests are in the manifest."""
    corpus = {"sources": [{"dataset": "seeds", "limit": 120}], "mix": {"records": 40}}
    training = {"steps": 2, "batch": 2, "learning_rate": 0.01}
    out = tmp_path / "out"
    manifest = made("synth+lora", checkpoint, write_recipe(tmp_path, corpus=corpus, training=training), out)
    assert {"weights", "adapter", "data", "corpus"} <= set(manifest["checkpoint"]["digests"])
    assert manifest["production"]["corpus"]["records"] == 40
    (shard,) = (out / "corpus" / "corpus").glob("train-*")
    assert manifest["production"]["data"]["read"] == len(shard.read_text(encoding="utf-8").splitlines())
    capsys.readouterr()
    wrong = write_recipe(tmp_path, corpus=corpus, training={**training, "learning_rat": 1})
    refused(65, arguments("synth+lora", checkpoint, wrong, tmp_path / "other"), "learning_rat", "did you mean")
    wrong = write_recipe(tmp_path, corpus=corpus, training={**training, "data": "rows.jsonl"})
    refused(65, arguments("synth+lora", checkpoint, wrong, tmp_path / "other"), "leave data out")


@pytest.mark.slow
def test_several_processes_train_together(
    checkpoint: Path, tmp_path: Path, refused: Refused, capsys: pytest.CaptureFixture[str]
) -> None:
    """Under ``accelerate launch`` two processes make one adapter; what goes wrong in them is told as elsewhere."""
    processes = {
        "compute_environment": "LOCAL_MACHINE", "distributed_type": "MULTI_CPU", "num_processes": 2, "num_machines": 1,
        "machine_rank": 0, "use_cpu": True, "mixed_precision": "no", "main_process_port": 0,
    }  # fmt: skip
    (tmp_path / "two.yaml").write_text(yaml.safe_dump(processes), encoding="utf-8")
    recipe = write(tmp_path, accelerate="two.yaml", batch=2)
    manifest = made("lora", checkpoint, recipe, tmp_path / "out")
    assert manifest["production"]["steps"] == 4
    assert manifest["production"]["last_loss"] < manifest["production"]["first_loss"]
    assert "training on 24 rows" in capsys.readouterr().err
    recipe = write(tmp_path, accelerate="two.yaml", max_length=8)
    refused(65, arguments("lora", checkpoint, recipe, tmp_path / "other"), "leaves 0 of 24 rows")
    recipe = write(tmp_path, accelerate="none.yaml")
    refused(66, arguments("lora", checkpoint, recipe, tmp_path / "none"), "none.yaml", "accelerate config")
