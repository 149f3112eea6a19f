"""From filtered examples to a corpus: a seeded selection under a budget, with a dev split, a card and hashes."""

from synth.mix.corpus import mix

__all__ = ["mix"]
