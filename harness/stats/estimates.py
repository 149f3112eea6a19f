"""Measures that are linear at first order: a value and how far each document pulls it.

Sums, differences and averages of such measures on the same documents are such measures again, so one t test over
documents (or clusters of them) serves a rate, a gap between two renderings, and the change of that gap.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from harness.stats.intervals import Array, Interval, linear_interval, proportion_interval
from harness.stats.paired import Paired, linearised

_ANY_MARGIN = 0.5
"""Only there because the test of a difference wants one: no claim of non-inferiority is read from it."""

Mask = npt.NDArray[np.bool_]
Clusters = npt.NDArray[np.object_]


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure of one run over n documents.

    Attributes:
        value: The measure.
        influence: How far each document pulls it (n,), of mean zero, in the unit of the value.
        told: Documents that it says something of (n,); the others pull nothing and are no evidence.
        clusters: Cluster of each document (n,), or None where they are independent.
        support: Smallest and largest possible value.
        trials: Value of each document (n,) where the measure is their mean; None where it is not.
    """

    value: float
    influence: Array
    told: Mask
    clusters: Clusters | None = None
    support: Interval = (0.0, 1.0)
    trials: Array | None = None

    @property
    def documents(self) -> int:
        """How many documents it rests on."""
        return int(self.told.sum())

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the value: Wilson for independent 0/1 documents, t over documents or clusters else.

        That of a difference is the interval of its test.
        """
        if self.support[0] < 0:
            return self.tested().interval
        pull, clusters = self._evidence()
        if self.trials is not None:
            return proportion_interval(self.trials[self.told], clusters)
        return linear_interval(self.value, pull, clusters, support=self.support)

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two measures of the same documents, row by row."""
        (low, high), (least, most) = self.support, other.support
        return Estimate(
            self.value - other.value,
            self.influence - other.influence,
            self.told | other.told,
            self.clusters,
            (low - most, high - least),
        )

    def tested(self) -> Paired:
        """Whether a difference is above or below zero (``p_improve``, ``p_harm``), with the interval of the test."""
        pull, clusters = self._evidence()
        return linearised(self.value, pull, _ANY_MARGIN, clusters, span=max(map(abs, self.support)))

    def _evidence(self) -> tuple[Array, Clusters | None]:
        """Influences on the scale of the documents that are told, and their clusters."""
        pull = self.influence[self.told] * (self.documents / len(self.told))
        return pull, None if self.clusters is None else self.clusters[self.told]


def ratio(counts: Array, clusters: Clusters | None = None) -> Estimate | None:
    """The share ``sum x / sum w`` of counts (x, w) per document; None where nothing is counted.

    Args:
        counts: (n, 2), each x between 0 and w.
        clusters: Cluster of each document (n,), or None.

    Source:
        Linearised ratio estimator: Cochran 1977, Sampling Techniques, section 6.3.
    """
    x, w = counts[:, 0], counts[:, 1]
    if not w.sum():
        return None
    value = float(x.sum() / w.sum())
    single = bool(np.isin(w, (0.0, 1.0)).all())
    return Estimate(value, (x - value * w) / w.mean(), w > 0, clusters, trials=x if single else None)


def nothing(n: int, clusters: Clusters | None = None) -> Estimate:
    """The measure that is 0 whatever the documents are; the floor of a rate that has none.

    Args:
        n: Number of documents.
        clusters: Cluster of each (n,), or None.
    """
    return Estimate(0.0, np.zeros(n), np.zeros(n, dtype=bool), clusters, support=(0.0, 0.0))


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The plain average of measures of the same documents, at least one.

    Args:
        estimates: Measures with rows, clusters and support in common.
    """
    first = estimates[0]
    return Estimate(
        math.fsum(each.value for each in estimates) / len(estimates),
        np.mean([each.influence for each in estimates], axis=0),
        np.any([each.told for each in estimates], axis=0),
        first.clusters,
        first.support,
    )
