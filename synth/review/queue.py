"""What there is to review in a working folder: guidelines, rules with what they do, and a sample of examples."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness.errors import UsageError
from synth.guidelines import Guideline, guideline_of
from synth.recipe import RuleSettings
from synth.records import Example, Instruction, digest, example_of, instruction_of
from synth.review.edits import DECISIONS, GUIDELINES, RULES, guideline_text, rule_text
from synth.review.item import Item, answer_lines
from synth.review.verdicts import rejected
from synth.rules import Rule, apply, probes, rule_of, wording
from synth.shards import read_shard, shards
from synth.work import read_lines

SHOWN = 3
"""Relabellings that are shown of a rule."""

_PROBES = RuleSettings(probe=30)
_SHARDS = 10  # of a large step; evenly spaced, so that every source has a chance
_BEGINNING = 40  # characters of a text that tell it from others in a list
_EXAMPLES = ("filtered", "examples")


def queue(out: Path, sample: int, overlap: float, reviewer: str, seed: int) -> list[Item]:
    """Guidelines and rules (those that wait for approval first), then a stratified sample of examples.

    Args:
        out: Working folder.
        sample: Examples for this reviewer.
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
    waiting, others = _written(out, seed)
    return [*waiting, *others, *_sampled(out, sample, overlap, f"{seed}/{reviewer}", str(seed))]


def _written(out: Path, seed: int) -> tuple[list[Item], list[Item]]:
    """Guidelines and rules: those that are not used before a person approves them, and the others."""
    waiting: list[Item] = []
    others: list[Item] = []
    gone = rejected(out)
    guidelines = {row["id"]: guideline_of(row) for row in read_lines(out / GUIDELINES)}
    for identity, guideline in guidelines.items():
        if guideline.items and guideline.status != "rejected" and identity not in gone:
            original = guidelines.get(guideline.provenance.get("edited_from", ""))
            (waiting if guideline.status == "draft" else others).append(_guideline_item(guideline, original))
    found = [rule_of(row) for row in read_lines(out / RULES)]
    rules = [rule for rule in found if rule.status == "accepted" and rule.id not in gone]
    measured = {row["id"]: row for row in read_lines(out / DECISIONS)}
    tried = probes(_instructions(out), _PROBES, seed) if rules else {}
    for rule in rules:
        item = _rule_item(rule, measured.get(rule.id, {}), tried.get((rule.family, rule.source), ()))
        (waiting if rule.origin == "teacher" else others).append(item)
    return waiting, others


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
    before = "\n\n".join(f"{one.text}\n\n{answer_lines(one.answer)}" for one, _ in changed)
    after = "\n\n".join(f"{one.text}\n\n{answer_lines(new.answer)}" for one, new in changed)
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


def _author(origin: str, provenance: Mapping[str, Any]) -> str:
    edited = provenance.get("edited_by")
    return f"the {origin}" + (f", edited by {edited}" if edited else "")


def _sampled(out: Path, sample: int, overlap: float, own: str, common: str) -> Iterator[Item]:
    """Examples, the same number from every stratum of strategies and family as far as it goes."""
    pools: defaultdict[tuple[str, str], tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    shared = round(sample * overlap)
    for example, base in _with_bases(out) if sample else ():
        item_pools = pools[_strategy(example), str(example.instruction.family)]
        for pool, key, size in zip(item_pools, (common, own), (shared, sample), strict=True):
            place = digest([key, example.id])
            if len(pool) < size or (pool and place < pool[-1][0]):
                insort(pool, (place, example, base), key=lambda entry: entry[0])
                del pool[size:]
    strata = [pools[name] for name in sorted(pools)]
    first = _dealt([pool for pool, _ in strata], shared, set())
    seen = {example.id for _, example, _ in first}
    rest = _dealt([pool for _, pool in strata], sample - len(first), seen)
    for _, example, base in (*first, *rest):
        yield _example_item(example, base)


def _dealt(pools: Sequence[Sequence[Any]], count: int, seen: set[str]) -> list[Any]:
    """Entries of the pools in turn, until there are enough or none is left."""
    queues = [[entry for entry in pool if entry[1].id not in seen] for pool in pools]
    longest = max(map(len, queues), default=0)
    return [pool[turn] for turn in range(longest) for pool in queues if turn < len(pool)][:count]


def _with_bases(out: Path) -> Iterator[tuple[Example, Instruction | None]]:
    """Examples, those under a rule with the instruction that the rule changed (its basic example comes before it)."""
    folder = next((out / name for name in _EXAMPLES if any((out / name).glob("part-*"))), None)
    base: Instruction | None = None
    for path in _spaced(folder) if folder is not None else ():
        for row in read_shard(path):
            example = example_of(row)
            if example.instruction.parent is None:
                base = example.instruction
            known = base is not None and base.document == example.instruction.document
            yield example, base if known and example.instruction.rule is not None else None


def _example_item(example: Example, base: Instruction | None) -> Item:
    asked = example.instruction
    failed = [f"{item.name}: {item.reason}" for item in example.filters if not item.passed]
    notes = f"\n\nFilters that it fails: {'; '.join(failed)}" if failed else ""
    before = answer_lines(base.answer) if base is not None else ""
    begins = " ".join((asked.question or asked.text).split())
    begins = begins if len(begins) <= _BEGINNING else begins[: _BEGINNING - 1].rstrip() + "…"
    title = f"Example · {asked.family} · {asked.source} · {example.format} · {begins}"
    after = f"{answer_lines(asked.answer)}" if base is not None else example.completion
    completion = f"\n\nAnswer in the format {example.format}:\n{example.completion}" if base is not None else ""
    return Item("example", example.id, title, example.prompt + completion + notes, before, after, _strategy(example))


def _strategy(example: Example) -> str:
    return "+".join(sorted(example.strategies)) or "basic"


def _instructions(out: Path) -> Iterator[Instruction]:
    for path in _spaced(out / "instructions"):
        yield from map(instruction_of, read_shard(path))


def _spaced(folder: Path) -> list[Path]:
    """All shards of a folder, or some that are evenly spaced."""
    found = shards(folder)
    return found if len(found) <= _SHARDS else [found[number * len(found) // _SHARDS] for number in range(_SHARDS)]
