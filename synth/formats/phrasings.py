"""Wordings of prompts, and the prompt that one of them makes of an instruction."""

from __future__ import annotations

import json
import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

import yaml

from synth.records import Family, Instruction, Schema

_FILE = Path(__file__).with_name("phrasings.yaml")


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One wording of a prompt.

    Attributes:
        id: Name.
        family: Family that it asks about.
        parts: Paragraphs with placeholders.
        structured: Whether the prompt is one JSON object with instruction, schema and input.
        held_out: Whether it is kept for evaluation and never enters a corpus.
    """

    id: str
    family: Family
    parts: tuple[str, ...]
    structured: bool = False
    held_out: bool = False

    def prompt(self, asked: Instruction, format_text: str, guideline_text: str = "", rule_text: str = "") -> str:
        """The prompt of an instruction; it ends where the answer follows, without white space.

        Args:
            asked: The instruction.
            format_text: The words that describe the answer format.
            guideline_text: The guideline to show; empty for none.
            rule_text: The preference rule to show; empty for none.
        """
        given = {"format": format_text, "guideline": guideline_text, "rule": rule_text}
        if self.structured:
            return f"{_structured(self.parts, asked, given)}\nOutput:"
        labels = [_label(label, asked.schema) for label in asked.schema.labels]
        given |= {
            "text": asked.text,
            "question": asked.question or "",
            "labels": ", ".join(labels),
            "label_lines": "\n".join(f"- {label}" for label in labels),
        }
        return "\n".join(_filled(self.parts, given))


@cache
def phrasings() -> Mapping[str, Phrasing]:
    """Every phrasing by its id."""
    rows = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    read = [Phrasing(**row | {"family": Family(row["family"]), "parts": tuple(row["parts"])}) for row in rows]
    return MappingProxyType({phrasing.id: phrasing for phrasing in read})


def train_phrasings(family: Family) -> tuple[str, ...]:
    """Ids of the phrasings of a family that a corpus may use."""
    return tuple(name for name, item in phrasings().items() if item.family == family and not item.held_out)


def held_out_phrasings(family: Family) -> tuple[str, ...]:
    """Ids of the phrasings of a family that are kept for evaluation."""
    return tuple(name for name, item in phrasings().items() if item.family == family and item.held_out)


def _structured(parts: tuple[str, ...], asked: Instruction, given: Mapping[str, str]) -> str:
    """One JSON object in the style of IEPile (arXiv 2402.14710): {instruction, schema, input}."""
    content: dict[str, Any] = {"instruction": " ".join(_filled(parts, given))}
    if asked.schema.roles:
        roles = asked.schema.roles
        content["schema"] = [{"type": label, "roles": list(roles.get(label, ()))} for label in asked.schema.labels]
    elif asked.schema.labels:
        content["schema"] = list(asked.schema.labels)
    elif asked.question is not None:
        content["schema"] = asked.question
    return json.dumps(content | {"input": asked.text}, ensure_ascii=False)


def _filled(parts: tuple[str, ...], given: Mapping[str, str]) -> list[str]:
    return [part.format_map(given) for part in parts if all(given[name] for name in _names(part))]


@cache
def _names(part: str) -> tuple[str, ...]:
    """Placeholders of a part; it is left out where one of them has nothing to say."""
    return tuple(name for _, name, _, _ in string.Formatter().parse(part) if name)


def _label(label: str, schema: Schema) -> str:
    roles = schema.roles.get(label, ())
    return f"{label} ({', '.join(roles)})" if roles else label
