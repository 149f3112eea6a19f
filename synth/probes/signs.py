"""What an answer in plain prose does not have: the marks of a data format, and a loop."""

from __future__ import annotations

import re
from collections.abc import Mapping

SIGNS: Mapping[str, re.Pattern[str]] = {
    "json": re.compile(r'[{\[]\s*(?:"[^"\n]{1,80}"\s*[:,\]]|\{)'),
    "xml": re.compile(r"<([A-Za-z][\w-]*)(?:\s[^<>\n]*)?>[^<>]*</\1>"),
    "yaml": re.compile(r"^[^\W\d][\w ]*:[ \t]*\n[ \t]*- \S", re.MULTILINE),
    "markdown": re.compile(
        r"^#{1,6} \S|^```|\*\*\S[^*\n]*\*\*|^\|.*\|[ \t]*$|(?:^[ \t]*(?:[-*+]|\d+[.)]) \S.*$\n?){2}", re.MULTILINE
    ),
    "tsv": re.compile(r"(?:^[^\t\n]+(?:\t[^\t\n]+)+$\n?){2}", re.MULTILINE),
    "csv": re.compile(r"(?:^[^,\n]+(?:,[^,\s][^,\n]*)+$\n?){2}", re.MULTILINE),
    "qa": re.compile(r"^Q: .*\nA: ", re.MULTILINE),
    "function_call": re.compile(r'^\w+\((?:\w+="[^"\n]*"(?:, )?)+\)', re.MULTILINE),
    "marked": re.compile(r"\[\[[^\[\]|\n]+\|[^\[\]|\n]+\]\]"),
}
"""The marks of each format.

- json: a bracket that opens a quoted key, a quoted entry or an object;
- xml: an element with its end tag;
- yaml: a key with a list below it;
- markdown: a heading, a code fence, bold words, a table row, or two list items in a row;
- tsv, csv: two lines in a row with tabs, or with commas that no space follows;
- qa: a line that begins with ``Q:`` and below it one that begins with ``A:``;
- function_call: a line that begins with a call with named texts;
- marked: ``[[words|label]]``.
"""

_GRAM = 4
_LOOPING = 0.5
_FEWEST = 8


def sign(text: str) -> str | None:
    """The first format whose marks a text has; None for plain prose."""
    return next((name for name, marks in SIGNS.items() if marks.search(text)), None)


def repeated(text: str) -> float:
    """Share of 4-grams of words that occurred before: 1 - distinct / all; 0 for fewer than 8 words.

    A text without spaces that is long enough is looked at by characters.

    Source: seq-rep-n of Welleck et al. 2020 (arXiv 1908.04319), with n = 4, over words instead of tokens.
    """
    words: list[str] | str = text.split()
    if len(words) < _FEWEST:
        words = "".join(words) if len(text) >= _FEWEST * _FEWEST else []
    grams = [tuple(words[start : start + _GRAM]) for start in range(len(words) - _GRAM + 1)]
    return 1 - len(set(grams)) / len(grams) if grams else 0.0


def loops(text: str) -> bool:
    """Whether at least half of a text's 4-grams repeat earlier ones."""
    return repeated(text) >= _LOOPING
