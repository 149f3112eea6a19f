"""Edits: text a person can change, checked, and written as a new line beside the old one."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from pydantic import ValidationError

from harness.errors import DataError, MissingInputError
from synth.filters.answers import grounded, schema_valid
from synth.formats import FORMATS
from synth.guidelines import Guideline, guideline_of, guideline_row
from synth.records import Example, as_row
from synth.rules import Rule, rule_of, rule_row
from synth.work import append_lines, read_lines

GUIDELINES, RULES, DECISIONS = "guidelines.jsonl", "rules.jsonl", "decisions.jsonl"
EXAMPLES = "examples.jsonl"
"""Examples with an answer that a person edited; the others are shards."""


def guideline_text(guideline: Guideline) -> str:
    """The items of a guideline as YAML, without fields that say nothing."""
    items = [item.model_dump(mode="json", exclude_defaults=True) for item in guideline.items]
    return yaml.safe_dump(items, allow_unicode=True, sort_keys=False, width=100)


def rule_text(rule: Rule) -> str:
    """The sentence of a rule."""
    return rule.sentence


def replace_line(out: Path, kind: str, identity: str, text: str, reviewer: str) -> str:
    """Write the edited guideline or rule as a new line; its id.

    Args:
        out: Working folder.
        kind: ``guideline`` or ``rule``.
        identity: Id of the original, whose line stays.
        text: The edited text, as ``guideline_text`` or ``rule_text`` shows it.
        reviewer: Who edited it.

    Raises:
        MissingInputError: The original is not in the folder.
        DataError: The text is no guideline for the same labels, or no rule.
    """
    row = _row(out / (GUIDELINES if kind == "guideline" else RULES), identity, kind)
    made = {"edited_from": identity, "edited_by": reviewer}
    try:
        if kind == "guideline":
            guideline = _guideline(guideline_of(row), text, made)
            append_lines(out / GUIDELINES, [guideline_row(guideline)])
            return guideline.id
        old = rule_of(row)
        rule = Rule.model_validate(
            {**old.model_dump(), "sentence": text.strip(), "provenance": {**old.provenance, **made}}
        )
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(f"The edited {kind}", f"has a wrong value at {place} ({first['msg']})", "correct it") from error
    append_lines(out / RULES, [rule_row(rule)])
    _copy_decision(out / DECISIONS, identity, rule.id)
    return rule.id


def replace_example(out: Path, old: Example, text: str, reviewer: str) -> str:
    """Write an example with the answer that a person gave as a new line; its id.

    Args:
        out: Working folder.
        old: The example as it was, which stays where it is.
        text: The answer in the format of the example.
        reviewer: Who edited it.

    Raises:
        DataError: The text is not in the format, or its answer is not in the schema or not in the text.
    """
    written = FORMATS[old.format]
    made = {"edited_from": old.id, "edited_by": reviewer}
    asked = replace(
        old.instruction,
        answer=written.parse(text, old.instruction),
        provenance={**old.instruction.provenance, **made},
    )
    lead = "" if written.start == "block" else " "
    new = replace(old, instruction=asked, completion=lead + written.render(asked), filters=())
    for check in (schema_valid, grounded):
        found = check(new)
        if not found.passed:
            raise DataError("The edited answer", f"is not right ({found.reason})", "correct it, or reject the example")
    append_lines(out / EXAMPLES, [as_row(new)])
    return new.id


def latest(example: Example, edits: Mapping[str, Example]) -> Example:
    """What an example became by edits, each of which may have been edited again."""
    seen: set[str] = set()
    while (identity := example.id) in edits and identity not in seen:
        seen.add(identity)
        example = edits[identity]
    return example


def _guideline(old: Guideline, text: str, made: dict[str, str]) -> Guideline:
    try:
        items = yaml.safe_load(text)
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise DataError("The edited guideline", f"is no YAML ({reason})", "keep the indentation") from error
    content = {**old.model_dump(), "items": items, "status": "draft", "provenance": {**old.provenance, **made}}
    new = Guideline.model_validate(content)
    if sorted(new.labels) != sorted(old.labels):
        raise DataError(
            "The edited guideline", "explains other labels than the original", f"keep {', '.join(old.labels)}"
        )
    return new


def _row(path: Path, identity: str, kind: str) -> dict[str, Any]:
    for row in read_lines(path):
        if row["id"] == identity:
            return row
    raise MissingInputError(f"The {kind} {identity[:12]}", f"is not in {path}", "start the review again")


def _copy_decision(path: Path, old: str, new: str) -> None:
    """What was measured of a rule, its teacher's answers too, is kept for the rule with the new sentence."""
    append_lines(path, [{**row, "id": new} for row in read_lines(path) if row["id"] == old])
