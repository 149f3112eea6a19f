"""Loading a checkpoint through lm-eval's registry, with the guards that lm-eval lacks."""

from __future__ import annotations

import difflib
import gc
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from harness.errors import CheckpointError, HarnessError, MissingInputError, UnavailableError, UsageError, first_line

if TYPE_CHECKING:
    from harness.engines.adapters import Base

TREE = "tree"
HF_MODELS = (TREE, "hf", "hf-auto", "huggingface")
"""Model names that stand for weights in transformers' form, scored in this process."""

AUTO_BATCH = 64
"""Most documents per batch under ``auto``; lm-eval's own ceiling."""

_PROBES = ("The capital of the country is", "In 1912 the ship", "def add(a, b):")


@dataclass
class LoadedModel:
    """A model that answers.

    Attributes:
        lm: lm-eval's LM object.
        batch: Largest number of documents sent at once; halved where memory does not suffice.
        planned: Whether batches are also bounded by memory (``--batch_size auto``).
        shares: Whether what requests share is computed once, so that batches are made of rows that share.
        notes: What the record should say about the loading.
        base: Of a merged adapter the base, for the next adapter of it.
    """

    lm: Any
    batch: int
    planned: bool = False
    shares: bool = False
    notes: list[str] = field(default_factory=list)
    base: Base | None = None

    @property
    def remarks(self) -> list[str]:
        """The notes, and whether stock had to score what the tree was asked to."""
        reason = getattr(self.lm, "stock_because", None)
        return [*self.notes, f"stock lm-eval scored in place of tree, which cannot: {reason}"] if reason else self.notes

    @property
    def max_length(self) -> int | None:
        """Context in tokens, or None where the backend does not tell."""
        value = getattr(self.lm, "max_length", None)
        return value if isinstance(value, int) else None

    @property
    def tokenizer(self) -> Any:
        """The tokenizer, or None where the backend does not show one."""
        return getattr(self.lm, "tokenizer", None) if hasattr(self.lm, "tok_encode") else None


@dataclass(frozen=True)
class ModelOptions:
    """What the command line says about the model.

    Attributes:
        model: lm-eval model name.
        arguments: Parsed ``--model_args``.
        batch_size: A number, or ``auto``: as many as memory for the logits allows.
        device: Torch device, or None for CUDA where there is one.
        max_memory: Bytes that the tree may take beside the weights, as text such as ``4GiB``; None for what is free.
    """

    model: str
    arguments: Mapping[str, Any]
    batch_size: str = "auto"
    device: str | None = None
    max_memory: str | None = None


def parse_arguments(text: str, flag: str = "--model_args") -> dict[str, Any]:
    """``key=value,key=value`` to a mapping, as lm-eval parses it; the flag is for the message."""
    from lm_eval.utils import simple_parse_args_string

    parts = [part.partition("=") for part in text.split(",") if part.strip()]
    if not all(key.strip() and equals for key, equals, _ in parts):
        raise UsageError(f"{flag} {text!r}", "is not key=value,key=value", "correct it")
    return dict(simple_parse_args_string(text))


def load_model(options: ModelOptions, base: Base | None = None) -> LoadedModel:
    """Load a checkpoint for scoring.

    Args:
        options: What is loaded.
        base: Base of an adapter that was loaded before, which is not read again where it is this one's too.

    Raises:
        UsageError: lm-eval knows no such model name, or rejects an argument.
        CheckpointError: NaN weights, a foreign or idle adapter, a merge that changes outputs.
        MissingInputError: Weights or tokenizer are not there.
        UnavailableError: The backend is not installed, the device is absent or lacks memory, the endpoint is dead.
    """
    device = options.device or default_device()
    _refuse_unusable(options, device)
    try:
        if options.model in HF_MODELS and options.arguments.get("peft"):
            return _load_merged(options, device, base)
        return _load_plain(options, device)
    except HarnessError:
        raise
    except (ImportError, ModuleNotFoundError) as error:
        raise UnavailableError(
            f"Model backend {options.model}", f"is not installed ({error})", "install its lm-eval extra"
        ) from error
    except TypeError as error:
        raise UsageError(f"--model_args for {options.model}", f"are rejected ({error})", "correct them") from error
    except Exception as error:  # transformers and every backend raise their own; the user must learn which checkpoint
        raise as_load_error(options, error) from error


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an exception says that a device or the machine ran out of memory."""
    text = str(error).lower()
    words = ("out of memory", "can't allocate memory", "cannot allocate memory", "defaultcpuallocator")
    return isinstance(error, MemoryError) or any(word in text for word in words)


def free_memory() -> None:
    """Give cached device memory back after a failed batch."""
    import torch

    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def is_local(lm: Any) -> bool:
    """Whether a model is a causal one of lm-eval's ``hf`` or ours, whose tokenising the harness can do itself."""
    from lm_eval.models.huggingface import HFLM

    return isinstance(lm, HFLM) and lm.backend == "causal"


def default_device() -> str:
    """CUDA where there is one, else the CPU."""
    import torch

    return "cuda" if torch.cuda.is_available() else "cpu"


def _refuse_unusable(options: ModelOptions, device: str) -> None:
    """Refuse a type or device that lm-eval would look up too late, or replace by the CPU without a word."""
    import torch

    if options.max_memory is not None and options.model != TREE:
        raise UsageError(
            "--max_memory", f"says nothing to the model {options.model}", "leave it out, or use --model tree"
        )

    dtype = options.arguments.get("dtype", "auto")
    if isinstance(dtype, str) and dtype != "auto" and not isinstance(getattr(torch, dtype, None), torch.dtype):
        raise UsageError(f"--model_args dtype={dtype}", "is no torch type", "write dtype=bfloat16 or another one")
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"--device {device}", "is no torch device", "write cpu, cuda, cuda:1 or mps") from error
    count = torch.cuda.device_count()
    if wanted.type == "cuda" and (wanted.index or 0) >= count:
        reason = f"is not there (CUDA devices here: {count})"
        raise UnavailableError(f"Device {device}", reason, "leave out --device, or name one that is there")


