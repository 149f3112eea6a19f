"""From filtered examples to a corpus: a seeded selection under a budget, with a dev split, a card and hashes."""

from synth.mix.corpus import mix
from synth.mix.pool import document_number
from synth.mix.selection import dev_bound, refuse_contradictions

__all__ = ["dev_bound", "document_number", "mix", "refuse_contradictions"]
