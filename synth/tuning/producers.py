"""The producers of this project, through the door that every package has: ``produce(base, recipe, out) -> Checkpoint``.

What each leaves in the folder is a checkpoint that lm-eval loads as it is (``config.json``, weights, tokenizer), an
``adapter/`` where there is one, and ``production.json`` with what it knows of the making.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, DataError, MissingInputError, StoreError, UnavailableError
from harness.nouns import Checkpoint
from synth.recipe import Settings
from synth.records import digest
from synth.tuning.recipe import CommandRecipe, ImportRecipe, MergeRecipe, TuningRecipe, read

PRODUCTION = "production.json"
ADAPTER = "adapter"
TRAINING = "training"


class Null:
    """The base itself: the row that every other is compared with."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The base, copied as it is loaded."""
        read(Settings, recipe)
        tokenizer, model = _loaded(base)
        _save(model, tokenizer, out)
        return _made("null", out, {})


class Lora:
    """A LoRA adapter trained by TRL, and its merge."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The merged checkpoint; the adapter lies beside it in ``adapter/``."""
        from synth.tuning.train import train

        settings = read(TuningRecipe, recipe)
        trained = train(base, settings, out / TRAINING, adapter=True)
        trained.model.save_pretrained(out / ADAPTER)
        _normalise(out / ADAPTER / "adapter_config.json")
        _save(trained.model.merge_and_unload(), trained.tokenizer, out)
        return _made("lora", out, _told(settings, trained.facts))


class Full:
    """Every weight trained by TRL."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The trained checkpoint."""
        from synth.tuning.train import train

        settings = read(TuningRecipe, recipe)
        trained = train(base, settings, out / TRAINING, adapter=False)
        _save(trained.model, trained.tokenizer, out)
        return _made("full", out, _told(settings, trained.facts))


class Merge:
    """An adapter merged into its base."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The merged checkpoint, with a copy of the adapter."""
        settings = read(MergeRecipe, recipe)
        _merge(base, settings.adapter, out)
        return _made("merge", out, {})


class Import:
    """A checkpoint or an adapter that was made elsewhere."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """A copy of the checkpoint, or the adapter merged into the base."""
        settings = read(ImportRecipe, recipe)
        _adopt(base, settings.checkpoint or settings.adapter, out)
        return _made("import", out, {"note": settings.note})


class Command:
    """A trainer of another project in its own environment: LLaMA-Factory, axolotl, a script."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """What the command left below the folder, adopted as a checkpoint."""
        settings = read(CommandRecipe, recipe)
        work = (out / TRAINING).resolve()
        work.mkdir(parents=True, exist_ok=True)
        _run(settings, base, work)
        _adopt(base, work / settings.result, out)
        data = {"data": {"digest": _content(settings.data)}} if settings.data else {}
        return _made("command", out, {"config": settings.model_dump(mode="json"), **data})


def _run(settings: CommandRecipe, base: str, work: Path) -> None:
    filled = {"base": base, "out": str(work), "data": str(settings.data or ""), "seed": str(settings.seed)}
    try:
        command = [part.format(**filled) for part in settings.command]
    except (KeyError, IndexError, ValueError) as error:
        reason = f"has a placeholder that is not known ({error})"
        raise DataError("command", reason, "use {base}, {out}, {data} and {seed}; write {{ for a brace") from error
    log = work / "command.log"
    try:
        with log.open("wb") as output:
            done = subprocess.run(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **settings.environment},
                timeout=settings.timeout_s,
                check=False,
            )
    except FileNotFoundError as error:
        raise UnavailableError(f"Command {command[0]}", "is not installed", "give its full path") from error
    except subprocess.TimeoutExpired as error:
        reason = f"did not end within {settings.timeout_s:g} s"
        raise UnavailableError(f"Command {command[0]}", reason, f"read {log}, or raise timeout_s") from error
    if done.returncode:
        last = (log.read_text(encoding="utf-8", errors="replace").strip().splitlines() or ["it printed nothing"])[-1]
        reason = f"ended with exit code {done.returncode} ({last[:200]})"
        raise DataError(f"Command {command[0]}", reason, f"read {log}")


def _adopt(base: str, found: Path | None, out: Path) -> None:
    """Copy a checkpoint into the folder, or merge an adapter into the base there."""
    if found is None or not found.is_dir():
        raise MissingInputError(f"Folder {found}", "is not there", "name the folder of a checkpoint or an adapter")
    if (found / "adapter_config.json").is_file():
        _merge(base, found, out)
    elif (found / "config.json").is_file():
        out.mkdir(parents=True, exist_ok=True)
        for path in found.iterdir():
            if path.is_file() and path.name != "training_args.bin":
                shutil.copy2(path, out / path.name)
    else:
        raise CheckpointError(
            f"Folder {found}", "holds neither config.json nor adapter_config.json", "point at what the trainer saved"
        )


def _merge(base: str, adapter: Path, out: Path) -> None:
    from peft import PeftConfig, PeftModel

    if not (adapter / "adapter_config.json").is_file():
        raise MissingInputError(f"Adapter {adapter}", "has no adapter_config.json", "name the folder of an adapter")
    trained_on = PeftConfig.from_pretrained(str(adapter)).base_model_name_or_path
    if trained_on and Path(trained_on).name != Path(base).name:
        reason = f"was trained on {Path(trained_on).name}, not on {Path(base).name}"
        raise CheckpointError(f"Adapter {adapter}", reason, "pass that base as --base")
    tokenizer, model = _loaded(base)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError, KeyError) as error:
        reason = f"does not fit {base} ({str(error).splitlines()[0][:200]})"
        raise CheckpointError(f"Adapter {adapter}", reason, "pass the base that it was trained on") from error
    _save(adapted.merge_and_unload(), tokenizer, out)
    shutil.copytree(adapter, out / ADAPTER, dirs_exist_ok=True, ignore=shutil.ignore_patterns("training_args.bin"))
    _normalise(out / ADAPTER / "adapter_config.json")


def _loaded(base: str) -> tuple[Any, Any]:
    from synth.tuning.train import load

    return load(base, "auto", seed=0)


def _save(model: Any, tokenizer: Any, out: Path) -> None:
    try:
        model.save_pretrained(out)
        tokenizer.save_pretrained(out)
    except OSError as error:
        raise StoreError(
            f"Folder {out}", f"cannot be written ({error.strerror})", "free space and run again"
        ) from error


def _normalise(config: Path) -> None:
    """Sort what PEFT writes from sets, so that equal adapters have equal files."""
    content = json.loads(config.read_text(encoding="utf-8"))
    normal = {key: sorted(value) if isinstance(value, list) else value for key, value in sorted(content.items())}
    config.write_text(json.dumps(normal, indent=2) + "\n", encoding="utf-8")


def _told(settings: TuningRecipe, facts: Mapping[str, Any]) -> dict[str, Any]:
    config = settings.model_dump(mode="json", exclude={"data", "dev", "accelerate"})
    return {"config": config, "seed": settings.seed, **facts}


def _made(producer: str, out: Path, facts: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint in a folder; what is known of its making goes into ``production.json``."""
    (out / PRODUCTION).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    return Checkpoint(model="hf", reference=out.name, producer=producer, digests=_digests(facts))


def _digests(facts: Mapping[str, Any]) -> dict[str, str]:
    data = facts.get("data")
    return {"data": data["digest"]} if isinstance(data, Mapping) else {}


def _content(path: Path) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    if not path.exists():
        raise MissingInputError(f"Data {path}", "is not there", "correct data")
    import hashlib

    hashes = {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files if file.is_file()}
    return digest(hashes)
