"""Checkpoints that cannot be scored, or not here: told in one sentence before compute, or survived and told."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.store import load_run, read_records

Refused = Callable[..., str]
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it

TASK = ("-t", "quick_topic", "-L", "10")


def copy_of(checkpoint: Path, tmp_path: Path, *without: str) -> Path:
    """A copy of a checkpoint folder that lacks some files."""
    folder = tmp_path / "copy"
    shutil.copytree(checkpoint, folder, ignore=shutil.ignore_patterns(*without))
    return folder


def model_args(folder: Path, **more: object) -> list[str]:
    """--model_args of a checkpoint folder."""
    return ["-a", ",".join([f"pretrained={folder}", *(f"{key}={value}" for key, value in more.items())])]


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, Any], str]:
    """Exit code, JSON document and stderr of a command line."""
    with pytest.raises(SystemExit) as exit_:
        main([*arguments, "--json"])
    out = capsys.readouterr()
    return int(exit_.value.code or 0), json.loads(out.out), out.err


def problems(document: dict[str, Any]) -> list[dict[str, str]]:
    """The problems that validate has found."""
    return [check for check in document["checks"] if check["state"] == "problem"]


@pytest.mark.parametrize(
    ("without", "words"),
    [
        (("tokenizer*",), ("has no tokenizer", "tokenizer.save_pretrained")),
        (("config.json",), ("has no config.json", "model.save_pretrained")),
        (("*.safetensors",), ("has no weights", "model.save_pretrained")),
    ],
)
def test_a_folder_without_a_part_is_refused(
    refused: Refused,
    capsys: pytest.CaptureFixture[str],
    checkpoint: Path,
    tmp_path: Path,
    without: tuple[str, ...],
    words: tuple[str, ...],
) -> None:
    """A checkpoint folder without tokenizer, configuration or weights is code 65 for run and validate alike."""
    folder = copy_of(checkpoint, tmp_path, *without)
    refused(65, ["run", *TASK, *model_args(folder)], str(folder), *words)
    code, document, _ = told(capsys, "validate", *TASK, *model_args(folder))
    (problem,) = problems(document)
    assert code == 65
    assert words[0] in problem["sentence"]
    assert words[1] in problem["fix"]


def test_a_folder_that_is_not_there_is_missing_input(refused: Refused, checkpoint: Path, tmp_path: Path) -> None:
    """A path that does not exist, of a checkpoint or an adapter, is code 66, not a search on the hub."""
    refused(66, ["run", *TASK, *model_args(tmp_path / "no")], str(tmp_path / "no"), "does not exist", "pretrained=")
    adapted = ["run", *TASK, *model_args(checkpoint, peft=tmp_path / "no")]
    refused(66, adapted, f"Adapter {tmp_path / 'no'}", "does not exist", "peft=")


def test_torn_weights_and_a_torn_config_are_refused(refused: Refused, checkpoint: Path, tmp_path: Path) -> None:
    """A half-written file is code 65 and names the checkpoint."""
    folder = copy_of(checkpoint, tmp_path)
    weights = folder / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    refused(65, ["run", *TASK, *model_args(folder)], str(folder), "cannot be loaded")
    (folder / "config.json").write_text("{", encoding="utf-8")
    refused(65, ["run", *TASK, *model_args(folder)], str(folder), "config.json")


def test_nan_weights_are_refused(refused: Refused, tiny: Callable[..., Path]) -> None:
    """One NaN in one matrix is found when the checkpoint is loaded, and the matrix is named."""
    folder = tiny("nan", lambda model: model.model.layers[0].mlp.up_proj.weight[0, 0].fill_(float("nan")))
    refused(65, ["run", *TASK, *model_args(folder)], str(folder), "NaN", "layers.0.mlp.up_proj.weight", "healthy step")


def adapter(base: Path, folder: Path, **settings: Any) -> Path:
    """An untrained LoRA adapter of a checkpoint; without ``init_lora_weights=False`` its B is zero."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = get_peft_model(
        AutoModelForCausalLM.from_pretrained(base), LoraConfig(r=2, target_modules=["q_proj"], **settings)
    )
    model.save_pretrained(folder)
    return folder