def largest_batch(batch_size: str) -> int:
    """The number that ``--batch_size`` stands for.

    Raises:
        UsageError: It is neither a positive number nor ``auto``.
    """
    if batch_size == "auto":
        return AUTO_BATCH
    if not batch_size.isdigit() or int(batch_size) < 1:
        raise UsageError(f"--batch_size {batch_size}", "is neither a positive number nor auto", "correct it")
    return int(batch_size)


def model_class(name: str) -> Any:
    """The class that answers under an lm-eval model name; nothing is loaded.

    Raises:
        UsageError: lm-eval knows no such name; the message has the nearest ones.
    """
    import lm_eval.models  # noqa: F401 - fills the registry
    from lm_eval.api.registry import get_model, model_registry

    import harness.engines.tree  # noqa: F401 - adds ours

    try:
        return get_model(name)
    except ValueError as error:
        close = difflib.get_close_matches(name, list(model_registry.keys()), n=3, cutoff=0.5)
        hint = f"did you mean {', '.join(close)}?" if close else "see harness ls models"
        raise UsageError(f"Model {name!r}", "is not known to lm-eval", hint) from error


def _load_plain(options: ModelOptions, device: str) -> LoadedModel:
    lm = model_class(options.model).create_from_arg_obj(dict(options.arguments), {**_extra(options), "device": device})
    if getattr(lm, "world_size", 1) > 1:
        raise UsageError(f"Model {options.model}", "was launched on several ranks", "start one process per checkpoint")
    if options.model in HF_MODELS:
        refuse_nan(lm.model, str(options.arguments.get("pretrained")))
    return _loaded(lm, options)


def _extra(options: ModelOptions) -> dict[str, Any]:
    """What lm-eval's model classes get beside the user's arguments."""
    extra: dict[str, Any] = {"batch_size": largest_batch(options.batch_size)}
    if options.max_memory is not None:
        extra["max_memory"] = options.max_memory
    return extra


def _loaded(lm: Any, options: ModelOptions, notes: Sequence[str] = ()) -> LoadedModel:
    return LoadedModel(
        lm=lm,
        batch=largest_batch(options.batch_size),
        planned=options.batch_size == "auto",
        shares=options.model == TREE and lm.stock_because is None,
        notes=list(notes),
    )


def _load_merged(options: ModelOptions, device: str, base: Base | None) -> LoadedModel:
    from harness.engines.adapters import merge_adapter

    merged = merge_adapter(options.arguments, base)
    lm = model_class(options.model)(
        pretrained=merged.model.to(device), tokenizer=merged.tokenizer, **_extra(options), **merged.rest
    )
    note = f"adapter merged in memory; largest relative logit difference to unmerged {merged.difference:.2g}"
    return replace(_loaded(lm, options, [note]), base=merged.base)


def refuse_nan(model: Any, name: str) -> None:
    """Refuse weights that are no numbers.

    Raises:
        CheckpointError: A weight is NaN or infinite.
    """
    import torch

    for parameter, values in model.named_parameters():
        if values.is_floating_point() and values.device.type != "meta" and not bool(torch.isfinite(values).all()):
            raise CheckpointError(
                f"Checkpoint {name}",
                f"has NaN or infinite weights in {parameter}",
                "save it again from a healthy step",
            )


def probe_logits(model: Any, tokenizer: Any) -> list[Any]:
    """Logits of a few fixed prompts, in float32 on the CPU."""
    import torch

    with torch.no_grad():
        return [
            model(torch.tensor([tokenizer.encode(probe)], device=model.device)).logits.float().cpu()
            for probe in _PROBES
        ]


def largest_difference(first: Sequence[Any], second: Sequence[Any]) -> float:
    """Largest difference of two lists of logits, relative to the largest logit of the first."""
    pairs = zip(first, second, strict=True)
    return max(float((a - b).abs().max() / a.abs().max().clamp(min=1e-9)) for a, b in pairs)


def as_load_error(options: ModelOptions, error: Exception) -> HarnessError:
    """What a backend raised while it loaded a checkpoint, as an error that names the checkpoint and a next step."""
    if isinstance(error, HarnessError):
        return error
    name = f"Checkpoint {options.arguments.get('pretrained') or options.model}"
    reason = first_line(error)
    if is_out_of_memory(error):
        return UnavailableError(name, "does not fit into memory", "use a smaller dtype or another device")
    if "cuda" in reason.lower() or "device" in reason.lower():
        return UnavailableError(name, f"cannot use the device ({reason})", "pass --device cpu, or free the device")
    if isinstance(error, OSError) and "tokenizer" in str(error).lower():
        return CheckpointError(name, "has no tokenizer", "add tokenizer=... to --model_args")
    if isinstance(error, (ConnectionError, TimeoutError)):
        return UnavailableError(name, f"does not answer ({reason})", "check the endpoint or the network and run again")
    if isinstance(error, OSError) and os.environ.get("HF_HUB_OFFLINE"):
        return MissingInputError(name, "is not on this machine and the hub is switched off", "unset HF_HUB_OFFLINE")
    if isinstance(error, OSError):
        return MissingInputError(name, f"cannot be loaded ({reason})", "check the name and the network")
    return CheckpointError(name, f"cannot be loaded ({type(error).__name__}: {reason})", "check its files")
