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

from harness.stats.intervals import Array, Interval, linear_interval
from harness.stats.paired import Paired, linearised

_ANY_MARGIN = 0.5
"""Only there because the test of a difference wants one: no claim of non-inferiority is read from it."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A measure of one run over n documents.

    Attributes:
        value: The measure.
        influence: How far each document pulls it (n,), of mean zero, in the unit of the value.
        clusters: Cluster of each document (n,), or None where they are independent.
        support: Smallest and largest possible value.
    """

    value: float
    influence: Array
    clusters: npt.NDArray[np.object_] | None = None
    support: Interval = (0.0, 1.0)

    @property
    def interval(self) -> Interval:
        """The 95 % interval of the value: t over documents or clusters."""
        return linear_interval(self.value, self.influence, self.clusters, support=self.support)

    def minus(self, other: Estimate) -> Estimate:
        """The difference of two measures of the same documents, row by row."""
        (low, high), (least, most) = self.support, other.support
        return Estimate(
            self.value - other.value, self.influence - other.influence, self.clusters, (low - most, high - least)
        )

    def tested(self) -> Paired:
        """Whether a difference is above or below zero: ``p_improve`` of above, ``p_harm`` of below."""
        return linearised(self.value, self.influence, _ANY_MARGIN, self.clusters, span=max(map(abs, self.support)))


def mean_of(estimates: Sequence[Estimate]) -> Estimate:
    """The plain average of measures of the same documents, at least one.

    Args:
        estimates: Measures with rows, clusters and support in common.
    """
    first = estimates[0]
    return Estimate(
        math.fsum(each.value for each in estimates) / len(estimates),
        np.mean([each.influence for each in estimates], axis=0),
        first.clusters,
        first.support,
    )


def ratio(counts: Array, clusters: npt.NDArray[np.object_] | None = None) -> Estimate | None:
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
    return Estimate(value, (x - value * w) / w.mean(), clusters)
