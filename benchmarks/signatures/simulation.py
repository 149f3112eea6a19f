"""False alarms and coverage of the failure signatures' intervals and tests, on documents that are drawn at random.

    python benchmarks/signatures/simulation.py --documents 100 --draws 2000

Documents differ in how hard they are, formats and systems share that difficulty; a document has three facts. Prints the
table of docs/signatures.md. The true values are those of 200,000 documents.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable, Iterator

import numpy as np

from harness.metrics.agreement import agreement
from harness.metrics.folds import influence, micro_f1
from harness.stats.estimates import Estimate, mean_of, ratio
from harness.stats.spread import p_of_range, range_interval, range_under_null

FACTS, FORMATS = 3, 4
EVEN = np.zeros(FORMATS)
UNEVEN = np.array([0.1, 0.1, -0.1, -0.1])
"""Change of the chance to find a fact, per format: two seen, two held out."""

Draw = Callable[[int, np.random.Generator], Estimate]


def found(
    n: int, rng: np.random.Generator, level: float, shift: np.ndarray, ease: np.ndarray | None = None
) -> np.ndarray:
    """Whether each fact is found (n, FORMATS, FACTS)."""
    ease = rng.normal(0, 0.15, n) if ease is None else ease
    chance = np.clip(level + ease[:, None] + shift[None], 0.02, 0.98)
    return rng.random((n, FORMATS, FACTS)) < chance[..., None]


def counts_of(hits: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Counts (n, FORMATS, 3); one fact in ten is invented besides."""
    tp = hits.sum(axis=2)
    return np.stack([tp, rng.binomial(FACTS, 0.1, tp.shape), FACTS - tp], axis=2).astype(float)


def scores(counts: np.ndarray) -> list[Estimate]:
    """Micro-F1 per format."""
    tables = [counts[:, k] for k in range(counts.shape[1])]
    return [Estimate(micro_f1.score(t.sum(0)) or 0.0, influence(micro_f1, t), t.any(axis=1)) for t in tables]


def gap(counts: np.ndarray) -> Estimate:
    """Seen minus held-out formats."""
    each = scores(counts)
    return mean_of(each[:2]).minus(mean_of(each[2:]))


def spread(counts: np.ndarray) -> Estimate:
    """Best minus worst format, as the sign has it."""
    each = scores(counts)
    values = [one.value for one in each]
    best, worst = each[int(np.argmax(values))], each[int(np.argmin(values))]
    return Estimate(best.value - worst.value, best.influence - worst.influence, best.told | worst.told)


def consistency(hits: np.ndarray) -> Estimate:
    """Agreement of the answers."""
    rows = [agreement([[i for i in range(FACTS) if answer[i]] for answer in document]) for document in hits]
    estimate = ratio(np.array(rows))
    assert estimate is not None
    return estimate


def rate(x: np.ndarray, w: np.ndarray) -> Estimate:
    """A ratio of sums."""
    estimate = ratio(np.stack([x, w], axis=1).astype(float))
    assert estimate is not None
    return estimate


