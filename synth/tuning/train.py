"""Supervised fine-tuning by TRL, with what TRL loses in silence counted before and what a kill leaves continued.

Rows come tokenized (``synth.tuning.data``), so that what is counted is what is trained on. A state is whole once its
``trainer_state.json`` is: the trainer writes that file last. From the state of the last step it would train one step
more than asked, so a training that was killed there goes on at the state before, and a finished one is not resumed.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from harness.errors import DataError
from harness.queue import Queue
from synth.records import digest
from synth.tuning.adopting import file_digest
from synth.tuning.data import Cut, Rows, find, read
from synth.tuning.faults import explained
from synth.tuning.head import answers_only
from synth.tuning.loading import context, load_config, load_model, load_tokenizer, refuse_leaks
from synth.tuning.recipe import TuningRecipe
from synth.tuning.saves import close_queue, queueing
from synth.tuning.watch import LOG, Counted, say, watcher

RESULT = "result"
"""Folder of what was trained, below the training folder: the adapter, or the whole model."""

FACTS = "facts.json"
"""What is known of a finished training."""

_STATES, _BEGUN = "states", "begun"


@dataclass(frozen=True, slots=True)
class Job:
    """A training.

    Attributes:
        base: Folder or hub id.
        recipe: Settings.
        folder: Where states, log, plot and result go.
        adapter: Train a LoRA adapter instead of every weight.
    """

    base: str
    recipe: TuningRecipe
    folder: Path
    adapter: bool


def train(job: Job, tell: Callable[[Counted], None] = say) -> Mapping[str, Any]:
    """Train a base on a recipe's data, on from the last whole state; what was trained is left in ``result/``.

    Args:
        job: The training.
        tell: Is given what was counted, before anything is trained.

    Returns:
        What the manifest says: rows, tokens, steps, losses.

    Raises:
        CheckpointError: The base has no tokenizer, or its template does not allow the recipe.
        DataError: The data, the loss or what the folder holds does not allow training.
        StoreError: A state cannot be written; run the same command again to continue.
        UnavailableError: Memory does not suffice.
    """
    tokenizer = load_tokenizer(job.base)
    limit = min(job.recipe.max_length, context(load_config(job.base)) or job.recipe.max_length)
    rows = read(_files(job.recipe), tokenizer, job.recipe.template, Cut(limit, job.recipe.rows, job.recipe.seed))
    dev = _dev(job.recipe, tokenizer, limit)
    with explained("The training"):
        state = _begin(job, rows)
        if not (job.folder / FACTS).is_file():
            if is_first():
                tell(Counted(rows.facts, limit, state.name if state else None))
            trainer = _trainer(job, tokenizer, (rows.rows, dev.rows if dev else None), limit)
            told = {name: dict(found.facts) for name, found in (("data", rows), ("dev", dev)) if found}
            facts = {**told, **_train(trainer, job, state)}
            if is_first():
                _finish(job.folder, facts)
            return facts
    return dict(json.loads((job.folder / FACTS).read_text(encoding="utf-8")))


def _train(trainer: Any, job: Job, state: Path | None) -> dict[str, Any]:
    """Train to the end and save the result; steps, tokens and losses."""
    trainable = sum(values.numel() for values in trainer.model.parameters() if values.requires_grad)
    dtype = str(trainer.model.dtype).removeprefix("torch.")
    watch = watcher(job.folder)
    trainer.add_callback(watch)
    if job.recipe.score_saves:
        trainer.add_callback(queueing(job.folder, _queue(job, dtype), job.folder / _STATES))
    try:
        with answers_only():
            trainer.train(resume_from_checkpoint=str(state) if state else None)
    finally:
        watch.close()
    kept = trainer.accelerator.unwrap_model(trainer.model).config
    if hasattr(kept, "use_cache"):
        kept.use_cache = load_config(job.base).use_cache  # TRL switches it off; without it generation is slow
    if trainer.is_fsdp_enabled:
        trainer.accelerator.state.fsdp_plugin.set_state_dict_type("FULL_STATE_DICT")
    trainer.save_model(str(job.folder / RESULT))
    return {
        "steps": trainer.state.global_step,
        "resumed_at": _step(state) if state else None,
        "tokens_seen": trainer.state.num_input_tokens_seen,
        "trainable": trainable,
        "dtype": dtype,
        "versions": {"trl": version("trl")},
        **_losses(trainer.state.log_history),
    }


def _queue(job: Job, dtype: str) -> Queue:
    base = str(Path(job.base).resolve()) if Path(job.base).is_dir() else job.base
    like = {"dtype": dtype} if job.adapter else {}  # as it is merged in the end; a whole state says its own
    return Queue(job.recipe.score_saves, {"pretrained": base, **like}, job.adapter)


def _finish(folder: Path, facts: Mapping[str, Any]) -> None:
    """Write down what is known; the states, which are larger than the result, have served."""
    close_queue(folder)
    temporary = folder / f"{FACTS}.partial"
    temporary.write_text(json.dumps(facts, indent=1) + "\n", encoding="utf-8")
    temporary.replace(folder / FACTS)
    shutil.rmtree(folder / _STATES)


def _losses(history: list[Mapping[str, float]]) -> dict[str, float]:
    """First and last loss of the training and of the dev split."""
    found: dict[str, float] = {}
    for name in ("loss", "eval_loss"):
        if values := [row[name] for row in history if name in row]:
            found |= {f"first_{name}": values[0], f"last_{name}": values[-1]}
    return found


def _begin(job: Job, rows: Rows) -> Path | None:
    """The last whole state of this very training, None where it is new.

    Raises:
        DataError: The folder holds another training.
    """
    this = {
        "recipe": job.recipe.shaping,
        "data": rows.facts["digest"],
        "base": _base_digest(job.base),
        "adapter": job.adapter,
    }
    mark = job.folder / _BEGUN
    if mark.is_file() and mark.read_text(encoding="utf-8") != digest(this):
        raise DataError(
            f"Folder {job.folder}", "holds a training with another recipe, base or data",
            "name another folder, or remove it",
        )  # fmt: skip
    states = sorted((path for path in (job.folder / _STATES).glob("checkpoint-*") if _can_go_on(path)), key=_step)
    if is_first():
        job.folder.mkdir(parents=True, exist_ok=True)
        mark.write_text(digest(this), encoding="utf-8")
        if not states:
            (job.folder / LOG).unlink(missing_ok=True)
    return states[-1] if states else None


def _base_digest(base: str) -> str:
    folder = Path(base)
    if not folder.is_dir():
        return base
    parts = (*folder.glob("*.safetensors"), *folder.glob("*.bin"), folder / "config.json")
    return digest({path.name: file_digest(path) for path in parts})


def _can_go_on(state: Path) -> bool:
    """Whether a state is whole and not that of the last step."""
    try:
        told = json.loads((state / "trainer_state.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return bool(told["global_step"] < told["max_steps"])


def _step(state: Path) -> int:
    return int(state.name.rpartition("-")[2])


def is_first() -> bool:
    """Whether this is the only process, or the first of several."""
    return os.environ.get("RANK", "0") == "0"


def _trainer(job: Job, tokenizer: Any, data: tuple[Any, Any], limit: int) -> Any:
    from peft import LoraConfig
    from transformers import PrinterCallback, set_seed
    from trl import SFTTrainer

    rows, dev = data
    arguments = _arguments(job, dev is not None, limit)
    set_seed(job.recipe.seed)
    model = load_model(job.base, "bfloat16" if arguments.bf16 and job.adapter else "float32")
    if job.recipe.packing:
        refuse_leaks(model, rows)
    settings = job.recipe.lora
    lora = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.alpha,
        lora_dropout=settings.dropout,
        target_modules=settings.targets if isinstance(settings.targets, str) else list(settings.targets),
        task_type="CAUSAL_LM",
    )
    trainer = SFTTrainer(
        model=model,
        args=arguments,
        train_dataset=rows,
        eval_dataset=dev,
        processing_class=tokenizer,
        peft_config=lora if job.adapter else None,
    )
    trainer.remove_callback(PrinterCallback)  # stdout is for results
    return trainer


def _arguments(job: Job, dev: bool, limit: int) -> Any:
    import torch
    from trl import SFTConfig

    recipe = job.recipe
    on_cpu = not torch.cuda.is_available()
    able = not on_cpu and torch.cuda.is_bf16_supported()
    return SFTConfig(
        output_dir=str(job.folder / _STATES),
        per_device_train_batch_size=recipe.batch,
        per_device_eval_batch_size=recipe.batch,
        gradient_accumulation_steps=recipe.accumulation,
        num_train_epochs=recipe.epochs,
        max_steps=recipe.steps or -1,
        learning_rate=recipe.learning_rate,
        lr_scheduler_type=recipe.schedule,
        warmup_steps=recipe.warmup,  # below 1: a share of the steps
        weight_decay=recipe.weight_decay,
        max_grad_norm=recipe.max_grad_norm,
        max_length=limit,
        packing=recipe.packing,
        eval_packing=False,
        eval_strategy="epoch" if dev else "no",
        save_steps=recipe.save_steps or 0.1,
        save_total_limit=2,
        logging_steps=0.02,
        logging_nan_inf_filter=False,  # it would hide a NaN loss behind the mean of the others
        include_num_input_tokens_seen="non_padding",
        seed=recipe.seed,
        data_seed=recipe.seed,
        bf16=recipe.dtype == "bfloat16" or (recipe.dtype == "auto" and able),
        use_cpu=on_cpu,
        dataloader_pin_memory=not on_cpu,
        gradient_checkpointing=None,
        report_to=[],
        disable_tqdm=True,
        log_level="error",
    )


def _files(recipe: TuningRecipe) -> list[Path]:
    found = find(recipe.data, "train")
    if not found:
        raise DataError(f"Data {recipe.data}", "holds no train-*.jsonl or .parquet", "run harness synth mix first")
    return found


def _dev(recipe: TuningRecipe, tokenizer: Any, limit: int) -> Rows | None:
    named = recipe.dev or (recipe.data if recipe.data.is_dir() else None)
    files = find(named, "dev") if named is not None else []
    return read(files, tokenizer, recipe.template, Cut(limit)) if files else None
