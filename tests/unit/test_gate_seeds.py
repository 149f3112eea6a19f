"""A gate over pairs of training seeds: Student's t over pairs, whatever the items say, and advice in pairs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from records import make_run, rows
from scipy import stats

from harness.compare import Margins, Scope, compare
from harness.compare.recipe import compare_recipes
from harness.errors import DataError
from harness.gate import Evidence, gate
from harness.gate.document import headline
from harness.gate.rule import Measure
from harness.gate.seeds import seed_means, seed_measure
from harness.nouns import Claim, Comparison, Ruling, Run, Verdict
from harness.policy import Policy, load_policy

RNG = np.random.default_rng(11)
ITEMS = 400
BASE = {task: (RNG.random(ITEMS) < 0.5).astype(float) for task in "tu"}
GENERAL, NLU = load_policy("general"), load_policy("nlu")


def moved(values: np.ndarray, change: float) -> np.ndarray:
    """The values with a share of the items won, or lost where it is negative."""
    out = values.copy()
    places = np.flatnonzero(values == (0.0 if change > 0 else 1.0))
    out[places[: round(abs(change) * len(values))]] = float(change > 0)
    return out


def pairs(store: Path, changes: Sequence[tuple[float, float]]) -> list[tuple[Run, Run]]:
    """One pair per seed, whose candidate wins so many items of each task."""
    made = []
    for seed, own in enumerate(changes):
        ours = {task: moved(BASE[task], change) for task, change in zip("tu", own, strict=True)}
        baseline = make_run(store, BASE, checkpoint=f"base {seed}", seconds=float(seed))
        made.append((make_run(store, ours, checkpoint=f"tuned {seed}"), baseline))
    return made


def judged(comparison: Comparison, policy: Policy, allow: bool = True) -> Verdict:
    """The verdict of a policy on the suite quick."""
    return gate(Evidence(comparison), {"quick": policy}, allow)


def claim(verdict: Verdict, word: str) -> Claim:
    """The only claim whose name has the word."""
    (found,) = [claim for claim in verdict.claims if word in claim.claim]
    return found


def test_the_headline_is_a_t_test_over_pairs(tmp_path: Path) -> None:
    """P-value and ruling are those of scipy's test on the suite's differences, whatever the tasks' own errors are."""
    given = pairs(tmp_path, [(0.01, 0.02), (0.00, -0.01), (0.02, 0.01), (0.01, 0.00)])
    deltas = [compare(ours, theirs).suites[0].delta for ours, theirs in given]
    comparison = compare_recipes(given, Margins(), Scope())
    (suite,) = comparison.suites
    for margin in (suite.margin, 0.02, 0.004):
        found = seed_measure(suite, "mean", "quick", margin, 4)
        direct = stats.ttest_1samp(deltas, -margin, alternative="greater")
        assert found.p_shown == pytest.approx(direct.pvalue)
    assert found.p_harm == pytest.approx(stats.ttest_1samp(deltas, 0.0, alternative="less").pvalue)
    verdict = judged(comparison, GENERAL)
    low, high = stats.ttest_1samp(deltas, 0.0).confidence_interval()
    assert f"(95 %: {100 * low:+.1f} to {100 * high:+.1f})" in claim(verdict, "macro").sentence
    assert claim(verdict, "macro").ruling is (Ruling.PASS if suite.p_noninferior < 0.05 else Ruling.INCONCLUSIVE)
    assert {one.items for one in verdict.claims} == {4}


def test_three_pairs_need_more_than_the_normal_reference(tmp_path: Path) -> None:
    """Two standard errors above zero: a gain by the normal reference, none by Student's t with two degrees."""
    given = pairs(tmp_path, [(0.02, 0.02), (0.10, 0.10), (0.05, 0.05)])
    comparison = compare_recipes(given, Margins(), Scope())
    (suite,) = comparison.suites
    assert 1.645 < suite.delta / suite.standard_error < 2.92
    verdict = judged(comparison, NLU)
    found = claim(verdict, "improved")
    assert found.ruling is Ruling.INCONCLUSIVE
    assert found.items_needed is not None
    assert f"about {found.items_needed - 3} more pairs of seeds ({found.items_needed} in all)" in found.sentence
    assert f"about {found.items_needed - 3} more seed pair" in headline(verdict, "fail")


