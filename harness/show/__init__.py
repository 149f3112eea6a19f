"""Every word and number that a user sees: tables, progress, percentages, JSON documents.

Results go to stdout, everything else to stderr. Scores are in [0, 1] everywhere but here.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.show.comparison import comparison_document, show_comparison
    from harness.show.flips import Flip, flip_document, show_flips
    from harness.show.lists import show_checks, show_exported, show_notes, show_problems, show_produced, show_rows
    from harness.show.outcome import run_document, show_outcome
    from harness.show.progress import RunScreen
    from harness.show.signatures import show_signatures, signature_document, signatures_document
    from harness.show.words import (
        duration,
        interval,
        percent,
        plural,
        points,
        print_json,
        safe,
        signed,
        stderr,
        stdout,
    )

__all__ = [
    "Flip",
    "RunScreen",
    "comparison_document",
    "duration",
    "flip_document",
    "interval",
    "percent",
    "plural",
    "points",
    "print_json",
    "run_document",
    "safe",
    "show_checks",
    "show_comparison",
    "show_exported",
    "show_flips",
    "show_notes",
    "show_outcome",
    "show_problems",
    "show_produced",
    "show_rows",
    "show_signatures",
    "signature_document",
    "signatures_document",
    "signed",
    "stderr",
    "stdout",
]

_PLACES = {
    "comparison": (
        "comparison_document",
        "show_comparison",
    ),
    "flips": (
        "Flip",
        "flip_document",
        "show_flips",
    ),
    "lists": (
        "show_checks",
        "show_exported",
        "show_notes",
        "show_problems",
        "show_produced",
        "show_rows",
    ),
    "outcome": (
        "run_document",
        "show_outcome",
    ),
    "progress": ("RunScreen",),
    "signatures": ("show_signatures", "signature_document", "signatures_document"),
    "words": (
        "duration",
        "interval",
        "percent",
        "plural",
        "points",
        "print_json",
        "safe",
        "signed",
        "stderr",
        "stdout",
    ),
}


def __getattr__(name: str) -> Any:
    """A name of one of the modules here, imported when it is first used: a listing does not pay for progress bars."""
    for place, names in _PLACES.items():
        if name in names:
            return getattr(importlib.import_module(f"harness.show.{place}"), name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
