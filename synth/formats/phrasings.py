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
class Part:
    """One paragraph of a prompt; it is left out where one of its placeholders has nothing to say.

    Attributes:
        text: The paragraph with its placeholders.
        needs: What must have something to say, beside the placeholders; empty for nothing.
        bars: What must have nothing to say; empty for nothing.
    """

    text: str
    needs: str = ""
    bars: str = ""

    def filled(self, given: Mapping[str, str]) -> str | None:
        """The paragraph; None where it is left out."""
        if (self.bars and given[self.bars]) or (self.needs and not given[self.needs]):
            return None
        return self.text.format_map(given) if all(given[name] for name in _names(self.text)) else None


@dataclass(frozen=True, slots=True)
class Phrasing:
    """One wording of a prompt.

    Attributes:
        id: Name.
        family: Family that it asks about.
        parts: Its paragraphs.
        structured: Whether the prompt is one JSON object with instruction, schema and input.
        held_out: Whether it is kept for evaluation and never enters a corpus.
    """

    id: str
    family: Family
    parts: tuple[Part, ...]
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
        labels = [_label(label, asked.schema) for label in asked.schema.labels]
        given = {
            "format": format_text,
            "guideline": guideline_text,
            "rule": rule_text,
            "text": asked.text,
            "question": asked.question or "",
            "labels": ", ".join(labels),
            "label_lines": "\n".join(f"- {label}" for label in labels),
        }
        filled = [text for text in (part.filled(given) for part in self.parts) if text is not None]
        return f"{_structured(' '.join(filled), asked)}\nOutput:" if self.structured else "\n".join(filled)


@cache
def phrasings() -> Mapping[str, Phrasing]:
    """Every phrasing by its id."""
    rows = yaml.safe_load(_FILE.read_text(encoding="utf-8"))
    read = [
        Phrasing(**row | {"family": Family(row["family"]), "parts": tuple(map(_part, row["parts"]))}) for row in rows
    ]
    return MappingProxyType({phrasing.id: phrasing for phrasing in read})


def train_phrasings(family: Family) -> tuple[str, ...]:
    """Ids of the phrasings of a family that a corpus may use."""
    return tuple(name for name, item in phrasings().items() if item.family == family and not item.held_out)


def held_out_phrasings(family: Family) -> tuple[str, ...]:
    """Ids of the phrasings of a family that are kept for evaluation."""
    return tuple(name for name, item in phrasings().items() if item.family == family and item.held_out)


def _part(given: str | Mapping[str, str]) -> Part:
    if isinstance(given, str):
        return Part(given)
    return Part(given["text"], needs=given.get("if", ""), bars=given.get("unless", ""))


def _structured(instruction: str, asked: Instruction) -> str:
    """One JSON object in the style of IEPile (arXiv 2402.14710): {instruction, schema, input}."""
    content: dict[str, Any] = {"instruction": instruction}
    labels, roles = list(asked.schema.labels), asked.schema.roles
    if asked.question is not None:
        content["schema"] = {"question": asked.question, "choices": labels} if labels else asked.question
    elif roles:
        content["schema"] = [{"type": label, "roles": list(roles.get(label, ()))} for label in labels]
    elif labels:
        content["schema"] = labels
    return json.dumps(content | {"input": asked.text}, ensure_ascii=False)


@cache
def _names(text: str) -> tuple[str, ...]:
    return tuple(name for _, name, _, _ in string.Formatter().parse(text) if name)


def _label(label: str, schema: Schema) -> str:
    roles = schema.roles.get(label, ())
    return f"{label} ({', '.join(roles)})" if roles else label
