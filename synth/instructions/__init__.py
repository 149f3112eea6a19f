"""Documents to base instructions: a few labels each, some of them absent, in the manner of IEPile (arXiv 2402.14710).

IEPile samples absent labels from Python sets, so its corpus changes with the hash seed; here every choice hangs on the
digest of the document and on the seed.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from synth.draws import Draws
from synth.instructions.confusions import (
    Confusion,
    Confusions,
    confusions,
    confusions_of,
    confusions_row,
)
from synth.recipe import InstructionSettings
from synth.records import Document, Fact, Family, Instruction, Schema

__all__ = ["Confusion", "Confusions", "build", "confusions", "confusions_of", "confusions_row", "merge"]

CLASSES = 12
"""A classification with more labels than this shows the right one with confusable and other ones only."""

_BACKLOG = 20_000  # general documents that wait for their share; more are thinned to a sample
_BATCHED = (Family.NER, Family.RE, Family.EE)


def build(
    documents: Iterable[Document], settings: InstructionSettings, confusable: Confusions, seed: int
) -> Iterator[Instruction]:
    """Base instructions, in the order of the documents.

    General documents wait until the others have made room for them: their share of what has been yielded never passes
    ``settings.general``, and what never finds room is left out. Where there is nothing else, all of them come.

    Args:
        documents: Annotated texts.
        settings: Labels per instruction, absent labels, shares.
        confusable: Which labels are easily confused.
        seed: Seed.
    """
    waiting = _Waiting(settings.general, seed)
    for document in documents:
        if document.family is Family.GENERAL:
            waiting.add(document)
        else:
            made = list(_instructions(document, settings, confusable, seed))
            yield from made
            waiting.others += len(made)
        yield from map(_plain, waiting.due())
    if not waiting.others:
        yield from map(_plain, waiting.queue)


def merge(batches: Iterable[Instruction]) -> list[Fact]:
    """The whole answer of a document from its label batches: facts in the order of the batches."""
    return [fact for batch in batches for fact in batch.answer]


@dataclass(slots=True)
class _Waiting:
    """General documents that wait for their share."""

    share: float
    seed: int
    others: int = 0
    out: int = 0
    seen: int = 0
    queue: deque[Document] = field(default_factory=deque)

    def add(self, document: Document) -> None:
        """Keep a uniform sample of those that wait (reservoir sampling)."""
        self.seen += 1
        if len(self.queue) < _BACKLOG:
            self.queue.append(document)
            return
        place = Draws(f"{self.seed}/waiting/{document.id}").below(self.seen)
        if place < _BACKLOG:
            self.queue[place] = document

    def due(self) -> Iterator[Document]:
        """Documents for which there is room now, the first ones first."""
        while self.queue and self.out + 1 <= self.share * (self.others + self.out + 1):
            self.out += 1
            yield self.queue.popleft()


def _instructions(
    document: Document, settings: InstructionSettings, confusable: Confusions, seed: int
) -> Iterator[Instruction]:
    draws = Draws(f"{seed}/{document.id}")
    if document.family is Family.TC:
        yield _classification(document, settings, confusable, draws)
    elif document.family in _BATCHED:
        yield from _batches(document, settings, confusable, draws)
        if document.family is Family.RE and document.answer and draws.chance(settings.open_ie):
            yield _instruction(document, Schema(), document.answer, {}, Family.OPEN_IE)
    else:
        yield _plain(document)


def _batches(
    document: Document, settings: InstructionSettings, confusable: Confusions, draws: Draws
) -> Iterator[Instruction]:
    """Instructions for the present labels, the ones confused with them and some others, a few labels each."""
    size = settings.labels.get(document.family, len(document.schema.labels) or 1)
    present, hard, other = _asked(document, settings, confusable, draws)
    batches = split(draws.shuffled([*present, *hard, *other]), size)
    for number, labels in enumerate(batches):
        answer = [fact for fact in document.answer if fact["label"] in labels]
        facts = {"batch": [number, len(batches)], "hard": [label for label in labels if label in hard]}
        yield _instruction(document, _subschema(document.schema, labels), answer, facts)


def _asked(
    document: Document, settings: InstructionSettings, confusable: Confusions, draws: Draws
) -> tuple[list[str], list[str], list[str]]:
    """Present labels, confusable ones that are absent, and drawn others, in the order of the schema."""
    known = document.schema.labels
    found = {fact["label"] for fact in document.answer}
    near = {label for present in found for label in confusable.of(document, present)} - found
    rest = [label for label in known if label not in found and label not in near]
    other = draws.sample(rest, settings.other_labels)
    return [label for label in known if label in found], [label for label in known if label in near], other


def split(labels: Sequence[str], size: int) -> list[list[str]]:
    """Labels in batches of ``size``; a last batch of less than half of it joins the one before.

    Source: IEPile (arXiv 2402.14710; zjunlp/IEPile at 933918d, the convention of ``split_num``).
    """
    batches = [list(labels[start : start + size]) for start in range(0, len(labels), size)]
    if len(batches) > 1 and len(batches[-1]) < size // 2:
        batches[-2:] = [batches[-2] + batches[-1]]
    return batches


def _classification(
    document: Document, settings: InstructionSettings, confusable: Confusions, draws: Draws
) -> Instruction:
    """All labels where they are few, else the right one among confusable and other ones."""
    labels = document.schema.labels
    if len(labels) <= CLASSES:
        return _instruction(document, document.schema, document.answer, {})
    present, hard, other = _asked(document, settings, confusable, draws)
    chosen = [label for label in labels if label in {*present, *hard, *other}]
    return _instruction(document, Schema(tuple(draws.shuffled(chosen))), document.answer, {"hard": hard})


def _plain(document: Document) -> Instruction:
    return _instruction(document, document.schema, document.answer, {})


def _subschema(schema: Schema, labels: Sequence[str]) -> Schema:
    return Schema(tuple(labels), {label: schema.roles[label] for label in labels if label in schema.roles})


def _instruction(
    document: Document, schema: Schema, answer: Sequence[Fact], facts: dict[str, Any], family: Family | None = None
) -> Instruction:
    return Instruction(
        family or document.family, document.source, document.key or document.id, document.text, schema, tuple(answer),
        document.licence, document.question, provenance={"document": document.id, "split": document.split, **facts},
    )  # fmt: skip
