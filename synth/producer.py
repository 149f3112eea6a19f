"""The producer ``synth``: the whole pipeline behind the door that every producer has.

It makes data for a base, not another checkpoint: the base's tokenizer counts tokens, and the checkpoint that it gives
back is the base with the digest of the corpus beside it.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from harness.nouns import Checkpoint
from synth import pipeline
from synth.recipe import read_recipe
from synth.shards import write_text
from synth.show import Screen
from synth.work import open_work

PRODUCTION = "production.json"


class Synth:
    """Makes an instruction corpus."""

    def check(self, recipe: Path) -> None:
        """Refuse a recipe that is wrong, or contradicts itself."""
        pipeline.check(read_recipe(recipe))

    def produce(self, base: str, recipe: Path, out: Path) -> Checkpoint:
        """The base, with the SHA-256 of the corpus manifest among its digests.

        Args:
            base: Folder or hub id; its tokenizer counts, unless the recipe names another.
            recipe: A corpus recipe, as for ``harness synth run``.
            out: Working folder of the corpus.

        Raises:
            HarnessError: As the steps of ``harness synth run``.
        """
        work = open_work(out, recipe, base=base)
        screen = Screen()
        facts = pipeline.make(work, screen)
        told = {name: facts["mix"][name] for name in ("records", "families", "strategies", "rejected", "recipe")}
        write_text(work.part(PRODUCTION), json.dumps(told, indent=1) + "\n")
        manifest = (work.part(pipeline.CORPUS) / "manifest.json").read_bytes()
        name = Path(base).name if Path(base).is_dir() else base
        return Checkpoint("hf", name, producer="synth", digests={"corpus": hashlib.sha256(manifest).hexdigest()})
