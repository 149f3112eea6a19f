"""Which rows are asked together: fixed before the first is asked, so that a resumed run ends in the same records.

Stock models get rows of about one length, as many as memory for their logits allows. The tree gets rows that share
their beginnings, side by side, as many as have a given amount of new text: what a batch shares is computed once.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from harness.engines.items import Item
from harness.engines.models import LoadedModel
from harness.engines.shared import shared

LOGITS_BYTES = 1 << 30
"""Memory that the logits of one batch may take under ``auto``."""

NEW_BYTES = 1 << 16
"""New text of one batch of the tree, some 16,000 tokens: little beside it is computed twice, and results come soon."""

_BYTES_PER_TOKEN = 3
"""A cautious guess: English has about four bytes per token, other text fewer."""


def plan_batches(items: Sequence[Item], model: LoadedModel) -> list[list[Item]]:
    """Items in fixed batches; the cut depends on the rows and the settings alone."""
    return _by_beginning(items, model) if model.shares else _by_length(items, model)


def new_bytes(texts: Sequence[str], before: str = "") -> int:
    """UTF-8 length of what each text adds to the one before it."""
    size = 0
    for text in texts:
        size += len(text[shared(before, text) :].encode("utf-8", "surrogatepass"))
        before = text
    return size


def _by_beginning(items: Sequence[Item], model: LoadedModel) -> list[list[Item]]:
    most = math.inf if model.planned else model.batch
    batches: list[list[Item]] = []
    size, last = 0, ""
    for item in sorted(items, key=lambda item: (item.texts, item.doc_id)):
        added = new_bytes(item.texts, last)
        if not batches or size + added > NEW_BYTES or len(batches[-1]) >= most:
            batches.append([])
            size = 0
        batches[-1].append(item)
        size, last = size + added, item.texts[-1]
    return batches


def _by_length(items: Sequence[Item], model: LoadedModel) -> list[list[Item]]:
    """Longest first: memory runs out at once or never, and padding stays small.

    Under ``auto`` a batch is also bounded by the memory of its logits, from the length of its longest prompt.
    """
    ordered = sorted(items, key=lambda item: (-item.longest, item.doc_id))
    batches: list[list[Item]] = []
    while ordered:
        size = min(model.batch, affordable(model, ordered[0])) if model.planned else model.batch
        batches.append(ordered[:size])
        ordered = ordered[size:]
    return batches


def affordable(model: LoadedModel, longest: Item) -> int:
    """Prompts of this length whose logits fit ``LOGITS_BYTES``; two float32 copies of them live at once."""
    vocabulary = getattr(getattr(getattr(model.lm, "model", None), "config", None), "vocab_size", None)
    if vocabulary is None:
        return model.batch
    tokens = min(longest.longest / _BYTES_PER_TOKEN, model.max_length or math.inf)
    return max(1, int(LOGITS_BYTES / (8 * vocabulary * max(tokens, 1))))
