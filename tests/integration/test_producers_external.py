"""Producers that train nothing themselves: null, merge, import, command; and what they refuse."""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from producing import arguments, made
from trainings import write_recipe

Refused = Callable[..., str]
Tiny = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it

COPY = "import shutil, sys; shutil.copytree(sys.argv[1], sys.argv[2] + '/saved'); print('copied')"


def python(code: str, *more: str) -> list[str]:
    """A command of one line of Python."""
    return [sys.executable, "-c", code, *more]


@pytest.fixture(scope="module")
def adapter(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of the checkpoint that changes something."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    config = LoraConfig(task_type="CAUSAL_LM", target_modules="all-linear", init_lora_weights=False)
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(checkpoint), config)
    folder = tmp_path_factory.mktemp("adapter")
    model.save_pretrained(folder)
    return folder


def test_null_is_the_base(checkpoint: Path, tmp_path: Path) -> None:
    """The base comes out with the digests that it came in with."""
    manifest = made("null", checkpoint, write_recipe(tmp_path), tmp_path / "out")
    assert manifest["checkpoint"]["digests"] == manifest["base"]["digests"]


def test_an_adapter_is_merged(checkpoint: Path, adapter: Path, tmp_path: Path) -> None:
    """``merge`` and ``import`` give the same weights, which were compared with the adapter on its base."""
    merged = made("merge", checkpoint, write_recipe(tmp_path, adapter=str(adapter)), tmp_path / "merged")
    recipe = write_recipe(tmp_path, adapter=str(adapter), note="a friend's")
    imported = made("import", checkpoint, recipe, tmp_path / "imported")
    assert merged["merge_difference"] < 1e-4
    assert merged["checkpoint"]["digests"] == imported["checkpoint"]["digests"]
    assert imported["production"] == {"note": "a friend's"}


def test_a_checkpoint_is_imported(tiny: Tiny, checkpoint: Path, tmp_path: Path) -> None:
    """A checkpoint made elsewhere is copied without what its trainer left beside it."""
    elsewhere = tiny("elsewhere", hidden_size=16)
    (elsewhere / "optimizer.pt").write_bytes(b"state")
    (elsewhere / "training_args.bin").write_bytes(b"arguments")
    manifest = made("import", checkpoint, write_recipe(tmp_path, checkpoint=str(elsewhere)), tmp_path / "out")
    assert manifest["checkpoint"]["digests"]["weights"] != manifest["parent"]
    assert not {"optimizer.pt", "training_args.bin"} & {path.name for path in (tmp_path / "out").iterdir()}


def test_a_checkpoint_is_loaded_before_it_is_believed(
    tiny: Tiny, checkpoint: Path, tmp_path: Path, refused: Refused
) -> None:
    """Weights that are no numbers are refused, whoever made them; no manifest says that they are complete."""

    def spoil(model: Any) -> None:
        model.model.norm.weight.fill_(float("nan"))

    recipe = write_recipe(tmp_path, checkpoint=str(tiny("nan", spoil)))
    refused(65, arguments("import", checkpoint, recipe, tmp_path / "out"), "NaN or infinite weights", "norm")
    assert not (tmp_path / "out" / "checkpoint.json").exists()


def test_an_adapter_of_another_base_is_refused(
    tiny: Tiny, adapter: Path, checkpoint: Path, tmp_path: Path, refused: Refused
) -> None:
    """An adapter whose shapes do not fit, or that names another base, is no checkpoint of this one."""
    recipe = write_recipe(tmp_path, adapter=str(adapter))
    refused(65, arguments("merge", tiny("wide", hidden_size=64), recipe, tmp_path / "wide"), "does not fit", "base")
    alike = shutil.copytree(checkpoint, tmp_path / "alike")
    refused(65, arguments("merge", alike, recipe, tmp_path / "out"), "was trained on sound, not on alike")


