"""Documents of the harness's own cards as base instructions: the whole label set, under the names that a card gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from harness.prompts.schema import Label
from harness.prompts.schema import schema as labels_of
from synth.records import Fact, Family, Instruction, Schema

Doc = Mapping[str, Any]
Labels = Mapping[str, Label]


def instruction(doc: Doc, metadata: Mapping[str, Any]) -> Instruction:
    """The base instruction of a document, asking for every label of the card; facts of other labels are left out.

    Args:
        doc: A document as the ``process_docs`` of a card gives it; for classes a row with ``text`` and ``label`` (a
            name or a number), for reading a row in the form of SQuAD.
        metadata: The card's metadata: ``asks`` (the family), ``labels``, ``probe.of``.
    """
    family = Family(metadata["asks"])
    labels = {label.code: label for label in labels_of(metadata["labels"])}
    roles = {label.name: tuple(label.roles.values()) for label in labels.values() if label.roles}
    text, question = (doc["context"], doc["question"]) if family is Family.MRC else (doc["text"], None)
    schema = Schema(tuple(label.name for label in labels.values()), roles)
    answer = tuple(_FACTS[family](doc, labels))
    return Instruction(
        family, metadata["probe"]["of"], "", text.strip(), schema, answer, str(metadata["licence"]), question
    )


def _asked(items: Iterable[Doc], labels: Labels) -> list[Doc]:
    return [item for item in items if item["label"] in labels]


def _entities(doc: Doc, labels: Labels) -> list[Fact]:
    return [{"label": labels[item["label"]].name, "text": item["text"]} for item in _asked(doc["entities"], labels)]


def _relations(doc: Doc, labels: Labels) -> list[Fact]:
    return [
        {"label": labels[item["label"]].name, "head": item["head"], "tail": item["tail"]}
        for item in _asked(doc["relations"], labels)
    ]


def _events(doc: Doc, labels: Labels) -> list[Fact]:
    return [
        {
            "label": labels[item["label"]].name,
            "trigger": item["trigger"],
            "arguments": [
                {"role": labels[item["label"]].roles[argument["role"]], "text": argument["text"]}
                for argument in item["arguments"]
            ],
        }
        for item in _asked(doc["events"], labels)
    ]


def _answer(doc: Doc, _: Labels) -> list[Fact]:
    return [{"text": text} for text in doc["answers"]["text"][:1]]


def _class(doc: Doc, labels: Labels) -> list[Fact]:
    gold = doc["label"]
    return [{"label": (labels[gold] if isinstance(gold, str) else list(labels.values())[gold]).name}]


_FACTS: Mapping[Family, Callable[[Doc, Labels], list[Fact]]] = {
    Family.NER: _entities,
    Family.RE: _relations,
    Family.EE: _events,
    Family.MRC: _answer,
    Family.TC: _class,
}
