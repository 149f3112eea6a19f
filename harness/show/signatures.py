"""What is printed of failure signatures: their sentences, the worrying ones first, and their JSON form."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.markup import escape

from harness.nouns import Signature
from harness.show.words import stdout

LEVEL = 0.05
"""Signs whose Holm-adjusted p-value is below this stand out."""


def show_signatures(signs: Sequence[Signature]) -> None:
    """Print the sentence of each sign, those shown to be worse first and in bold; nothing where there is none."""
    if not signs:
        return
    console = stdout()
    tested = sum(sign.p_worse is not None for sign in signs)
    console.print(f"\n[bold]Failure signatures[/bold] ({len(signs)}, {tested} of them tested)")
    for sign in sorted(signs, key=lambda sign: not stands_out(sign)):
        style = "bold" if stands_out(sign) else ""
        console.print(f"- {escape(sign.sentence)}{verdict(sign)}", style=style, soft_wrap=True)


def stands_out(sign: Signature) -> bool:
    """Whether a sign is shown to be worse, after Holm's correction over the signs tested with it."""
    return sign.p_worse_holm is not None and sign.p_worse_holm < LEVEL


def verdict(sign: Signature) -> str:
    """What the sign's test says, in words; nothing where there is no test."""
    if sign.p_worse_holm is None:
        return ""
    p = "p < 0.001" if sign.p_worse_holm < 0.001 else f"p = {sign.p_worse_holm:.3f}"
    than = "worse than the baseline" if sign.baseline is not None else "more than chance"
    return (
        f" Shown to be {than} ({p} after Holm)." if stands_out(sign) else f" Not shown to be {than} ({p} after Holm)."
    )


def signatures_document(signs: Sequence[Signature]) -> dict[str, Any]:
    """What ``--json`` adds for signs: the key ``signatures``, only where there are some."""
    return {"signatures": [signature_document(sign) for sign in signs]} if signs else {}


def signature_document(sign: Signature) -> dict[str, Any]:
    """A sign as ``--json`` prints it; scripts rely on it."""
    fields = asdict(sign)
    ends = [end if math.isfinite(end) else None for end in sign.interval]
    return {**fields, "interval": ends, "tasks": list(sign.tasks)}
