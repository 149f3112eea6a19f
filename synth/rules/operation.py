"""What an operation of the interpreter is; the operations themselves are grouped by the kind of rule they serve."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from synth.records import Fact, Family, Instruction, Schema
from synth.rules.rule import Kind
from synth.rules.spans import words

Answer = tuple[Fact, ...]
Outcome = tuple[Schema, Answer]
"""Schema and answer under a rule."""

SPAN_FAMILIES = (Family.NER, Family.RE, Family.OPEN_IE, Family.EE, Family.MRC)
LABEL_FAMILIES = (Family.NER, Family.RE, Family.EE, Family.TC)
LIST_FAMILIES = (Family.NER, Family.RE, Family.OPEN_IE, Family.EE)


class Parameters(BaseModel):
    """Parameters of an operation; an unknown one is refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class LabelParameters(Parameters):
    """Parameters of an operation that can be kept to some labels.

    Attributes:
        labels: Labels that are concerned; none for all.
    """

    labels: tuple[str, ...] = ()


class SpanParameters(LabelParameters):
    """Parameters of an operation on spans.

    Attributes:
        parts: ``text``, ``head``, ``tail``, ``trigger`` or argument roles; none for all.
    """

    parts: tuple[str, ...] = ()


Form = Literal[
    "single_word", "several_words", "has_digit", "no_digit", "acronym", "lower_start", "upper_start", "hyphen"
]

FORMS: dict[Form, Callable[[str], bool]] = {
    "single_word": lambda span: len(words(span)) == 1,
    "several_words": lambda span: len(words(span)) > 1,
    "has_digit": lambda span: any(character.isdigit() for character in span),
    "no_digit": lambda span: not any(character.isdigit() for character in span),
    "acronym": lambda span: re.fullmatch(r"(?:[A-Z]\.?){2,}", span) is not None,
    "lower_start": lambda span: span[:1].islower(),
    "upper_start": lambda span: span[:1].isupper(),
    "hyphen": lambda span: "-" in span,
}
"""What the form of a span can be tested for."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that the interpreter can do to an answer.

    Attributes:
        name: Name in rules.
        kind: Kind of rule that it serves.
        families: Families that it works on.
        parameters: Model of its parameters.
        run: Schema and answer under the rule. Pure and deterministic; may raise ``UndecidedError``.
    """

    name: str
    kind: Kind
    families: tuple[Family, ...]
    parameters: type[Parameters]
    run: Callable[[Instruction, Any], Outcome]

    @property
    def says(self) -> str:
        """What it does, in one sentence: the first line of its docstring."""
        return (self.run.__doc__ or "").strip().splitlines()[0]
