"""Patterns and word lists: YAML text in, sentences with marked names out.

A pattern is a sentence with

    {p:person}     a name drawn from the list ``person``, kept under ``p``; {person} keeps it under ``person``
    {p}            the same name again;  {p~} only its last word
    [ on {d:date}] a part that half of the sentences have
    (joined|left)  alternatives
    *joined*       the words that name the event: its trigger

Patterns are unrolled once, when they are read: every combination of optional parts and alternatives becomes a flat
tuple of segments, so that drawing a sentence is one choice and one loop.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from harness.errors import DataError
from synth.draws import Draws

MOST_VARIANTS = 512
"""A pattern that unrolls to more is refused: it would crowd out its neighbours."""

_FLATTEN = 30_000  # a list with fewer combinations is written out, so that a draw is one look-up
_TRIES = 12
_TOKEN = re.compile(r"\{[^{}]*\}|\*[^*]+\*|[\[\]()|]|[^{}*\[\]()|]+")
_REFERENCE = re.compile(r"\{(?:\w+:)?(\w+)~?\}")
_ARTICLE = re.compile(r"(?:^|(?<=[\s(\"']))([Aa]) $")
_AN = re.compile(r"(?!(?i:uni|use|usu|eu|one|u-))[aeiouAEIOU]|(?i:hour|honest|heir)")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place in a sentence that a name fills.

    Attributes:
        name: Under which it is kept.
        rule: List that it is drawn from; None where the name was drawn before.
        short: Only the last word is written.
        article: ``a`` or ``A`` where an article stands before it and has to agree, else empty.
        capital: It begins a sentence.
    """

    name: str
    rule: str | None
    short: bool = False
    article: str = ""
    capital: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """The words that name the event."""

    text: str


Segment = str | Slot | Mark
Variant = tuple[Segment, ...]


@dataclass(slots=True)
class Filling:
    """What has been drawn for one document.

    Attributes:
        parts: Pieces of text so far.
        values: Name to text, of the pattern that is being filled.
        rules: Name to list, likewise.
        mentions: Rule and text of every written name, in order.
        mark: The words that name the event, of the pattern that is being filled.
        used: Texts that no other name may take.
    """

    parts: list[str] = field(default_factory=list)
    values: dict[str, str] = field(default_factory=dict)
    rules: dict[str, str] = field(default_factory=dict)
    mentions: list[tuple[str, str]] = field(default_factory=list)
    mark: str = ""
    used: set[str] = field(default_factory=set)


class WordList:
    """Texts to draw from; plain words are one group, and every pattern with slots is a group of its own.

    Args:
        name: Name of the list, for messages.
        entries: Words and patterns.
        lists: All lists, which the patterns refer to.
    """

    __slots__ = ("groups", "lists")

    def __init__(self, name: str, entries: Sequence[str], lists: Mapping[str, WordList]) -> None:
        plain = tuple(entry for entry in entries if not re.search(r"[{\[(]", entry))
        patterns = [entry for entry in entries if re.search(r"[{\[(]", entry)]
        self.lists = lists
        self.groups: list[tuple[str, ...] | tuple[Variant, ...]] = [plain] if plain else []
        for pattern in patterns:
            variants = unroll(pattern, f"list {name}")
            unknown = {s.rule for variant in variants for s in variant if isinstance(s, Slot) and s.rule} - set(lists)
            if unknown:
                raise DataError(f"List {name}", f"draws from {sorted(unknown)}", "add those lists")
            self.groups.append(self._written_out(variants) or variants)

    def draw(self, draws: Draws) -> str:
        """One text."""
        group = self.groups[draws.below(len(self.groups))] if len(self.groups) > 1 else self.groups[0]
        chosen = group[draws.below(len(group))]
        if isinstance(chosen, str):
            return chosen
        filling = Filling()
        fill(chosen, filling, self.lists, draws)
        return "".join(filling.parts)

    def _written_out(self, variants: Sequence[Variant]) -> tuple[str, ...] | None:
        """Every text of the variants, where there are few enough and no name comes twice."""
        texts: list[str] = []
        for variant in variants:
            choices = [list(self._texts(segment)) for segment in variant]
            if not all(choices) or any(isinstance(s, Slot) and (s.article or s.rule is None) for s in variant):
                return None
            total = 1
            for choice in choices:
                total *= len(choice)
            if total + len(texts) > _FLATTEN:
                return None
            texts += ["".join(parts) for parts in product(*choices)]
        return tuple(texts)

    def _texts(self, segment: Segment) -> Iterator[str]:
        if isinstance(segment, str):
            yield segment
        elif isinstance(segment, Slot) and segment.rule is not None:
            groups = self.lists[segment.rule].groups
            if len(groups) == 1 and isinstance(groups[0][0], str):
                yield from groups[0]


