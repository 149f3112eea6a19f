"""From readings to counts: those of the card that is probed, and what a probe asks on top.

The answer that was read is written in the form of the card that is probed and counted by that card's own function, so
that a probe's score is the card's score for another wording.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from harness.metrics.labels import label_counts
from harness.nouns import Counts
from harness.metrics.grounding import hallucination_counts
from harness.metrics.reading import answer_counts
from harness.prompts import ee, ner, re
from harness.prompts.schema import Batch, Label
from synth.probes.reading import Reading, Tuples, tuples
from synth.probes.rows import asked
from synth.records import Family, Instruction

Counted = dict[str, Counts]


def counts(doc: Mapping[str, Any], readings: Sequence[Reading], batches: Sequence[Sequence[str]]) -> Counted:
    """Counts of one document from the readings of its answers.

    Args:
        doc: A row of ``synth.probes.rows``.
        readings: One per prompt.
        batches: The labels that each prompt asked for.
    """
    question = asked(doc)
    if doc["rule"]:  # it may have renamed the labels, and all of them are asked at once
        batches = [question.schema.labels]
    gold = tuples(question.answer, question.family)
    found = merged(readings)
    return {
        **_COUNTERS[question.family](doc, question, readings, batches),
        "parse_failure": _share(readings, "reading", "failed"),
        "repaired": _share(readings, "reading", "repaired"),
        "other_format": (float(sum(one["other"] is not None for one in readings)), float(len(readings))),
        "correct": (float(_right(doc, found, gold)), 1.0),
        **_rule_counts(doc, question, found, gold),
    }


def merged(readings: Sequence[Reading]) -> Tuples | None:
    """The answers to all prompts of a document as one; None where one of them could not be read."""
    answers = [one["answer"] for one in readings]
    known = [answer for answer in answers if answer is not None]
    return sorted(tuple(item) for answer in known for item in answer) if len(known) == len(answers) else None


def _right(doc: Mapping[str, Any], found: Tuples | None, gold: Tuples) -> bool:
    """Whether an answer is the gold; of a question with several gold answers, whether it is one of them."""
    if doc["golds"] and found is not None:
        return found in [tuples(({"text": text},), Family.MRC) for text in doc["golds"]]
    return found == gold


def _rule_counts(doc: Mapping[str, Any], question: Instruction, found: Tuples | None, gold: Tuples) -> Counted:
    """Whether the rule was followed, or the answer is the one without it; only where the two differ."""
    if not doc["rule"]:
        return {}
    affected = float(bool(doc["default"]))
    default = tuples(json.loads(doc["default"] or "[]"), question.family)
    followed, ignored = float(found == gold), float(found == default)
    return {"rule_followed": (followed * affected, affected), "rule_ignored": (ignored * affected, affected)}


def _share(readings: Sequence[Reading], key: str, value: str) -> Counts:
    return float(sum(one[key] == value for one in readings)), float(len(readings))  # type: ignore[literal-required]


def _extraction(
    card: Callable[[Mapping[str, Any], Sequence[str]], dict[str, Counts]],
    write: Callable[[Tuples], Mapping[str, Any]],
    gold: Callable[[Instruction], Mapping[str, Any]],
) -> Callable[[Mapping[str, Any], Instruction, Sequence[Reading], Sequence[Sequence[str]]], Counted]:
    def count(
        _: Mapping[str, Any], question: Instruction, readings: Sequence[Reading], batches: Sequence[Sequence[str]]
    ) -> Counted:
        doc = {"text": question.text, "types": {}, "batches": [_labels(question, names) for names in batches]}
        texts = ["" if one["answer"] is None else json.dumps(write(one["answer"])) for one in readings]
        return dict(card({**doc, **gold(question)}, texts))

    return count


def _labels(question: Instruction, names: Sequence[str]) -> Batch:
    """Labels as the cards know them; code and name are one here."""
    roles = question.schema.roles
    return tuple(Label(name, name, "", {role: role for role in roles.get(name, ())}) for name in names)


def _grouped(answer: Tuples, entry: Callable[[tuple[str, ...]], Any]) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for item in answer:
        found.setdefault(item[0], []).append(entry(item))
    return found


def _events(answer: Tuples) -> dict[str, list[dict[str, Any]]]:
    """Events of tuples; of two events with one type and trigger the first has the arguments of both."""
    found: dict[str, list[dict[str, Any]]] = {}
    first: dict[tuple[str, ...], dict[str, list[str]]] = {}
    for item in sorted(answer, key=len):
        if len(item) == 2:
            arguments = {} if item in first else first.setdefault(item, {})
            found.setdefault(item[0], []).append({"trigger": item[1], "arguments": arguments})
        else:
            first[item[:2]].setdefault(item[2], []).append(item[3])
    return found


def _reading(
    doc: Mapping[str, Any], question: Instruction, readings: Sequence[Reading], _: Sequence[Sequence[str]]
) -> Counted:
    golds = list(doc["golds"]) or [fact["text"] for fact in question.answer]
    (one,) = readings
    said = None if one["answer"] is None else one["text"] or ""
    grounded = hallucination_counts([said] if said else [], question.text)
    return {**answer_counts(said, golds), "not_in_context": grounded["hallucinated_normalised"]}


def _class(
    _: Mapping[str, Any], question: Instruction, readings: Sequence[Reading], __: Sequence[Sequence[str]]
) -> Counted:
    (one,) = readings
    said = [item[0] for item in one["answer"] or []]
    return dict(label_counts(said[0] if len(said) == 1 else None, question.answer[0]["label"], question.schema.labels))


_COUNTERS: Mapping[
    Family, Callable[[Mapping[str, Any], Instruction, Sequence[Reading], Sequence[Sequence[str]]], Counted]
] = {
    Family.NER: _extraction(
        ner.process_results,
        lambda answer: _grouped(answer, lambda item: item[1]),
        lambda question: {"entities": list(question.answer)},
    ),
    Family.RE: _extraction(
        re.process_results,
        lambda answer: _grouped(answer, lambda item: {"head": item[1], "tail": item[2]}),
        lambda question: {"relations": [{**fact, "head_type": "", "tail_type": ""} for fact in question.answer]},
    ),
    Family.EE: _extraction(ee.process_results, _events, lambda question: {"events": list(question.answer)}),
    Family.MRC: _reading,
    Family.TC: _class,
}
