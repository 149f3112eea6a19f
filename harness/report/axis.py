"""Numbers to places on a plot: everything is a share of the width, so a plot fits whatever width it gets."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from harness.nouns import Interval

_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 6
_EDGE = 4.0
"""Per cent of the width that stay free at either end, for the labels of the outer ticks."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A scale.

    Attributes:
        low: Value at the left.
        high: Value at the right.
        ticks: Values that are labelled.
    """

    low: float
    high: float
    ticks: tuple[float, ...]

    def at(self, value: float) -> str:
        """The place of a value, as SVG reads it; values beyond the ends lie on them."""
        share = (min(max(value, self.low), self.high) - self.low) / (self.high - self.low)
        return f"{_EDGE + share * (100 - 2 * _EDGE):.2f}%"


def score_axis(values: Iterable[float]) -> Axis:
    """From 0 to a round number that holds every value."""
    top = max((value for value in values if math.isfinite(value)), default=1.0)
    high = next((bound for bound in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if top <= bound), 1.0)
    return _axis(0.0, high)


def change_axis(intervals: Iterable[Interval], margins: Iterable[float]) -> Axis:
    """An axis with 0 that holds every interval and the margins on either side."""
    ends = [end for interval in intervals for end in interval if math.isfinite(end)]
    reach = max((*map(abs, margins), 0.01))
    return _axis(min(-reach, *ends, 0.0), max(reach, *ends, 0.0))


def _axis(low: float, high: float) -> Axis:
    """An axis that ends on its outer ticks."""
    rough = (high - low) / _MOST_TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(number * step, 10) for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)
