"""All formats by name, which of them a recipe trains on, and which it keeps for evaluation."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from types import MappingProxyType
from typing import TypeVar

from harness.errors import DataError, UsageError
from synth.formats.as_json import FUNCTION_CALL, JSON, JSON_LINES
from synth.formats.as_xml import XML
from synth.formats.as_yaml import YAML
from synth.formats.by_example import BY_EXAMPLE
from synth.formats.format import Format
from synth.formats.lists import MARKDOWN_LIST
from synth.formats.marked import MARKED
from synth.formats.plain import PLAIN
from synth.formats.questions import QUESTIONS
from synth.formats.sentences import PROSE
from synth.formats.tables import CSV, MARKDOWN_TABLE, TSV
from synth.recipe import FormatSettings
from synth.records import Instruction

T = TypeVar("T")

_ALL = (
    *(PLAIN, JSON, JSON_LINES, YAML, MARKDOWN_TABLE, MARKDOWN_LIST, XML),
    *(TSV, CSV, PROSE, QUESTIONS, MARKED, FUNCTION_CALL, BY_EXAMPLE),
)
FORMATS: Mapping[str, Format] = MappingProxyType({item.id: item for item in _ALL})
"""Every format by its id."""


def basic_format(asked: Instruction, basic: str) -> str:
    """Format of the basic example of an instruction: the one that is no variant.

    Reading, classification and general instructions are answered in plain text, as the harness's own cards ask;
    extraction in the recipe's basic format. JSON, which carries everything, stands in where that one cannot.

    Args:
        asked: The instruction.
        basic: The recipe's basic format.
    """
    return next(name for name in (PLAIN.id, basic, JSON.id) if FORMATS[name].can(asked))


def train_formats(settings: FormatSettings) -> tuple[str, ...]:
    """Ids of the formats that a corpus may use.

    Raises:
        UsageError: A setting names a format that does not exist.
        DataError: A format is to be trained on and held out.
    """
    held_out = held_out_formats(settings)
    chosen = FORMATS if settings.train is None else dict.fromkeys(settings.train)
    for name in (settings.basic, *chosen):
        known(name, FORMATS, "Format")
    both = sorted(({*(settings.train or ()), settings.basic, PLAIN.id, JSON.id}) & set(held_out))
    if both:
        reason = f"holds out {', '.join(both)}, which basic examples or format variants need"
        raise DataError("The recipe (formats)", reason, "take it out of held_out")
    return tuple(name for name in chosen if name not in held_out)


def held_out_formats(settings: FormatSettings) -> tuple[str, ...]:
    """Ids of the formats that are kept for evaluation.

    Raises:
        UsageError: A setting names a format that does not exist.
    """
    return tuple(known(name, FORMATS, "Format").id for name in settings.held_out)


def known(name: str, things: Mapping[str, T], kind: str) -> T:
    """The thing of that name.

    Raises:
        UsageError: There is none; the error says the nearest name.
    """
    if name not in things:
        close = difflib.get_close_matches(name, things, n=1)
        hint = f"did you mean {close[0]}?" if close else "name one of them"
        raise UsageError(f"{kind} {name!r}", f"does not exist (there are: {', '.join(things)})", hint)
    return things[name]
