"""What a person looks at: one guideline, rule or example, and how two versions of it differ."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Literal

from synth.records import Example, Fact

Kind = Literal["guideline", "rule", "example"]
KINDS: tuple[Kind, ...] = ("guideline", "rule", "example")

Piece = tuple[bool, str]
"""A stretch of text, and whether the other version lacks it."""

BETWEEN = "\f"
"""Stands between the texts of an item that has several."""

_TOKEN = re.compile(r"\s+|\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class Item:
    """One thing to review.

    Attributes:
        kind: What it is.
        id: Id of the guideline, rule or example.
        title: One line.
        body: What is needed to judge it.
        before: The original: the answer without the rule, the guideline before an edit; empty where there is none.
            Several texts are joined with ``BETWEEN``.
        after: The version under review, in as many texts.
        strategy: Strategies, joined with ``+``, or ``basic``; agreement is counted per strategy.
        text: What can be edited; None where nothing can.
        example: The example, for one.
    """

    kind: Kind
    id: str
    title: str
    body: str
    before: str
    after: str
    strategy: str
    text: str | None = None
    example: Example | None = None


def pairs(before: str, after: str) -> list[tuple[list[Piece], list[Piece]]]:
    """Each text of the original with its text of the new version, in pieces; one without an original has no pieces."""
    new = after.split(BETWEEN)
    if not before:
        return [([], [(False, text)]) for text in new]
    return [differences(*pair) for pair in zip(before.split(BETWEEN), new, strict=True)]


def differences(before: str, after: str) -> tuple[list[Piece], list[Piece]]:
    """Two texts in pieces, word by word: those that the other text lacks are marked."""
    left, right = _TOKEN.findall(before), _TOKEN.findall(after)
    old: list[Piece] = []
    new: list[Piece] = []
    for kind, a, b, c, d in SequenceMatcher(None, left, right).get_opcodes():
        if b > a:
            old.append((kind != "equal", "".join(left[a:b])))
        if d > c:
            new.append((kind != "equal", "".join(right[c:d])))
    return old, new


def answer_lines(answer: Iterable[Fact]) -> str:
    """An answer for people, one fact a line."""
    return "\n".join(_line(fact) for fact in answer) or "(nothing)"


def _line(fact: Fact) -> str:
    if "trigger" in fact:
        arguments = "; ".join(f"{item['role']}: {item['text']}" for item in fact["arguments"])
        return f"{fact['label']}: {fact['trigger']}" + (f" ({arguments})" if arguments else "")
    if "head" in fact:
        return f"{fact['label']}: {fact['head']} → {fact['tail']}"
    return ": ".join(_texts(fact))


def _texts(fact: Fact) -> Iterator[str]:
    for key in ("label", "text"):
        if key in fact:
            yield str(fact[key])
