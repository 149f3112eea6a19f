"""How far two reviewers agree: Cohen's kappa per strategy, with a 95 % interval."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import sqrt

import numpy as np

from harness.nouns import Interval
from synth.review.verdicts import VerdictLog

WORDS = ("accept", "edit", "reject")

_Z = 1.959963984540054  # 97.5 % point of the standard normal distribution


@dataclass(frozen=True, slots=True)
class Agreement:
    """Two reviewers on the items of one strategy that both judged.

    Attributes:
        strategy: The strategy, or ``all``.
        reviewers: The two.
        items: Items that both judged.
        observed: Share of equal verdicts.
        kappa: Cohen's kappa; None where it is not defined.
        interval: 95 % interval of kappa; None where kappa is, or where there are too few items.
        reason: Why there is no kappa or no interval; empty where there are both.
    """

    strategy: str
    reviewers: tuple[str, str]
    items: int
    observed: float
    kappa: float | None
    interval: Interval | None
    reason: str = ""


def agreements(log: VerdictLog) -> list[Agreement]:
    """Agreement of every two reviewers, over all items and per strategy, by what both judged."""
    pairs: defaultdict[tuple[str, tuple[str, str]], list[tuple[str, str]]] = defaultdict(list)
    by_item: defaultdict[str, dict[str, str]] = defaultdict(dict)
    strategies: dict[str, str] = {}
    for (item, reviewer), verdict in log.words().items():
        by_item[item][reviewer] = verdict.verdict
        strategies[item] = verdict.strategy
    for item, said in by_item.items():
        for one, other in combinations(sorted(said), 2):
            for strategy in ("all", strategies[item]):
                pairs[strategy, (one, other)].append((said[one], said[other]))
    return [_agreement(strategy, both, said) for (strategy, both), said in sorted(pairs.items())]


def kappa_and_error(table: np.ndarray) -> tuple[float, float] | None:
    """Cohen's kappa and its large-sample standard error; None where chance alone explains every verdict.

    Args:
        table: Counts, shape (k, k): row the first reviewer's word, column the second's.

    Source:
        Cohen 1960, Educational and Psychological Measurement 20; standard error: Fleiss, Cohen and Everitt 1969,
        Psychological Bulletin 72, equation 13.
    """
    shares = table / table.sum()
    rows, columns = shares.sum(axis=1), shares.sum(axis=0)
    chance = float(rows @ columns)
    if chance >= 1:
        return None
    kappa = (float(np.trace(shares)) - chance) / (1 - chance)
    weights = (1 - kappa) * (columns[:, None] + rows[None, :])  # of cell i, j: column share of i, row share of j
    same = np.diag(shares) @ (1 - (1 - kappa) * (rows + columns)) ** 2
    unlike = (shares * weights**2).sum() - (np.diag(shares) * np.diag(weights) ** 2).sum()
    variance = (same + unlike - (kappa - chance * (1 - kappa)) ** 2) / (table.sum() * (1 - chance) ** 2)
    return kappa, sqrt(max(0.0, float(variance)))


def _agreement(strategy: str, both: tuple[str, str], said: Sequence[tuple[str, str]]) -> Agreement:
    table = np.zeros((len(WORDS), len(WORDS)))
    for one, other in said:
        table[WORDS.index(one), WORDS.index(other)] += 1
    observed = float(np.trace(table) / table.sum())
    found = kappa_and_error(table)
    if found is None:
        reason = "both used one word for everything: chance alone would agree"
        return Agreement(strategy, both, len(said), observed, None, None, reason)
    kappa, error = found
    if len(said) < 2 or error == 0:
        reason = "too few items for an interval" if len(said) < 2 else "the large-sample interval has no width here"
        return Agreement(strategy, both, len(said), observed, kappa, None, reason)
    interval = (max(-1.0, kappa - _Z * error), min(1.0, kappa + _Z * error))
    return Agreement(strategy, both, len(said), observed, kappa, interval)
