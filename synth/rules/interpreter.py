"""Runs executable rules: data in, a relabelled instruction out. Pure, deterministic, nothing ungrounded leaves it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pydantic import ValidationError

from harness.errors import DataError
from synth.formats.canonical import canonical
from synth.records import Fact, Family, Instruction
from synth.rules import boundary, exclusion, granularity, naming, nesting, ordering
from synth.rules.operation import Answer, Operation, Outcome, Parameters
from synth.rules.rule import Call, Rule
from synth.rules.spans import UndecidedError, spans_of

OPERATIONS: Mapping[str, Operation] = {
    operation.name: operation
    for module in (boundary, nesting, granularity, exclusion, ordering, naming)
    for operation in module.OPERATIONS
}
"""Every executable operation by name."""

FREE = ("rename_answers", "mark_options", "first_sentence", "recase_text")
"""Operations whose answers are fixed words or free text, never spans of the text."""


def checked(call: Call, family: Family) -> Parameters:
    """The parameters of an operation, validated.

    Raises:
        DataError: There is no such operation, it does not work on the family, or a parameter is wrong.
    """
    operation = OPERATIONS.get(call.name)
    if operation is None:
        raise DataError(
            f"Operation {call.name!r}", "is not known to the interpreter", f"use one of {', '.join(OPERATIONS)}"
        )
    if family not in operation.families:
        raise DataError(
            f"Operation {call.name!r}", f"does not work on {family}",
            f"use it for {', '.join(operation.families)}",
        )  # fmt: skip
    try:
        return operation.parameters.model_validate(call.parameters)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"]) or "parameters"
        raise DataError(f"Operation {call.name!r}", f"has a wrong {place} ({first['msg']})", "correct it") from error


def apply(rule: Rule, instruction: Instruction, answers: Mapping[str, Answer] | None = None) -> Instruction | None:
    """The instruction under a rule.

    Args:
        rule: The rule.
        instruction: An instruction without a rule.
        answers: For a rule that a teacher relabels: agreed answers by id of the instruction.

    Returns:
        A new instruction whose ``parent`` is the old one; None where the rule does not change the answer or the
        answer under it cannot be told (an ambiguous occurrence, a label that is not asked).

    Raises:
        DataError: The rule's operation is unknown or has wrong parameters.
    """
    if rule.family != instruction.family:
        return None
    if rule.operation is None:
        relabelled = (answers or {}).get(instruction.id)
        outcome = None if relabelled is None else (instruction.schema, relabelled)
    else:
        outcome = run(rule.operation, instruction)
    if outcome is None or outcome[1] == instruction.answer:
        return None
    changed = replace(instruction, schema=outcome[0], answer=outcome[1])
    if canonical(changed) == canonical(instruction):  # another order that no format shows
        return None
    made = {"name": rule.name, "kind": str(rule.kind), "origin": rule.origin}
    return replace(changed, parent=instruction.id, rule=rule.id, provenance={**instruction.provenance, "rule": made})


def run(call: Call, instruction: Instruction) -> Outcome | None:
    """Schema and answer after an operation; None where it cannot be told or would not be grounded.

    Raises:
        DataError: The operation is unknown or has wrong parameters.
    """
    outcome = executed(call, instruction)
    return None if outcome is None or (call.name not in FREE and invented(outcome[1], instruction)) else outcome


def executed(call: Call, instruction: Instruction) -> Outcome | None:
    """What ``run`` gives, before it is known to be grounded.

    Raises:
        DataError: The operation is unknown or has wrong parameters.
    """
    parameters = checked(call, instruction.family)
    if instruction.family is Family.MRC and instruction.schema.labels and call.name not in FREE:
        return None  # yes, no or an option: no span of the passage
    try:
        return OPERATIONS[call.name].run(instruction, parameters)
    except UndecidedError:
        return None


def invented(answer: tuple[Fact, ...], instruction: Instruction) -> list[str]:
    """Spans of an answer that neither the text nor the gold answer holds, or that are blank."""
    known = {span for fact in instruction.answer for span in spans_of(fact, instruction.family)}
    found = (span for fact in answer for span in spans_of(fact, instruction.family))
    return [span for span in found if span not in known and (not span.strip() or span not in instruction.text)]