def test_an_idle_adapter_is_refused(refused: Refused, checkpoint: Path, tmp_path: Path) -> None:
    """An adapter whose B is zero changes nothing and must not be scored as if it did."""
    idle = adapter(checkpoint, tmp_path / "idle")
    refused(65, ["run", *TASK, *model_args(checkpoint, peft=idle)], str(idle), "changes nothing", "peft=")


def test_a_foreign_adapter_is_refused(
    refused: Refused, capsys: pytest.CaptureFixture[str], tiny: Callable[..., Path], checkpoint: Path, tmp_path: Path
) -> None:
    """An adapter that names another base is code 65, for run and validate alike."""
    foreign = adapter(tiny("another"), tmp_path / "foreign", init_lora_weights=False)
    chosen = [*TASK, *model_args(checkpoint, peft=foreign)]
    refused(65, ["run", *chosen], str(foreign), "was trained on another, not on sound", "pretrained=")
    code, document, _ = told(capsys, "validate", *chosen)
    assert code == 65
    assert "was trained on another" in problems(document)[0]["sentence"]


def test_an_adapter_that_works_is_merged(capsys: pytest.CaptureFixture[str], checkpoint: Path, tmp_path: Path) -> None:
    """The guards let a sound adapter through: it is merged, checked and noted."""
    sound = adapter(checkpoint, tmp_path / "adapter", init_lora_weights=False)
    code, document, err = told(capsys, "run", *TASK, *model_args(checkpoint, peft=sound), "-o", str(tmp_path / "runs"))
    assert (code, document["status"]) == (0, "complete")
    assert "adapter merged in memory" in err


def test_a_context_too_small_for_the_prompts_is_refused(
    refused: Refused, capsys: pytest.CaptureFixture[str], tiny: Callable[..., Path]
) -> None:
    """More prompts cut than the suite allows is found before anything is asked; the share and the limit are told."""
    folder = tiny("short", max_position_embeddings=64)
    chosen = ["-t", "quick_reading", "-L", "5", *model_args(folder)]
    refused(65, ["run", *chosen], "quick_reading", "100.0%", "64 tokens", "10.0%", "longer context")
    code, document, _ = told(capsys, "validate", *chosen)
    (problem,) = problems(document)
    assert (code, problem["check"]) == (65, "context")
    assert "100.0%" in problem["sentence"]


