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
        text: What the model said; a thought that ends with ``</think>`` is left out.
        model: Type of the answer; None for plain text.
        cut: Whether the text stopped at the limit of tokens.
    """
    said = text.rpartition("</think>")[2].strip()
    if not said:
        return Parsed(problem="it is empty")
    if said.startswith("<think>"):
        return Parsed(problem="the thought in it does not end: think less")
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
    """The JSON value in a text, and whether it had to be repaired.

    Raises:
        ValueError: There is none, or more than one.
    """
    try:
        return _DECODER.decode(said), False
    except _ContradictionError:
        raise
    except (ValueError, RecursionError):
        if cut:
            raise ValueError("it was cut off: write less") from None
    start = said.find("{")
    if start < 0:
        raise ValueError(f"it holds no JSON object, it begins with {said[:_QUOTED]!r}")
    found = _object_at(said, start)
    if found is None:
        return _repaired(said[start:]), True
    value, end = found
    if any(_object_at(said, end + match.start()) for match in re.finditer(r"\{", said[end:])):
        raise _ContradictionError("it holds more than one JSON object: write one")
    return value, True


def _object_at(said: str, start: int) -> tuple[Any, int] | None:
    """The whole object that begins there and where it ends; None where it is broken."""
    try:
        return _DECODER.raw_decode(said, start)
    except _ContradictionError:
        raise
    except (ValueError, RecursionError):
        return None


def _repaired(broken: str) -> Any:
    from json_repair import repair_json

    value = repair_json(broken, return_objects=True)
    if not (isinstance(value, dict) and value):
        raise ValueError(f"it holds no JSON object, but {broken[:_QUOTED]!r}")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise _ContradictionError(f"the key {twice!r} occurs twice in one object")
    return made


def _not_json(constant: str) -> Any:
    raise ValueError(f"{constant} is no JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_unique, parse_constant=_not_json)


def _words(error: ValidationError) -> str:
    """The first problems of a validation, each with its place."""
    found = error.errors(include_url=False)
    told = [f"at {'.'.join(str(part) for part in one['loc']) or 'the top'}: {one['msg']}" for one in found[:_PROBLEMS]]
    more = [f"and {len(found) - _PROBLEMS} more"] if len(found) > _PROBLEMS else []
    return "it does not follow the schema (" + "; ".join(told + more) + ")"
