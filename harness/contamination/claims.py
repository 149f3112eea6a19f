"""What a check of contamination shows, in words that a reader can verify."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from harness.contamination.against import Overlap, TaskOverlap
from harness.contamination.clean import Change, Contrast, Gain
from harness.contamination.tally import HEADLINE
from harness.show import percent, plural, signed


def overlap_sentences(overlap: Overlap) -> Iterator[str]:
    """One sentence per suite: how many of its items stand in the corpus, and where most."""
    name = overlap.trained.name
    for suite in overlap.suites:
        tasks = [task for task in overlap.tasks if task.suite == suite]
        touched = sum(len(task.touched[HEADLINE]) for task in tasks)
        items = plural(sum(task.items for task in tasks), "item")
        if not tasks:
            continue
        if touched:
            worst = max(tasks, key=TaskOverlap.share)
            share = f"{percent(worst.share())} % of {plural(worst.items, 'item')}"
            most = f"most in {worst.task} ({share})"
            yield f"{suite}: {touched:,} of {items} stand in {name} at the 13-gram level, {most}."
        else:
            hints = sum(len(task.touched["8-gram"]) for task in tasks)
            shared = f" {plural(hints, 'item')} {'share' if hints > 1 else 'shares'} 8 words or more with it"
            more = f"{shared}, which is a hint and no proof." if hints else ""
            yield f"{suite}: none of {items} stands in {name} at the 13-gram level.{more}"


def clean_sentences(suites: Sequence[Contrast], tasks: Sequence[Contrast]) -> Iterator[str]:
    """One sentence per suite, and one per task that has touched items."""
    for one in (*suites, *(task for task in tasks if task.touched)):
        yield _gain(one, one.gain) if one.gain is not None else _score(one)


def _score(one: Contrast) -> str:
    run = one.candidate
    if not one.touched:
        return f"{one.name}: no item is touched, so {percent(run.full)} is its score on clean items."
    sides = f"{percent(run.clean)} on {one.items - one.touched:,} clean items, {percent(run.full)} on all {one.items:,}"
    low, high = _better(one, run.change)
    if high < 0:
        shown = "the touched items lift the score"
    elif low > 0:
        shown = "the touched items lower the score"
    else:
        shown = "no effect of the touched items is shown"
    return f"{one.name}: {sides}, a difference of {_ends(run.change)}; {shown}."


def _gain(one: Contrast, gain: Gain) -> str:
    if not one.touched:
        return f"{one.name}: no item is touched, so the change of {_ends(gain.full)} is that on clean items."
    sides = f"{_ends(gain.full)} on all {plural(one.items, 'item')} and by {_ends(gain.clean)}"
    clean = f"{sides} on the {one.items - one.touched:,} clean ones"
    return (
        f"{one.name}: the candidate changes by {clean}. {_survives(one, gain)}; the difference is {_ends(gain.change)}."
    )


def _survives(one: Contrast, gain: Gain) -> str:
    full, clean = _better(one, gain.full), _better(one, gain.clean)
    for word, sign in (("gain", 1), ("loss", -1)):
        if min(sign * end for end in full) > 0:
            if min(sign * end for end in clean) > 0:
                return f"The {word} survives on clean items"
            return f"The {word} is not shown on clean items alone"
    return "Neither a gain nor a loss is shown on all items"


def _better(one: Contrast, change: Change) -> tuple[float, float]:
    """Ends of a change, turned so that more is better."""
    low, high = change.interval
    return (-high, -low) if one.lower_is_better else (low, high)


def _ends(change: Change) -> str:
    low, high = change.interval
    return f"{signed(change.delta)} points (95 % interval {signed(low)} to {signed(high)})"
