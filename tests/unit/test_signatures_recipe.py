"""Signs of a recipe: the pair of training seeds is the unit, as in the comparison of recipes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from probing import formats
from scipy import stats

from harness.compare import Margins, Scope
from harness.compare.recipe import compare_recipes
from harness.errors import UsageError
from harness.nouns import Run
from harness.signatures import recipe_changes, signature_changes

GOLD = [[f"fact {i}", f"other {i}"] for i in range(40)]


def pair(store: Path, seed: int, seen: float) -> tuple[Run, Run]:
    """Candidate and baseline of one seed; the candidate is better in seen formats alone."""
    rng = np.random.default_rng(seed)

    def told(share: float) -> list[list[str]]:
        return [[fact for fact in right if rng.random() < share] for right in GOLD]

    candidate = {"json": told(seen), "tsv": told(seen), "new_qa": told(0.4)}
    baseline = {name: told(0.4) for name in candidate}
    return (formats(store, candidate, GOLD, checkpoint=f"tuned {seed}"),
            formats(store, baseline, GOLD, checkpoint=f"base {seed}"))  # fmt: skip


def test_the_pair_is_the_unit(tmp_path: Path) -> None:
    """Delta, interval and p-value of a probe's sign are Student's t over the pairs' own deltas."""
    pairs = [pair(tmp_path, seed, seen) for seed, seen in enumerate((0.7, 0.8, 0.9, 0.75))]
    found = {sign.name: sign for sign in recipe_changes(pairs)}["format_gap"]
    own = [{sign.name: sign for sign in signature_changes(*each)}["format_gap"] for each in pairs]
    deltas = [sign.delta for sign in own]
    direct = stats.ttest_1samp(deltas, 0, alternative="greater")
    low, high = stats.ttest_1samp(deltas, 0).confidence_interval()
    assert (found.delta, found.p_worse) == (pytest.approx(np.mean(deltas)), pytest.approx(direct.pvalue))
    assert found.interval == (pytest.approx(low), pytest.approx(high))
    assert (found.value, found.items) == (pytest.approx(np.mean([sign.value for sign in own])), 40)
    assert "over 4 pairs of training seeds" in found.sentence


def test_the_worst_task_has_an_interval_for_all_tasks_over_seeds(tmp_path: Path) -> None:
    """The widening for having been chosen takes its quantiles from t with pairs - 1 degrees of freedom."""
    pairs = [pair(tmp_path, seed, 0.2) for seed in range(3)]
    comparison = compare_recipes(pairs, Margins(), Scope())
    worst = min(comparison.tasks, key=lambda task: task.delta)
    found = {sign.name: sign for sign in recipe_changes(pairs, comparison)}["task_degradation"]
    stretch = stats.t.ppf(1 - 0.025 / 3, 2) / stats.t.ppf(0.975, 2)
    assert found.delta == worst.delta
    assert found.interval[1] == pytest.approx(min(1, worst.delta + stretch * (worst.interval[1] - worst.delta)))


def test_fewer_than_three_pairs_are_refused(tmp_path: Path) -> None:
    """One seed says nothing of the next."""
    with pytest.raises(UsageError, match="is too few"):
        recipe_changes([pair(tmp_path, 0, 0.8)])
