"""Standard errors without the bootstrap agree with formulas, other implementations and the bootstrap itself."""

from __future__ import annotations

import math

import numpy as np
import pytest
from lm_eval import evaluator_utils
from lm_eval.api import metrics
from scipy import stats

from harness.engines.standard_errors import jackknife, without_bootstrap


def pairs(n: int, seed: int = 0) -> list[tuple[int, int]]:
    """(gold, prediction) pairs of a classifier that is right in seven of ten cases."""
    rng = np.random.default_rng(seed)
    gold = rng.integers(0, 2, n)
    wrong = rng.random(n) < 0.3
    return [(int(g), int(g ^ w)) for g, w in zip(gold, wrong, strict=True)]


def bootstrapped(metric: object, items: list[object], draws: int = 4000) -> float:
    """The standard deviation of a metric over resamples."""
    rng = np.random.default_rng(1)
    rows = rng.integers(0, len(items), (draws, len(items)))
    return float(np.std([metric([items[i] for i in row]) for row in rows], ddof=1))  # type: ignore[operator]


def test_the_jackknife_of_a_mean_is_its_standard_error() -> None:
    """For the mean the formula is exact."""
    values = [0.0, 1.0, 1.0, 0.0, 1.0, 3.0]
    assert jackknife(np.mean, values) == pytest.approx(stats.sem(values))


@pytest.mark.parametrize("metric", [metrics.f1_score, metrics.matthews_corrcoef])
def test_counts_give_the_error_that_resampling_gives(metric: object) -> None:
    """F1 and MCC: near a bootstrap of 400 draws, at 150 items."""
    items = pairs(150)
    with without_bootstrap():
        found = evaluator_utils.stderr_for_metric(metric, 100_000)(items)
    assert found == pytest.approx(bootstrapped(metric, list(items), 400), rel=0.15)


def test_perplexity_and_nanmean_have_closed_forms() -> None:
    """Perplexity by the delta method, the mean without its missing values by the usual formula."""
    values = list(np.random.default_rng(0).normal(-3, 1, 400))
    with without_bootstrap():
        perplexity = evaluator_utils.stderr_for_metric(metrics.perplexity, 100_000)(values)
        nanmean = evaluator_utils.stderr_for_metric(metrics.nanmean, 100_000)([*values, math.nan])
        none = evaluator_utils.stderr_for_metric(metrics.nanmean, 100_000)([math.nan, 1.0])
    assert perplexity == pytest.approx(bootstrapped(metrics.perplexity, list(values)), rel=0.1)
    assert nanmean == pytest.approx(stats.sem(values))
    assert math.isnan(none)


def test_other_metrics_and_no_errors_at_all_stay_as_they_are() -> None:
    """The mean keeps lm-eval's formula, zero draws mean no error, and afterwards all is as before."""
    plain = evaluator_utils.stderr_for_metric
    with without_bootstrap():
        assert evaluator_utils.stderr_for_metric(metrics.mean, 10) is metrics.mean_stderr
        assert evaluator_utils.stderr_for_metric(metrics.f1_score, 0) is None
        assert evaluator_utils.stderr_for_metric(metrics.median, 10) is not None
    assert evaluator_utils.stderr_for_metric is plain