def word_lists(content: Mapping[str, Any], known: Mapping[str, WordList] | None = None) -> dict[str, WordList]:
    """Lists by name; a list may refer to any other that does not lead back to it.

    Args:
        content: Name to a list of words, or to a mapping with ``words``.
        known: Lists that are there already.

    Raises:
        DataError: A list leads back to itself.
    """
    lists: dict[str, WordList] = dict(known or {})
    done: set[str] = set()
    open_lists: set[str] = set()

    def read(name: str) -> None:
        if name in open_lists:
            raise DataError(f"List {name}", "leads back to itself", "break the circle")
        open_lists.add(name)
        entry = content[name]
        words = [str(word) for word in (entry["words"] if isinstance(entry, Mapping) else entry)]
        for other in _REFERENCE.findall(" ".join(words)):
            if other in content and other not in done:
                read(other)
        lists[name] = WordList(name, words, lists)
        done.add(name)

    for name in content:
        if name not in done:
            read(name)
    return lists


def unroll(pattern: str, place: str, *, known: Iterable[str] = (), sentence: bool = False) -> tuple[Variant, ...]:
    """All variants of a pattern.

    Args:
        pattern: The pattern.
        place: Where it stands, for messages.
        known: Names that were drawn before this pattern is filled.
        sentence: Begin it with a capital letter.

    Raises:
        DataError: Brackets do not match, or there are too many variants.
    """
    tokens = _TOKEN.findall(pattern)
    if "".join(tokens) != pattern:
        raise DataError(f"Pattern {pattern!r} of {place}", "has a loose bracket or star", "pair them")
    reader = _Reader(tokens, f"Pattern {pattern!r} of {place}")
    variants = reader.sequence(())
    if len(variants) > MOST_VARIANTS:
        raise DataError(f"Pattern {pattern!r} of {place}", f"has {len(variants)} variants", "split it")
    return tuple(_joined(variant, set(known), sentence) for variant in variants)


class _Reader:
    """Recursive descent over the tokens of a pattern."""

    def __init__(self, tokens: list[str], thing: str) -> None:
        self.tokens = tokens
        self.thing = thing

    def sequence(self, stops: tuple[str, ...]) -> list[Variant]:
        variants: list[Variant] = [()]
        while self.tokens and self.tokens[0] not in stops:
            options = self._item(self.tokens.pop(0))
            variants = [before + option for before, option in product(variants, options)]
        if stops and not self.tokens:
            raise DataError(self.thing, f"lacks one of {' '.join(stops)}", "pair the brackets")
        return variants

    def _item(self, token: str) -> list[Variant]:
        if token == "[":
            inner = self.sequence(("]",))
            self.tokens.pop(0)
            return [(), *inner] if len(inner) == 1 else [()] * len(inner) + inner
        if token == "(":
            options = self.sequence(("|", ")"))
            while self.tokens.pop(0) == "|":
                options += self.sequence(("|", ")"))
            return options
        if token in ("]", ")", "|"):
            raise DataError(self.thing, f"has a loose {token}", "pair the brackets")
        if token[0] == "{":
            name, _, rule = token[1:-1].partition(":")
            return [(Slot(name.rstrip("~"), rule or None, name.endswith("~")),)]
        return [(Mark(token[1:-1]),)] if token[0] == "*" and len(token) > 2 else [(token,)]


def _joined(variant: Variant, known: set[str], sentence: bool) -> Variant:
    """Neighbouring literals as one, and every slot with what stands before it taken into account."""
    result: list[Segment] = []
    for segment in variant:
        before = result[-1] if result and isinstance(result[-1], str) else None
        if isinstance(segment, str):
            if before is not None:
                result[-1] = before + segment
            elif segment:
                result.append(segment[0].upper() + segment[1:] if sentence and not result else segment)
            continue
        if isinstance(segment, Slot):
            rule = segment.rule or (None if segment.name in known else segment.name)
            known.add(segment.name)
            article = before[-2] if before is not None and _ARTICLE.search(before) else ""
            if article and before is not None:
                result[-1] = before[:-2]
            capital = sentence and (not result or (before is not None and before.endswith((". ", "? ", "! "))))
            segment = Slot(segment.name, rule, segment.short, article, capital)
        result.append(segment)
    return tuple(part for part in result if part != "")


def fill(variant: Variant, filling: Filling, lists: Mapping[str, WordList], draws: Draws) -> None:
    """Write one variant into a filling, with fresh names where it asks for them."""
    parts, values = filling.parts, filling.values
    for segment in variant:
        if isinstance(segment, str):
            parts.append(segment)
            continue
        if isinstance(segment, Mark):
            filling.mark = segment.text
            parts.append(segment.text)
            continue
        rule = segment.rule
        if rule is not None:
            values[segment.name] = fresh(lists[rule], filling.used, draws)
            filling.rules[segment.name] = rule
        value = values[segment.name]
        if segment.capital and not value[0].isupper():
            value = values[segment.name] = value[0].upper() + value[1:]
        if segment.short:
            value = value.rsplit(" ", 1)[-1]
        if segment.article:
            parts.append(segment.article + ("n " if _AN.match(value) else " "))
        parts.append(value)
        filling.mentions.append((filling.rules[segment.name], value))


def fresh(words: WordList, used: set[str], draws: Draws) -> str:
    """A text that nothing else of the document has, as far as the list allows."""
    value = words.draw(draws)
    for _ in range(_TRIES):
        if value not in used:
            break
        value = words.draw(draws)
    used.add(value)
    return value
