"""What a tuning recipe may say: strict YAML in, frozen settings out.

The defaults of ``lora`` are those of the IEPile README (rank 16, alpha 32, dropout 0.05, learning rate 5e-5, gradient
norm 0.5; arXiv 2402.14710). They suit instruction data of this kind; they are not Hum's set-up, which is not public.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, TypeVar

from pydantic import Field, model_validator

from synth.recipe import Settings, read_settings

S = TypeVar("S", bound=Settings)


class LoraSettings(Settings):
    """The adapter.

    Attributes:
        rank: Rank of the update.
        alpha: Its scale; the update is multiplied by alpha / rank.
        dropout: Dropout before it.
        targets: Names of the modules that get one; ``all-linear`` for every linear layer but the head.
    """

    rank: int = Field(16, ge=1)
    alpha: int = Field(32, ge=1)
    dropout: float = Field(0.05, ge=0, lt=1)
    targets: str | tuple[str, ...] = "all-linear"


class TuningRecipe(Settings):
    """Supervised fine-tuning on an instruction file.

    Attributes:
        data: A corpus folder (``train-*``, ``dev-*``), or a file of JSON lines or parquet, with ``prompt`` and
            ``completion`` or with ``messages``.
        dev: Data that the loss is measured on beside; None for the corpus folder's own.
        template: ``plain`` for prompt and completion as they are, ``chat`` for the tokenizer's chat template.
        max_length: Longest prompt with completion, in tokens; longer rows are left out and counted.
        packing: Put several rows into one sequence.
        epochs: Passes over the data.
        steps: Optimiser steps instead of epochs.
        rows: Rows at most, a seeded sample: several recipes can be trained at one size.
        learning_rate: Peak learning rate.
        schedule: Schedule after the warm-up.
        warmup: Share of the steps that warm up.
        weight_decay: Weight decay of AdamW.
        max_grad_norm: Gradient norm that is clipped to.
        batch: Rows per device and step.
        accumulation: Steps whose gradients are added before the optimiser moves.
        dtype: Type that is computed in; ``auto`` is bfloat16 where the device has it, else float32. What is trained
            is kept in float32 either way, and a base under an adapter in this type; so is the checkpoint.
        save_steps: Steps between resumable states; None for ten in a run.
        score_saves: Suites on which every state is to be scored; the training queues it for ``harness run --queue``.
        seed: Seed of order, dropout and adapter.
        lora: The adapter, for the producer ``lora``.
        accelerate: Configuration file of accelerate (FSDP2, ZeRO, several processes); None trains in this process.
    """

    data: Path
    dev: Path | None = None
    template: Literal["plain", "chat"] = "plain"
    max_length: int = Field(1024, ge=8)
    packing: bool = False
    epochs: float = Field(1.0, gt=0)
    steps: int | None = Field(None, ge=1)
    rows: int | None = Field(None, ge=1)
    learning_rate: float = Field(5e-5, gt=0)
    schedule: Literal["linear", "cosine", "constant_with_warmup"] = "linear"
    warmup: float = Field(0.03, ge=0, lt=1)
    weight_decay: float = Field(0.0, ge=0)
    max_grad_norm: float = Field(0.5, gt=0)
    batch: int = Field(8, ge=1)
    accumulation: int = Field(1, ge=1)
    dtype: Literal["auto", "float32", "bfloat16"] = "auto"
    save_steps: int | None = Field(None, ge=1)
    score_saves: tuple[str, ...] = ()
    seed: int = 0
    lora: LoraSettings = LoraSettings()
    accelerate: Path | None = None

    @property
    def shaping(self) -> dict[str, Any]:
        """The settings that shape what is trained, whatever it is trained on and whoever watches."""
        return self.model_dump(mode="json", exclude={"data", "dev", "accelerate", "score_saves"})


class SynthLoraRecipe(Settings):
    """A corpus and the training on it.

    Attributes:
        corpus: A recipe of ``synth``.
        training: A recipe of ``lora`` without ``data``.
    """

    corpus: dict[str, Any]
    training: dict[str, Any]


class MergeRecipe(Settings):
    """An adapter that is merged into its base.

    Attributes:
        adapter: Folder of the adapter.
    """

    adapter: Path


class ImportRecipe(Settings):
    """A checkpoint or an adapter that was made elsewhere; exactly one of them.

    Attributes:
        checkpoint: Folder of a checkpoint.
        adapter: Folder of an adapter of the base.
        note: How it was made, in words; it enters the manifest.
    """

    checkpoint: Path | None = None
    adapter: Path | None = None
    note: str = ""

    @property
    def folder(self) -> Path:
        """The one that is named."""
        return self.checkpoint or self.adapter or Path()

    @model_validator(mode="after")
    def _one(self) -> ImportRecipe:
        if (self.checkpoint is None) == (self.adapter is None):
            raise ValueError("name a checkpoint or an adapter, one of them")
        return self


class CommandRecipe(Settings):
    """A trainer of another project, run in its own environment.

    Attributes:
        command: Program and arguments; ``{base}``, ``{out}``, ``{data}`` and ``{seed}`` are filled in.
        data: What ``{data}`` stands for; it is hashed.
        seed: What ``{seed}`` stands for.
        environment: Variables that are set beside those of this process.
        result: Folder below ``{out}`` where the trainer leaves a checkpoint or an adapter.
        timeout_s: Seconds after which the trainer is stopped; None for never.
    """

    command: tuple[str, ...] = Field(min_length=1)
    data: Path | None = None
    seed: int = 0
    environment: dict[str, str] = Field(default_factory=dict)
    result: str = "."
    timeout_s: float | None = Field(None, gt=0)


def read(kind: type[S], path: Path) -> S:
    """The settings of a YAML file; relative paths in it are relative to the file.

    Raises:
        MissingInputError: The file is not there.
        DataError: A key or value is wrong.
    """
    return below(read_settings(kind, path), path.parent)


def below(settings: S, folder: Path) -> S:
    """Settings whose relative paths start at a folder."""
    paths = {name: value for name, value in settings if isinstance(value, Path)}
    return settings.model_copy(update={name: folder / value for name, value in paths.items()})
