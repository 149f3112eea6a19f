"""Label sets: the labels of a source with a small seeded sample of documents for each, gathered in one pass."""

from __future__ import annotations

from bisect import insort
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from synth.guidelines.guideline import labels_of
from synth.records import Document, Fact, Family, Schema, digest

KEPT = 24
"""Documents kept per label: those with the smallest hash, whatever the order in which they come."""

_LONGEST = 400  # characters of a document in a prompt


@dataclass(frozen=True, slots=True)
class LabelSet:
    """The labels of one source.

    Attributes:
        family: Family.
        source: Source.
        labels: Labels, or kinds of answer for families without labels (``labels_of``).
        roles: For events: argument roles per label.
        documents: Sampled documents per label, in sampling order.
    """

    family: Family
    source: str
    labels: tuple[str, ...]
    roles: Mapping[str, tuple[str, ...]]
    documents: Mapping[str, tuple[Document, ...]]

    def examples(self, labels: Sequence[str], count: int) -> tuple[Document, ...]:
        """At most ``count`` documents, the labels in turn, none twice."""
        pools = [self.documents.get(label, ()) for label in labels]
        found: dict[str, Document] = {}
        for rank in range(max((len(pool) for pool in pools), default=0)):
            for pool in pools:
                if rank < len(pool) and len(found) < count:
                    found.setdefault(pool[rank].id, pool[rank])
        return tuple(found.values())


@dataclass(slots=True)
class _Gathering:
    """A label set under way."""

    labels: dict[str, None] = field(default_factory=dict)
    roles: dict[str, dict[str, None]] = field(default_factory=dict)
    kept: dict[str, list[tuple[str, str, Document]]] = field(default_factory=dict)

    def add(self, document: Document, seed: int) -> None:
        self.labels.update(dict.fromkeys(labels_of(document)))
        for label, roles in document.schema.roles.items():
            self.roles.setdefault(label, {}).update(dict.fromkeys(roles))
        name = document.id
        key = digest([seed, name])
        for label in labels_in(document):
            kept = self.kept.setdefault(label, [])
            if len(kept) < KEPT or key < kept[-1][0]:
                insort(kept, (key, name, document), key=lambda entry: entry[:2])
                del kept[KEPT:]


def label_sets(documents: Iterable[Document], seed: int = 0) -> tuple[LabelSet, ...]:
    """Label sets of a stream of documents, by family and source.

    Documents with relations are asked without a schema too (``synth.instructions``): they make a label set of open
    extraction as well.

    Args:
        documents: Documents in any order; memory holds a sample of them only.
        seed: Seed of the sample.
    """
    gathered: dict[tuple[str, str], _Gathering] = {}
    for document in documents:
        gathered.setdefault((document.family, document.source), _Gathering()).add(document, seed)
        if document.family is Family.RE and document.answer:
            asked = replace(document, family=Family.OPEN_IE, schema=Schema())
            gathered.setdefault((asked.family, asked.source), _Gathering()).add(asked, seed)
    return tuple(_label_set(Family(family), source, found) for (family, source), found in sorted(gathered.items()))


def labels_in(document: Document) -> tuple[str, ...]:
    """Labels that the gold answer of a document has; the kind of answer for families without labels."""
    labels = labels_of(document)
    if document.family in (Family.MRC, Family.OPEN_IE, Family.GENERAL):
        return labels
    return tuple(dict.fromkeys(fact["label"] for fact in document.answer))


def shown(document: Document) -> dict[str, Any]:
    """A document as a prompt shows it: a stretch of bounded length with the facts that stand in it."""
    text = _stretch(document)
    answer = [dict(fact) for fact in document.answer if text == document.text or _stands_in(fact, document, text)]
    return {
        "id": document.id[:12], "text": text, "question": document.question or "",
        "labels": list(labels_in(document)), "answer": answer,
    }  # fmt: skip


def gold_spans(fact: Fact, family: Family) -> Iterator[str]:
    """Spans by which an example can show a fact: a span, ``head -> tail``, a trigger, or an answer."""
    if family in (Family.RE, Family.OPEN_IE):
        yield f"{fact['head']} -> {fact['tail']}"
    elif family is Family.EE:
        yield fact["trigger"]
    elif family in (Family.NER, Family.MRC):
        yield fact["text"]


def _label_set(family: Family, source: str, found: _Gathering) -> LabelSet:
    schema = Schema(tuple(found.labels), {label: tuple(roles) for label, roles in found.roles.items()})
    kept = {label: tuple(document for _, _, document in pool) for label, pool in sorted(found.kept.items())}
    return LabelSet(family, source, schema.labels, schema.roles, kept)


def _stretch(document: Document) -> str:
    """The text, or about ``_LONGEST`` characters of it around the first fact, cut between words."""
    text = document.text
    if len(text) <= _LONGEST:
        return text
    first = next((span for fact in document.answer for span in _plain_spans(fact, document.family)), "")
    place = max(text.find(first), 0) if first else 0
    begin = max(0, min(place - _LONGEST // 3, len(text) - _LONGEST))
    begin = text.find(" ", begin) + 1 if begin else 0
    end = text.rfind(" ", begin, begin + _LONGEST)
    return text[begin : end if end > begin else begin + _LONGEST].strip()


def _stands_in(fact: Fact, document: Document, text: str) -> bool:
    return all(span in text or span not in document.text for span in _plain_spans(fact, document.family))


def _plain_spans(fact: Fact, family: Family) -> Iterator[str]:
    if family in (Family.RE, Family.OPEN_IE):
        yield from (fact["head"], fact["tail"])
    elif family is Family.EE:
        yield fact["trigger"]
        yield from (argument["text"] for argument in fact["arguments"])
    elif family in (Family.NER, Family.MRC):
        yield fact["text"]
