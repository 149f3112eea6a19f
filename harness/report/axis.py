"""Numbers to places on a plot: everything is a share of the width, so a plot fits whatever width it gets."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import median

from harness.nouns import Interval

_STEPS = (1, 2, 2.5, 5, 10)
_MOST_TICKS = 6
_LONGEST = 3
"""Ends of intervals beyond this many times their median are off the scale."""

_LEAST = 0.01
"""An axis of changes reaches at least this far to either side."""

_SLACK = 1e-6
"""Share of the width by which rounding may put a value beyond the outer ticks."""

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
        """The place of a value, as SVG reads it; one that is off the scale lies on the edge of the plot."""
        share = (value - self.low) / (self.high - self.low)
        if not -_SLACK <= share <= 1 + _SLACK:
            return "0%" if share < 0 else "100%"
        return f"{_EDGE + min(max(share, 0), 1) * (100 - 2 * _EDGE):.2f}%"


def score_axis(values: Iterable[float]) -> Axis:
    """From 0 to a round number that holds every value."""
    top = max((value for value in values if math.isfinite(value)), default=1.0)
    high = next((bound for bound in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8) if top <= bound), 1.0)
    return _axis(0.0, high)


def change_axis(changes: Sequence[float], intervals: Sequence[Interval], margins: Sequence[float]) -> Axis:
    """An axis with 0 that holds every change, the margins on either side, and every interval but those far longer.

    An interval of a task with few items can be many times longer than the others, which would leave these no room.
    """
    ends = [end for interval in intervals for end in interval if math.isfinite(end)]
    least = max([_LEAST, *map(abs, (*changes, *margins))])
    reach = max(least, _LONGEST * median(map(abs, ends))) if ends else least
    side = max([_LEAST, *map(abs, margins)])
    shown = [-side, side, *changes, *(min(max(end, -reach), reach) for end in ends)]
    return _axis(min(shown), max(shown))


def _axis(low: float, high: float) -> Axis:
    """An axis that ends on its outer ticks."""
    rough = (high - low) / _MOST_TICKS
    power = 10 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in _STEPS if factor * power >= rough * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    ticks = tuple(round(number * step, 10) for number in range(first, last + 1))
    return Axis(ticks[0], ticks[-1], ticks)
