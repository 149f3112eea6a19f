"""Plots of the measurements as SVG text: no font files, no dates, the same bytes for the same numbers."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any

import numpy as np

from synth.stats.survey import Found

_INK, _PALE = "#1f2933", "#9aa5b1"
_COLOURS = (
    *("#3e7cb1", "#e0a458", "#5b8e7d", "#b0413e", "#8064a2", "#81a4cd", "#c8963e", "#2f4858", "#f2c9a1"),
    *("#9bc1a5", "#d98880", "#b8a9c9", "#616e7c", "#c5d6e8"),
)
_MOST_LABELS = 12
_STYLE: Mapping[str, Any] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "hum-harness",
    "font.family": "sans-serif",
    "font.size": 10,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": _PALE,
    "axes.labelcolor": _INK,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
}


def plots(numbers: Mapping[str, Any], found: Found) -> dict[str, str]:
    """SVG by name, each with a title for readers who cannot see it.

    Args:
        numbers: What ``measure`` gave.
        found: What the pass found.
    """
    drawn = {
        "funnel": _drawn("From rendered examples to the corpus", 7.5, lambda axes: _funnel(axes, numbers["funnel"])),
        "strategies": _drawn("Strategies by family", 7.5, lambda axes: _strategies(axes, numbers["strategies"])),
        "formats": _drawn("Answer formats by family", 7.5, lambda axes: _stacked(axes, numbers["formats"])),
        "lengths": _drawn("Length of prompt and completion", 7.5, lambda axes: _lengths(axes, found)),
    }
    for family, labels in numbers["labels"].items():
        facts = dict(list(labels["facts"].items())[:_MOST_LABELS])
        drawn[f"labels-{family}"] = _drawn(f"Labels of {family}", 4.6, partial(_bars, counts=facts))
    return drawn


@contextmanager
def _pyplot() -> Iterator[Any]:
    """Matplotlib without a screen, and without its complaint about signs that the reader's own fonts will have."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    with pyplot.rc_context(dict(_STYLE)), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font")
        yield pyplot


def _drawn(title: str, width: float, draw: Callable[[Any], int]) -> str:
    """The SVG text of one plot; ``draw`` gives the number of its bars, which sets the height."""
    with _pyplot() as pyplot:
        figure, axes = pyplot.subplots(layout="constrained")
        figure.set_size_inches(width, 1.2 + 0.28 * draw(axes))
        sink = io.StringIO()
        figure.savefig(sink, format="svg", transparent=True, metadata={"Date": None, "Title": title})
        pyplot.close(figure)
    svg = sink.getvalue()
    svg = svg[svg.index("<svg") :].replace("<svg ", f'<svg role="img" aria-label="{title}" ', 1)
    return re.sub(r"\s*<!--.*?-->", "", svg, flags=re.DOTALL)


def _funnel(axes: Any, steps: Sequence[Mapping[str, Any]]) -> int:
    names, left = [step["step"] for step in steps], [step["left"] for step in steps]
    axes.barh(names, left, color=[_PALE, *[_COLOURS[0]] * (len(steps) - 2), _COLOURS[2]], height=0.7)
    for place, value in enumerate(left):
        axes.annotate(f"{value:,}", (value, place), (4, 0), textcoords="offset points", va="center", fontsize=9)
    axes.invert_yaxis()
    axes.set_xlabel("examples left")
    axes.set_xlim(0, max(left) * 1.14 or 1)
    _thousands(axes)
    return len(steps)


def _strategies(axes: Any, by_family: Mapping[str, Mapping[str, int]]) -> int:
    kinds: dict[str, dict[str, int]] = {}
    for family, combinations in by_family.items():
        kinds[family] = {name: rows for name, rows in combinations.items() if name == "basic"}
        kinds[family] |= {name: rows for name, rows in sorted(combinations.items()) if name != "basic"}
    return _stacked(axes, kinds)


def _stacked(axes: Any, by_family: Mapping[str, Mapping[str, int]]) -> int:
    """Shares within each family: families differ in size by far more than in make-up."""
    names = list(dict.fromkeys(name for counts in by_family.values() for name in counts))
    families, lefts = list(by_family), np.zeros(len(by_family))
    for number, name in enumerate(names):
        shares = np.array([100 * counts.get(name, 0) / sum(counts.values()) for counts in by_family.values()])
        axes.barh(families, shares, left=lefts, color=_COLOURS[number % len(_COLOURS)], label=name, height=0.7)
        lefts += shares
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("examples of the family, %")
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1.02), frameon=False, fontsize=9)
    return max(len(families), round(0.75 * len(names)))


def _lengths(axes: Any, found: Found) -> int:
    for number, name in enumerate(("prompt", "completion")):
        values = np.asarray(found.lengths[name])
        edges = np.geomspace(max(values.min(), 1), values.max() + 1, 41)
        axes.hist(values, edges, histtype="stepfilled", alpha=0.65, color=_COLOURS[number], label=name)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("characters")
    axes.set_ylabel("examples")
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.legend(frameon=False)
    return 6


def _bars(axes: Any, counts: Mapping[str, int]) -> int:
    axes.barh([_short(name) for name in counts], list(counts.values()), color=_COLOURS[0], height=0.7)
    axes.invert_yaxis()
    axes.set_xlabel("facts")
    _thousands(axes)
    return len(counts)


def _thousands(axes: Any) -> None:
    axes.xaxis.set_major_formatter("{x:,.0f}")
    axes.xaxis.set_major_locator(_locator())


def _locator() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(5, integer=True)


def _short(name: str) -> str:
    text = name.replace("$", r"\$")
    return text if len(text) <= 32 else text[:31] + "…"
