"""Operations that move the boundary of spans."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from synth.records import Family, Instruction
from synth.rules.operation import SPAN_FAMILIES, Operation, Outcome, Parameters, SpanParameters
from synth.rules.rule import Kind
from synth.rules.spans import BEFORE_NAMES, UndecidedError, agreed, bare, expand, sentence_of, word_before, words

_PARTS = {"year": r"\b(?:1[0-9]{3}|20[0-9]{2})\b", "number": r"\d+(?:[.,]\d+)*"}
_SPACED_MARK = r"(?:(?<=\s)|(?<=^)){0}(?=\s|$)"


class WordList(SpanParameters):
    """Parameters: spans and a list of words, compared without case and without punctuation at the edges."""

    words: tuple[str, ...] = Field(min_length=1)


class Marks(SpanParameters):
    """Parameters: spans and marks (punctuation or whole words)."""

    marks: tuple[str, ...] = Field(min_length=1)


class Side(Marks):
    """Parameters: marks, and the side of the first of them that is kept."""

    keep: Literal["before", "after"] = "before"


class Position(SpanParameters):
    """Parameters: which word, and words that never count as one (such as Jr)."""

    position: Literal["first", "last"]
    skip: tuple[str, ...] = ()


class Pairs(SpanParameters):
    """Parameters: pairs of opening and closing marks, two characters each."""

    pairs: tuple[str, ...] = ('""', "“”", "()", "[]")


class Part(SpanParameters):
    """Parameters: the kind of stretch that is kept of a span."""

    part: Literal["year", "number"]


def mark_pattern(marks: tuple[str, ...]) -> re.Pattern[str]:
    """A pattern for marks: letters as whole words, punctuation anywhere, white space around it included."""
    each = [_SPACED_MARK.format(re.escape(mark)) if mark.isalpha() else re.escape(mark) for mark in marks]
    return re.compile(rf"\s*(?:{'|'.join(each)})\s*", re.IGNORECASE)


def strip_start(instruction: Instruction, parameters: WordList) -> Outcome:
    """Drops listed words (titles, determiners) from the start of spans; at least one word stays."""
    listed = {bare(word) for word in parameters.words}

    def change(span: str) -> tuple[str, ...]:
        while (found := re.match(r"(\S+)\s+(?=\S)", span)) and bare(found[1]) in listed:
            span = span[found.end() :]
        return (span,)

    return _spans(instruction, parameters, change)


def strip_end(instruction: Instruction, parameters: WordList) -> Outcome:
    """Drops listed words (legal forms, generational suffixes) from the end of spans; at least one word stays."""
    listed = {bare(word) for word in parameters.words}

    def change(span: str) -> tuple[str, ...]:
        while (found := re.search(r"(?<=\S)\s*,?\s+(\S+?)(?:\s\.)?$", span)) and bare(found[1]) in listed:
            span = span[: found.start()]
        return (span,)

    return _spans(instruction, parameters, change)


def extend_start(instruction: Instruction, parameters: WordList) -> Outcome:
    """Takes listed words (titles, determiners) that directly precede a span into it."""
    listed = {bare(word) for word in parameters.words}
    text = instruction.text

    def change(span: str) -> tuple[str, ...]:
        def at(start: int) -> str:
            begin = start
            while (place := word_before(text, begin)) is not None and _leads(text[place:begin].rstrip(), listed):
                begin = place
            return text[begin : start + len(span)]

        return (agreed(text, span, at),)

    return _spans(instruction, parameters, change)


def extend_end(instruction: Instruction, parameters: WordList) -> Outcome:
    """Takes listed words (units, legal forms) that directly follow a span into it."""
    listed = {bare(word) for word in parameters.words}
    text = instruction.text

    def change(span: str) -> tuple[str, ...]:
        def at(start: int) -> str:
            end = start + len(span)
            while (found := re.match(r"\s*([^\s.,;:!?]+)(?![^\s.,;:!?])", text[end:])) and bare(found[1]) in listed:
                end += found.end()
            return text[start:end]

        return (agreed(text, span, at),)

    return _spans(instruction, parameters, change)


def extend_mark(instruction: Instruction, parameters: Marks) -> Outcome:
    """Takes one of the listed marks that directly follows a span (a closing full stop) into it."""
    text = instruction.text

    def change(span: str) -> tuple[str, ...]:
        if span.endswith(parameters.marks):
            return (span,)

        def at(start: int) -> str:
            found = re.match(rf"\s?(?:{'|'.join(map(re.escape, parameters.marks))})", text[start + len(span) :])
            return text[start : start + len(span) + (found.end() if found else 0)]

        return (agreed(text, span, at),)

    return _spans(instruction, parameters, change)


def extend_pairs(instruction: Instruction, parameters: Pairs) -> Outcome:
    """Takes quotation marks or brackets that enclose a span into it."""
    text = instruction.text

    def change(span: str) -> tuple[str, ...]:
        if any(span.startswith(pair[0]) and span.endswith(pair[1]) for pair in parameters.pairs):
            return (span,)

        def at(start: int) -> str:
            for pair in parameters.pairs:
                before = re.search(rf"{re.escape(pair[0])}\s?$", text[:start])
                after = re.match(rf"\s?{re.escape(pair[1])}", text[start + len(span) :])
                if before and after:
                    return text[before.start() : start + len(span) + after.end()]
            return span

        return (agreed(text, span, at),)

    return _spans(instruction, parameters, change)


def cut(instruction: Instruction, parameters: Side) -> Outcome:
    """Keeps what stands before (or after) the first listed mark or word of a span."""
    pattern = mark_pattern(parameters.marks)

    def change(span: str) -> tuple[str, ...]:
        pieces = pattern.split(span, maxsplit=1)
        if len(pieces) == 1 or not all(pieces):
            return (span,)
        if parameters.keep == "before":
            return (pieces[0],)
        return change(pieces[1])

    return _spans(instruction, parameters, change)


def keep_word(instruction: Instruction, parameters: Position) -> Outcome:
    """Keeps the first or the last word of a span (a family name, a head noun)."""
    skipped = {bare(word) for word in parameters.skip}

    def change(span: str) -> tuple[str, ...]:
        kept = [word for word in words(span) if bare(word)[:1].isalpha() and bare(word) not in skipped]
        if not kept:
            return (span,)
        return ((kept[0] if parameters.position == "first" else kept[-1]).strip(".,;:!?\"'()"),)

    return _spans(instruction, parameters, change)


def keep_part(instruction: Instruction, parameters: Part) -> Outcome:
    """Keeps the year or the number of a span that holds exactly one."""

    def change(span: str) -> tuple[str, ...]:
        found = re.findall(_PARTS[parameters.part], span)
        return (found[0],) if len(found) == 1 else (span,)

    return _spans(instruction, parameters, change)


def whole_sentence(instruction: Instruction, parameters: Parameters) -> Outcome:
    """Gives the whole sentence that a span stands in."""
    return instruction.schema, expand(instruction, (), (), lambda span: (_sentence(instruction.text, span),))


def _leads(word: str, listed: set[str]) -> bool:
    """Whether a listed word goes on with the next one: no sentence or clause ends with it."""
    return bare(word) in listed and (word[-1] not in ".,;:!?" or (word[-1] == "." and bare(word) in BEFORE_NAMES))


def _sentence(text: str, span: str) -> str:
    if span not in text:  # yes, no, a choice: nothing to widen
        raise UndecidedError
    return sentence_of(text, span)


def _spans(instruction: Instruction, parameters: SpanParameters, change: Callable[[str], tuple[str, ...]]) -> Outcome:
    return instruction.schema, expand(instruction, parameters.labels, parameters.parts, change)


OPERATIONS = (
    Operation("strip_start", Kind.BOUNDARY, SPAN_FAMILIES, WordList, strip_start),
    Operation("strip_end", Kind.BOUNDARY, SPAN_FAMILIES, WordList, strip_end),
    Operation("extend_start", Kind.BOUNDARY, SPAN_FAMILIES, WordList, extend_start),
    Operation("extend_end", Kind.BOUNDARY, SPAN_FAMILIES, WordList, extend_end),
    Operation("extend_mark", Kind.BOUNDARY, SPAN_FAMILIES, Marks, extend_mark),
    Operation("extend_pairs", Kind.BOUNDARY, SPAN_FAMILIES, Pairs, extend_pairs),
    Operation("cut", Kind.BOUNDARY, SPAN_FAMILIES, Side, cut),
    Operation("keep_word", Kind.BOUNDARY, SPAN_FAMILIES, Position, keep_word),
    Operation("keep_part", Kind.BOUNDARY, SPAN_FAMILIES, Part, keep_part),
    Operation("whole_sentence", Kind.BOUNDARY, (Family.MRC,), Parameters, whole_sentence),
)
