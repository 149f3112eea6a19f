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
_SENTENCE = re.compile(r"[。！？]\s*|(?P<word>\S*)[.!?](?P<close>[\"'”’)\]]*\s+)(?=[\"'“‘(\[]?\s?[A-Z0-9])|\n+")
BEFORE_NAMES = frozenset(
    ["mr", "mrs", "ms", "dr", "prof", "sen", "rep", "gov", "gen", "col", "capt", "lt", "sgt", "rev"]
)
"""Short forms that stand before a name and never end a sentence."""

_SHORT_FORMS = frozenset(
    re.findall(
        r"\w+",
        "st mt ft jr sr inc corp co ltd bros vs vol ed dept univ jan feb mar apr jun jul aug sept sep oct nov dec mass "
        "calif conn tex pa va fla mich minn wash colo ariz ala tenn wis okla kan neb etc fig",
    )
)
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
    found: list[int] = []
    start = text.find(span) if span else -1
    while start >= 0:
        found.append(start)
        start = text.find(span, start + 1)
    whole = [start for start in found if _is_whole(text, start, start + len(span))]
    return whole or found


def word_before(text: str, place: int) -> int | None:
    """Where the word starts that ends, with white space after it, directly before a place; None where none does."""
    end = len(text[:place].rstrip())
    if end in (0, place):
        return None
    while place > 0 and (place >= end or not text[place - 1].isspace()):
        place -= 1
    return place


def sentences(text: str) -> list[tuple[int, int]]:
    """(start, end) of each sentence, cut where closing punctuation certainly ends one."""
    ends = [match.end() for match in _SENTENCE.finditer(text) if _certainty(match) is True]
    return [(start, end) for start, end in pairwise([0, *ends, len(text)]) if text[start:end].strip()]


def is_certain(text: str, begin: int, end: int) -> bool:
    """Whether a sentence surely has no other end inside: no short form or initial before a capital letter."""
    return not any(begin < match.end() < end and _certainty(match) is None for match in _SENTENCE.finditer(text))


def sentence_of(text: str, span: str) -> str:
    """The sentence that holds a span.

    Raises:
        UndecidedError: Not exactly one sentence holds it whole, or the end of that sentence is not certain.
    """
    starts = occurrences(text, span)
    found = {
        (begin, end)
        for begin, end in sentences(text)
        for start in starts
        if begin <= start and start + len(span) <= end
    }
    if len(found) != 1 or not is_certain(text, *next(iter(found))):
        raise UndecidedError
    begin, end = found.pop()
    return text[begin:end].strip()


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
        Facts in the old order. Different relations, or different arguments of an event, that became equal are one;
        mentions of entities stay apart.
    """
    made = [
        (fact, _expand_fact(fact, instruction.family, parts, change) if selected(fact, labels) else [fact])
        for fact in instruction.answer
    ]
    if instruction.family in (Family.NER, Family.EE):
        return tuple(new for _, news in made for new in news)
    return tuple(merged(made))


def merged(made: list[tuple[Fact, list[Fact]]]) -> list[Fact]:
    """New facts of (old, new) pairs; what different old facts became is kept once, what was repeated stays repeated."""
    owner: dict[str, Fact] = {}
    return [new for old, news in made for new in news if owner.setdefault(repr(new), old) == old]


def once(facts: list[Any]) -> list[Any]:
    """Items without repeats, first ones kept."""
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
        arguments = merged([(argument, _expand_argument(argument, parts, change)) for argument in fact["arguments"]])
        made = [{**event, "arguments": arguments} for event in made]
    return list(made)


def _expand_argument(argument: Fact, parts: tuple[str, ...], change: Change) -> list[Fact]:
    if parts and argument["role"] not in parts:
        return [argument]
    return [{**argument, "text": text} for text in change(argument["text"])]


def _is_whole(text: str, start: int, end: int) -> bool:
    """Whether a stretch neither begins nor ends inside a word of a script with spaces."""
    inside_left = start > 0 and _joins(text[start - 1]) and _joins(text[start])
    inside_right = end < len(text) and _joins(text[end - 1]) and _joins(text[end])
    return not inside_left and not inside_right


def _certainty(match: re.Match[str]) -> bool | None:
    """Whether punctuation before a capital letter ends a sentence; None where both can be (U.S., Jr., J.)."""
    word = (match["word"] or "").strip(_EDGE).casefold()
    if word in BEFORE_NAMES:
        return False
    return None if word and (len(word) == 1 or word in _SHORT_FORMS or "." in word) else True


def _joins(character: str) -> bool:
    return character.isalnum() and ord(character) < 0x2E80
