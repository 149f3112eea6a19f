"""Guidelines from the library, and how the library takes criticism: what the data contradicts is left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from synth.records import Family
from synth.rulebook.library import example, lookup, lookup_role

_KINDS = {
    Family.NER: "Names and phrases of the text that are called {words}",
    Family.RE: "The head stands in the relation {words} to the tail",
    Family.EE: "Something happens that is described as {words}",
    Family.TC: "The text as a whole belongs under {words}",
}
_SHOWN = 3
_LONGEST = 120  # characters of a span or question that an example shows


def draft(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to ``guideline_draft``: one item per label, from the library or from the label's own words."""
    family = Family(variables["family"])
    return {"items": [_item(family, label, variables) for label in variables["labels"]]}


def reflect(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to ``guideline_reflect``: the draft without the entries that the data contradicts."""
    wrong = {(found["label"], found["where"], found["entry"]) for found in variables["contradictions"]}
    return {"items": [_mended(item, wrong) for item in variables["guideline"]["items"]]}


def _item(family: Family, label: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    found = lookup(family, label)
    seen = _from_documents(family, label, variables["documents"])
    known = {role: lookup_role(role) for role in variables["roles"].get(label, ())}
    roles = {role: entry[1] for role, entry in known.items() if entry is not None}
    if found is None:
        meaning = _KINDS[family].format(words=_spoken(label)) + ", as the examples show."
        typical = list(dict.fromkeys(one["span"] for one in seen if one["span"] and family is not Family.RE))
        return _row(label, meaning, typical=typical, positive=seen, roles=roles)
    entry = found[1]
    invented = [{**example(text), "invented": True} for text in entry.right]
    negative = [{**example(text), "invented": True} for text in entry.wrong]
    return _row(
        label, entry.meaning, typical=entry.typical, positive=[*invented, *seen], negative=negative,
        edge_cases=entry.edges, separates=entry.separates, roles=roles,
    )  # fmt: skip


def _from_documents(family: Family, label: str, documents: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Positive examples out of the seed documents; a free instruction without its answer is none."""
    found: list[dict[str, Any]] = []
    if family is Family.GENERAL:
        return found
    for document in documents:
        facts = [fact for fact in document["answer"] if family is Family.OPEN_IE or fact.get("label", label) == label]
        if label in document["labels"] and facts:
            span, question = span_of(family, facts[0]), document["question"]
            if len(span) <= _LONGEST and len(question) <= _LONGEST and span.count(" -> ") <= 1:
                found.append({"text": document["text"], "span": span, "question": question, "invented": False})
    return found[:_SHOWN]


def span_of(family: Family, fact: Mapping[str, Any]) -> str:
    """The span by which an example shows a fact; empty where the whole text is the example."""
    if family in (Family.TC, Family.GENERAL):
        return ""
    if family in (Family.RE, Family.OPEN_IE):
        return f"{fact['head']} -> {fact['tail']}"
    return str(fact.get("trigger", fact.get("text", "")))


def _row(label: str, meaning: str, **facts: Any) -> dict[str, Any]:
    empty = {"typical": [], "positive": [], "negative": [], "edge_cases": [], "separates": "", "roles": {}}
    return {
        "label": label,
        "meaning": meaning,
        **empty,
        **{k: list(v) if isinstance(v, tuple) else v for k, v in facts.items()},
    }


def _mended(item: Mapping[str, Any], wrong: set[tuple[str, str, str]]) -> dict[str, Any]:
    label = item["label"]
    return {
        **item,
        "typical": [value for value in item["typical"] if (label, "typical", value) not in wrong],
        "positive": [one for one in item["positive"] if (label, "positive", one["text"]) not in wrong],
        "negative": [one for one in item["negative"] if (label, "negative", one["text"]) not in wrong],
    }


def _spoken(label: str) -> str:
    """A label as words: joints and capitals inside become spaces."""
    made = "".join(
        f" {character}" if character.isupper() and place and label[place - 1].islower() else character
        for place, character in enumerate(label)
    )
    return " ".join(made.replace("_", " ").replace("-", " ").replace(".", " ").split()).lower() or label
