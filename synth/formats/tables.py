"""Tables with a header line: Markdown, tab-separated and comma-separated."""

from __future__ import annotations

import csv
import io
import re

from synth.formats.canonical import Answer, values
from synth.formats.format import ALL_BUT_GENERAL, Format, ParseError, one_line
from synth.formats.rows import ABSENT, COLUMNS, ROWS, from_rows, no_absent_role, to_rows
from synth.records import Instruction

_MARKDOWN_ROW = re.compile(r"\|((?:[^|\\]|\\.)*)(?=\|)")
_WHOLE_ROW = re.compile(r"\|(?:(?:[^|\\]|\\.)*\|)+")
_RULE = re.compile(r"\|(?:\s*:?-+:?\s*\|)+")
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$|^$')
_LONGEST_CELL = 100_000
"""Python's csv reader refuses longer cells than 131,072 characters."""


def _escape(cell: str) -> str:
    return cell.replace("\\", "\\\\").replace("|", "\\|")


def _markdown_line(cells: tuple[str, ...]) -> str:
    return f"| {' | '.join(map(_escape, cells))} |"


def _write_markdown(asked: Instruction) -> str:
    header = COLUMNS[asked.family]
    lines = [_markdown_line(header), f"|{'---|' * len(header)}", *map(_markdown_line, to_rows(asked))]
    return "\n".join(lines)


def _read_markdown(content: str, asked: Instruction) -> Answer:
    lines = content.split("\n")
    table = [(number, _markdown_cells(line.strip(), number)) for number, line in enumerate(lines, 1)]
    _check_header(table[0][1], asked)
    if len(lines) < 2 or not _RULE.fullmatch(lines[1].strip()):
        raise ParseError("line 2", "is not the rule below the header")
    return from_rows(table[2:], asked.family)


def _markdown_cells(line: str, number: int) -> list[str]:
    if not _WHOLE_ROW.fullmatch(line):
        raise ParseError(f"line {number}", "is no row of a Markdown table")
    return [re.sub(r"\\([\\|])", r"\1", cell.strip()) for cell in _MARKDOWN_ROW.findall(line)]


def _write_tabs(asked: Instruction) -> str:
    return "\n".join("\t".join(row) for row in (COLUMNS[asked.family], *to_rows(asked)))


def _read_tabs(content: str, asked: Instruction) -> Answer:
    header, *lines = [line.split("\t") for line in content.split("\n")]
    _check_header(header, asked)
    return from_rows(enumerate(lines, 2), asked.family)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell


def _write_commas(asked: Instruction) -> str:
    return "\n".join(",".join(map(_quoted, row)) for row in (COLUMNS[asked.family], *to_rows(asked)))


def _read_commas(content: str, asked: Instruction) -> Answer:
    reader = csv.reader(io.StringIO(content, newline=""), strict=True)
    try:
        table = [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        raise ParseError(f"line {reader.line_num}", f"is no CSV ({error})") from error
    _check_header(table[0][1] if table else [], asked)
    return from_rows(table[1:], asked.family)


def _check_header(cells: list[str], asked: Instruction) -> None:
    if tuple(cells) != COLUMNS[asked.family]:
        raise ParseError("line 1", f"is not the header {', '.join(COLUMNS[asked.family])}")


def _describe(kind: str, asked: Instruction) -> str:
    columns = ", ".join(COLUMNS[asked.family])
    noun = "column" if len(COLUMNS[asked.family]) == 1 else "columns"
    return f"Answer with {kind} with a header and the {noun} {columns}: {ROWS[asked.family]}. " + (
        "If there is none, write the header alone."
    )


MARKDOWN_TABLE = Format(
    id="markdown_table",
    families=ALL_BUT_GENERAL,
    limits=f"values with a line break or white space at an end, the role {ABSENT}",
    start="block",
    describe=lambda asked: _describe("a Markdown table", asked),
    write=_write_markdown,
    read=_read_markdown,
    carries=lambda asked: all(map(one_line, values(asked.answer))) and no_absent_role(asked),
)

TSV = Format(
    id="tsv",
    families=ALL_BUT_GENERAL,
    limits=f"values that are empty, or have a tab, a line break or white space at an end; the role {ABSENT}",
    start="block",
    describe=lambda asked: _describe("tab-separated values", asked),
    write=_write_tabs,
    read=_read_tabs,
    carries=lambda asked: (
        all(value and one_line(value) and "\t" not in value for value in values(asked.answer)) and no_absent_role(asked)
    ),
)

CSV = Format(
    id="csv",
    families=ALL_BUT_GENERAL,
    limits=f"values of more than {_LONGEST_CELL:,} characters, the role {ABSENT}",
    start="block",
    describe=lambda asked: _describe("comma-separated values (double quotes where needed)", asked),
    write=_write_commas,
    read=_read_commas,
    carries=lambda asked: all(len(value) <= _LONGEST_CELL for value in values(asked.answer)) and no_absent_role(asked),
)
