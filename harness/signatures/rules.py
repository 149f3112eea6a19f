"""Rule swap: whether a model follows the rule that the prompt states, or the one that it has learned.

Counted where the swapped rule changes the gold, so that following and ignoring it are different answers.
"""

from __future__ import annotations

from collections.abc import Iterator

from harness.show import plural
from harness.signatures.groups import Asked
from harness.signatures.measures import Measure
from harness.stats.estimates import ratio

_SIGNS = {
    "rule_following": ("rule_followed", "{} of the answers follow the rule in the prompt where it changes the gold"),
    "rule_ignoring": (
        "rule_ignored",
        "{} of the answers are what the default rule would want, though the prompt states another",
    ),
}


def rules(asked: Asked) -> Iterator[Measure]:
    """Both rates over all swapped rules; a document that several rules change is one unit."""
    if asked.group.kind != "rule":
        return
    for name, (metric, says) in _SIGNS.items():
        counts = asked.summed(metric)
        estimate = None if counts is None else ratio(counts, asked.clusters)
        if counts is not None and estimate is not None:
            detail = f" {plural(int(counts[:, 1].sum()), 'answer')} in all."
            yield Measure(name, asked.group.of, asked.group.tasks, estimate, says, detail)
