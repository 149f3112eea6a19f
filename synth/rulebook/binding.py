"""Binding a rule template to a label set: concepts become the labels that the data set uses for them."""

from __future__ import annotations

import string
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from synth.records import Family
from synth.rulebook.library import Template, lookup, lookup_role, templates

_MOST_CODES = 20  # a longer list of codes does not fit a prompt
_LONGEST = 500  # characters of a sentence; label names can be long
_FEWEST_NAMES = 2  # a renaming of one label is no rule about naming


def rules(family: Family, labels: Sequence[str], roles: Mapping[str, Sequence[str]]) -> Iterator[dict[str, Any]]:
    """Every rule of the library that fits a label set, as the fields of a rule.

    Args:
        family: Family of the label set.
        labels: Label names as the data set has them.
        roles: Argument roles per label.
    """
    for template in templates():
        bound = _bind(template, family, labels, roles) if family in template.families else None
        if bound is not None:
            yield bound


def _bind(
    template: Template, family: Family, labels: Sequence[str], roles: Mapping[str, Sequence[str]]
) -> dict[str, Any] | None:
    concepts = _by_concept(family, labels)
    role_names = list(dict.fromkeys(role for of_label in roles.values() for role in of_label))
    by_role = _by_role(role_names)
    if not (set(template.concepts) <= set(concepts) and set(template.roles) <= set(by_role)):
        return None
    mapping = _mapping(template, labels, concepts, by_role)
    if mapping is None:
        return None
    known: dict[str, Any] = {"mapping": mapping, "roles": role_names, **by_role, **concepts}
    sentence = _sentence(template, known)
    if len(sentence) > _LONGEST:
        return None
    touched = [label for concept in template.concepts for label in concepts[concept]]
    return {
        "name": template.name,
        "kind": template.kind,
        "sentence": sentence,
        "labels": touched or list(mapping if not template.role_names else {}),
        "operation": {
            "name": template.operation,
            "parameters": {key: _filled(value, known) for key, value in template.parameters.items()},
        },
    }


def _mapping(
    template: Template, labels: Sequence[str], concepts: Mapping[str, list[str]], by_role: Mapping[str, list[str]]
) -> dict[str, str] | None:
    """New names by old ones; empty where the template renames nothing, None where it cannot be bound."""
    if template.codes:
        if not _FEWEST_NAMES <= len(labels) <= _MOST_CODES:
            return None
        return {label: _code(template.codes, place) for place, label in enumerate(labels)}
    wanted, found = (template.role_names, by_role) if template.role_names else (template.names, concepts)
    if not wanted:
        return {}
    mapping = {label: new for concept, new in wanted.items() for label in found.get(concept, ())}
    renamed = template.operation == "with_parent" or len(set(mapping.values())) == len(mapping)
    return mapping if len(mapping) >= _FEWEST_NAMES and renamed else None


def _code(form: str, place: int) -> str:
    return string.ascii_uppercase[place] if form == "letters" else form.format(place + 1)


def _by_concept(family: Family, labels: Sequence[str]) -> dict[str, list[str]]:
    """Labels of a label set by the library entry that they mean."""
    found: dict[str, list[str]] = {}
    for label in labels:
        entry = lookup(family, label)
        if entry is not None:
            found.setdefault(entry[0], []).append(label)
    return found


def _by_role(roles: Sequence[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for role in roles:
        entry = lookup_role(role)
        if entry is not None:
            found.setdefault(entry[0], []).append(role)
    return found


def _sentence(template: Template, known: Mapping[str, Any]) -> str:
    sentence = template.sentence
    for name in (*template.concepts, *template.roles):
        sentence = sentence.replace(f"{{{name}}}", " or ".join(known[name]))
    return sentence


def _filled(value: Any, known: Mapping[str, Any]) -> Any:
    """A parameter with its ``$`` references resolved."""
    if not (isinstance(value, str) and value.startswith("$")):
        return value
    name = value[1:]
    if name.endswith(".one"):
        return known[name.removesuffix(".one")][0]
    if name == "mapping":
        return known[name]
    return [label for part in name.split("+") for label in known[part]]
