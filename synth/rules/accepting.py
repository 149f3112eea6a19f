"""Accepting rules: answers must really change, stay grounded, and two relabellers must agree. Reasons are kept."""

from __future__ import annotations

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from synth.recipe import RuleSettings
from synth.records import Family, Instruction, digest
from synth.rules.interpreter import FREE, apply, executed, invented
from synth.rules.relabelling import relabelled, same, second_opinions
from synth.rules.rule import Decision, Rule
from synth.teachers import Teacher

COMPARED = 20
"""Changed probes of an executable rule that a teacher relabels too."""

_UNMEASURED = (
    "agreement was not measured: no teacher reads the sentence; accepted because the relabelling is deterministic, "
    "tested by itself, and written together with the sentence by people"
)

MOST_EMPTIED = 0.5
"""Share of changed answers that a rule may leave empty: one that mostly says nothing teaches nothing."""

Probes = Mapping[tuple[str, str], Sequence[Instruction]]
"""Instructions that rules are tried on, by family and source."""


def decide(
    rules: Iterable[Rule], found: Probes, teachers: Sequence[Teacher], settings: RuleSettings
) -> Iterator[Decision]:
    """What becomes of each rule, in order; at most ``per_source`` per source and family are accepted.

    Rules for the corpus and held-out rules are counted apart. A rule beyond the number is not tried, and says so.

    Args:
        rules: Proposed rules; a rule that is rejected already stays so.
        found: Probes (``probes``).
        teachers: One or two teachers; the rulebook does not relabel.
        settings: What acceptance asks for.
    """
    accepted: Counter[tuple[str, str, bool]] = Counter()
    for rule in rules:
        place = (rule.family, rule.source)
        if rule.status == "rejected":
            yield Decision(rule=rule, tried=0, changed=0)
        elif accepted[(*place, rule.held_out)] >= settings.per_source:
            reason = f"not tried: {settings.per_source} rules of this source are accepted already"
            yield _decision(rule, [reason], tried=0, changed=0)
        else:
            decision = accept(rule, found.get(place, ()), teachers, settings)
            accepted[(*place, rule.held_out)] += decision.accepted
            yield decision


def probes(instructions: Iterable[Instruction], settings: RuleSettings, seed: int = 0) -> Probes:
    """A seeded sample of base instructions with an answer for each family and source, in one pass."""
    kept: dict[tuple[str, str], list[tuple[str, Instruction]]] = {}
    for instruction in instructions:
        if instruction.answer and instruction.rule is None:
            pool = kept.setdefault((instruction.family, instruction.source), [])
            key = digest([seed, instruction.text, instruction.question, list(instruction.schema.labels)])
            if len(pool) < settings.probe or key < pool[-1][0]:
                insort(pool, (key, instruction), key=lambda entry: entry[0])
                del pool[settings.probe :]
    return {place: [instruction for _, instruction in pool] for place, pool in kept.items()}


def accept(
    rule: Rule, instructions: Sequence[Instruction], teachers: Sequence[Teacher], settings: RuleSettings
) -> Decision:
    """Whether a rule may be used, with what was measured.

    Args:
        rule: The rule.
        instructions: Probes of its family and source.
        teachers: One or two teachers; the rulebook does not relabel.
        settings: What acceptance asks for.
    """
    if rule.operation is not None:
        return _executable(rule, instructions, teachers, settings)
    able = [teacher for teacher in teachers if teacher.name != "rulebook"]
    if not able:
        return _decision(rule, ["no teacher can relabel by it, and it has no executable form"], tried=0, changed=0)
    return _by_teachers(rule, instructions, able, settings)