def pair(n: int, rng: np.random.Generator, shift: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Facts found by a candidate with a shift, and by its baseline, on the same documents."""
    ease = rng.normal(0, 0.15, n)
    return found(n, rng, 0.6, shift, ease), found(n, rng, 0.6, EVEN, ease)


def excess(n: int, rng: np.random.Generator, level: float) -> Estimate:
    """Hallucinated spans above the gold floor of 10 %."""
    spans, gold = rng.integers(0, 6, n), rng.integers(1, 5, n)
    tilt = np.clip(level + rng.normal(0, 0.05, n), 0, 1)
    floor = np.clip(0.1 + rng.normal(0, 0.03, n), 0, 1)
    return rate(rng.binomial(spans, tilt), spans).minus(rate(rng.binomial(gold, floor), gold))


def rules(n: int, rng: np.random.Generator, level: float) -> Estimate:
    """Rule following, up to three rules per document."""
    asked = rng.integers(0, 4, n)
    return rate(rng.binomial(asked, np.clip(level + rng.normal(0, 0.2, n), 0, 1)), asked)


def length(n: int, rng: np.random.Generator, factor: float) -> Estimate:
    """Logarithm of the ratio of mean lengths."""
    base = rng.lognormal(3.5, 0.5, n)
    ours, theirs = factor * base * rng.lognormal(0, 0.3, n), base * rng.lognormal(0, 0.3, n)
    value, pull = math.log(ours.mean() / theirs.mean()), ours / ours.mean() - theirs / theirs.mean()
    reach = max(1.0, float(np.abs(value + pull).max()))
    return Estimate(value, pull, np.ones(n, dtype=bool), None, (-reach, reach))


def measures() -> Iterator[tuple[str, Draw, bool]]:
    """Name, how to draw it, and whether it is drawn where its null is true."""
    for word, shift in (("null", EVEN), ("effect", UNEVEN)):
        null = word == "null"
        yield f"gap, {word}", lambda n, rng, s=shift: gap(counts_of(found(n, rng, 0.6, s), rng)), null
        yield f"change of the gap, {word}", lambda n, rng, s=shift: _changed(gap, n, rng, s), null
        yield f"change of the spread, {word}", lambda n, rng, s=shift: _changed(spread, n, rng, s), null
        yield f"consistency, {word}", lambda n, rng, s=shift: consistency(found(n, rng, 0.6, s)), False
        yield f"change of consistency, {word}", lambda n, rng, s=shift: _consistency_changed(n, rng, s), null
        level = 0.1 if null else 0.2
        yield f"hallucination above the floor, {word}", lambda n, rng, p=level: excess(n, rng, p), null
    yield "all correct", lambda n, rng: rate(found(n, rng, 0.9, EVEN).all(axis=(1, 2)), np.ones(n)), False
    yield "rule following", lambda n, rng: rules(n, rng, 0.7), False
    yield "length, null", lambda n, rng: length(n, rng, 1.0), True
    yield "length, 20 % longer", lambda n, rng: length(n, rng, 1.2), False


def _changed(
    measure: Callable[[np.ndarray], Estimate], n: int, rng: np.random.Generator, shift: np.ndarray
) -> Estimate:
    ours, theirs = (measure(counts_of(hits, rng)) for hits in pair(n, rng, shift))
    return ours.minus(theirs)


def _consistency_changed(n: int, rng: np.random.Generator, shift: np.ndarray) -> Estimate:
    ours, theirs = map(consistency, pair(n, rng, shift))
    return ours.minus(theirs)


def truth(name: str, draw: Draw, rng: np.random.Generator) -> float:
    """The value of very many documents."""
    return (
        0.0
        if "null" in name and not name.startswith("consistency")
        else draw(20_000 if "consist" in name else 200_000, rng).value
    )


def simulate(name: str, draw: Draw, null: bool, options: argparse.Namespace) -> str:
    """One row of the table."""
    rng = np.random.default_rng(0)
    true = truth(name, draw, rng)
    draws = options.draws // 4 if "consist" in name else options.draws
    estimates = [draw(options.documents, rng) for _ in range(draws)]
    held = np.mean([low <= true <= high for low, high in (each.interval for each in estimates)])
    alarms = np.mean([each.tested().p_improve < 0.05 for each in estimates]) if null else None
    return f"| {name} | {100 * held:.1f} | {'' if alarms is None else f'{100 * alarms:.1f}'} |"


def simulate_spread(shift: np.ndarray, options: argparse.Namespace) -> str:
    """Bounds of the spread, and its permutation null."""
    rng = np.random.default_rng(1)
    true = spread(counts_of(found(200_000, rng, 0.6, shift), rng)).value if shift.any() else 0.0
    held, alarms = [], []
    for _ in range(options.draws // 4):
        counts = counts_of(found(options.documents, rng, 0.6, shift), rng)
        each = scores(counts)
        values, pulls = np.array([e.value for e in each]), np.stack([e.influence for e in each], axis=1)
        low, high = range_interval(values, pulls)
        held.append(low <= true <= high)
        if not shift.any():
            null = range_under_null(counts, micro_f1.score)
            alarms.append(p_of_range(float(np.ptp(values)), null) < 0.05)
    shown = f"{100 * np.mean(alarms):.1f}" if alarms else ""
    return f"| spread, {'effect' if shift.any() else 'null'} | {100 * np.mean(held):.1f} | {shown} |"


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--documents", type=int, default=100)
    parser.add_argument("--draws", type=int, default=2000)
    options = parser.parse_args()
    print("| measure | interval holds the truth, % | false alarms at 5 %, % |\n|---|---:|---:|")
    for name, draw, null in measures():
        print(simulate(name, draw, null, options), flush=True)
    for shift in (EVEN, UNEVEN):
        print(simulate_spread(shift, options), flush=True)


if __name__ == "__main__":
    main()
