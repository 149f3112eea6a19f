"""Checkpoints as users have them: folders, merged adapters, chat templates."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.store import load_run, read_records

NANO = Path(__file__).resolve().parents[2] / "harness" / "assets" / "nano"


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A LoRA adapter for nano that changes its answers, and the same thing merged and saved."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = tmp_path_factory.mktemp("adapter")
    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(str(NANO), dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=64, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    model = get_peft_model(base, config)
    model.save_pretrained(str(folder / "adapter"))
    model.merge_and_unload().save_pretrained(str(folder / "merged"))
    AutoTokenizer.from_pretrained(str(NANO)).save_pretrained(str(folder / "merged"))
    return folder / "adapter", folder / "merged"


def scored(capsys: pytest.CaptureFixture[str], store: Path, arguments: str, *extra: str) -> dict[str, Any]:
    """The document of a small run."""
    command = [
        "run",
        "-t",
        "quick_completion,quick_topic",
        "-L",
        "24",
        "-a",
        arguments,
        "-o",
        str(store),
        "--json",
        *extra,
    ]
    with pytest.raises(SystemExit) as exit_:
        main(command)
    assert not exit_.value.code
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def predictions(found: dict[str, Any], task: str) -> list[Any]:
    """Chosen answers of one task."""
    run = load_run(found["path"], Path(found["path"]).parent)
    return [record.prediction["choice"] for record in read_records(run, task)]


def test_an_adapter_scores_as_its_merge_does_and_unlike_its_base(
    adapter: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """peft= gives the answers of the checkpoint that was merged and saved, not those of the base."""
    dtype = "dtype=float32"
    merged = scored(capsys, tmp_path, f"pretrained={adapter[1]},{dtype}")
    unmerged = scored(capsys, tmp_path, f"pretrained={NANO},peft={adapter[0]},{dtype}")
    base = scored(capsys, tmp_path, f"pretrained={NANO},{dtype}")
    for task in ("quick_completion", "quick_topic"):
        assert predictions(merged, task) == predictions(unmerged, task)
    assert any(predictions(merged, task) != predictions(base, task) for task in ("quick_completion", "quick_topic"))


def test_the_record_names_the_adapter_by_content(
    adapter: tuple[Path, Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The digest of an adapter ignores where it lies and how its configuration lists its modules."""
    copy = tmp_path / "renamed"
    shutil.copytree(adapter[0], copy)
    config = json.loads((copy / "adapter_config.json").read_text())
    config["target_modules"] = sorted(config["target_modules"], reverse=True)
    (copy / "adapter_config.json").write_text(json.dumps(config))
    digests = []
    for folder in (adapter[0], copy):
        found = scored(capsys, tmp_path / "runs", f"pretrained={NANO},peft={folder},dtype=float32")
        manifest = load_run(found["path"], tmp_path / "runs").manifest
        assert "merged in memory" in manifest["engine"]["notes"][0]
        digests.append(manifest["checkpoint"]["digests"])
    assert digests[0] == digests[1]


def test_adapters_of_one_base_read_it_once(
    adapter: tuple[Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two adapters and the first again read the base once, and each scores bit by bit as after a load of its own."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    from harness.engines.job import RunRequest, prepare
    from harness.engines.models import ModelOptions, probe_logits

    torch.manual_seed(1)
    config = LoraConfig(r=2, lora_alpha=16, target_modules="all-linear", init_lora_weights=False)
    net = AutoModelForCausalLM.from_pretrained(str(NANO), dtype=torch.float32)
    get_peft_model(net, config).save_pretrained(str(tmp_path / "other"), save_embedding_layers=False)
    read, plainly = [], AutoModelForCausalLM.from_pretrained
    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", lambda *a, **k: read.append(a) or plainly(*a, **k))

    def asked(folder: Path) -> RunRequest:
        model = ModelOptions("tree", {"pretrained": str(NANO), "peft": str(folder), "dtype": "float32"})
        return RunRequest((), ("quick_topic",), model, tmp_path / "runs", limit=2)

    folders, job, found = [adapter[0], tmp_path / "other", adapter[0]], None, []
    for folder in folders:
        job = prepare(asked(folder), lambda _: None, earlier=job)
        found.append((probe_logits(job.model.lm.model, job.model.tokenizer), job.checkpoint))
    assert len(read) == 1
    for folder, (logits, checkpoint) in zip(folders, found, strict=True):
        fresh = prepare(asked(folder), lambda _: None)
        assert checkpoint == fresh.checkpoint
        own = probe_logits(fresh.model.lm.model, fresh.model.tokenizer)
        assert all(bool((one == other).all()) for one, other in zip(logits, own, strict=True))
    assert len(read) == 4


def test_a_base_that_memory_cannot_hold_twice_is_read_again(
    adapter: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where little memory is free no copy is made, and none is kept."""
    from harness.engines import adapters

    arguments = {"pretrained": str(NANO), "peft": str(adapter[0])}
    assert adapters.merge_adapter(arguments).base is not None
    monkeypatch.setattr(adapters, "free_bytes", lambda _: 1 << 20)
    assert adapters.merge_adapter(arguments).base is None


def test_a_chat_template_wraps_the_prompt_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """--apply_chat_template changes every prompt, is recorded by digest, and keeps the items comparable."""
    chat = tmp_path / "chat"
    shutil.copytree(NANO, chat)
    (chat / "chat_template.jinja").write_text(
        "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
        "{% if add_generation_prompt %}[assistant]{% endif %}"
    )
    plain = scored(capsys, tmp_path / "runs", f"pretrained={chat}")
    wrapped = scored(
        capsys, tmp_path / "runs", f"pretrained={chat}", "--apply_chat_template", "--system_instruction", "Hi."
    )
    first, second = (load_run(found["path"], tmp_path / "runs") for found in (plain, wrapped))
    assert second.manifest["chat_template"]
    assert first.manifest["chat_template"] is None
    for task in ("quick_completion", "quick_topic"):
        pairs = list(zip(read_records(first, task), read_records(second, task), strict=True))
        assert all(a.item == b.item and a.prompt_hash != b.prompt_hash for a, b in pairs)
