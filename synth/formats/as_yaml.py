"""The tree of an answer in block YAML. Read without implicit types, so that ``no`` or ``2001-01-01`` stays a text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import yaml

from synth.formats.canonical import Answer
from synth.formats.format import ALL_BUT_GENERAL, EXTRACTION, Format, ParseError
from synth.formats.trees import SHAPES, from_tree, to_tree
from synth.records import Family, Instruction

_PLAIN = re.compile(r"[^\W\d_](?:[\w .,'()/&%+-]*[\w.,'()/&%+-])?")
"""Scalars that need no quotes: they start with a letter and hold no sign that YAML reads."""
_WORDS = {"y", "n", "yes", "no", "on", "off", "true", "false", "null"}
"""What YAML 1.1 reads as a truth value or nothing, in any case."""
_UNPRINTABLE = re.compile("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
_LONGEST_KEY = 1000
"""A YAML reader looks no further than 1024 characters for the colon of a key."""


class _Loader(getattr(yaml, "CBaseLoader", yaml.BaseLoader)):  # type: ignore[misc]
    """Every scalar is a text, and a repeated key is an error."""

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        mapping: dict[Any, Any] = super().construct_mapping(node, deep)
        if len(mapping) < len(node.value):
            raise yaml.constructor.ConstructorError(None, None, "a key occurs twice", node.start_mark)
        return mapping


def _scalar(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _WORDS:
        return value
    return _UNPRINTABLE.sub(lambda match: f"\\u{ord(match.group()):04x}", json.dumps(value, ensure_ascii=False))


def _lines(value: Any, indent: str) -> Iterator[str]:
    """Lines of a mapping or list that is not empty."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _item(f"{indent}{_scalar(key)}:", inner, indent)
    else:
        for inner in value:
            if isinstance(inner, str):
                yield f"{indent}- {_scalar(inner)}"
            else:
                first, *rest = _lines(inner, indent + "  ")
                yield f"{indent}- {first.lstrip()}"
                yield from rest


def _item(opening: str, inner: Any, indent: str) -> Iterator[str]:
    if isinstance(inner, str):
        yield f"{opening} {_scalar(inner)}"
    elif inner:
        yield opening
        yield from _lines(inner, indent + "  ")
    else:
        yield f"{opening} {'{}' if isinstance(inner, dict) else '[]'}"


def _write(asked: Instruction) -> str:
    return "\n".join(_lines(to_tree(asked), "")) or "{}"


def _read(content: str, asked: Instruction) -> Answer:
    try:
        tree = yaml.load(content, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = f"line {mark.line + 1}" if mark is not None else "the whole"
        raise ParseError(place, f"is no YAML ({error.problem})") from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise ParseError("the whole", f"is no YAML ({' '.join(str(error).split())})") from error
    return from_tree(tree, asked)


def _keys(asked: Instruction) -> Iterator[str]:
    """Labels and roles; the values of the other families are no keys."""
    for fact in asked.answer if asked.family in EXTRACTION else ():
        yield fact["label"]
        for argument in fact.get("arguments", ()):
            yield argument["role"]


def _describe(asked: Instruction) -> str:
    nothing = " If nothing is found, write {}." if asked.family in EXTRACTION else ""
    return f"Answer in YAML, as one mapping: {SHAPES[asked.family]}.{nothing}"


YAML = Format(
    id="yaml",
    families=(*ALL_BUT_GENERAL, Family.GENERAL),
    limits=f"labels and roles of more than {_LONGEST_KEY:,} characters",
    start="block",
    describe=_describe,
    write=_write,
    read=_read,
    carries=lambda asked: all(len(_scalar(key)) <= _LONGEST_KEY for key in _keys(asked)),
)
