"""Names of the failure signatures: what a policy may gate and a reader may look up in docs/signatures.md."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Sign:
    """One kind of failure signature.

    Attributes:
        title: What it measures, in words.
        higher_is_worse: Whether more of it is worse.
    """

    title: str
    higher_is_worse: bool = True


SIGNS: Mapping[str, Sign] = {
    "task_degradation": Sign("score of the task that fell most", higher_is_worse=False),
    "hallucinated_spans": Sign("predicted spans that are not in the text, above those of the gold"),
    "hallucinated_spans_normalised": Sign("the same after normalisation of case, width and white space"),
}
"""Every sign by its name."""
