"""Operations on spans inside spans, and on relations that follow from relations."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from synth.records import Fact, Family, Instruction
from synth.rules.boundary import Position, mark_pattern
from synth.rules.operation import LabelParameters, Operation, Outcome, Parameters, SpanParameters
from synth.rules.rule import Kind
from synth.rules.spans import UndecidedError, bare, expand, is_inside, once, selected, words

_NESTED = (Family.NER, Family.EE)


class Separators(SpanParameters):
    """Parameters: spans and the marks or words that separate their parts."""

    separators: tuple[str, ...] = Field(min_length=1)


class Levels(LabelParameters):
    """Parameters: which of nested spans is kept."""

    keep: Literal["outer", "inner"]


class Chain(Parameters):
    """Parameters: two relations where the tail of the first is the head of the second, and what follows."""

    first: str
    second: str
    result: str


def one_level(instruction: Instruction, parameters: Levels) -> Outcome:
    """Keeps only the outermost (or the innermost) of spans that lie inside each other."""
    if instruction.family is Family.NER:
        chosen = [fact["text"] for fact in instruction.answer if selected(fact, parameters.labels)]
        kept = _level(instruction.text, chosen, parameters.keep)
        answer = [f for f in instruction.answer if not selected(f, parameters.labels) or f["text"] in kept]
        return instruction.schema, tuple(answer)
    return instruction.schema, tuple(
        _one_level_of_arguments(fact, instruction.text, parameters) if selected(fact, parameters.labels) else fact
        for fact in instruction.answer
    )


def _one_level_of_arguments(event: Fact, text: str, parameters: Levels) -> Fact:
    kept = _level(text, [argument["text"] for argument in event["arguments"]], parameters.keep)
    return {**event, "arguments": [argument for argument in event["arguments"] if argument["text"] in kept]}


def _level(text: str, spans: list[str], keep: str) -> set[str]:
    if keep == "outer":
        return {span for span in spans if not any(is_inside(text, span, other) for other in spans)}
    return {span for span in spans if not any(is_inside(text, other, span) for other in spans)}


def with_parts(instruction: Instruction, parameters: Separators) -> Outcome:
    """Adds the parts of a span that a separator joins as spans of their own, after the whole."""
    pattern = mark_pattern(parameters.separators)
    present = {fact["text"] for fact in instruction.answer} if instruction.family is Family.NER else set()

    def change(span: str) -> tuple[str, ...]:
        pieces = [piece for piece in pattern.split(span) if piece]
        return (span, *(piece for piece in once(pieces) if piece != span and piece not in present))

    return instruction.schema, expand(instruction, parameters.labels, parameters.parts, change)


def with_word(instruction: Instruction, parameters: Position) -> Outcome:
    """Adds the first or the last word of a span of several words (a family name) as a span of its own."""
    skipped = {bare(word) for word in parameters.skip}
    present = {fact["text"] for fact in instruction.answer} if instruction.family is Family.NER else set()

    def change(span: str) -> tuple[str, ...]:
        kept = [word for word in words(span) if bare(word)[:1].isalpha() and bare(word) not in skipped]
        if len(kept) < 2:
            return (span,)
        word = (kept[0] if parameters.position == "first" else kept[-1]).strip(".,;:!?\"'()")
        return (span,) if word in present else (span, word)

    return instruction.schema, expand(instruction, parameters.labels, parameters.parts, change)


def compose(instruction: Instruction, parameters: Chain) -> Outcome:
    """Adds the relation that follows from two relations where the tail of one is the head of the other."""
    _need(instruction, parameters)
    facts = list(instruction.answer)
    while new := [fact for fact in _composed(facts, parameters) if fact not in facts]:
        facts += once(new)
    return instruction.schema, tuple(facts)


def direct_only(instruction: Instruction, parameters: Chain) -> Outcome:
    """Drops a relation that follows from two others of the answer."""
    _need(instruction, parameters)
    implied = list(_composed(list(instruction.answer), parameters))
    return instruction.schema, tuple(fact for fact in instruction.answer if fact not in implied)


def _composed(facts: list[Fact], chain: Chain) -> list[Fact]:
    return [
        {"label": chain.result, "head": one["head"], "tail": other["tail"]}
        for one in facts
        for other in facts
        if one["label"] == chain.first
        and other["label"] == chain.second
        and one["tail"] == other["head"]
        and one["head"] != other["tail"]
    ]


def _need(instruction: Instruction, chain: Chain) -> None:
    """What follows is only known where all relations of the chain are asked."""
    if not {chain.first, chain.second, chain.result} <= set(instruction.schema.labels):
        raise UndecidedError


OPERATIONS = (
    Operation("one_level", Kind.NESTING, _NESTED, Levels, one_level),
    Operation("with_parts", Kind.NESTING, _NESTED, Separators, with_parts),
    Operation("with_word", Kind.NESTING, _NESTED, Position, with_word),
    Operation("compose", Kind.NESTING, (Family.RE,), Chain, compose),
    Operation("direct_only", Kind.NESTING, (Family.RE,), Chain, direct_only),
)
