"""What the data says to a draft: problems that refuse it, and contradictions that a teacher should think about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synth.guidelines.guideline import Draft, Item, Sample
from synth.guidelines.label_sets import LabelSet, gold_spans, labels_in
from synth.records import Document, Family

_SPANLESS = (Family.TC, Family.GENERAL)


def problems(draft: Draft, label_set: LabelSet, labels: Sequence[str]) -> list[str]:
    """Why a draft cannot be used, in words that a teacher can act on; empty where it can.

    Args:
        draft: The draft.
        label_set: The label set.
        labels: The labels that were asked.
    """
    found = []
    said = Counter(item.label for item in draft.items)
    found += [f"the label {label!r} was not asked" for label in said if label not in labels]
    found += [f"the label {label!r} is missing" for label in labels if label not in said]
    found += [f"the label {label!r} has {times} items" for label, times in said.items() if times > 1]
    documents = label_set.examples(labels, len(labels) * 100)
    for item in draft.items:
        if item.label in labels:
            found += [f"{item.label}: {problem}" for problem in _problems_of(item, label_set, documents)]
    return found


def contradictions(items: Sequence[Mapping[str, Any]], label_set: LabelSet) -> list[dict[str, str]]:
    """Where the sampled documents speak against a draft, each with its place and a sentence."""
    values = _values(label_set)
    return [found for item in items for found in _against(item, values)]


def observed(label_set: LabelSet, labels: Sequence[str], count: int = 8) -> dict[str, list[str]]:
    """The most frequent gold values of labels in the sampled documents."""
    counts = {label: Counter[str]() for label in labels}
    for value, by_label in _values(label_set).items():
        for label, times in by_label.items():
            if label in counts and len(value) <= 60:
                counts[label][value] += times
    return {
        label: [value for value, _ in sorted(found.items(), key=lambda pair: (-pair[1], pair[0]))[:count]]
        for label, found in counts.items()
    }


def _problems_of(item: Item, label_set: LabelSet, documents: Sequence[Document]) -> Iterator[str]:
    known = label_set.roles.get(item.label, ())
    yield from (f"the role {role!r} does not exist" for role in item.roles if role not in known)
    for sample in item.positive:
        yield from _ungrounded(sample, label_set.family, documents)
        if not sample.invented and not _carries(sample, item.label, label_set.family, documents):
            yield f"the positive example {_short(sample)} does not carry this label in the data"
    for sample in item.negative:
        yield from _ungrounded(sample, label_set.family, documents)
        if not sample.why:
            yield f"the negative example {_short(sample)} has no reason"
        if not sample.invented and _carries(sample, item.label, label_set.family, documents):
            yield f"the negative example {_short(sample)} carries this label in the data"


def _ungrounded(sample: Sample, family: Family, documents: Sequence[Document]) -> Iterator[str]:
    if not sample.invented and not any(_holds(document, sample) for document in documents):
        yield f"the example {_short(sample)} is in no seed document and is not marked as invented"
    if family in _SPANLESS:
        return
    parts = sample.span.split(" -> ") if family in (Family.RE, Family.OPEN_IE) else [sample.span]
    if family in (Family.RE, Family.OPEN_IE) and len(parts) != 2:
        yield f"the span of the example {_short(sample)} is not of the form head -> tail"
    elif family is not Family.MRC and any(not part or part not in sample.text for part in parts):
        yield f"the example {_short(sample)} does not hold its span {sample.span!r}"


def _carries(sample: Sample, label: str, family: Family, documents: Sequence[Document]) -> bool:
    """Whether a document that holds the example has its span under the label in gold."""
    for document in documents:
        if not _holds(document, sample) or label not in labels_in(document):
            continue
        if family in _SPANLESS:
            return True
        if sample.question and sample.question != document.question:
            continue
        spans = {
            span for fact in document.answer if fact.get("label", label) == label or family is Family.OPEN_IE
            for span in gold_spans(fact, family)
        }  # fmt: skip
        if sample.span in spans or (family is Family.MRC and not spans and not sample.span):
            return True
    return False


def _holds(document: Document, sample: Sample) -> bool:
    return " ".join(sample.text.split()) in " ".join(document.text.split())


def _short(sample: Sample) -> str:
    return repr(sample.text if len(sample.text) <= 60 else sample.text[:57] + "...")


def _values(label_set: LabelSet) -> dict[str, Counter[str]]:
    """How often each value has each label in the sampled documents."""
    documents = {document.id: document for pool in label_set.documents.values() for document in pool}
    found: dict[str, Counter[str]] = {}
    for document in documents.values():
        for fact in document.answer:
            for span in gold_spans(fact, label_set.family):
                found.setdefault(span, Counter())[fact.get("label", labels_in(document)[0])] += 1
    return found


def _against(item: Mapping[str, Any], values: Mapping[str, Counter[str]]) -> Iterator[dict[str, str]]:
    label = item["label"]
    entries = [("typical", value, value) for value in item["typical"]]
    entries += [("positive", one["text"], one["span"]) for one in item["positive"] if one["invented"]]
    for where, entry, span in entries:
        other = values.get(span)
        if other and label not in other:
            often = ", ".join(sorted(other))
            sentence = f"{span!r} is given for {label}, but in the data it is {often} and never {label}"
            yield {"label": label, "where": where, "entry": entry, "sentence": sentence}
    for one in item["negative"]:
        if one["span"] and values.get(one["span"], {}).get(label) and one["invented"]:
            sentence = f"{one['span']!r} is given as no {label}, but in the data it is {label}"
            yield {"label": label, "where": "negative", "entry": one["text"], "sentence": sentence}
