"""Strangers' texts in a Markdown table: a model may call itself anything, and still is one cell of plain text."""

from __future__ import annotations

import re
import unicodedata

LONGEST = 160
"""Characters of a text that are shown; a name that needs more is cut."""

_SPECIAL = re.compile(r"[\\`*_{}\[\]()<>|&~$#!@]|:(?=\S)")
"""Whatever begins Markdown, HTML, an entity, a formula, a mention or a link; a backslash makes each of them plain."""

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories that end lines, reorder or hide text."""


def escaped(value: object) -> str:
    """A text as one piece of plain Markdown.

    Args:
        value: Anything; its text is shown.

    Returns:
        The text on one line, without the power to format, link, end a table cell or hide.

    Source:
        CommonMark 0.31, 2.4 Backslash escapes; GitHub Flavored Markdown, 4.10 Tables and 6.9 Autolinks.
    """
    text = " ".join(str(value).split())
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}…"
    plain = "".join(_visible(char) for char in text)
    plain = _SPECIAL.sub(r"\\\g<0>", plain)
    return re.sub(r"(?i)\b(www)\.", r"\1\\.", plain)


def _visible(char: str) -> str:
    if unicodedata.category(char) not in _INVISIBLE:
        return char
    return char.encode("unicode_escape").decode("ascii")
