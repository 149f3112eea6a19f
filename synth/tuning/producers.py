"""The producers of this project, through the door that every package has: ``produce(base, recipe, out) -> Checkpoint``.

What each leaves in the folder is a checkpoint that lm-eval loads as it is (``config.json``, weights, tokenizer), an
``adapter/`` where there is one, ``training/`` where something was trained, and ``production.json`` with what it knows
of the making.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.errors import DataError, MissingInputError, first_line
from harness.nouns import Checkpoint
from harness.queue import QUEUE
from harness.show import stderr
from synth.recipe import Recipe, Settings, settings_of
from synth.records import digest
from synth.tuning.adopting import adopt, copy, file_digest, merge
from synth.tuning.external import run as run_command
from synth.tuning.faults import explained
from synth.tuning.recipe import (
    CommandRecipe,
    ImportRecipe,
    MergeRecipe,
    SynthLoraRecipe,
    TuningRecipe,
    below,
    read,
)

PRODUCTION, TRAINING, CORPUS = "production.json", "training", "corpus"


class Null:
    """The base itself: the row that every other is compared with."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        read(Settings, recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """A copy of the base."""
        read(Settings, recipe)
        copy(_folder(base), out)
        return _made("null", out, {})


class Lora:
    """A LoRA adapter trained by TRL, and its merge."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        read(TuningRecipe, recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The merged checkpoint; the adapter lies beside it in ``adapter/``."""
        return _made("lora", out, _trained(base, read(TuningRecipe, recipe), out, adapter=True))


class Full:
    """Every weight trained by TRL."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        read(TuningRecipe, recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The trained checkpoint."""
        return _made("full", out, _trained(base, read(TuningRecipe, recipe), out, adapter=False))


class SynthLora:
    """A corpus made by ``synth`` and a LoRA adapter trained on it, in one recipe."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        _parts(recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The merged checkpoint; the corpus lies beside it in ``corpus/``."""
        from synth.producer import Synth

        corpus, training = _parts(recipe)
        training = training.model_copy(update={"data": (out / CORPUS / CORPUS).resolve()})
        with explained(f"Folder {out}"):
            out.mkdir(parents=True, exist_ok=True)
            (out / "corpus.yaml").write_text(corpus.model_dump_json(indent=1) + "\n", encoding="utf-8")
        made = Synth().produce(base, out / "corpus.yaml", out / CORPUS)
        facts = _trained(base, below(training, recipe.parent), out, adapter=True)
        told = json.loads((out / CORPUS / PRODUCTION).read_text(encoding="utf-8"))
        return _made("synth+lora", out, {**facts, "corpus": {"digest": made.digests["corpus"], **told}})


class Merge:
    """An adapter merged into its base."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        read(MergeRecipe, recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The merged checkpoint, with a copy of the adapter."""
        merge(base, read(MergeRecipe, recipe).adapter, out)
        return _made("merge", out, {})


class Import:
    """A checkpoint or an adapter that was made elsewhere."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        read(ImportRecipe, recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """A copy of the checkpoint, or the adapter merged into the base."""
        settings = read(ImportRecipe, recipe)
        adopt(base, settings.folder, out)
        return _made("import", out, {"note": settings.note})


class Command:
    """A trainer of another project in its own environment: LLaMA-Factory, axolotl, a script."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong."""
        read(CommandRecipe, recipe)

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """What the command left below the folder, adopted as a checkpoint."""
        settings = read(CommandRecipe, recipe)
        data = {"data": {"digest": _content(settings.data)}} if settings.data else {}
        work = (out / TRAINING).resolve()
        run_command(settings, base, work)
        adopt(base, work / settings.result, out)
        config = settings.model_dump(mode="json", exclude={"data", "environment"})
        variables = sorted(settings.environment)  # their values may be secrets
        return _made("command", out, {"config": {**config, "environment": variables}, "seed": settings.seed, **data})


def _parts(recipe: Path) -> tuple[Recipe, TuningRecipe]:
    """Corpus and training of a recipe for both; where the data will lie is not known to it.

    Raises:
        DataError: A part is wrong.
    """
    parts = read(SynthLoraRecipe, recipe)
    corpus = settings_of(Recipe, parts.corpus, f"Recipe {recipe}, corpus")
    if "data" in parts.training:
        raise DataError(f"Recipe {recipe}", "names data, which is the corpus that is made", "leave data out")
    return corpus, settings_of(TuningRecipe, {**parts.training, "data": CORPUS}, f"Recipe {recipe}, training")


def _trained(base: str, settings: TuningRecipe, out: Path, adapter: bool) -> dict[str, Any]:
    """Train and bring the result into the folder; what the manifest says of it."""
    from synth.tuning.processes import run
    from synth.tuning.train import RESULT, Job

    if settings.score_saves:
        command = f"harness run --queue {out / TRAINING / QUEUE} --follow"
        stderr().print(f"states are queued; to score them, in another shell: {command}", soft_wrap=True, markup=False)
    facts = run(Job(base, settings, out / TRAINING, adapter))
    if adapter:
        merge(base, out / TRAINING / RESULT, out, facts["dtype"])
    else:
        copy(out / TRAINING / RESULT, out)
    return {"config": settings.shaping, "seed": settings.seed, **facts}


def _made(producer: str, out: Path, facts: Mapping[str, Any]) -> Checkpoint:
    """The checkpoint in a folder; what is known of its making goes into ``production.json``."""
    with explained(f"Folder {out}"):
        (out / PRODUCTION).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    digests = {name: facts[name]["digest"] for name in ("data", "corpus") if name in facts}
    return Checkpoint(model="hf", reference=out.name, producer=producer, digests=digests)


def _folder(base: str) -> Path:
    """The folder of a base, downloaded where it is a hub id."""
    if Path(base).is_dir():
        return Path(base)
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(base))
    except (OSError, ValueError) as error:
        raise MissingInputError(
            f"Base {base}", f"cannot be had ({first_line(error)})", "check its name and the network"
        ) from error


def _content(path: Path) -> str:
    """SHA-256 over the files of a folder, or of one file.

    Raises:
        MissingInputError: There is none.
    """
    files = sorted(one for one in path.rglob("*") if one.is_file()) if path.is_dir() else [path]
    if not path.exists():
        raise MissingInputError(f"Data {path}", "is not there", "correct data")
    return digest({str(file.relative_to(path)): file_digest(file) for file in files})
