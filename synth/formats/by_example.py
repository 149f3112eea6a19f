"""A format that only an example in the prompt defines.

Names, separators, brackets and order of the fields come from a digest of the text: prompts differ in them, and a model
has to read the example.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from synth.formats.canonical import Answer, values
from synth.formats.format import ALL_BUT_GENERAL, Format, ParseError, one_line
from synth.formats.rows import ABSENT, COLUMNS, Row, from_rows, no_absent_role, to_rows
from synth.records import Family, Instruction

T = TypeVar("T")

_NAMES: Mapping[str, tuple[str, ...]] = {
    "type": ("type", "kind", "class", "tag", "category"),
    "text": ("text", "span", "mention", "words", "phrase"),
    "relation": ("relation", "link", "tie", "connection", "bond"),
    "head": ("head", "from", "left", "first", "source"),
    "tail": ("tail", "to", "right", "second", "target"),
    "event": ("event", "no", "id", "number", "item"),
    "trigger": ("trigger", "cue", "signal", "anchor", "word"),
    "role": ("role", "slot", "part", "function", "place"),
    "argument": ("argument", "filler", "value", "who or what", "participant"),
    "answer": ("answer", "reply", "result", "found", "solution"),
    "label": ("label", "class", "verdict", "choice", "decision"),
}
_BRACKETS = (("<<", ">>"), ("[", "]"), ("{", "}"), ("(", ")"), ("* ", ""), ("@ ", ""), ("# ", ""), ("%% ", " %%"))
_SEPARATORS = (" :: ", " => ", " ~~ ", " ## ", " ++ ", " || ", " ^^ ", " <> ")
_EQUALS = ("=", ": ", " = ", None)
_NOTHINGS = ("NIL", "(nothing)", "---", "no result", "0 found")
_SAMPLES: Mapping[Family, tuple[Row, ...]] = {
    Family.NER: (("city", "Porto"), ("person", "Iris Prado")),
    Family.RE: (("born in", "Iris Prado", "Porto"), ("works for", "Iris Prado", "Harbour Museum")),
    Family.EE: (
        ("1", "travel", "sailed", "traveller", "Iris Prado"),
        ("1", "travel", "sailed", "goal", "Porto"),
        ("2", "storm", "thundered", ABSENT, ABSENT),
    ),
    Family.OPEN_IE: (("Iris Prado", "was born in", "Porto"), ("Iris Prado", "directs", "Harbour Museum")),
    Family.MRC: (("the old harbour",),),
    Family.TC: (("weather",),),
}
"""Rows of an invented text that the example shows."""


@dataclass(frozen=True, slots=True)
class Style:
    """One generated format.

    Attributes:
        brackets: What opens and closes a row.
        separator: What stands between fields.
        names: What stands before each field, by column; empty where fields have no names.
        order: Column of each field.
        nothing: The answer without a fact.
    """

    brackets: tuple[str, str]
    separator: str
    names: tuple[str, ...]
    order: tuple[int, ...]
    nothing: str


def style(asked: Instruction) -> Style:
    """The format that belongs to the text of an instruction, whatever its answer is."""
    columns = COLUMNS[asked.family]
    chance = list(hashlib.sha256(asked.text.encode("utf-8", "surrogatepass")).digest())
    equals = _drawn(_EQUALS, chance)
    names = tuple("" if equals is None else _drawn(_NAMES[column], chance) + equals for column in columns)
    order = tuple(range(len(columns)))
    if len(columns) <= 3 and chance.pop() % 2:
        order = order[::-1]
    return Style(_drawn(_BRACKETS, chance), _drawn(_SEPARATORS, chance), names, order, _drawn(_NOTHINGS, chance))


def _drawn(options: Sequence[T], chance: list[int]) -> T:
    return options[chance.pop() % len(options)]


def _line(row: Row, form: Style) -> str:
    opening, closing = form.brackets
    return opening + form.separator.join(form.names[column] + row[column] for column in form.order) + closing


def _write(asked: Instruction) -> str:
    form = style(asked)
    return "\n".join(_line(row, form) for row in to_rows(asked)) or form.nothing


def _read(content: str, asked: Instruction) -> Answer:
    form = style(asked)
    if content == form.nothing:
        return ()
    lines = enumerate(content.split("\n"), 1)
    return from_rows([(number, _cells(line, form, f"line {number}")) for number, line in lines], asked.family)


def _cells(line: str, form: Style, place: str) -> Row:
    opening, closing = form.brackets
    if len(line) < len(opening + closing) or not line.startswith(opening) or not line.endswith(closing):
        raise ParseError(place, f"does not stand in {opening}...{closing}")
    fields = line[len(opening) : len(line) - len(closing)].split(form.separator)
    if len(fields) != len(form.order):
        raise ParseError(place, f"has {len(fields)} fields instead of {len(form.order)}")
    cells = [""] * len(fields)
    for column, field in zip(form.order, fields, strict=True):
        if not field.startswith(form.names[column]):
            raise ParseError(place, f"has a field without {form.names[column]!r}")
        cells[column] = field.removeprefix(form.names[column])
    return tuple(cells)


def _describe(asked: Instruction) -> str:
    form = style(asked)
    example = "\n".join(_line(row, form) for row in _SAMPLES[asked.family])
    return (
        f"Write the answer in the form of this example, whose content belongs to another text:\n{example}\n"
        f"If there is none, write: {form.nothing}"
    )


def _carries(asked: Instruction) -> bool:
    form, found = style(asked), list(values(asked.answer))
    sign = form.separator.strip()
    plain = all(value and one_line(value) and sign not in value for value in found)
    return plain and no_absent_role(asked) and (not found or _write(asked) != form.nothing)


BY_EXAMPLE = Format(
    id="by_example",
    families=ALL_BUT_GENERAL,
    limits=f"empty values, line breaks, white space at an end, the separator of the example, the role {ABSENT}",
    start="block",
    describe=_describe,
    write=_write,
    read=_read,
    carries=_carries,
)
