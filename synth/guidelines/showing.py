"""A guideline in a prompt: from one of several angles, within a budget of characters, by a seeded choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from synth.draws import Draws
from synth.guidelines.guideline import Guideline, Item, Sample

ANGLES = ("meaning", "values", "examples", "edges")
"""Semantic explanation; typical values; positive and negative examples; edge cases."""

BUDGET = 900
"""Characters, about 220 tokens: leaves room for text and answer in a context of 1,024 tokens."""

_LONG = 160  # characters of a long example


def show(
    guideline: Guideline, labels: Sequence[str], angle: str, *, text: str = "", budget: int = BUDGET, seed: int = 0
) -> str:
    """What a prompt says of some labels.

    Args:
        guideline: The guideline.
        labels: Labels that are asked (``labels_of``), in the order in which they are shown.
        angle: One of ``ANGLES``.
        text: The text that is asked about: examples out of it are left out, they would give the answer away. The
            choice hangs on it too, so that different prompts show different entries.
        budget: Characters at most.
        seed: Seed of the choice among values and examples.

    Returns:
        One line per label; labels take turns until the budget is used, an entry that does not fit is left out
        whole. Empty where the guideline says nothing of the labels from this angle.

    Raises:
        KeyError: There is no such angle.
    """
    entries = {"meaning": _meaning, "values": _values, "examples": _examples, "edges": _edges}[angle]
    items = {item.label: item for item in guideline.items}
    pools = {
        label: list(entries(items[label], Draws(f"{seed}/{guideline.source}/{label}/{text}"), text))
        for label in labels
        if label in items
    }
    chosen: dict[str, list[str]] = {label: [] for label in pools}
    left = budget
    for rank in range(max(map(len, pools.values()), default=0)):
        for label, pool in pools.items():
            if rank < len(pool):
                length = len(pool[rank]) + 1 + (len(f"- {label}:\n") if not chosen[label] else 0)
                if length <= left:
                    chosen[label].append(pool[rank])
                    left -= length
    return "\n".join(f"- {label}: {' '.join(parts)}" for label, parts in chosen.items() if parts)


def _meaning(item: Item, draws: Draws, text: str) -> Iterator[str]:
    yield item.meaning
    if item.separates:
        yield item.separates
    if item.roles:
        yield "Roles: " + "; ".join(f"{role}: {meaning}" for role, meaning in item.roles.items()) + "."


def _values(item: Item, draws: Draws, text: str) -> Iterator[str]:
    values = draws.shuffled(item.typical)
    if values:
        yield "Typical: " + ", ".join(values[:4]) + "."
    if values[4:]:
        yield "Also: " + ", ".join(values[4:8]) + "."


def _examples(item: Item, draws: Draws, text: str) -> Iterator[str]:
    right = [_sample("Yes", one) for one in _short_first(item.positive, draws) if not _leaks(one, text)]
    wrong = [_sample("No", one) for one in _short_first(item.negative, draws) if not _leaks(one, text)]
    for rank in range(max(len(right), len(wrong))):
        yield from right[rank : rank + 1]
        yield from wrong[rank : rank + 1]


def _edges(item: Item, draws: Draws, text: str) -> Iterator[str]:
    if item.separates:
        yield item.separates
    yield from draws.shuffled(item.edge_cases)


def _short_first(samples: Sequence[Sample], draws: Draws) -> list[Sample]:
    """Samples in a drawn order, long ones last: they would use the budget up."""
    return sorted(draws.shuffled(samples), key=lambda sample: len(sample.text) > _LONG)


def _sample(verdict: str, sample: Sample) -> str:
    question = f" Question: {sample.question}" if sample.question else ""
    marked = f"{sample.span!r} in " if sample.span else ""
    why = f" ({sample.why})" if sample.why else ""
    return " ".join(f'{verdict}: {marked}"{sample.text}"{question}{why}'.split())


def _leaks(sample: Sample, text: str) -> bool:
    """Whether an example is out of the text that is asked about, or the other way round."""
    one, other = " ".join(sample.text.split()), " ".join(text.split())
    return bool(other) and (one in other or other in one)
