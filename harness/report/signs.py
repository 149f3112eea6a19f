"""How checkpoints fail: signatures as rows of a table."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from harness.nouns import Signature
from harness.show import p_cell, percent, signed
from harness.show.signatures import stands_out
from harness.signs import SIGNS


def signatures_of(title: str, signs: Sequence[Signature]) -> dict[str, Any]:
    """A group of signatures under its title, those first that are shown to be worse."""
    return {
        "title": title,
        "compared": any(sign.delta is not None for sign in signs),
        "rows": [_row(sign) for sign in sorted(signs, key=lambda sign: not stands_out(sign))],
    }


def _row(sign: Signature) -> dict[str, Any]:
    kind = SIGNS.get(sign.name)
    numbers = (sign.value, *sign.interval, *(() if sign.baseline is None else (sign.baseline,)))
    is_share = all(-1 <= value <= 1 for value in numbers)
    value = _signed if kind is not None and kind.in_points else _number
    p = sign.p_worse if sign.p_worse_holm is None else sign.p_worse_holm
    return {
        "shown": stands_out(sign),
        "name": sign.name.replace("_", " "),
        "title": "" if kind is None else kind.title,
        "subject": sign.subject,
        "sentence": sign.sentence,
        "value": value(sign.value, is_share),
        "baseline": "" if sign.baseline is None else value(sign.baseline, is_share),
        "change": "" if sign.delta is None else _signed(sign.delta, is_share),
        "ends": " to ".join((value if sign.delta is None else _signed)(end, is_share) for end in sign.interval),
        "p": "" if p is None else p_cell(p),
        "count": f"{sign.items:,}",
    }


def _number(value: float, is_share: bool) -> str:
    """A share in per cent; what is none, such as words per answer, as it is."""
    return percent(value) if is_share else f"{value:,.3g}"


def _signed(value: float, is_share: bool) -> str:
    return signed(value) if is_share else f"{value:+,.3g}"
