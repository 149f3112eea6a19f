"""From readings to counts: those of the card that is probed, and what a probe asks on top.

The answer that was read is written in the form of the card that is probed and counted by that card's own function, so
that a probe's score is the card's score for another wording.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from harness.metrics.grounding import hallucination_counts
from harness.metrics.labels import label_counts
from harness.metrics.reading import answer_counts
from harness.nouns import Counts
from harness.prompts import ee, ner, re
from harness.prompts.schema import Label
from synth.probes.reading import Reading, Tuples, tuples
from synth.probes.rows import asked
from synth.records import Family, Instruction

Counted = dict[str, Counts]
CardCounts = Callable[[Mapping[str, Any], Sequence[str]], dict[str, Counts]]


@dataclass(frozen=True, slots=True)
class Answered:
    """A document with its answers.

    Attributes:
        question: The instruction with its gold answer.
        golds: Further gold answers of machine reading.
        batches: The labels that each prompt asked for.
        answers: What was read off the answer to each prompt; None where nothing could be read.
        text: The answer of machine reading as it was written.
    """

    question: Instruction
    golds: Sequence[str]
    batches: Sequence[Sequence[str]]
    answers: Sequence[Tuples | None]
    text: str | None

    @property
    def whole(self) -> Tuples | None:
        """The answers to all prompts as one; None where one of them could not be read."""
        known = [answer for answer in self.answers if answer is not None]
        return sorted(row for answer in known for row in answer) if len(known) == len(self.answers) else None


def counts(doc: Mapping[str, Any], readings: Sequence[Reading], batches: Sequence[Sequence[str]]) -> Counted:
    """Counts of one document.

    Args:
        doc: A row of ``synth.probes.rows``.
        readings: What was read off the answer to each prompt.
        batches: The labels that each prompt asked for; a rule is asked with all labels, which it may have renamed.
    """
    question = asked(doc)
    answers = [None if one["answer"] is None else [tuple(row) for row in one["answer"]] for one in readings]
    names = [question.schema.labels] if doc["rule"] else batches
    answered = Answered(question, doc["golds"], names, answers, readings[0]["text"])
    return {
        **_COUNTS[question.family](answered),
        "parse_failure": _share([one["reading"] == "failed" for one in readings]),
        "repaired": _share([one["reading"] == "repaired" for one in readings]),
        "other_format": _share([one["other"] is not None for one in readings]),
        "correct": _share([answered.whole in _golds(answered)]),
        **(_rule_counts(answered, doc["default"]) if doc["rule"] else {}),
    }


def _share(found: Sequence[bool]) -> Counts:
    return float(sum(found)), float(len(found))


def _golds(answered: Answered) -> list[Tuples]:
    """Every answer that is right: the gold facts, or one of several gold answers of a question."""
    family = answered.question.family
    return [tuples(answered.question.answer, family), *(tuples(({"text": text},), family) for text in answered.golds)]


def _rule_counts(answered: Answered, default: str) -> Counted:
    """Whether the rule was followed, or the answer is the one without it; only of documents where the two differ."""
    family, said = answered.question.family, answered.whole
    gold, other = (tuples(facts, family) for facts in (answered.question.answer, json.loads(default)))
    differs = float(gold != other)
    return {"rule_followed": (float(said == gold) * differs, differs),
            "rule_ignored": (float(said == other) * differs, differs)}  # fmt: skip


def _entity_counts(answered: Answered) -> Counted:
    return _card_counts(
        answered,
        ner.process_results,
        {"entities": list(answered.question.answer)},
        lambda answer: _by_label((label, text) for label, text in answer),
    )


def _relation_counts(answered: Answered) -> Counted:
    gold = [{**fact, "head_type": "", "tail_type": ""} for fact in answered.question.answer]
    return _card_counts(
        answered,
        re.process_results,
        {"relations": gold, "types": {}},
        lambda answer: _by_label((label, {"head": head, "tail": tail}) for label, head, tail in answer),
    )


def _event_counts(answered: Answered) -> Counted:
    return _card_counts(answered, ee.process_results, {"events": list(answered.question.answer)}, _events)


def _card_counts(
    answered: Answered, count: CardCounts, gold: Mapping[str, Any], write: Callable[[Tuples], Mapping[str, Any]]
) -> Counted:
    """Counts of the extraction card, whose answers are JSON objects; what could not be read predicts nothing."""
    question = answered.question
    roles = {name: {role: role for role in of_label} for name, of_label in question.schema.roles.items()}
    batches = [[Label(name, name, "", roles.get(name, {})) for name in batch] for batch in answered.batches]
    texts = ["" if answer is None else json.dumps(write(answer)) for answer in answered.answers]
    return count({"text": question.text, "batches": batches, **gold}, texts)


def _by_label(entries: Any) -> dict[str, list[Any]]:
    found: dict[str, list[Any]] = {}
    for label, entry in entries:
        found.setdefault(label, []).append(entry)
    return found


def _events(answer: Tuples) -> dict[str, list[Any]]:
    """Events of tuples.

    Of two events with one type and trigger the first has the arguments of both: no metric looks at which of them has
    an argument.
    """
    arguments: dict[tuple[str, ...], dict[str, list[str]]] = {row: {} for row in answer if len(row) == 2}
    for label, trigger, *argument in answer:
        if argument:
            role, text = argument
            arguments[label, trigger].setdefault(role, []).append(text)
    triggers = [row for row in answer if len(row) == 2]
    return _by_label((row[0], {"trigger": row[1], "arguments": arguments.pop(row, {})}) for row in triggers)


def _reading_counts(answered: Answered) -> Counted:
    golds = list(answered.golds) or [fact["text"] for fact in answered.question.answer]
    said = None if answered.whole is None else answered.text or ""
    spans = hallucination_counts([said] if said else [], answered.question.text)
    return {**answer_counts(said, golds), "not_in_context": spans["hallucinated_normalised"]}


def _class_counts(answered: Answered) -> Counted:
    said = answered.whole or []
    gold = answered.question.answer[0]["label"]
    return dict(label_counts(said[0][0] if len(said) == 1 else None, gold, answered.question.schema.labels))


_COUNTS: Mapping[Family, Callable[[Answered], Counted]] = {
    Family.NER: _entity_counts,
    Family.RE: _relation_counts,
    Family.EE: _event_counts,
    Family.MRC: _reading_counts,
    Family.TC: _class_counts,
}
