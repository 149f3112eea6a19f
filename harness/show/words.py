"""Numbers and texts as a user reads them, and the two places where they go."""

from __future__ import annotations

import json
import sys
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.markup import escape

from harness.nouns import Interval

FAILED_RUN = 65

_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")
"""Unicode categories that steer a terminal, reorder or hide text: controls, formats, surrogates, separators."""


def percent(value: float) -> str:
    """A score or rate in per cent with one digit."""
    return f"{100 * value:.1f}"


def points(value: float) -> str:
    """A difference of scores, without its sign, in percentage points."""
    return f"{percent(abs(value))} points"


def signed(value: float) -> str:
    """A difference of scores in percentage points with its sign."""
    return f"{100 * value:+.1f}"


def duration(seconds: float) -> str:
    """Seconds in words that a person reads: ``0.8 s``, ``42 s``, ``3 min 05 s``, ``2 h 10 min``."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60):02d} s"
    return f"{int(seconds // 3600)} h {int(seconds % 3600 // 60):02d} min"


def plural(count: int, noun: str) -> str:
    """``1 item``, ``2 items``, ``1,000 items``."""
    return f"{count:,} {noun}" + ("" if count == 1 else "s")


def interval(ends: Interval) -> str:
    """``12.3 – 45.6``."""
    return f"{percent(ends[0])} – {percent(ends[1])}"


def signed_interval(ends: Interval) -> str:
    """``-1.2 to +3.4``."""
    return f"{signed(ends[0])} to {signed(ends[1])}"


def p_cell(p: float) -> str:
    """A p-value in a table: ``0.012``, ``<0.001``."""
    return "<0.001" if p < 0.001 else f"{p:.3f}"


def stdout() -> Console:
    """The console for results; wide enough for a table where the output is no terminal."""
    return Console(soft_wrap=False, width=None if sys.stdout.isatty() else 140, highlight=False)


def stderr() -> Console:
    """The console for progress, notes and errors."""
    return Console(stderr=True, highlight=False)


def safe(text: str, longest: int | None = None) -> str:
    """Foreign text for the terminal: nothing in it moves the cursor, reorders text, or styles it.

    Args:
        text: Text of a dataset or a model.
        longest: Characters to keep; the middle of longer text is left out.
    """
    if longest is not None and len(text) > longest:
        half = longest // 2
        text = f"{text[:half]} […] {text[-half:]}"
    return escape(visible(text))


def visible(text: str) -> str:
    """Foreign text on one line, with what would steer, reorder or hide text shown by name."""
    if text.isprintable():  # which no character of those categories is
        return text
    return "".join(char if unicodedata.category(char) not in _INVISIBLE else _named(char) for char in text)


def _named(char: str) -> str:
    return {"\n": "⏎", "\t": " "}.get(char) or char.encode("unicode_escape").decode("ascii")


def print_json(document: Mapping[str, Any] | Sequence[Any]) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, allow_nan=False) + "\n")