def test_validate_knows_the_checkpoint_without_its_weights(
    capsys: pytest.CaptureFixture[str], checkpoint: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Digests, context and memory of a sound checkpoint are told; too little free memory is a problem."""
    from transformers import AutoModelForCausalLM

    def loading(*_: Any, **__: Any) -> Any:
        raise AssertionError("validate loads weights")

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", loading)
    chosen = ["validate", *TASK, *model_args(checkpoint)]
    code, document, _ = told(capsys, *chosen)
    assert code == 0
    assert [check["check"] for check in document["checks"]] == ["contract", "files", "context", "memory"]
    monkeypatch.setattr("harness.engines.fit.free_bytes", lambda device: 1_000)
    code, document, _ = told(capsys, *chosen)
    assert (code, [problem["check"] for problem in problems(document)]) == (65, ["memory"])


def test_the_memory_estimate_is_its_formula(checkpoint: Path) -> None:
    """Weights are the bytes of the file's tensors; cache and logits are those of the largest batch."""
    from safetensors.torch import load_file

    from harness.catalog import load_catalog
    from harness.engines.batches import plan_batches
    from harness.engines.fit import memory, outline
    from harness.engines.items import Prompting, build_items
    from harness.engines.models import ModelOptions
    from harness.engines.tasks import TaskOptions, build_tasks

    catalog = load_catalog()
    (built,) = build_tasks((catalog.task("quick_topic"),), catalog.folders, None, TaskOptions())
    model = outline(ModelOptions("hf", {"pretrained": str(checkpoint)}, batch_size="4"))
    items = build_items(built, range(8), model, Prompting())
    need = memory(model, {"quick_topic": items}, "cpu")
    tensors = load_file(checkpoint / "model.safetensors").values()
    tokens = need.logits // (2 * 6144 * 4)
    batch = plan_batches(items, model)[0]
    longest = max(len(model.lm.tok_encode("".join(i.args))) for item in batch for i in item.instances)
    assert need.weights == sum(tensor.nbytes for tensor in tensors)
    assert tokens == 4 * longest
    assert need.cache == 2 * 2 * 2 * 16 * tokens * 4


def rows(document: dict[str, Any]) -> list[tuple[Any, ...]]:
    """Records of a run, comparable between batch sizes."""
    run = load_run(document["path"], Path(document["path"]).parent)
    return [(r.doc_id, r.item, dict(r.counts), r.prediction["choice"]) for r in read_records(run, "quick_topic")]


def out_of_memory_above(monkeypatch: pytest.MonkeyPatch, batch: int) -> None:
    """Let the model run out of memory wherever more than so many rows are asked at once."""
    import torch
    from lm_eval.models.huggingface import HFLM

    whole = HFLM.loglikelihood

    def small(self: Any, requests: Any, disable_tqdm: bool = False) -> Any:
        if self.batch_size_per_gpu > batch:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB")
        return whole(self, requests, disable_tqdm=disable_tqdm)

    monkeypatch.setattr(HFLM, "loglikelihood", small)


def test_memory_that_runs_out_halves_the_batch(
    capsys: pytest.CaptureFixture[str], checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run goes on with smaller batches, says so, and ends in the records of a run that had the memory."""
    chosen = ["run", *TASK, *model_args(checkpoint), "-M", "hf", "-b", "8"]
    _, plenty, _ = told(capsys, *chosen, "-o", str(tmp_path / "plenty"))
    out_of_memory_above(monkeypatch, 3)
    code, scarce, err = told(capsys, *chosen, "-o", str(tmp_path / "scarce"))
    assert code == 0
    assert "memory ran out in quick_topic; batch size reduced to 2" in err
    assert rows(scarce) == rows(plenty)


def test_memory_for_not_even_one_item_is_unavailable(
    refused: Refused, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a single item does not fit, the task is named with what needs less memory."""
    out_of_memory_above(monkeypatch, 0)
    chosen = ["run", *TASK, *model_args(checkpoint), "-M", "hf", "-o", str(tmp_path)]
    refused(69, chosen, "Task quick_topic", "one item at a time", "dtype=bfloat16")


def test_a_chat_template_that_doubles_bos_is_refused(
    refused: Refused, capsys: pytest.CaptureFixture[str], checkpoint: Path, tmp_path: Path
) -> None:
    """Two BOS tokens before every prompt move scores unseen: code 65, for run and validate alike."""
    folder = copy_of(checkpoint, tmp_path)
    template = "{{ bos_token }}{{ bos_token }}{% for message in messages %}{{ message['content'] }}{% endfor %}"
    (folder / "chat_template.jinja").write_text(template, encoding="utf-8")
    chosen = [*TASK, *model_args(folder), "--apply_chat_template"]
    refused(65, ["run", *chosen], "two BOS tokens", "add_bos_token")
    code, document, _ = told(capsys, "validate", *chosen)
    assert code == 65
    assert "two BOS tokens" in problems(document)[0]["sentence"]


def test_a_chat_template_that_is_not_there_is_refused(refused: Refused, checkpoint: Path) -> None:
    """--apply_chat_template with a tokenizer that has none is refused instead of being ignored."""
    chosen = ["run", *TASK, *model_args(checkpoint), "--apply_chat_template"]
    refused(65, chosen, "has no chat template", "--apply_chat_template")
