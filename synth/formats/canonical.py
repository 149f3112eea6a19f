"""The one order and shape of an answer that every format renders and every parser gives back."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import Any

from synth.records import FACT_KEYS, Fact, Instruction

Answer = tuple[Fact, ...]


def canonical(asked: Instruction) -> Answer:
    """The answer of an instruction with its facts in canonical order.

    Facts are grouped by label: labels as the schema lists them, then any other label as it first occurs. Within a
    label facts keep their order. The arguments of an event are grouped by role in the same way. A fact has the keys of
    ``FACT_KEYS`` and no other. Two answers that hold the same facts in another order of labels are one answer: a
    format that names a label once could not tell them apart, and no metric does.
    """
    facts: list[dict[str, Any]] = [{key: fact[key] for key in FACT_KEYS[asked.family]} for fact in asked.answer]
    if "label" not in FACT_KEYS[asked.family]:
        return tuple(facts)
    for fact in facts:
        if "arguments" in fact:
            arguments = [{"role": item["role"], "text": item["text"]} for item in fact["arguments"]]
            fact["arguments"] = _grouped(arguments, "role", asked.schema.roles.get(fact["label"], ()))
    return tuple(_grouped(facts, "label", asked.schema.labels))


def by_label(asked: Instruction) -> Iterator[tuple[str, list[Fact]]]:
    """Each label that has facts, with its facts in canonical order."""
    for label, facts in groupby(canonical(asked), key=itemgetter("label")):
        yield label, list(facts)


def by_role(fact: Fact) -> Iterator[tuple[str, list[str]]]:
    """Each role of a canonical event that has arguments, with their texts."""
    for role, arguments in groupby(fact["arguments"], key=itemgetter("role")):
        yield role, [argument["text"] for argument in arguments]


def values(answer: Answer) -> Iterator[str]:
    """Every string that an answer holds."""
    for fact in answer:
        for value in fact.values():
            if isinstance(value, str):
                yield value
            else:
                for argument in value:
                    yield argument["role"]
                    yield argument["text"]


def _grouped(items: list[dict[str, Any]], key: str, order: Sequence[str]) -> list[dict[str, Any]]:
    rank: dict[str, int] = {}
    for name in (*order, *(item[key] for item in items)):
        rank.setdefault(name, len(rank))
    return sorted(items, key=lambda item: rank[item[key]])
