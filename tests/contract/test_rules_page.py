"""The documentation of rules keeps up with the interpreter."""

from __future__ import annotations

from pathlib import Path

from synth.rules.reference import table

PAGE = Path(__file__).parents[2] / "docs" / "synthesis" / "guidelines-and-rules.md"


def test_the_table_of_operations_is_the_interpreters_own() -> None:
    """Every operation stands there with its kind, families, parameters and what it does."""
    text = PAGE.read_text(encoding="utf-8")
    begin, end = text.index("<!-- operations"), text.index("<!-- end of operations -->")
    assert text[begin:end].split("-->\n", 1)[1].strip() == table()
