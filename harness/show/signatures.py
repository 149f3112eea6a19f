"""What is printed of failure signatures: one row each, the sentences of those that stand out, and their JSON form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from harness.nouns import Signature
from harness.show.words import percent, signed, stdout

LEVEL = 0.05
"""Signs whose Holm-adjusted p-value is below this stand out."""

_ALWAYS_SAID = ("task_degradation", "flip_rate")
"""Signs whose sentence says more than their row."""


def show_signatures(signs: Sequence[Signature]) -> None:
    """Print the signs, and in words those that are shown to be worse; nothing where there is none."""
    if not signs:
        return
    console = stdout()
    console.print("\n[bold]Failure signatures[/bold]")
    console.print(signature_table(signs))
    for sign in signs:
        if stands_out(sign):
            console.print(f"\n[bold]{escape(sign.sentence)}[/bold] {verdict(sign)}", soft_wrap=True)
        elif sign.name in _ALWAYS_SAID:
            console.print(f"\n{escape(sign.sentence)}", soft_wrap=True)
    tested = sum(sign.p_worse is not None for sign in signs)
    told = f" p worse is one-sided and Holm-adjusted over the {tested} signs tested here." if tested else ""
    console.print(
        f"\n[dim]In per cent or points; the interval is that of Δ where there is one.{told} "
        "--json has a sentence for each sign.[/dim]"
    )


def signature_table(signs: Sequence[Signature]) -> Table:
    """One row per sign, with baseline and difference where any sign has them."""
    compared = any(sign.delta is not None for sign in signs)
    between = ("Baseline", "Candidate", "Δ") if compared else ("Value",)
    table = Table("Sign", "Seen on", *between, "95 % interval", "Items", "p worse", box=None)
    for column in table.columns[2:]:
        column.justify = "right"
    for sign in signs:
        values = (_percent(sign.baseline), percent(sign.value), _signed(sign.delta))
        written = percent if sign.delta is None and sign.interval[0] >= 0 else signed
        low, high = map(written, sign.interval)
        cells = (escape(sign.name), escape(sign.subject), *(values if compared else values[1:2]), f"{low} to {high}",
                 f"{sign.items:,}", _p(sign.p_worse_holm))  # fmt: skip
        table.add_row(*cells, style="bold" if stands_out(sign) else "")
    return table


def stands_out(sign: Signature) -> bool:
    """Whether a sign is shown to be worse, after Holm's correction over the signs tested with it."""
    return sign.p_worse_holm is not None and sign.p_worse_holm < LEVEL


def verdict(sign: Signature) -> str:
    """What the test of a sign that stands out says."""
    than = "worse than the baseline" if sign.baseline is not None else "more than chance"
    p = _p(sign.p_worse_holm)
    return f"Shown to be {than} (p {p if p.startswith('<') else f'= {p}'} after Holm)."


def signatures_document(signs: Sequence[Signature]) -> dict[str, Any]:
    """What ``--json`` adds for signs: the key ``signatures``, only where there are some."""
    return {"signatures": [signature_document(sign) for sign in signs]} if signs else {}


def signature_document(sign: Signature) -> dict[str, Any]:
    """A sign as ``--json`` prints it; scripts rely on it."""
    ends = [end if math.isfinite(end) else None for end in sign.interval]
    return {**asdict(sign), "interval": ends, "tasks": list(sign.tasks)}


def _percent(value: float | None) -> str:
    return "" if value is None else percent(value)


def _signed(value: float | None) -> str:
    return "" if value is None else signed(value)


def _p(p: float | None) -> str:
    if p is None:
        return ""
    return "<0.001" if p < 0.001 else f"{p:.3f}"
