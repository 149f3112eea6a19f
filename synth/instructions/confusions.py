"""Which labels are easily confused, computed from the data alone.

IEPile (arXiv 2402.14710) asks for absent labels that resemble the present ones; its dictionary was written with the
help of a language model. Here three kinds of evidence are counted over the documents of one source and family:

- surfaces: the same words carry both labels somewhere. For entities the span and its words, for relations those of head
  and tail, for events those of the trigger, for texts with a class the words of the text. The overlap of the two
  distributions of words, which is one less their total variation distance.
- company: both labels occur in one document more often than chance. Documents that have both, less the number expected
  of independent labels, over the documents of the rarer label and five more (shrinkage: one document proves little).
- names: the label names share words up to their endings (their first five letters), Jaccard similarity. Similarity by
  letters was tried and takes "location" for a relative of "election".

A pair's score is the sum of the three, each in [0, 1]; the few labels with the highest scores above a floor are kept.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from synth.records import Document, Fact, Family

KEPT = 3
"""Confusable labels per label."""

FLOOR = 0.05
"""Smallest score of a confusable pair."""

_SURFACES = 5_000  # distinct surfaces per label: more change no ranking and cost memory
_COMPARED = 1_000  # most frequent surfaces that are compared
_STEM = 5
_SHRINKAGE = 5
_WORD = re.compile(r"[^\W\d_]{4,}|[\u4e00-\u9fff]{2,}")  # shorter words are mostly articles and prepositions
_SPANS = {Family.NER: ("text",), Family.RE: ("head", "tail"), Family.EE: ("trigger",)}
_CLOSED = (Family.NER, Family.RE, Family.EE, Family.TC)


@dataclass(frozen=True, slots=True)
class Confusion:
    """One confusable label.

    Attributes:
        label: The label.
        score: Sum of the evidence.
        surfaces: Overlap of the words that carry the labels.
        company: How much more often than chance they occur together.
        names: Similarity of the label names.
    """

    label: str
    score: float
    surfaces: float
    company: float
    names: float


@dataclass(frozen=True, slots=True)
class Confusions:
    """Confusable labels per source and family.

    Attributes:
        labels: ``<family>/<source>`` to label to its confusable labels, the most confusable first.
    """

    labels: Mapping[str, Mapping[str, tuple[Confusion, ...]]] = field(default_factory=dict)

    def of(self, document: Document, label: str) -> tuple[str, ...]:
        """Labels that are easily confused with a label of a document's source."""
        return tuple(item.label for item in self.labels.get(_place(document), {}).get(label, ()))


@dataclass(slots=True)
class _Counts:
    """What is counted for one source and family."""

    documents: int = 0
    labels: dict[str, None] = field(default_factory=dict)
    containing: Counter[str] = field(default_factory=Counter)
    together: Counter[tuple[str, str]] = field(default_factory=Counter)
    surfaces: defaultdict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))

    def add(self, document: Document) -> None:
        self.documents += 1
        self.labels.update(dict.fromkeys(document.schema.labels))
        present = sorted({fact["label"] for fact in document.answer})
        self.containing.update(present)
        self.together.update((one, other) for one in present for other in present if one < other)
        for fact in document.answer:
            known = self.surfaces[fact["label"]]
            for surface in _surfaces(document, fact):
                if surface in known or len(known) < _SURFACES:
                    known[surface] += 1


def confusions(documents: Iterable[Document]) -> Confusions:
    """Confusable labels of everything that has a closed label set.

    Args:
        documents: Documents of any sources and families.
    """
    counts: defaultdict[str, _Counts] = defaultdict(_Counts)
    for document in documents:
        if document.family in _CLOSED:
            counts[_place(document)].add(document)
    return Confusions({place: _ranked(found) for place, found in sorted(counts.items())})


def confusions_row(found: Confusions) -> dict[str, Any]:
    """A JSON-able form."""
    return {
        place: {
            label: [
                {
                    "label": item.label,
                    "score": item.score,
                    "surfaces": item.surfaces,
                    "company": item.company,
                    "names": item.names,
                }
                for item in items
            ]
            for label, items in labels.items()
        }
        for place, labels in found.labels.items()
    }


def confusions_of(row: Mapping[str, Any]) -> Confusions:
    """The object of a row that ``confusions_row`` made."""
    return Confusions({
        place: {label: tuple(Confusion(**item) for item in items) for label, items in labels.items()}
        for place, labels in row.items()
    })  # fmt: skip


def _place(document: Document) -> str:
    return f"{document.family}/{document.source}"


def _surfaces(document: Document, fact: Fact) -> Iterator[str]:
    if document.family is Family.TC:
        yield from _WORD.findall(document.text.lower())
        return
    for name in _SPANS[document.family]:
        span = fact[name].lower()
        yield span
        yield from (word for word in _WORD.findall(span) if word != span)


def _ranked(counts: _Counts) -> dict[str, tuple[Confusion, ...]]:
    labels = tuple(counts.labels)
    shares = {label: _shares(counts.surfaces[label]) for label in labels}
    scored: dict[str, list[Confusion]] = {label: [] for label in labels}
    for place, one in enumerate(labels):
        for other in labels[place + 1 :]:
            evidence = _overlap(shares[one], shares[other]), _company(counts, one, other), _alike(one, other)
            score = round(sum(evidence), 4)
            if score < FLOOR:
                continue
            surfaces, company, names = (round(value, 4) for value in evidence)
            scored[one].append(Confusion(other, score, surfaces, company, names))
            scored[other].append(Confusion(one, score, surfaces, company, names))
    return {
        label: tuple(sorted(items, key=lambda item: (-item.score, item.label))[:KEPT])
        for label, items in scored.items()
    }


def _shares(found: Counter[str]) -> dict[str, float]:
    top = found.most_common(_COMPARED)
    total = sum(number for _, number in top)
    return {surface: number / total for surface, number in top}


def _overlap(one: Mapping[str, float], other: Mapping[str, float]) -> float:
    return sum(min(share, other[surface]) for surface, share in one.items() if surface in other)


def _company(counts: _Counts, one: str, other: str) -> float:
    rare, common = sorted((counts.containing[one], counts.containing[other]))
    both = counts.together[(min(one, other), max(one, other))]
    return max(0.0, both - rare * common / counts.documents) / (rare + _SHRINKAGE)


def _alike(one: str, other: str) -> float:
    stems, others = (frozenset(word[:_STEM] for word in _WORD.findall(name.lower())) for name in (one, other))
    return len(stems & others) / (len(stems | others) or 1)
