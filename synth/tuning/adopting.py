"""Checkpoints that exist, brought into a folder: copied, or merged from an adapter and its base."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path

from harness.errors import CheckpointError, MissingInputError, first_line
from synth.tuning.faults import explained
from synth.tuning.loading import load_model, load_tokenizer

ADAPTER = "adapter"
_SUFFIXES = (".json", ".safetensors", ".bin", ".model", ".txt", ".jinja", ".tiktoken", ".py", ".md")
_LEFT = ("training_args.bin", "trainer_state.json", "checkpoint.json", "production.json")
"""What trainers and this harness write beside a checkpoint and is no part of it."""


def adopt(base: str, found: Path, out: Path) -> None:
    """Copy a checkpoint into a folder, or merge an adapter into the base there.

    Args:
        base: Folder or hub id of the base.
        found: Folder of a checkpoint or an adapter.
        out: The folder.

    Raises:
        MissingInputError: There is no such folder.
        CheckpointError: It holds neither, or the adapter does not fit.
        StoreError: The folder cannot be written.
    """
    if not found.is_dir():
        raise MissingInputError(f"Folder {found}", "is not there", "name the folder of a checkpoint or an adapter")
    if (found / "adapter_config.json").is_file():
        merge(base, found, out)
    elif (found / "config.json").is_file():
        copy(found, out)
    else:
        raise CheckpointError(
            f"Folder {found}", "holds neither config.json nor adapter_config.json", "point at what the trainer saved"
        )


def copy(found: Path, out: Path) -> None:
    """Copy what belongs to a checkpoint or an adapter.

    Raises:
        StoreError: The folder cannot be written.
    """
    with explained(f"Folder {out}"):
        out.mkdir(parents=True, exist_ok=True)
        for path in files_of(found):
            shutil.copyfile(path, out / path.name)


def files_of(found: Path) -> list[Path]:
    """Files of a folder that belong to a checkpoint or an adapter."""
    return [
        path
        for path in sorted(found.iterdir())
        if path.is_file() and path.suffix in _SUFFIXES and path.name not in _LEFT
    ]


def merge(base: str, adapter: Path, out: Path, dtype: str = "auto") -> None:
    """Merge an adapter into its base; a copy of the adapter is left in ``adapter/``.

    Args:
        base: Folder or hub id of the base.
        adapter: Folder of the adapter; its tokenizer is taken where it has one, as it may have another chat template.
        out: Folder to write into.
        dtype: Type of the merged weights; ``auto`` for that of the base.

    Raises:
        MissingInputError: The folder holds no adapter.
        CheckpointError: It does not fit the base.
        StoreError: The folder cannot be written.
    """
    from peft import PeftModel

    if not (adapter / "adapter_config.json").is_file():
        raise MissingInputError(f"Adapter {adapter}", "has no adapter_config.json", "name the folder of an adapter")
    tokenizer = load_tokenizer(str(adapter) if (adapter / "tokenizer_config.json").is_file() else base)
    model = load_model(base, dtype)
    try:
        adapted = PeftModel.from_pretrained(model, str(adapter))
    except (RuntimeError, ValueError, KeyError, TypeError) as error:
        reason = f"does not fit {base} ({first_line(error)})"
        raise CheckpointError(f"Adapter {adapter}", reason, "pass the base that it was trained on") from error
    copy(adapter, out / ADAPTER)
    with explained(f"Folder {out}"):
        _normalise(out / ADAPTER / "adapter_config.json")
        adapted.merge_and_unload().save_pretrained(out)
        tokenizer.save_pretrained(out)


def file_digest(path: Path) -> str:
    """SHA-256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _normalise(config: Path) -> None:
    """Sort what PEFT writes from sets, so that equal adapters have equal files."""
    content = json.loads(config.read_text(encoding="utf-8"))
    normal = {key: sorted(value) if isinstance(value, list) else value for key, value in sorted(content.items())}
    config.write_text(json.dumps(normal, indent=2) + "\n", encoding="utf-8")
