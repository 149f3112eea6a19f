"""The text of a model, as the object that was asked for: strictly where it is one, else repaired, else a problem.

A repaired answer is told apart from a strict one. What contradicts itself (a key twice, two objects) is never
repaired, and neither is what was cut off: half an answer would pass for a whole one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

_THOUGHT = re.compile(r"\A\s*<think>.*?</think>", re.DOTALL)
_PROBLEMS, _QUOTED = 3, 120


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a text holds.

    Attributes:
        content: The validated answer, JSON-able; None where there is none.
        repaired: Whether it had to be repaired.
        problem: Why there is no answer, in words that a model can act on; empty where there is one.
    """

    content: Mapping[str, Any] | None = None
    repaired: bool = False
    problem: str = ""


class _ContradictionError(ValueError):
    """The text answers twice."""


def parse(text: str, model: type[BaseModel] | None, cut: bool) -> Parsed:
    """What a text holds.

    Args:
        text: What the model said; a thought in ``<think>`` tags before it is left out.
        model: Type of the answer; None for plain text.
        cut: Whether the text stopped at the limit of tokens.
    """
    said = _THOUGHT.sub("", text).strip()
    if not said:
        return Parsed(problem="it is empty")
    if model is None:
        return Parsed(problem="it was cut off: write less") if cut else Parsed({"text": said})
    try:
        value, repaired = _value(said, cut)
        return Parsed(model.model_validate(value).model_dump(mode="json"), repaired)
    except ValidationError as error:
        return Parsed(problem=_words(error))
    except ValueError as error:
        return Parsed(problem=str(error))


def _value(said: str, cut: bool) -> tuple[Any, bool]:
    """The JSON value in a text, and whether it had to be repaired."""
    try:
        return json.loads(said, object_pairs_hook=_unique, parse_constant=_not_json), False
    except _ContradictionError:
        raise
    except (ValueError, RecursionError):
        if cut:
            raise ValueError("it was cut off: write less") from None
    from json_repair import repair_json

    start = said.find("{")
    value = repair_json(said[start:], return_objects=True) if start >= 0 else None
    if isinstance(value, list):
        raise _ContradictionError(f"it holds {len(value)} JSON values: write one object")
    if not (isinstance(value, dict) and value):
        raise ValueError(f"it holds no JSON object, it begins with {said[:_QUOTED]!r}")
    return value, True


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _ContradictionError(f"the key {twice!r} occurs twice in one object")
    return made


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


def _words(error: ValidationError) -> str:
    """The first problems of a validation, each with its place."""
    found = error.errors(include_url=False)
    told = [f"at {'.'.join(str(part) for part in one['loc']) or 'the top'}: {one['msg']}" for one in found[:_PROBLEMS]]
    more = [f"and {len(found) - _PROBLEMS} more"] if len(found) > _PROBLEMS else []
    return "it does not follow the schema (" + "; ".join(told + more) + ")"
