"""Overfitting to what training has shown: the score in seen renderings minus that in held-out ones.

Of one run the gap also says that some formats are harder. The change of the gap against the baseline, on the same
documents, is the difference in differences: what training did to the seen formats beyond what it did to all.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from harness.show import percent
from harness.signatures.groups import Asked
from harness.signatures.measures import Measure
from harness.signatures.renderings import scores_of
from harness.stats.estimates import Estimate, mean_of

GAPS: Mapping[str, tuple[str, str]] = {
    "format": ("format_gap", "with formats"),
    "phrasing": ("phrasing_gap", "with phrasings"),
    "labels": ("label_rename_gap", "with label names"),
    "order": ("label_order_gap", "with labels in an order"),
    "schema": ("schema_size_gap", "with as many labels per prompt"),
}
"""Sign of each kind of probe, and what its variants vary."""


def gaps(asked: Asked) -> Iterator[Measure]:
    """The gap of a group; nothing where it has no variant that is seen, or none that is held out."""
    seen, held_out = asked.group.variants(seen=True), asked.group.variants(seen=False)
    found = scores_of(asked) if asked.group.kind in GAPS and seen and held_out else None
    if found is None:
        return
    scores = found[2]
    estimate = mean_of([scores[name] for name in seen]).minus(mean_of([scores[name] for name in held_out]))
    name, what = GAPS[asked.group.kind]
    says = (
        f"the score {what} that training may have seen ({', '.join(seen)}) is {{}} that with others "
        f"({', '.join(held_out)})"
    )
    detail = f" Scores: {', '.join(f'{variant}: {percent(score.value)}' for variant, score in scores.items())}."
    yield Measure(name, asked.group.of, asked.group.tasks, estimate, says, detail, null=lambda: _null(estimate))


def _null(gap: Estimate) -> tuple[float, str]:
    return gap.tested().p_improve, ""
