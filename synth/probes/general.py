"""Open prompts, and prompts with a wish: what fine-tuning on one kind of data does to everything else.

Source: fine-tuning on a uniform synthetic form is reported to shift outputs and to weaken instruction following
(arXiv 2406.12397, abstract).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from harness.nouns import Counts
from synth.probes.checks import followed
from synth.probes.signs import loops, sign


def items(items: str, **_: Any) -> dict[str, Any]:
    """Rows of a prompt file of this package, as lm-eval's ``custom_dataset`` wants them.

    Args:
        items: Name of the file.
        **_: The card's metadata, which lm-eval passes along.
    """
    from datasets import Dataset

    rows = yaml.safe_load(Path(__file__).with_name(items).read_text(encoding="utf-8"))
    return {"test": Dataset.from_list([{**row, "check": json.dumps(row.get("check", {}))} for row in rows])}


def doc_to_text(doc: Mapping[str, Any]) -> str:
    """The prompt; one that is a whole sentence ends its line, one that is not is to be continued."""
    return str(doc["prompt"]) + ("\n" if doc["prompt"][-1] in ".?!" else "")


def open_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Counts]:
    """Counts of an answer to an open prompt.

    Args:
        doc: A row; only the answer is judged.
        results: The generated answer.

    Returns:
        ``unprompted_format``, ``repetition``; ``sound``: a text with neither; ``words``.
    """
    text = results[0].strip()
    formatted, looping = sign(text) is not None, loops(text)
    return {
        "sound": (float(bool(text) and not formatted and not looping), 1.0),
        "unprompted_format": (float(formatted), 1.0),
        "repetition": (float(looping), 1.0),
        "words": (float(len(text.split())), 1.0),
    }


def wish_results(doc: Mapping[str, Any], results: Sequence[str]) -> dict[str, Counts]:
    """Counts of an answer to a prompt with a wish.

    Args:
        doc: A row with ``check``, as JSON.
        results: The generated answer.

    Returns:
        ``followed``, ``repetition``, ``words``.
    """
    text = results[0].strip()
    return {
        "followed": (float(followed(json.loads(doc["check"]), text)), 1.0),
        "repetition": (float(loops(text)), 1.0),
        "words": (float(len(text.split())), 1.0),
    }
