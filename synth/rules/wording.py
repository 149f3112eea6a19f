"""The sentence of a rule as a prompt shows it: renamings only of the labels that are asked."""

from __future__ import annotations

from collections.abc import Mapping

from synth.records import Instruction
from synth.rules.rule import Rule


def wording(rule: Rule, instruction: Instruction | None = None) -> str:
    """What a model reads of a rule.

    Args:
        rule: The rule.
        instruction: The base instruction that it is shown for (the schema before the rule); None for the whole rule.
    """
    if "{mapping}" not in rule.sentence or rule.operation is None:
        return rule.sentence
    mapping = rule.operation.parameters.get("mapping", {})
    if instruction is not None:
        asked = {*instruction.schema.labels, *(role for roles in instruction.schema.roles.values() for role in roles)}
        mapping = {old: new for old, new in mapping.items() if old in asked}
    parents = rule.operation.name == "with_parent"
    separator = rule.operation.parameters.get("separator", " / ")
    return rule.sentence.replace("{mapping}", _listed(mapping, separator if parents else ""))


def _listed(mapping: Mapping[str, str], separator: str) -> str:
    """``new for old`` for each pair; with a separator ``new`` is the broader term in front of ``old``."""
    return ", ".join(
        f"{new}{separator}{old} for {old}" if separator else f"{new} for {old}" for old, new in mapping.items()
    )
