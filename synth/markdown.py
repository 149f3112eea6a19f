"""Tables in Markdown, for dataset cards and statistics."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def table(rows: Sequence[Sequence[Any]]) -> str:
    """A Markdown table; whole numbers get separators, columns after the first that hold numbers stand on the right.

    Args:
        rows: The header, then the rows.
    """
    header, *lines = [[_cell(value) for value in row] for row in rows]
    rule = [
        "---:" if place and all(line[place][:1].isdigit() for line in lines) else "---" for place in range(len(header))
    ]
    return "\n".join(f"| {' | '.join(line)} |" for line in (header, rule, *lines))


def _cell(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("|", "\\|")
