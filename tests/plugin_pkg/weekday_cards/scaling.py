"""A producer in a few lines: one tensor of the base, multiplied by a factor."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

from harness.errors import DataError, MissingInputError
from harness.nouns import Checkpoint


class Scaled:
    """Multiplies a tensor."""

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """A copy of the base whose tensor ``tensor`` is ``factor`` times as large."""
        from safetensors.torch import load_file, save_file

        try:
            settings = yaml.safe_load(recipe.read_text(encoding="utf-8"))
        except FileNotFoundError as error:
            raise MissingInputError(f"Recipe {recipe}", "is not there", "name a YAML file") from error
        weights = load_file(Path(base) / "model.safetensors")
        if settings["tensor"] not in weights:
            raise DataError(f"Recipe {recipe}", f"names {settings['tensor']}", f"name one of {', '.join(weights)}")
        out.mkdir(parents=True, exist_ok=True)
        for path in Path(base).glob("*.json"):
            shutil.copy(path, out / path.name)
        weights[settings["tensor"]] *= settings["factor"]
        save_file(weights, out / "model.partial", metadata={"format": "pt"})
        (out / "model.partial").replace(out / "model.safetensors")
        return Checkpoint(model="hf", reference=out.name, producer="scaled")
