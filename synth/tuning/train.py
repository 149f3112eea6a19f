"""Supervised fine-tuning by TRL, with what TRL loses in silence counted before and what a kill leaves continued.

TRL 1.16 appends the end token to plain rows, masks the prompt, truncates to ``max_length`` and then drops rows that are
fully masked; rows that long have been left out before (``synth.tuning.data``), so nothing is dropped there.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from harness.errors import CheckpointError, DataError, HarnessError, StoreError, UnavailableError
from synth.tuning.data import Rows, find, read, sampled
from synth.tuning.recipe import TuningRecipe
from synth.tuning.watch import LOG, watcher

STATES = "states"
"""Folder of resumable states below the training folder."""


@dataclass(frozen=True, slots=True)
class Trained:
    """A model after training.

    Attributes:
        model: The model; with an adapter, PEFT's.
        tokenizer: Its tokenizer.
        facts: What the manifest says: rows, tokens, steps, losses.
    """

    model: Any
    tokenizer: Any
    facts: Mapping[str, Any]


def train(base: str, recipe: TuningRecipe, folder: Path, adapter: bool) -> Trained:
    """Train a base on a recipe's data; continue where a killed call left a state.

    Args:
        base: Folder or hub id.
        recipe: Settings.
        folder: Where states, log and plot go.
        adapter: Train a LoRA adapter instead of every weight.

    Raises:
        CheckpointError: The base has no tokenizer, or its template or attention does not allow the recipe.
        DataError: The data or the loss does not allow training.
        StoreError: The disk is full; run the same command again to continue.
        UnavailableError: Memory does not suffice.
    """
    tokenizer, model = load(base, recipe.dtype, recipe.seed)
    rows = read(_files(recipe, "train"), tokenizer, _limit(recipe, model), recipe.template)
    dev = _dev(recipe, tokenizer, model)
    _refuse_template(recipe, tokenizer)
    folder.mkdir(parents=True, exist_ok=True)
    with _explained():
        trainer = _trainer(model, tokenizer, (rows, dev), recipe, folder, adapter)
        states = sorted((folder / STATES).glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
        if not states:
            (folder / LOG).unlink(missing_ok=True)
        trainer.train(resume_from_checkpoint=str(states[-1]) if states else None)
    history = [row for row in trainer.state.log_history if "loss" in row]
    facts = {
        "data": rows.facts(),
        "steps": trainer.state.global_step,
        "first_loss": history[0]["loss"] if history else None,
        "last_loss": history[-1]["loss"] if history else None,
        "tokens_seen": int(trainer.state.num_input_tokens_seen or history[-1].get("num_tokens", 0)),
        "resumed_at": int(states[-1].name.split("-")[1]) if states else None,
        "trainable": sum(values.numel() for values in trainer.model.parameters() if values.requires_grad),
    }
    return Trained(trainer.accelerator.unwrap_model(trainer.model), tokenizer, facts)


def load(base: str, dtype: str, seed: int) -> tuple[Any, Any]:
    """Tokenizer and model of a base, with everything random seeded.

    Args:
        base: Folder or hub id.
        dtype: ``auto``, ``float32`` or ``bfloat16``.
        seed: Seed.

    Raises:
        CheckpointError: It has no tokenizer, no end token, or cannot be loaded.
        UnavailableError: Memory does not suffice.
    """
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

    set_seed(seed)
    try:
        tokenizer = AutoTokenizer.from_pretrained(base)
    except (OSError, ValueError, TypeError) as error:
        raise CheckpointError(f"Base {base}", "has no tokenizer that loads", "save one beside the weights") from error
    if tokenizer.eos_token is None:
        raise CheckpointError(f"Base {base}", "has a tokenizer without an end token", "set its eos_token")
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token  # padding is masked; the weights never see it
    wanted = {"float32": torch.float32, "bfloat16": torch.bfloat16}
    chosen = wanted.get(dtype) or (torch.bfloat16 if _has_bfloat16() else torch.float32)
    try:
        return tokenizer, AutoModelForCausalLM.from_pretrained(base, dtype=chosen)
    except (OSError, ValueError, RuntimeError) as error:
        raise CheckpointError(f"Base {base}", f"cannot be loaded ({_first_line(error)})", "check its files") from error


def _trainer(
    model: Any, tokenizer: Any, data: tuple[Rows, Any], recipe: TuningRecipe, folder: Path, adapter: bool
) -> Any:
    from peft import LoraConfig
    from transformers import PrinterCallback
    from trl import SFTTrainer

    rows, dev = data
    told = sampled(rows, recipe.rows, recipe.seed)
    tokens = (rows.prompt_tokens + rows.completion_tokens) * len(told) / len(rows.rows) * recipe.epochs
    targets = recipe.lora.targets
    lora = LoraConfig(
        r=recipe.lora.rank,
        lora_alpha=recipe.lora.alpha,
        lora_dropout=recipe.lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        task_type="CAUSAL_LM",
    )
    trainer = SFTTrainer(
        model=model,
        args=_arguments(recipe, folder, len(told), dev is not None),
        train_dataset=told,
        eval_dataset=dev,
        processing_class=tokenizer,
        peft_config=lora if adapter else None,
        callbacks=[watcher(folder, int(tokens))],
    )
    trainer.remove_callback(PrinterCallback)  # stdout is for results
    return trainer


def _arguments(recipe: TuningRecipe, folder: Path, rows: int, dev: bool) -> Any:
    import torch
    from trl import SFTConfig

    steps = recipe.steps or max(1, round(recipe.epochs * rows / (recipe.batch * recipe.accumulation)))
    on_cpu = not torch.cuda.is_available()
    return SFTConfig(
        output_dir=str(folder / STATES),
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulation,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.steps or -1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=round(recipe.warmup * steps),
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        max_length=recipe.max_length,
        packing=recipe.packing,
        eval_packing=False,
        eval_strategy="epoch" if dev else "no",
        save_steps=recipe.save_steps or max(1, steps // 10),
        save_total_limit=2,
        logging_steps=max(1, steps // 50),
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=False,  # the weights have the type that is trained in; autocast on top would hide it
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        gradient_checkpointing=False,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )


def _files(recipe: TuningRecipe, split: str) -> list[Path]:
    found = find(recipe.data, split)
    if not found:
        raise DataError(f"Data {recipe.data}", f"holds no {split}-*.jsonl or .parquet", "run harness synth mix first")
    return found


def _dev(recipe: TuningRecipe, tokenizer: Any, model: Any) -> Any:
    named = recipe.dev or (recipe.data if recipe.data.is_dir() else None)
    files = find(named, "dev") if named is not None else []
    return read(files, tokenizer, _limit(recipe, model), recipe.template).rows if files else None


def _limit(recipe: TuningRecipe, model: Any) -> int:
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return min(recipe.max_length, context) if context else recipe.max_length


def _refuse_template(recipe: TuningRecipe, tokenizer: Any) -> None:
    if recipe.template == "chat" and not tokenizer.chat_template:
        raise CheckpointError(
            "The base's tokenizer", "has no chat template", "use template: plain, or give it a chat_template"
        )


@contextmanager
def _explained() -> Iterator[None]:
    """Turn what the libraries raise into an error that says what to do; states stay for the next call."""
    try:
        yield
    except HarnessError:
        raise
    except OSError as error:
        raise StoreError(
            "A state of the training", f"cannot be written ({error.strerror or _first_line(error)})",
            "free space and run the same command again; it continues at the last whole state",
        ) from error  # fmt: skip
    except (RuntimeError, MemoryError) as error:
        text = _first_line(error)
        if "memory" in text.lower():
            raise UnavailableError(
                "The training", "does not fit into memory", "lower batch and raise accumulation"
            ) from error
        if "No space left" in str(error) or "write" in text.lower():
            raise StoreError(
                "A state of the training", f"cannot be written ({text})", "free space and run again"
            ) from error
        raise
    except ValueError as error:
        raise DataError("The training", f"is refused by TRL ({_first_line(error)})", _advice(str(error))) from error


def _advice(text: str) -> str:
    if "packing" in text.lower() or "attention" in text.lower() or "padding-free" in text.lower():
        return "use packing: false, or an attention implementation that packing supports"
    if "generation" in text:
        return "put {% generation %} marks around answers in the chat template, or use template: plain"
    return "correct the recipe"


@contextmanager
def quiet() -> Iterator[None]:
    """Silence notes of the libraries to each other, and their progress bars: the line here says what a user needs."""
    import datasets
    import transformers

    datasets.disable_progress_bars()
    transformers.utils.logging.disable_progress_bar()
    transformers.utils.logging.set_verbosity_error()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        yield


def _has_bfloat16() -> bool:
    import torch

    return bool(torch.cuda.is_available() and torch.cuda.is_bf16_supported())


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
