"""Rules for label sets: the library's that fit, and those that a teacher invents. Whole rules are held out."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from harness.errors import DataError
from synth.draws import Draws
from synth.guidelines import LabelSet, shown
from synth.prompts import prompt
from synth.recipe import RuleSettings
from synth.records import Family, digest
from synth.rulebook import fitting_rules, templates
from synth.rules.interpreter import OPERATIONS, checked
from synth.rules.rule import Call, Kind, Rule
from synth.teachers import Answer, Request, Teacher

_SEEN = 6  # documents that a teacher sees
_HOLD_OUT = 0  # changing it changes which rules are held out
_WITHOUT_LABELS = (Family.MRC, Family.OPEN_IE, Family.GENERAL)


class Proposed(BaseModel):
    """One rule as a teacher proposes it.

    Attributes:
        name: Short name.
        kind: What it is about.
        sentence: What an annotator reads.
        labels: Labels that it touches; none for all.
        operation: An operation of the interpreter that does what the sentence says; None where a teacher relabels.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(min_length=1, max_length=60)
    kind: Kind
    sentence: str = Field(min_length=10, max_length=600)
    labels: tuple[str, ...] = ()
    operation: Call | None = None


class Proposals(BaseModel):
    """What a teacher answers to ``rule_propose``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    rules: tuple[Proposed, ...]


def propose(label_sets: Sequence[LabelSet], teacher: Teacher, settings: RuleSettings, seed: int = 0) -> Iterator[Rule]:
    """Rules to be tried, label set by label set, in a seeded order in which the kinds take turns.

    Args:
        label_sets: Label sets with sample documents.
        teacher: Who invents further rules; the rulebook has only its own.
        settings: How many a teacher is asked for, and the share that is held out.
        seed: Seed of the order.

    Raises:
        HarnessError: The teacher cannot be asked at all.
    """
    held_out = held_out_names(settings.held_out)
    invented: dict[int, list[Rule]] = {}
    if teacher.name != "rulebook":
        requests = [Request("rule_propose", _variables(label_set, settings)) for label_set in label_sets]
        for place, answer in enumerate(teacher.ask(requests)):
            invented[place] = list(_of_answer(answer, label_sets[place], settings))
    for place, label_set in enumerate(label_sets):
        own = _of_rulebook(label_set, held_out)
        yield from _in_turn([*own, *invented.get(place, [])], seed)


def held_out_names(share: float) -> frozenset[str]:
    """Names of the library's rules that are held out: the share of every kind, the same for every corpus.

    The recipe's seed is not in it: a probe that asks under a held-out rule must be new to the model of every seed.
    """
    names = sorted({(template.kind, template.name) for template in templates()})
    names.sort(key=lambda pair: (pair[0], digest([_HOLD_OUT, pair[1]])))
    by_kind: dict[str, list[str]] = {}
    for kind, name in names:
        by_kind.setdefault(kind, []).append(name)
    chosen: set[str] = set()
    owed = 0.0
    for pool in by_kind.values():
        owed += share * len(pool)
        count = round(owed)
        chosen |= set(pool[:count])
        owed -= count
    return frozenset(chosen)


def _of_rulebook(label_set: LabelSet, held_out: frozenset[str]) -> Iterator[Rule]:
    for fields in fitting_rules(label_set.family, _labels(label_set), label_set.roles):
        yield Rule(
            **fields, family=label_set.family, source=label_set.source, origin="rulebook",
            held_out=fields["name"] in held_out,
        )  # fmt: skip


def _of_answer(answer: Answer, label_set: LabelSet, settings: RuleSettings) -> Iterator[Rule]:
    """A teacher's rules; one that cannot be tried is rejected with the reason."""
    if answer.content is None:
        return
    made = {"teacher": answer.teacher, "requests": list(answer.keys), "prompt": prompt("rule_propose").version}
    for proposed in Proposals.model_validate(answer.content).rules[: settings.per_source]:
        reasons = tuple(_flaws(proposed, label_set))
        share = int(digest([_HOLD_OUT, proposed.name])[:8], 16) / 16**8
        yield Rule(
            **proposed.model_dump(), family=label_set.family, source=label_set.source, origin="teacher",
            held_out=share < settings.held_out, provenance=made,
            status="rejected" if reasons else "proposed", reasons=reasons,
        )  # fmt: skip


def _flaws(proposed: Proposed, label_set: LabelSet) -> Iterator[str]:
    unknown = [label for label in proposed.labels if label not in _labels(label_set)]
    if unknown:
        yield f"it touches labels that do not exist: {', '.join(unknown)}"
    if proposed.operation is not None:
        try:
            checked(proposed.operation, label_set.family)
        except DataError as error:
            yield str(error)


def _variables(label_set: LabelSet, settings: RuleSettings) -> dict[str, Any]:
    documents = label_set.examples(label_set.labels, _SEEN)
    return {
        "family": str(label_set.family),
        "source": label_set.source,
        "labels": _labels(label_set),
        "roles": {label: list(roles) for label, roles in label_set.roles.items()},
        "documents": [shown(document) for document in documents],
        "count": settings.per_source,
        "operations": operations_for(label_set.family),
    }


def operations_for(family: Family) -> list[dict[str, Any]]:
    """The operations that work on a family, as a prompt lists them: name, what it does, parameters."""
    return [
        {
            "name": operation.name,
            "does": operation.says,
            "parameters": operation.parameters.model_json_schema().get("properties", {}),
        }
        for operation in OPERATIONS.values()
        if family in operation.families
    ]


def _labels(label_set: LabelSet) -> list[str]:
    return [] if label_set.family in _WITHOUT_LABELS else list(label_set.labels)


def _in_turn(rules: Iterable[Rule], seed: int) -> Iterator[Rule]:
    """Rules in a seeded order, one of each kind in turn."""
    pools: dict[Kind, list[Rule]] = {}
    for rule in rules:
        pools.setdefault(rule.kind, []).append(rule)
    draws = Draws(f"{seed}/rules")
    mixed = [draws.shuffled(pools[kind]) for kind in Kind if kind in pools]
    for rank in range(max(map(len, mixed), default=0)):
        for pool in mixed:
            yield from pool[rank : rank + 1]
