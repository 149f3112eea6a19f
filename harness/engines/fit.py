"""Whether a checkpoint fits: its prompts into its context, its weights and batches into memory, no weights loaded.

The model is built from its configuration alone on torch's ``meta`` device, which holds shapes and no numbers, and
handed to lm-eval's own class, so that prompts are tokenised and wrapped exactly as a run does it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.engines.batches import plan_batches
from harness.engines.items import Item
from harness.engines.models import TREE, LoadedModel, ModelOptions, as_load_error, default_device, largest_batch
from harness.engines.tree.support import unsupported

_NOT_FOR_THE_OUTLINE = (
    "pretrained", "peft", "dtype", "revision", "trust_remote_code", "tokenizer", "backend", "max_memory",
)  # fmt: skip
_DEFAULT_OUTPUT = 256
"""Tokens that lm-eval lets a generation have where its card does not say."""


@dataclass(frozen=True)
class Memory:
    """Bytes that a run needs at its largest batch, and that are free.

    Attributes:
        weights: Parameters in the type that they are loaded in.
        cache: Keys and values of the largest batch.
        logits: Two float32 copies of the largest batch's logits; of the tree, the rows of one forward pass.
        free: Free memory of the device.
        device: Its name.
    """

    weights: int
    cache: int
    logits: int
    free: int
    device: str

    @property
    def needed(self) -> int:
        """The sum of the three."""
        return self.weights + self.cache + self.logits


def outline(options: ModelOptions) -> LoadedModel:
    """A model that can wrap and tokenise prompts and knows its context, without its weights.

    Raises:
        CheckpointError: Configuration or tokenizer cannot be read.
        MissingInputError: They are not there.
        UsageError: An argument is wrong.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSeq2SeqLM, AutoTokenizer

    arguments = dict(options.arguments)
    name = str(arguments.get("pretrained"))
    loading: dict[str, Any] = {key: arguments[key] for key in ("revision", "trust_remote_code") if key in arguments}
    batch = largest_batch(options.batch_size)
    try:
        from lm_eval.models.huggingface import HFLM

        config = AutoConfig.from_pretrained(name, **loading)
        tokenizer = AutoTokenizer.from_pretrained(str(arguments.get("tokenizer") or name), **loading)
        dtype = _dtype(arguments.get("dtype"), config)
        family = AutoModelForSeq2SeqLM if config.is_encoder_decoder else AutoModelForCausalLM
        with torch.device("meta"):
            model = family.from_config(config, dtype=dtype, **_trust(loading))
        rest = {key: value for key, value in arguments.items() if key not in _NOT_FOR_THE_OUTLINE}
        lm = HFLM(pretrained=model, tokenizer=tokenizer, batch_size=batch, **rest)
        shares = options.model == TREE and unsupported(model, tokenizer, arguments) is None
    except Exception as error:  # transformers raises its own; the user must learn which checkpoint
        raise as_load_error(options, error) from error
    return LoadedModel(lm=lm, batch=batch, planned=options.batch_size == "auto", shares=shares)


def memory(
    model: LoadedModel, items: Mapping[str, Sequence[Item]], device: str | None, max_memory: str | None = None
) -> Memory:
    """Estimate the memory of a run.

    ``weights = parameters x bytes of their type``. Of the planned batches, each of ``B`` rows whose longest request has
    ``T`` tokens (at most the context), the largest decides:

    - ``cache = 2 x layers x key-value heads x head size x B x T x bytes of the type``
    - ``logits = 2 x B x T x vocabulary x 4``: the logits and their log-softmax in float32.

    The tree keeps one path of keys and values, of the longest request, and projects few rows onto the vocabulary; its
    own plan (``tree/plan.py``) is what it will do. Activations and the allocator's reserve come on top; an estimate
    that does not fit will not fit.

    Args:
        model: From ``outline``.
        items: Items per task name.
        device: Torch device, or None for CUDA where there is one.
        max_memory: What the tree may take beside the weights.

    Raises:
        UnavailableError: The tree cannot do with the memory that there is.
    """
    place = device or default_device()
    cache, logits = _tree_memory(model, items, place, max_memory) if model.shares else _stock_memory(model, items)
    parameters = model.lm.model.parameters()
    weights = sum(values.numel() * values.dtype.itemsize for values in parameters)
    return Memory(weights=weights, cache=cache, logits=logits, free=free_bytes(place), device=place)


def _stock_memory(model: LoadedModel, items: Mapping[str, Sequence[Item]]) -> tuple[int, int]:
    config = model.lm.model.config.get_text_config()
    size = next(model.lm.model.parameters()).dtype.itemsize
    heads = getattr(config, "num_key_value_heads", None) or config.num_attention_heads
    head = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    batches = [batch for members in items.values() for batch in plan_batches(members, model)]
    largest = max(batches, key=lambda batch: len(batch) * batch[0].longest, default=[])
    tokens = len(largest) * max((_tokens(model, item) for item in largest), default=0)
    return 2 * config.num_hidden_layers * heads * head * tokens * size, 2 * tokens * config.vocab_size * 4


def _tree_memory(
    model: LoadedModel, items: Mapping[str, Sequence[Item]], device: str, max_memory: str | None
) -> tuple[int, int]:
    import torch

    from harness.engines.tree.plan import parse_bytes, plan_memory  # it asks this module what is free

    longest = max((item for members in items.values() for item in members), key=lambda item: item.longest, default=None)
    tokens = _tokens(model, longest) if longest is not None else 1
    plan = plan_memory(model.lm.model, torch.device(device), tokens, parse_bytes(max_memory))
    return plan.path_bytes, plan.rows * plan.row_bytes


def free_bytes(device: str) -> int:
    """Bytes that are free on a device; for the CPU the memory that is available without swapping."""
    if device.startswith("cuda"):
        import torch

        return int(torch.cuda.mem_get_info(device)[0])
    meminfo = Path("/proc/meminfo")
    if meminfo.is_file():
        lines = dict(line.split(":", 1) for line in meminfo.read_text(encoding="ascii").splitlines() if ":" in line)
        if "MemAvailable" in lines:  # counts what the page cache can give back, which sysconf does not
            return int(lines["MemAvailable"].split()[0]) * 1024
    pages = "SC_AVPHYS_PAGES" if "SC_AVPHYS_PAGES" in os.sysconf_names else "SC_PHYS_PAGES"
    return int(os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE"))


def _tokens(model: LoadedModel, item: Item) -> int:
    """Tokens of an item's longest request with its answer, at most the context."""
    longest = 0
    for instance in item.instances:
        texts = [part for part in instance.args if isinstance(part, str)]
        settings = instance.args[1] if len(instance.args) > 1 and isinstance(instance.args[1], dict) else None
        answer = int(settings.get("max_gen_toks", _DEFAULT_OUTPUT)) if settings is not None else 0
        longest = max(longest, len(model.lm.tok_encode("".join(texts))) + answer)
    return min(longest, model.max_length or longest)


def _dtype(named: Any, config: Any) -> Any:
    import torch

    if named in (None, "auto"):
        return getattr(config, "dtype", None) or torch.float32
    return getattr(torch, str(named)) if isinstance(named, str) else named


def _trust(loading: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in loading.items() if key == "trust_remote_code"}
