"""Operations that give labels, roles and fixed answers other names; the schema is renamed too."""

from __future__ import annotations

import string
from collections.abc import Callable
from typing import Literal

from pydantic import Field

from synth.records import Family, Instruction, Schema
from synth.rules.granularity import relabel, rename_arguments
from synth.rules.operation import LABEL_FAMILIES, LabelParameters, Operation, Outcome, Parameters
from synth.rules.rule import Kind
from synth.rules.spans import UndecidedError, expand

_CASES: dict[str, Callable[[str], str]] = {
    "upper": str.upper,
    "lower": str.lower,
    "title": str.title,
    "snake": lambda name: "_".join(_name_words(name)).lower(),
    "camel": lambda name: "".join(word[:1].upper() + word[1:] for word in _name_words(name)),
    "hyphen": lambda name: "-".join(_name_words(name)).lower(),
}


class NewNames(Parameters):
    """Parameters: new name by old name; no two become one (``merge_labels`` is for that)."""

    mapping: dict[str, str] = Field(min_length=1)


class RoleMapping(LabelParameters):
    """Parameters: new role name by old name."""

    mapping: dict[str, str] = Field(min_length=1)


class Case(Parameters):
    """Parameters: how names are written."""

    style: Literal["upper", "lower", "title", "snake", "camel", "hyphen"]


class Turn(LabelParameters):
    """Parameters: a relation and the name of its inverse."""

    labels: tuple[str, ...] = Field(min_length=1, max_length=1)
    name: str = Field(min_length=1)


class Options(Parameters):
    """Parameters: what marks the options."""

    style: Literal["letters", "numbers"]


def rename_labels(instruction: Instruction, parameters: NewNames) -> Outcome:
    """Writes labels under other names or codes, in the schema too."""
    return _one_to_one(instruction, parameters.mapping)


def recase_labels(instruction: Instruction, parameters: Case) -> Outcome:
    """Writes label names in another way (capitals, snake case), in the schema too."""
    return _one_to_one(instruction, {label: _CASES[parameters.style](label) for label in instruction.schema.labels})


def rename_roles(instruction: Instruction, parameters: RoleMapping) -> Outcome:
    """Writes argument roles under other names, in the schema too."""
    names = set(parameters.mapping.values())
    if any(names & set(roles) - set(parameters.mapping) for roles in instruction.schema.roles.values()):
        raise UndecidedError
    return rename_arguments(instruction, parameters.mapping, parameters.labels)


def turn(instruction: Instruction, parameters: Turn) -> Outcome:
    """Reads a relation the other way round: head and tail change places and the name becomes the inverse's."""
    label = parameters.labels[0]
    schema, answer = _one_to_one(instruction, {label: parameters.name})
    turned = [
        {**new, "head": old["tail"], "tail": old["head"]} if old["label"] == label else new
        for old, new in zip(instruction.answer, answer, strict=True)
    ]
    return schema, tuple(turned)


def rename_answers(instruction: Instruction, parameters: NewNames) -> Outcome:
    """Writes a fixed answer (yes, no) in other words, in the schema too; only where it is exactly one of the listed."""
    names = parameters.mapping
    schema = Schema(tuple(names.get(label, label) for label in instruction.schema.labels), instruction.schema.roles)
    return schema, expand(instruction, (), (), lambda span: (names.get(span, span),))


def mark_options(instruction: Instruction, parameters: Options) -> Outcome:
    """Puts a letter or number in front of each option of a question, and of the answer with it."""
    options = instruction.schema.labels
    signs = string.ascii_uppercase if parameters.style == "letters" else [str(place) for place in range(1, 27)]
    if not 2 <= len(options) <= len(signs) or options[0].startswith(f"{signs[0]}) "):
        raise UndecidedError
    names = {option: f"{sign}) {option}" for option, sign in zip(options, signs, strict=False)}
    answer = expand(instruction, (), (), lambda span: (names.get(span, span),))
    return Schema(tuple(names.values())), answer


def recase_text(instruction: Instruction, parameters: Case) -> Outcome:
    """Writes a free answer in capitals or in small letters."""
    return instruction.schema, expand(instruction, (), (), lambda span: (_CASES[parameters.style](span),))


def _one_to_one(instruction: Instruction, names: dict[str, str]) -> Outcome:
    """Other names that keep all labels apart.

    Raises:
        UndecidedError: Two labels would become one, or no asked label gets another name.
    """
    new = [names.get(label, label) for label in instruction.schema.labels]
    if len(set(new)) < len(new) or tuple(new) == instruction.schema.labels:
        raise UndecidedError
    return relabel(instruction, names)


def _name_words(name: str) -> list[str]:
    return "".join(character if character.isalnum() else " " for character in name).split()


OPERATIONS = (
    Operation("rename_labels", Kind.NAMING, LABEL_FAMILIES, NewNames, rename_labels),
    Operation("recase_labels", Kind.NAMING, LABEL_FAMILIES, Case, recase_labels),
    Operation("rename_roles", Kind.NAMING, (Family.EE,), RoleMapping, rename_roles),
    Operation("turn", Kind.NAMING, (Family.RE,), Turn, turn),
    Operation("rename_answers", Kind.NAMING, (Family.MRC,), NewNames, rename_answers),
    Operation("mark_options", Kind.NAMING, (Family.MRC,), Options, mark_options),
    Operation("recase_text", Kind.NAMING, (Family.GENERAL,), Case, recase_text),
)