def test_a_gain_of_every_seed_passes_and_a_fall_fails(tmp_path: Path) -> None:
    """Claims over seeds reach PASS and FAIL; the verdict is about the recipe."""
    up = compare_recipes(pairs(tmp_path / "up", [(0.10, 0.11), (0.11, 0.10), (0.10, 0.10)]), Margins(), Scope())
    assert judged(up, NLU).ruling is Ruling.PASS
    down = compare_recipes(
        pairs(tmp_path / "down", [(-0.10, -0.11), (-0.11, -0.10), (-0.10, -0.10)]), Margins(), Scope()
    )
    verdict = judged(down, GENERAL)
    assert (verdict.ruling, verdict.comparison.pairs) == (Ruling.FAIL, 3)
    assert "a decline is shown" in claim(verdict, "macro").sentence


def test_seeds_that_do_not_vary_say_nothing(tmp_path: Path) -> None:
    """Three equal differences have no error over seeds: neither PASS nor FAIL, and no number of pairs as advice."""
    comparison = compare_recipes(pairs(tmp_path, [(0.1, 0.1)] * 3), Margins(), Scope())
    found = claim(judged(comparison, NLU), "improved")
    assert (found.ruling, found.items_needed) == (Ruling.INCONCLUSIVE, None)


def test_a_plan_without_power_is_refused_in_pairs(tmp_path: Path) -> None:
    """As for items, but the advice counts pairs."""
    comparison = compare_recipes(pairs(tmp_path, [(0.02, 0.02), (0.10, 0.10), (0.05, 0.05)]), Margins(), Scope())
    with pytest.raises(DataError, match=r"with 3 pairs of seeds, the policy asks for 80%; score \d+ pairs of seeds"):
        judged(comparison, NLU, allow=False)


def test_the_mean_of_rates_is_never_too_sure(tmp_path: Path) -> None:
    """Its error is at least that of the per-seed means, however the tasks move together; so are both p-values."""
    rng = np.random.default_rng(3)
    for shared in (0.0, 0.5, 1.0):
        moves = shared * rng.normal(size=(4, 1)) + (1 - shared) * rng.normal(size=(4, 3))  # (seed, task)
        ends = [tuple(stats.ttest_1samp(moves[:, k], 0.0).confidence_interval()) for k in range(3)]
        means = moves.mean(axis=1)
        draft = replace(measure_of(means.mean()), goal=0.5)
        found = seed_means(draft, ends, 4)
        exact = stats.sem(means)
        assert found.standard_error >= exact - 1e-12
        assert found.p_shown >= stats.ttest_1samp(means, -0.5, alternative="greater").pvalue - 1e-12 or (
            means.mean() < -0.5
        )
        if shared == 1.0:
            assert found.standard_error == pytest.approx(exact)


def measure_of(delta: float) -> Measure:
    """A draft of a claim with a difference."""
    return Measure("n", "n", "", delta, (0.0, 0.0), 1.0, 9, 0.1, 1.0, 1.0)


def test_a_rate_that_rises_with_every_seed_fails(tmp_path: Path) -> None:
    """A gated health rate is tested over pairs; one that no task has is an error."""
    given = []
    for seed, share in enumerate((0.30, 0.32, 0.31)):
        sides = []
        for word, own in (("tuned", share), ("base", 0.0)):
            records = rows("t", BASE["t"])
            cut = [replace(one, counts={**one.counts, "truncated_prompt": (float(i < own * ITEMS), 1.0)})
                   for i, one in enumerate(records)]  # fmt: skip
            folds = {"t": {"folds": {"acc": "mean", "truncated_prompt": "mean"}}}
            sides.append(make_run(tmp_path, {"t": cut}, checkpoint=f"{word} {seed}", entries=folds))
        given.append((sides[0], sides[1]))
    comparison = compare_recipes(given, Margins(), Scope())
    gated = replace(GENERAL, health={"truncated_prompt": 0.05})
    found = claim(judged(comparison, gated), "truncated prompt")
    assert (found.ruling, found.items) == (Ruling.FAIL, 3)
    with pytest.raises(DataError, match="no task of quick has it"):
        judged(comparison, replace(GENERAL, health={"parse_failure": 0.05}))