def _executable(
    rule: Rule, instructions: Sequence[Instruction], teachers: Sequence[Teacher], settings: RuleSettings
) -> Decision:
    made = [(before, apply(rule, before)) for before in instructions]
    changed = [(before, after) for before, after in made if after is not None]
    ungrounded = sum(_invents(rule, before) for before, after in made if after is None)
    emptied = sum(not after.answer for _, after in changed)
    reasons = _too_few(len(changed), len(instructions), settings) or _too_empty(rule, emptied, len(changed))
    if ungrounded:
        reasons.append(f"{ungrounded} relabelled answers hold a span that the text does not")
    measured: dict[str, Any] = {
        "tried": len(instructions),
        "changed": len(changed),
        "emptied": emptied,
        "ungrounded": ungrounded,
    }
    able = [teacher for teacher in teachers if teacher.name != "rulebook"]
    if reasons or not able:
        return _decision(rule, reasons, notes=() if reasons else (_UNMEASURED,), **measured)
    sample = changed[:COMPARED]
    opinions = list(second_opinions(rule, sample, able[0]))
    agreed = sum(
        same(after.answer, opinion, rule, after) for (_, after), (opinion, _) in zip(sample, opinions, strict=True)
    )
    keys = [key for _, keys in opinions for key in keys]
    return _decision(
        rule, _too_unlike(agreed, len(sample), settings), keys=keys, agreement=agreed / len(sample),
        compared=len(sample), **measured,
    )  # fmt: skip


def _by_teachers(
    rule: Rule, instructions: Sequence[Instruction], teachers: Sequence[Teacher], settings: RuleSettings
) -> Decision:
    pairs = list(relabelled(rule, instructions, teachers))
    agreed = [pair for pair in pairs if same(pair.one, pair.other, rule, pair.instruction)]
    answers = {
        pair.instruction.id: pair.one
        for pair in agreed
        if pair.one is not None and apply(rule, pair.instruction, {pair.instruction.id: pair.one}) is not None
    }
    emptied = sum(not answer for answer in answers.values())
    measured: dict[str, Any] = {
        "tried": len(instructions),
        "changed": len(answers),
        "emptied": emptied,
        "ungrounded": sum(pair.ungrounded for pair in pairs),
        "answers": answers,
    }
    keys = [key for pair in pairs for key in pair.keys]
    reasons = _too_few(len(answers), len(instructions), settings) or _too_empty(rule, emptied, len(answers))
    return _decision(
        rule, [*reasons, *_too_unlike(len(agreed), len(pairs), settings)], keys=keys,
        agreement=len(agreed) / len(pairs) if pairs else None, compared=len(pairs), **measured,
    )  # fmt: skip


def _too_unlike(agreed: int, compared: int, settings: RuleSettings) -> list[str]:
    if compared and agreed >= settings.agreement * compared:
        return []
    return [f"two relabellers agree on {agreed} of {compared} answers, less than {settings.agreement:.0%}"]


def _too_few(changed: int, tried: int, settings: RuleSettings) -> list[str]:
    if changed >= settings.min_changed:
        return []
    return [f"it changes {changed} of {tried} answers, fewer than {settings.min_changed}"]


def _too_empty(rule: Rule, emptied: int, changed: int) -> list[str]:
    if rule.family is Family.MRC or emptied <= MOST_EMPTIED * changed:  # in reading, no answer is an answer
        return []
    return [f"it leaves {emptied} of {changed} changed answers empty, more than half"]


def _invents(rule: Rule, instruction: Instruction) -> bool:
    if rule.operation is None or rule.operation.name in FREE:
        return False
    outcome = executed(rule.operation, instruction)
    return outcome is not None and bool(invented(outcome[1], instruction))


def _decision(
    rule: Rule, reasons: Sequence[str], notes: Sequence[str] = (), keys: Sequence[str] = (), **measured: Any
) -> Decision:
    update: dict[str, Any] = {"status": "rejected" if reasons else "accepted", "reasons": (*reasons, *notes)}
    if keys:
        update["provenance"] = {**rule.provenance, "relabelled": list(keys)}
    return Decision(rule=rule.model_copy(update=update), **measured)
