"""Stretches of text: where a span occurs, how it can grow, and how a change of spans becomes a change of answers.

A canonical answer holds no offsets, so a rule that looks at the neighbourhood of a span looks at all its occurrences
and gives up (``UndecidedError``) where they do not agree: a relabelled answer is right or it is not made.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise, product
from typing import Any

from synth.records import Fact, Family, Instruction

Change = Callable[[str], tuple[str, ...]]
"""What becomes of a span: nothing (dropped), one span, or several."""

SPAN_KEYS = {
    Family.NER: ("text",),
    Family.RE: ("head", "tail"),
    Family.OPEN_IE: ("head", "tail"),
    Family.EE: ("trigger", "arguments"),
    Family.MRC: ("text",),
    Family.TC: (),
    Family.GENERAL: ("text",),
}
"""Keys of a fact that hold spans."""

_WORD = re.compile(r"\S+")
_SENTENCE = re.compile(r"[。！？]\s*|(?<=[.!?])[\"'”’)\]]*\s+(?=[\"'“‘(\[]?[A-Z0-9])|\n+")
_EDGE = "\"'“”‘’()[]{}.,;:!?`"


class UndecidedError(Exception):
    """The answer under a rule cannot be told from the text and the gold answer alone."""


def words(span: str) -> list[str]:
    """Words of a span, split at white space."""
    return _WORD.findall(span)


def bare(word: str) -> str:
    """A word in lower case without punctuation at its edges (a word of punctuation alone stays)."""
    return word.strip(_EDGE).casefold() or word


def occurrences(text: str, span: str) -> list[int]:
    """Start offsets of a span: on word boundaries where there are such occurrences, else anywhere."""
    if not span:
        return []
    found = [match.start() for match in re.finditer(f"(?={re.escape(span)})", text)]
    whole = [start for start in found if _is_whole(text, start, start + len(span))]
    return whole or found


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, by closing punctuation; a rough cut that is the same for everyone."""
    cuts = [0, *(match.end() for match in _SENTENCE.finditer(text)), len(text)]
    return [(start, end) for start, end in pairwise(cuts) if text[start:end].strip()]


def sentence_of(text: str, span: str) -> str:
    """The sentence that holds a span.

    Raises:
        UndecidedError: The span is not in the text, or several sentences hold it, or none does whole.
    """
    starts = occurrences(text, span)
    found = {
        text[begin:end].strip()
        for begin, end in sentences(text)
        for start in starts
        if begin <= start and start + len(span) <= end
    }
    if len(found) != 1:
        raise UndecidedError
    return found.pop()


def agreed(text: str, span: str, at: Callable[[int], str]) -> str:
    """What ``at`` makes of every occurrence of a span, where it makes the same of all.

    Raises:
        UndecidedError: Occurrences differ.
    """
    found = {at(start) for start in occurrences(text, span)}
    if len(found) > 1:
        raise UndecidedError
    return found.pop() if found else span


def is_inside(text: str, inner: str, outer: str) -> bool:
    """Whether every occurrence of ``inner`` lies in an occurrence of the longer ``outer``."""
    if len(inner) >= len(outer) or inner not in outer:
        return False
    around = [(start, start + len(outer)) for start in occurrences(text, outer)]
    places = [(start, start + len(inner)) for start in occurrences(text, inner)]
    return bool(places) and all(any(a <= start and end <= b for a, b in around) for start, end in places)


def spans_of(fact: Fact, family: Family) -> Iterator[str]:
    """Every span of a fact."""
    for key in SPAN_KEYS[family]:
        if key == "arguments":
            yield from (argument["text"] for argument in fact["arguments"])
        else:
            yield fact[key]


def selected(fact: Fact, labels: tuple[str, ...]) -> bool:
    """Whether a rule for these labels (none: for all) concerns a fact."""
    return not labels or fact.get("label") in labels


def expand(
    instruction: Instruction, labels: tuple[str, ...], parts: tuple[str, ...], change: Change
) -> tuple[Fact, ...]:
    """The answer after a change of its spans.

    Args:
        instruction: The instruction.
        labels: Labels whose facts change; none for all.
        parts: Keys (``text``, ``head``, ``tail``, ``trigger``) or argument roles that change; none for all.
        change: What becomes of one span. A fact is dropped with its span, an argument alone; several spans make
            several facts.

    Returns:
        Facts in the old order. Where anything changed, relations and arguments that became equal are one.
    """
    answer: list[Fact] = []
    for fact in instruction.answer:
        answer += _expand_fact(fact, instruction.family, parts, change) if selected(fact, labels) else [fact]
    if answer == list(instruction.answer):
        return instruction.answer
    return tuple(answer) if instruction.family in (Family.NER, Family.EE) else tuple(once(answer))


def once(facts: list[Any]) -> list[Any]:
    """Facts or arguments without repeats, first ones kept."""
    kept: list[Any] = []
    for fact in facts:
        if fact not in kept:
            kept.append(fact)
    return kept


def _expand_fact(fact: Fact, family: Family, parts: tuple[str, ...], change: Change) -> list[Fact]:
    keys = [key for key in SPAN_KEYS[family] if key != "arguments"]
    choices = [change(fact[key]) if not parts or key in parts else (fact[key],) for key in keys]
    made = [{**fact, **dict(zip(keys, chosen, strict=True))} for chosen in product(*choices)]
    if family is Family.EE:
        arguments = [
            {**argument, "text": text}
            for argument in fact["arguments"]
            for text in (change(argument["text"]) if not parts or argument["role"] in parts else (argument["text"],))
        ]
        changed = arguments != list(fact["arguments"])
        made = [{**event, "arguments": once(arguments) if changed else arguments} for event in made]
    return list(made)


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a stretch neither begins nor ends inside a word of a script with spaces."""
    inside_left = start > 0 and _joins(text[start - 1]) and _joins(text[start])
    inside_right = end < len(text) and _joins(text[end - 1]) and _joins(text[end])
    return not inside_left and not inside_right


def _joins(character: str) -> bool:
    return character.isalnum() and ord(character) < 0x2E80
