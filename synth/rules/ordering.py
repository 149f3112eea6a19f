"""Operations that order an answer in another way.

Every format groups facts by label, labels as the schema lists them, and keeps the order inside a label (see
``synth.formats.canonical``). So an order of labels is an order of the schema, and facts are ordered within their label.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from synth.records import Fact, Family, Instruction, Schema
from synth.rules.operation import LABEL_FAMILIES, LIST_FAMILIES, Operation, Outcome, Parameters
from synth.rules.rule import Kind
from synth.rules.spans import occurrences, spans_of


class Order(Parameters):
    """Parameters: what facts are ordered by. Ties keep the order of the text."""

    by: Literal["alphabet", "length", "position"]
    descending: bool = False


class Direction(Parameters):
    """Parameters: whether the order is turned round."""

    descending: bool = False


class ArgumentOrder(Parameters):
    """Parameters: what the arguments of an event are ordered by."""

    by: Literal["role", "alphabet", "position"]
    descending: bool = False


def order_facts(instruction: Instruction, parameters: Order) -> Outcome:
    """Orders the facts of each label by alphabet, length or position of the leading span."""

    def key(fact: Fact) -> Any:
        return _keys(instruction.text)[parameters.by](next(spans_of(fact, instruction.family)))

    return instruction.schema, tuple(sorted(instruction.answer, key=key, reverse=parameters.descending))


def order_labels(instruction: Instruction, parameters: Direction) -> Outcome:
    """Lists labels in alphabetical order, in the schema too."""
    schema = instruction.schema
    labels = sorted(schema.labels, key=lambda label: (label.casefold(), label), reverse=parameters.descending)
    rank = {label: place for place, label in enumerate(labels)}
    answer = sorted(instruction.answer, key=lambda fact: rank.get(fact["label"], len(rank)))
    return Schema(tuple(labels), schema.roles), tuple(answer)


def order_arguments(instruction: Instruction, parameters: ArgumentOrder) -> Outcome:
    """Orders the arguments of each event by role name (in the schema too), or within a role by alphabet or position."""
    schema, by_text = instruction.schema, _keys(instruction.text)

    def key(argument: Fact) -> Any:
        return argument["role"] if parameters.by == "role" else by_text[parameters.by](argument["text"])

    answer = tuple(
        {**fact, "arguments": sorted(fact["arguments"], key=key, reverse=parameters.descending)}
        for fact in instruction.answer
    )
    if parameters.by != "role":
        return schema, answer
    roles = {label: tuple(sorted(of, reverse=parameters.descending)) for label, of in schema.roles.items()}
    return Schema(schema.labels, roles), answer


def _keys(text: str) -> dict[str, Callable[[str], Any]]:
    return {
        "alphabet": lambda span: (span.casefold(), span),
        "length": len,
        "position": lambda span: next(iter(occurrences(text, span)), len(text)),
    }


OPERATIONS = (
    Operation("order_facts", Kind.ORDERING, LIST_FAMILIES, Order, order_facts),
    Operation("order_labels", Kind.ORDERING, LABEL_FAMILIES[:3], Direction, order_labels),
    Operation("order_arguments", Kind.ORDERING, (Family.EE,), ArgumentOrder, order_arguments),
)