def test_what_is_not_there_is_named(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """Folders that are absent or hold something else, and a recipe that names two things."""
    recipe = write_recipe(tmp_path, adapter="nowhere")
    refused(66, arguments("merge", checkpoint, recipe, tmp_path / "out"), "nowhere", "adapter_config.json")
    refused(66, arguments("import", checkpoint, recipe, tmp_path / "out"), "nowhere", "is not there")
    recipe = write_recipe(tmp_path, checkpoint=str(tmp_path))
    refused(65, arguments("import", checkpoint, recipe, tmp_path / "out"), "neither config.json nor adapter_config")
    recipe = write_recipe(tmp_path, checkpoint="a", adapter="b")
    refused(65, arguments("import", checkpoint, recipe, tmp_path / "out"), "one of them")
    refused(65, arguments("null", checkpoint, recipe, tmp_path / "out"), "unknown key")
    refused(66, arguments("null", checkpoint, tmp_path / "none.yaml", tmp_path / "out"), "none.yaml")
    refused(66, arguments("null", tmp_path / "nobase", recipe, tmp_path / "out"), "nobase", "does not exist")


def test_a_command_makes_a_checkpoint(checkpoint: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Placeholders are filled, output goes into the log, variables reach it, and their values stay out of records."""
    (tmp_path / "rows.jsonl").write_text("{}\n", encoding="utf-8")
    recipe = write_recipe(
        tmp_path, command=python(COPY, "{base}", "{out}", "{data}", "{seed}"), data="rows.jsonl", seed=3,
        environment={"TOKEN": "hush"}, result="saved",
    )  # fmt: skip
    manifest = made("command", checkpoint, recipe, tmp_path / "out")
    assert manifest["checkpoint"]["digests"]["weights"] == manifest["parent"]
    assert set(manifest["checkpoint"]["digests"]) == {"weights", "config", "tokenizer", "data"}
    assert manifest["production"]["seed"] == 3
    assert manifest["production"]["config"]["environment"] == ["TOKEN"]
    assert "hush" not in (tmp_path / "out" / "checkpoint.json").read_text(encoding="utf-8")
    assert (tmp_path / "out" / "training" / "command.log").read_text(encoding="utf-8") == "copied\n"
    assert "copied" not in capfd.readouterr().out


@pytest.mark.parametrize(
    ("code", "settings", "words"),
    [
        (
            65,
            {"command": python("print('no such layer'); raise SystemExit(3)")},
            ("code 3 (no such layer)", "log"),
        ),
        (65, {"command": python("")}, ("neither config.json nor adapter_config.json",)),
        (66, {"command": python(""), "result": "saved"}, ("saved", "is not there")),
        (69, {"command": ["no-such-trainer"]}, ("no-such-trainer", "is not installed", "full path")),
        (65, {"command": python("", "{bass}")}, ("placeholder", "'bass'", "{base}, {out}, {data} and {seed}")),
        (66, {"command": python(""), "data": "none.jsonl"}, ("none.jsonl", "is not there")),
        (65, {"command": []}, ("command",)),
    ],
    ids=["fails", "writes nothing", "no result", "not installed", "placeholder", "no data", "empty"],
)
def test_a_command_that_does_not_work_is_told(
    checkpoint: Path, tmp_path: Path, refused: Refused, code: int, settings: dict[str, Any], words: tuple[str, ...]
) -> None:
    """Each way in which a trainer can fail has its sentence and its code."""
    refused(code, arguments("command", checkpoint, write_recipe(tmp_path, **settings), tmp_path / "out"), *words)


def test_a_command_that_takes_too_long_is_stopped(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """Nothing of it is left running, processes that it started included."""
    code = (
        "import subprocess, sys; subprocess.run([sys.executable, '-c', "
        "'import time, pathlib; time.sleep(3); pathlib.Path(\"late\").touch()'], cwd=sys.argv[1])"
    )
    recipe = write_recipe(tmp_path, command=python(code, str(tmp_path)), timeout_s=1)
    refused(69, arguments("command", checkpoint, recipe, tmp_path / "out"), "did not end within 1 s", "timeout_s")
    time.sleep(2.5)
    assert not (tmp_path / "late").exists()


def test_a_base_without_tokenizer_is_refused(checkpoint: Path, tmp_path: Path, refused: Refused) -> None:
    """It is refused before anything is made of it."""
    base = shutil.copytree(checkpoint, tmp_path / "base", ignore=shutil.ignore_patterns("tokenizer*"))
    refused(65, arguments("null", base, write_recipe(tmp_path), tmp_path / "out"), "has no tokenizer")
    assert not (tmp_path / "out").exists()
