"""Rows of a probe: which documents are asked, under which rule, in which format and wording; and back to instructions.

All probes of one kind and one task ask the same documents in the same order, so that two records with one ``doc_id``
are two answers to one question.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from typing import Any

from synth.formats import FORMATS, example
from synth.formats.registry import basic_format
from synth.probes.documents import Doc, instruction
from synth.probes.swaps import Ruled, ruled, rules_of
from synth.recipe import FormatSettings
from synth.records import Example, Family, Instruction, Schema, digest

BASIC = FormatSettings().basic
"""Basic format of extraction in a corpus of the default recipe."""

_EVERY_TEXT = "marked"
"""The one format that many texts cannot be written in; no probe asks for it."""

Row = dict[str, Any]


def rows(docs: Iterable[Doc], metadata: Mapping[str, Any]) -> list[Row]:
    """The rows of a probe.

    Documents that some format cannot carry, or that some rule of the task cannot decide, are left out of all probes of
    their kind. Of the rest ``metadata.documents`` are taken: those that most of the task's rules change, and of equal
    ones those with the smallest digest. They stay in the order of the data.

    Args:
        docs: Documents of the card that is probed.
        metadata: The probe's metadata.
    """
    probe = metadata["probe"]
    rules = rules_of(probe["of"]) if probe["kind"] == "rule" else ()
    found = [(place, doc, instruction(doc, metadata)) for place, doc in enumerate(docs)]
    found.sort(key=lambda item: _rank(item[2]))
    usable = ((place, doc, ruled(base, rules)) for place, doc, base in found if _in_every_format(base))
    decided = ((place, doc, under) for place, doc, under in usable if under is not None)
    ordered = sorted(decided, key=lambda item: -item[2].changing) if rules else decided
    chosen = sorted(islice(ordered, metadata["documents"]), key=lambda item: item[0])
    return [_row(doc, under, metadata) for _, doc, under in chosen]


def asked(row: Mapping[str, Any], labels: Sequence[str] | None = None) -> Instruction:
    """The instruction of a row.

    Args:
        row: A row of ``rows``.
        labels: The labels to ask for; None for all.
    """
    content = json.loads(row["schema"])
    names = [name for name in content["labels"] if labels is None or name in labels]
    roles = {name: tuple(content["roles"][name]) for name in names if name in content["roles"]}
    answer = [fact for fact in json.loads(row["answer"]) if labels is None or fact.get("label", "") in (*names, "")]
    return Instruction(
        Family(row["family"]), row["of"], "", row["text"], Schema(tuple(names), roles), tuple(answer), "",
        row["question"] or None, rule=row["rule"] or None,
    )  # fmt: skip


def shown(row: Mapping[str, Any], labels: Sequence[str] | None = None) -> Example:
    """Prompt and gold answer of a row, made as a training example is made."""
    return example(asked(row, labels), row["format"], row["phrasing"], rule_text=row["rule_text"], basic=BASIC)


def _in_every_format(base: Instruction) -> bool:
    return all(form.can(base) for name, form in FORMATS.items() if base.family in form.families and name != _EVERY_TEXT)


def _rank(base: Instruction) -> str:
    return digest([base.source, base.text, base.question])


def _row(doc: Doc, under: Ruled, metadata: Mapping[str, Any]) -> Row:
    probe = metadata["probe"]
    kind, variant = probe["kind"], probe["variant"]
    base = under.base
    now = under.by_name[variant] if kind == "rule" and variant != "default" else None
    this = replace(base, answer=now.answer, schema=now.schema, rule=now.rule) if now else base
    row: Row = {
        "of": base.source,
        "family": str(base.family),
        "text": base.text,
        "question": base.question or "",
        "schema": json.dumps({"labels": this.schema.labels, "roles": this.schema.roles}, ensure_ascii=False),
        "answer": json.dumps(this.answer, ensure_ascii=False),
        "golds": list(doc["answers"]["text"]) if base.family is Family.MRC and now is None else [],
        "format": variant if kind == "format" else basic_format(base, BASIC),
        "phrasing": variant if kind == "phrasing" else f"{base.family}-plain",
        "rule": this.rule or "",
        "rule_text": now.text if now else "",
        "default": json.dumps(base.answer, ensure_ascii=False) if now else "",
    }
    return row if metadata["unit"] == "item" else row | {metadata["unit"]: doc[metadata["unit"]]}
