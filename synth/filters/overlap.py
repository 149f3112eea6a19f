"""The filter of contamination: no text of a test item of the chosen suites occurs in an example."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path

from harness import contamination
from synth.filters.filter import Check, Filter, Work
from synth.records import Annotation, Example, Family

_SHOWN = 80  # characters of a shared stretch in the reason


def _check(work: Work) -> Check:
    if work.index is None:
        return lambda examples: [CONTAMINATION.found(True, {}) for _ in examples]
    index = _index(work.index)

    def check(examples: Sequence[Example]) -> list[Annotation]:
        parts = [_parts(example) for example in examples]
        texts = list(dict.fromkeys(text for part in parts for text in part))
        found = dict(zip(texts, index.scan(texts), strict=True))
        return [_annotation([(text, hit) for text in part for hit in found[text]]) for part in parts]

    return check


def _parts(example: Example) -> list[str]:
    """What of an example is not the project's own wording: text, question, and the answer where it is prose."""
    asked = example.instruction
    answers = [fact["text"] for fact in asked.answer] if asked.family == Family.GENERAL else []
    return [text for text in (asked.text, asked.question, *answers) if text]


def _annotation(hits: list[tuple[str, contamination.Hit]]) -> Annotation:
    if not hits:
        return CONTAMINATION.found(True, {})
    text, longest = max(hits, key=lambda pair: pair[1].words)
    tasks = sorted({hit.task for _, hit in hits})
    value = {
        "levels": _in_order(hit.level for _, hit in hits),
        "words": longest.words,
        "tasks": {task: len({doc for _, hit in hits if hit.task == task for doc in hit.docs}) for task in tasks},
    }
    shared = " ".join(text[slice(*longest.span)].split())[:_SHOWN]
    item = f"item {longest.docs[0]} of {longest.task} ({longest.split})"
    return CONTAMINATION.found(False, value, f"{longest.words} words are those of {item}: {shared!r}")


def _in_order(levels: Iterable[str]) -> list[str]:
    found = set(levels)
    return [level for level in contamination.LEVELS if level in found]


@lru_cache(maxsize=1)
def _index(folder: Path) -> contamination.Index:
    return contamination.load(folder)


CONTAMINATION = Filter("contamination", f"1.{contamination.VERSION}", _check)
"""No test item's whole text, sentence of 5 or more words, or run of 8 or more words occurs in text, question or prose
answer. Value: levels, longest run in words, and test items per task."""
