"""The table of executable operations for the documentation, from the operations themselves."""

from __future__ import annotations

from synth.rules.interpreter import OPERATIONS
from synth.rules.operation import Operation

HEADER = ("| operation | kind | families | parameters | what it does |", "|---|---|---|---|---|")


def table() -> str:
    """Every operation as a row of a Markdown table, in the order of the interpreter."""
    return "\n".join([*HEADER, *(_row(operation) for operation in OPERATIONS.values())])


def _row(operation: Operation) -> str:
    schema = operation.parameters.model_json_schema()
    properties, required = schema.get("properties", {}), schema.get("required", [])
    names = [f"`{name}`" if name in required else f"[`{name}`]" for name in properties]
    families = ", ".join(operation.families)
    return f"| `{operation.name}` | {operation.kind} | {families} | {', '.join(names)} | {operation.says} |"
