"""What there is to review in a working folder: guidelines, rules with what they do, and a sample of examples."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from harness.errors import UsageError
from synth.guidelines import Guideline, guideline_of
from synth.recipe import RuleSettings
from synth.records import Fact, Instruction, digest, instruction_of
from synth.review.edits import DECISIONS, GUIDELINES, RULES, guideline_text, rule_text
from synth.review.item import BETWEEN, Item, answer_lines
from synth.review.sampling import Sampled, sampled, spaced, strategy_of
from synth.review.verdicts import rejected
from synth.rules import Rule, apply, probes, rule_of, wording
from synth.shards import read_shard
from synth.work import read_lines

Thing = TypeVar("Thing", Guideline, Rule)

SHOWN = 3
"""Relabellings that are shown of a rule."""

_PROBES = RuleSettings(probe=30)
_BEGINNING = 40  # characters of a text that tell it from others in a list


def queue(out: Path, sample: int, overlap: float, reviewer: str, seed: int) -> list[Item]:
    """Guidelines and rules that wait for approval, a sample of those in use, a stratified sample of examples.

    Args:
        out: Working folder.
        sample: Examples for this reviewer; also guidelines, and rules, of those that are in use.
        overlap: Share of the sample that every reviewer gets, so that agreement can be measured.
        reviewer: Whose queue it is; the rest of the sample differs from reviewer to reviewer.
        seed: Seed of the sample.

    Raises:
        UsageError: ``sample`` or ``overlap`` is out of range.
        DataError: A file of the folder cannot be read.
    """
    if sample < 0 or not 0 <= overlap <= 1:
        raise UsageError(
            f"Sample {sample} with overlap {overlap}", "is out of range", "use a whole number and a share of 0 to 1"
        )
    examples = sampled(out, sample, overlap, f"{seed}/{reviewer}", str(seed))
    return [*_written(out, sample, seed), *map(_example_item, examples)]


def _written(out: Path, sample: int, seed: int) -> Iterator[Item]:
    """Guidelines and rules: those that wait for approval, then a sample of each that are in use."""
    gone = rejected(out)
    known = {row["id"]: guideline_of(row) for row in read_lines(out / GUIDELINES)}
    guidelines = [one for key, one in known.items() if one.items and one.status != "rejected" and key not in gone]
    found = [rule_of(row) for row in read_lines(out / RULES)]
    rules = [rule for rule in found if rule.status == "accepted" and rule.id not in gone]
    drafts = [one for one in guidelines if one.status == "draft"]
    taught = [rule for rule in rules if rule.origin == "teacher"]
    approved = _drawn([one for one in guidelines if one.status != "draft"], sample, seed)
    by_book = _drawn([rule for rule in rules if rule.origin != "teacher"], sample, seed)
    shown = {rule.id: rule for rule in (*taught, *by_book)}
    measured = {row["id"]: row for row in read_lines(out / DECISIONS) if row["id"] in shown}
    tried = probes(_instructions(out), _PROBES, seed) if shown else {}

    def guideline_items(of: Sequence[Guideline]) -> Iterator[Item]:
        return (_guideline_item(one, known.get(one.provenance.get("edited_from", ""))) for one in of)

    def rule_items(of: Sequence[Rule]) -> Iterator[Item]:
        return (_rule_item(one, measured.get(one.id, {}), tried.get((one.family, one.source), ())) for one in of)

    yield from guideline_items(drafts)
    yield from rule_items(taught)
    yield from guideline_items(approved)
    yield from rule_items(by_book)


def _drawn(things: Sequence[Thing], count: int, seed: int) -> list[Thing]:
    """At most ``count`` of them, the same for every reviewer."""
    return sorted(things, key=lambda thing: digest([seed, thing.id]))[:count]


def _guideline_item(guideline: Guideline, original: Guideline | None) -> Item:
    text = guideline_text(guideline)
    count = len(guideline.items)
    body = f"Written by {_author(guideline.origin, guideline.provenance)}; {count} label{'s' if count > 1 else ''}."
    before = guideline_text(original) if original is not None else ""
    title = f"Guideline · {guideline.family} · {guideline.source}"
    return Item("guideline", guideline.id, title, body, before, text, "guidelines", text)


def _rule_item(rule: Rule, measured: Mapping[str, Any], instructions: Sequence[Instruction]) -> Item:
    answers = measured.get("answers") or None
    changed = [(one, new) for one in instructions if (new := apply(rule, one, answers)) is not None][:SHOWN]
    before = BETWEEN.join(_with_text(one, one.answer) for one, _ in changed)
    after = BETWEEN.join(_with_text(one, new.answer) for one, new in changed)
    agreement = measured.get("agreement")
    facts = [
        f"Written by {_author(rule.origin, rule.provenance)}",
        f"changes {measured['changed']} of {measured['tried']} answers" if measured else "",
        f"relabellers agree on {agreement:.0%}" if agreement is not None else "",
        "held out for evaluation" if rule.held_out else "",
    ]
    body = f"{wording(rule)}\n\n{'; '.join(fact for fact in facts if fact)}."
    title = f"Rule · {rule.family} · {rule.source} · {rule.name}"
    return Item("rule", rule.id, title, body, before, after, "rules", rule_text(rule))


def _with_text(asked: Instruction, answer: Sequence[Fact]) -> str:
    question = f"\n{asked.question}" if asked.question else ""
    return f"{asked.text}{question}\n\n{answer_lines(answer)}".replace(BETWEEN, " ")


def _author(origin: str, provenance: Mapping[str, Any]) -> str:
    edited = provenance.get("edited_by")
    return f"the {origin}" + (f", edited by {edited}" if edited else "")


def _example_item(sampled: Sampled) -> Item:
    example, base = sampled
    asked = example.instruction
    failed = [f"{item.name}: {item.reason}" for item in example.filters if not item.passed]
    notes = f"\n\nFilters that it fails: {'; '.join(failed)}" if failed else ""
    before = answer_lines(base.answer).replace(BETWEEN, " ") if base is not None else ""
    begins = " ".join((asked.question or asked.text).split())
    begins = begins if len(begins) <= _BEGINNING else begins[: _BEGINNING - 1].rstrip() + "…"
    title = f"Example · {asked.family} · {asked.source} · {example.format} · {begins}"
    after = (answer_lines(asked.answer) if base is not None else example.completion).replace(BETWEEN, " ")
    completion = f"\n\nAnswer in the format {example.format}:\n{example.completion}" if base is not None else ""
    return Item(
        "example",
        example.id,
        title,
        example.prompt + completion + notes,
        before,
        after,
        strategy_of(example.strategies),
        example.completion.strip(),
        example,
    )


def _instructions(out: Path) -> Iterator[Instruction]:
    for path in spaced(out / "instructions"):
        yield from map(instruction_of, read_shard(path))
