"""Overlap of training data with test items: which texts of which tasks occur in a text, with spans.

Paraphrase and translation escape: what is compared is words.
"""

from harness.contamination.against import METHOD, Overlap, Place, TaskOverlap, overlap
from harness.contamination.build import build, index_key, index_of, load, save
from harness.contamination.corpus import Corpus, corpus_of
from harness.contamination.index import COMMON_TEXTS, LEVELS, NGRAM, SHORTEST, VERSION, Hit, Index, Level
from harness.contamination.tally import HEADLINE
from harness.contamination.texts import BOILERPLATE_ROWS, ItemText, Uncovered, item_texts

__all__ = [
    "BOILERPLATE_ROWS",
    "COMMON_TEXTS",
    "HEADLINE",
    "LEVELS",
    "METHOD",
    "NGRAM",
    "SHORTEST",
    "VERSION",
    "Corpus",
    "Hit",
    "Index",
    "ItemText",
    "Level",
    "Overlap",
    "Place",
    "TaskOverlap",
    "Uncovered",
    "build",
    "corpus_of",
    "index_key",
    "index_of",
    "item_texts",
    "load",
    "overlap",
    "save",
]  # fmt: skip
