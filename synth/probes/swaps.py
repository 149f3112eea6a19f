"""Rule swap: the rules that each task is asked under, and what they make of a document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from harness.errors import DataError
from synth.records import Fact, Family, Instruction, Schema
from synth.rulebook import fitting_rules
from synth.rules import Rule, apply, wording
from synth.rules.interpreter import run

SWAPS: Mapping[str, tuple[str, ...]] = {
    "quick_ner": ("determiner-in", "family-name-too", "first-of-each-label"),
    "quick_re": ("ends-with-article", "one-of-each-relation", "head-family-name", "place-view"),
    "quick_ee": ("no-time", "heads-before-of", "no-place", "triggers-with-article"),
    "quick_mrc": ("last-word-answer", "full-sentence"),
    "quick_topic": ("class-letters", "class-with-group"),
}
"""Names of the rules by probed task: rules that a corpus of the embedded grammar uses, and rules that are held out."""


@dataclass(frozen=True, slots=True)
class Swapped:
    """A document under one rule.

    Attributes:
        answer: Its facts under the rule.
        schema: The labels under the rule.
        rule: Id of the rule.
        text: The sentence that a prompt shows.
        changed: Whether the facts differ from those without a rule.
    """

    answer: tuple[Fact, ...]
    schema: Schema
    rule: str
    text: str
    changed: bool


@dataclass(frozen=True, slots=True)
class Ruled:
    """A document with what each rule makes of it.

    Attributes:
        base: The document without a rule.
        by_name: The document under each rule, by the rule's name.
    """

    base: Instruction
    by_name: Mapping[str, Swapped]

    @property
    def changing(self) -> int:
        """How many rules change its answer."""
        return sum(under.changed for under in self.by_name.values())


def rules_of(task: str) -> tuple[str, ...]:
    """Names of the rules that a task is asked under."""
    return SWAPS.get(task, ())


def ruled(base: Instruction, names: Sequence[str]) -> Ruled | None:
    """A document under rules; None where one of them cannot be told.

    Args:
        base: The document without a rule.
        names: Names of rules of the library.

    Raises:
        DataError: A rule does not fit the labels of the document.
    """
    roles = tuple((label, tuple(of_label)) for label, of_label in base.schema.roles.items())
    known = _bound(base.family, base.source, base.schema.labels, roles)
    if strange := [name for name in names if name not in known]:
        reason = f"do not fit the labels of {base.source}: {', '.join(strange)}"
        raise DataError("Rules of a probe", reason, "name others in synth/probes/swaps.py")
    found: dict[str, Swapped] = {}
    for name in names:
        rule = known[name]
        outcome = run(rule.operation, base) if rule.operation else None
        if outcome is None:
            return None
        found[name] = Swapped(outcome[1], outcome[0], rule.id, wording(rule, base), apply(rule, base) is not None)
    return Ruled(base, found)


@cache
def _bound(
    family: Family, source: str, labels: tuple[str, ...], roles: tuple[tuple[str, tuple[str, ...]], ...]
) -> Mapping[str, Rule]:
    """The rules of the library that fit a label set, by name."""
    fitting = fitting_rules(family, labels, dict(roles))
    return {fields["name"]: Rule(**fields, family=family, source=source, origin="rulebook") for fields in fitting}
