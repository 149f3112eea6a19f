"""Relabelling by teachers: two passes over the same texts, in two phrasings, and what they agree on."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import tee
from typing import Any

from pydantic import BaseModel, ConfigDict

from synth.formats.canonical import canonical
from synth.records import FACT_KEYS, Family, Instruction, Schema, digest
from synth.rules.interpreter import FREE, invented
from synth.rules.operation import Answer
from synth.rules.rule import Kind, Rule
from synth.rules.wording import wording
from synth.teachers import Answer as Reply
from synth.teachers import Request, Teacher


class Relabelled(BaseModel):
    """What a teacher answers to ``rule_relabel``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    facts: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class Pair:
    """Two answers of teachers to one instruction under a rule.

    Attributes:
        instruction: The instruction without the rule.
        one: The first answer; None where it cannot be used.
        other: The second.
        ungrounded: Answers with a span that the text does not hold.
        keys: Request keys.
    """

    instruction: Instruction
    one: Answer | None
    other: Answer | None
    ungrounded: int
    keys: tuple[str, ...]


def relabelled(rule: Rule, instructions: Iterable[Instruction], teachers: Sequence[Teacher]) -> Iterator[Pair]:
    """Two teachers' answers under a rule (or one teacher's, asked twice in other words), in order.

    Args:
        rule: The rule.
        instructions: Base instructions; may be a long stream.
        teachers: One or two.

    Raises:
        HarnessError: A teacher cannot be asked at all.
    """
    kept, first, second = tee(instructions, 3)
    one, other = teachers[0], teachers[-1]
    if one is other:
        both = one.ask(_request(rule, item, phrasing) for item in first for phrasing in (0, 1))
        pairs = zip(both, both, strict=True)
    else:
        pairs = zip(
            one.ask(_request(rule, item, 0) for item in first),
            other.ask(_request(rule, item, 1) for item in second),
            strict=True,
        )
    for instruction, (left, right) in zip(kept, pairs, strict=True):
        answers = [usable(reply, rule, instruction, instruction.schema) for reply in (left, right)]
        yield Pair(instruction, answers[0][0], answers[1][0], answers[0][1] + answers[1][1], (*left.keys, *right.keys))


def second_opinions(
    rule: Rule, pairs: Sequence[tuple[Instruction, Instruction]], teacher: Teacher
) -> Iterator[tuple[Answer | None, tuple[str, ...]]]:
    """A teacher's answers, with their request keys, to instructions that the interpreter has relabelled.

    Args:
        rule: An executable rule.
        pairs: The instruction without and with the rule.
        teacher: Who reads the rule's sentence.
    """
    requests = [_request(rule, before, 0, after.schema) for before, after in pairs]
    for (before, after), reply in zip(pairs, teacher.ask(requests), strict=True):
        yield usable(reply, rule, before, after.schema)[0], reply.keys


def usable(reply: Reply, rule: Rule, instruction: Instruction, schema: Schema) -> tuple[Answer | None, int]:
    """A teacher's answer where it can be used, else None; and 1 where it is not grounded, else 0.

    Args:
        reply: What the teacher said.
        rule: The rule.
        instruction: The instruction without the rule.
        schema: The schema under the rule; an option of a question is grounded in it.
    """
    if reply.content is None:
        return None, 0
    facts = tuple(reply.content["facts"])
    if not all(_well_formed(fact, instruction.family, schema) for fact in facts):
        return None, 0
    facts = tuple({key: fact[key] for key in FACT_KEYS[instruction.family]} for fact in facts)
    free = instruction.family is Family.GENERAL or (rule.operation is not None and rule.operation.name in FREE)
    if not free and not set(invented(facts, instruction)) <= set(schema.labels):
        return None, 1
    return facts, 0


def same(one: Answer | None, other: Answer | None, rule: Rule, asked: Instruction) -> bool:
    """Whether two answers are there and equal: in canonical order for rules on order, else as multisets."""
    if one is None or other is None:
        return False
    if rule.kind is Kind.ORDERING:
        return _canonical(one, asked) == _canonical(other, asked)
    return sorted(map(_key, one)) == sorted(map(_key, other))


def _canonical(answer: Answer, asked: Instruction) -> Answer:
    return canonical(replace(asked, answer=answer))


def _key(fact: Mapping[str, Any]) -> str:
    plain = dict(fact)
    if "arguments" in plain:
        plain["arguments"] = sorted((argument["role"], argument["text"]) for argument in plain["arguments"])
    return digest(plain)


def _request(rule: Rule, instruction: Instruction, phrasing: int, schema: Schema | None = None) -> Request:
    asked = schema or instruction.schema
    variables = {
        "family": str(instruction.family),
        "rule": wording(rule, instruction),
        "phrasing": phrasing,
        "labels": list(asked.labels),
        "roles": {label: list(roles) for label, roles in asked.roles.items()},
        "text": instruction.text,
        "question": instruction.question or "",
        "answer": [dict(fact) for fact in instruction.answer],
        "fact_keys": list(FACT_KEYS[instruction.family]),
    }
    return Request("rule_relabel", variables, sample=phrasing)


def _well_formed(fact: Mapping[str, Any], family: Family, schema: Schema) -> bool:
    if set(fact) != set(FACT_KEYS[family]):
        return False
    if family not in (Family.MRC, Family.OPEN_IE, Family.GENERAL) and fact["label"] not in schema.labels:
        return False
    if family is not Family.EE:
        return all(isinstance(value, str) for value in fact.values())
    roles = schema.roles.get(fact["label"], ())
    return (
        isinstance(fact["trigger"], str)
        and isinstance(fact["arguments"], list)
        and all(
            isinstance(one, Mapping)
            and set(one) == {"role", "text"}
            and one["role"] in roles
            and isinstance(one["text"], str)
            for one in fact["arguments"]
        )
    )
