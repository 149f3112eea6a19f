"""Operations that make labels or spans coarser or finer."""

from __future__ import annotations

from pydantic import Field

from synth.records import Fact, Family, Instruction, Schema
from synth.rules.boundary import mark_pattern
from synth.rules.nesting import Separators
from synth.rules.operation import (
    FORMS,
    LABEL_FAMILIES,
    LIST_FAMILIES,
    Form,
    LabelParameters,
    Operation,
    Outcome,
    Parameters,
)
from synth.rules.rule import Kind
from synth.rules.spans import UndecidedError, expand, merged, once, selected, sentences


class Merge(LabelParameters):
    """Parameters: the labels that become one, and its name."""

    labels: tuple[str, ...] = Field(min_length=2)
    name: str = Field(min_length=1)


class MergeRoles(LabelParameters):
    """Parameters: the argument roles that become one, and its name."""

    roles: tuple[str, ...] = Field(min_length=2)
    name: str = Field(min_length=1)


class Split(LabelParameters):
    """Parameters: a label, a test of the span's form, and the two names that the outcomes get."""

    labels: tuple[str, ...] = Field(min_length=1, max_length=1)
    form: Form
    yes: str = Field(min_length=1)
    no: str = Field(min_length=1)


class Parents(Parameters):
    """Parameters: the broader term of each label."""

    mapping: dict[str, str] = Field(min_length=1)
    separator: str = " / "


def merge_labels(instruction: Instruction, parameters: Merge) -> Outcome:
    """Turns several labels into one coarser label, in the schema too."""
    asked = set(instruction.schema.labels)
    if not set(parameters.labels) <= asked or parameters.name in asked - set(parameters.labels):
        raise UndecidedError  # where only some are asked, the answer for the coarser label is not known
    schema, answer = relabel(instruction, dict.fromkeys(parameters.labels, parameters.name))
    if instruction.family is not Family.RE:
        return schema, answer
    return schema, tuple(merged([(old, [new]) for old, new in zip(instruction.answer, answer, strict=True)]))


def merge_roles(instruction: Instruction, parameters: MergeRoles) -> Outcome:
    """Turns several argument roles into one, in the schema too."""
    return rename_arguments(instruction, dict.fromkeys(parameters.roles, parameters.name), parameters.labels)


def split_label(instruction: Instruction, parameters: Split) -> Outcome:
    """Splits a label in two by the form of the span (several words, digits, acronym), in the schema too."""
    label = parameters.labels[0]
    if label not in instruction.schema.labels or {parameters.yes, parameters.no} & set(instruction.schema.labels):
        raise UndecidedError
    test = FORMS[parameters.form]
    labels = [
        name
        for old in instruction.schema.labels
        for name in ([parameters.yes, parameters.no] if old == label else [old])
    ]
    answer = tuple(
        {**fact, "label": parameters.yes if test(fact["text"]) else parameters.no} if fact["label"] == label else fact
        for fact in instruction.answer
    )
    return Schema(tuple(labels), instruction.schema.roles), answer


def split_spans(instruction: Instruction, parameters: Separators) -> Outcome:
    """Gives the parts of a coordinated or compound span instead of the whole."""
    pattern = mark_pattern(parameters.separators)

    def change(span: str) -> tuple[str, ...]:
        return tuple(once([piece for piece in pattern.split(span) if piece])) or (span,)

    return instruction.schema, expand(instruction, parameters.labels, parameters.parts, change)


def with_parent(instruction: Instruction, parameters: Parents) -> Outcome:
    """Writes a label with its broader term in front, as a path of two levels, in the schema too."""
    return relabel(
        instruction, {label: f"{parent}{parameters.separator}{label}" for label, parent in parameters.mapping.items()}
    )


def unique(instruction: Instruction, parameters: LabelParameters) -> Outcome:
    """Gives equal facts once, at the first mention."""
    answer: list[Fact] = []
    for fact in instruction.answer:
        if not selected(fact, parameters.labels) or fact not in answer:
            answer.append(fact)
    return instruction.schema, tuple(answer)


def first_sentence(instruction: Instruction, parameters: Parameters) -> Outcome:
    """Keeps the first sentence of a free answer."""

    def change(span: str) -> tuple[str, ...]:
        found = sentences(span)
        return (span[found[0][0] : found[0][1]].strip(),) if found else (span,)

    return instruction.schema, expand(instruction, (), (), change)


def relabel(instruction: Instruction, names: dict[str, str]) -> Outcome:
    """Schema and answer with other label names; labels that get one name become one entry of the schema."""
    schema = instruction.schema
    labels = tuple(dict.fromkeys(names.get(label, label) for label in schema.labels))
    roles: dict[str, tuple[str, ...]] = {}
    for label, of_label in schema.roles.items():
        name = names.get(label, label)
        roles[name] = tuple(dict.fromkeys([*roles.get(name, ()), *of_label]))
    answer = tuple({**fact, "label": names.get(fact["label"], fact["label"])} for fact in instruction.answer)
    return Schema(labels, roles), answer


def rename_arguments(instruction: Instruction, names: dict[str, str], labels: tuple[str, ...]) -> Outcome:
    """Schema and answer with other role names, of these labels (none: of all)."""
    schema = instruction.schema
    roles = {
        label: tuple(dict.fromkeys(names.get(role, role) for role in of)) if not labels or label in labels else of
        for label, of in schema.roles.items()
    }
    answer = tuple(
        {**fact, "arguments": _renamed(fact["arguments"], names)} if selected(fact, labels) else fact
        for fact in instruction.answer
    )
    return Schema(schema.labels, roles), answer


def _renamed(arguments: list[Fact], names: dict[str, str]) -> list[Fact]:
    return merged([(old, [{**old, "role": names.get(old["role"], old["role"])}]) for old in arguments])


OPERATIONS = (
    Operation("merge_labels", Kind.GRANULARITY, LABEL_FAMILIES, Merge, merge_labels),
    Operation("merge_roles", Kind.GRANULARITY, (Family.EE,), MergeRoles, merge_roles),
    Operation("split_label", Kind.GRANULARITY, (Family.NER,), Split, split_label),
    Operation("split_spans", Kind.GRANULARITY, LIST_FAMILIES, Separators, split_spans),
    Operation("with_parent", Kind.GRANULARITY, LABEL_FAMILIES, Parents, with_parent),
    Operation("unique", Kind.GRANULARITY, LIST_FAMILIES, LabelParameters, unique),
    Operation("first_sentence", Kind.GRANULARITY, (Family.GENERAL,), Parameters, first_sentence),
)
