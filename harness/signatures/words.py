"""Phrases that the sentences of the signs share."""

from __future__ import annotations

from harness.nouns import Interval
from harness.show import percent, plural, points, signed


def evidence(ends: Interval, documents: int) -> str:
    """In brackets: the interval of a difference, in points, and what it rests on."""
    return f"(95 % interval {signed(ends[0])} to {signed(ends[1])}, {plural(documents, 'document')})"


def share_evidence(ends: Interval, documents: int) -> str:
    """The same of a share, in per cent."""
    return f"(95 % interval {percent(ends[0])} to {percent(ends[1])}, {plural(documents, 'document')})"


def above(difference: float) -> str:
    """``1.2 points above``, ``1.2 points below``."""
    return f"{points(difference)} {'above' if difference >= 0 else 'below'}"
