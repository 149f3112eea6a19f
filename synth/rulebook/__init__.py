"""The rulebook: a teacher without a model. Guidance for common labels and executable rules, looked up by label name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from synth.records import Family
from synth.rulebook.binding import rules as fitting_rules
from synth.rulebook.guidance import draft, reflect
from synth.rulebook.library import Entry, Template, entries, fingerprint, lookup, lookup_role, templates

__all__ = [
    "Entry",
    "Template",
    "answer",
    "entries",
    "fingerprint",
    "fitting_rules",
    "lookup",
    "lookup_role",
    "templates",
]


def answer(purpose: str, variables: Mapping[str, Any]) -> dict[str, Any] | None:
    """What the rulebook says to a request.

    Args:
        purpose: Purpose of the request.
        variables: Its variables.

    Returns:
        The answer in the form that the prompt of the purpose asks for; None where the rulebook has nothing to say
        (it does not relabel: the interpreter does; it does not judge).
    """
    if purpose == "guideline_draft":
        return draft(variables)
    if purpose == "guideline_reflect":
        return reflect(variables)
    if purpose == "rule_propose":
        found = list(fitting_rules(Family(variables["family"]), variables["labels"], variables["roles"]))
        return {"rules": found} if found else None
    return None
