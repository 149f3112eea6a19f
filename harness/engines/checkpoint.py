"""What exactly is scored: content digests of local weights, tokenizer, chat template and adapter.

lm-eval records nothing for local paths, so two different checkpoints in one folder would look alike. Digests are over
content, so a renamed or copied folder keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from harness.catalog import digest_of
from harness.errors import CheckpointError, MissingInputError
from harness.nouns import Checkpoint
from harness.store import file_digest

WEIGHT_PATTERNS = ("*.safetensors", "*.bin", "*.pt", "*.gguf")
TOKENIZER_FILES = (
    "tokenizer.json", "tokenizer.model", "vocab.json", "merges.txt", "vocab.txt", "spiece.model", "tekken.json",
    "added_tokens.json", "special_tokens_map.json",
)  # fmt: skip
_LOCAL_MODELS = ("hf", "hf-auto", "huggingface", "tree", "vllm", "sglang")


def identify(model: str, arguments: Mapping[str, Any]) -> Checkpoint:
    """The Checkpoint that lm-eval's model name and arguments stand for.

    Args:
        model: lm-eval model name.
        arguments: Parsed ``--model_args``.

    Returns:
        With digests for local folders and for hub snapshots already on this machine; an endpoint has none.

    Raises:
        UsageError: No model is named.
        MissingInputError: A folder that is named does not exist.
        CheckpointError: A local folder has no config, weights or tokenizer.
    """
    reference = str(arguments.get("pretrained") or arguments.get("model") or arguments.get("base_url") or model)
    adapter = arguments.get("peft") or arguments.get("lora_local_path")
    folder = local_folder(reference, arguments.get("revision")) if model in _LOCAL_MODELS else None
    digests = checkpoint_digests(folder, arguments.get("tokenizer")) if folder else {}
    if adapter and (adapter_folder := local_folder(str(adapter), None, "peft")):
        digests["adapter"] = adapter_digest(adapter_folder)
    return Checkpoint(
        model=model,
        reference=_short(reference),
        revision=arguments.get("revision"),
        adapter=_short(str(adapter)) if adapter else None,
        digests=digests,
        **_provenance(folder),
    )


def local_folder(reference: str, revision: str | None, argument: str = "pretrained") -> Path | None:
    """The folder of a path or of a hub snapshot in the local cache; None for a hub id not yet downloaded.

    Args:
        reference: Path or hub id.
        revision: Revision of the hub id.
        argument: Where it was named, for the message: ``pretrained`` or ``peft``.

    Raises:
        MissingInputError: It looks like a path and is not there.
    """
    path, name = Path(reference).expanduser(), f"{'Adapter' if argument == 'peft' else 'Checkpoint'} {reference}"
    if path.is_dir():
        return path
    if path.is_absolute() or reference.startswith((".", "~")) or reference.count("/") > 1:
        raise MissingInputError(name, "does not exist", f"correct {argument}=")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HFValidationError, LocalEntryNotFoundError

    try:
        return Path(snapshot_download(reference, revision=revision, local_files_only=True))
    except LocalEntryNotFoundError:
        return None
    except HFValidationError as error:
        raise MissingInputError(name, "is neither a folder nor a hub id", f"correct {argument}=") from error


def checkpoint_digests(folder: Path, tokenizer: Any = None) -> dict[str, str]:
    """SHA-256 of ``weights``, ``config``, ``tokenizer`` and ``chat_template`` of a folder, by content.

    Raises:
        CheckpointError: The folder cannot be a checkpoint; the message says what is missing.
    """
    if not (folder / "config.json").is_file():
        raise CheckpointError(f"Checkpoint {folder}", "has no config.json", "save it with model.save_pretrained(...)")
    weights = _files(folder, WEIGHT_PATTERNS)
    if not weights:
        raise CheckpointError(f"Checkpoint {folder}", "has no weights", "save it with model.save_pretrained(...)")
    speaker = Path(str(tokenizer)).expanduser() if tokenizer and Path(str(tokenizer)).is_dir() else folder
    texts = [speaker / name for name in TOKENIZER_FILES if (speaker / name).is_file()]
    if not texts and not tokenizer:
        raise CheckpointError(
            f"Checkpoint {folder}", "has no tokenizer",
            "save it there with tokenizer.save_pretrained(...) or add tokenizer=... to --model_args",
        )  # fmt: skip
    digests = {
        "weights": _joint(weights),
        "config": digest_of(_without_names(folder / "config.json")),
        "tokenizer": _joint(texts),
    }
    if template := _chat_template(speaker):
        digests["chat_template"] = hashlib.sha256(template.encode()).hexdigest()
    return digests


def adapter_digest(folder: Path) -> str:
    """SHA-256 of an adapter: weights by content, configuration with sorted keys and lists.

    PEFT writes ``target_modules`` from a set, so equal adapters can have unequal configuration files.

    Raises:
        CheckpointError: The folder holds no adapter.
    """
    weights = _files(folder, ("adapter_model*.safetensors", "adapter_model*.bin"))
    if not weights or not (folder / "adapter_config.json").is_file():
        raise CheckpointError(f"Adapter {folder}", "lacks adapter_config.json or weights", "point peft= at an adapter")
    config = _json(folder / "adapter_config.json")
    config.pop("base_model_name_or_path", None)
    normal = {key: sorted(value, key=str) if isinstance(value, list) else value for key, value in config.items()}
    return digest_of([_joint(weights), normal])


def _files(folder: Path, patterns: Iterable[str]) -> list[Path]:
    return sorted({path for pattern in patterns for path in folder.glob(pattern) if path.name != "training_args.bin"})


def _joint(paths: Iterable[Path]) -> str:
    return digest_of({path.name: file_digest(path) for path in paths})


def _json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise CheckpointError(
            f"{path}", f"is no readable JSON ({error})", "save or copy the checkpoint again"
        ) from error


def _without_names(path: Path) -> dict[str, Any]:
    config = _json(path)
    return {key: value for key, value in config.items() if key not in ("_name_or_path", "transformers_version")}


def _chat_template(folder: Path) -> str | None:
    if (folder / "chat_template.jinja").is_file():
        return (folder / "chat_template.jinja").read_text(encoding="utf-8")
    config = folder / "tokenizer_config.json"
    if config.is_file() and (template := _json(config).get("chat_template")):
        return template if isinstance(template, str) else json.dumps(template, sort_keys=True)
    return None


def _provenance(folder: Path | None) -> dict[str, str | None]:
    """Producer and parent, where the folder has the manifest that ``harness produce`` writes."""
    manifest = folder / "checkpoint.json" if folder else None
    if manifest is None or not manifest.is_file():
        return {}
    content = _json(manifest)
    return {"producer": content.get("producer"), "parent": content.get("parent")}


def _short(reference: str) -> str:
    """A hub id as it is; of a local path only the last part, so that no record names somebody's folders."""
    path = Path(reference).expanduser()
    return path.resolve().name if path.is_dir() else reference
