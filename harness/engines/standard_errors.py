"""Standard errors of stock metrics without the bootstrap, where a formula or the counts give them.

lm-eval resamples a metric 100,000 times in a pool of processes. The mean of numbers, and what is a smooth function of
it, has a closed form; F1 and the correlation coefficient depend on how often each (gold, prediction) pair occurs, and
leaving out one item has only as many outcomes as there are different pairs.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

Metric = Callable[[Sequence[Any]], float]


@contextmanager
def without_bootstrap() -> Iterator[None]:
    """While it is open, lm-eval takes the errors of perplexity, nanmean, F1 and MCC from here, others as ever."""
    from lm_eval import evaluator_utils
    from lm_eval.api import metrics

    plain = evaluator_utils.stderr_for_metric
    ours: dict[Any, Callable[[Sequence[Any]], float]] = {
        metrics.perplexity: _of_perplexity,
        metrics.nanmean: _of_nanmean,
        metrics.f1_score: lambda items: jackknife(metrics.f1_score, items),
        metrics.matthews_corrcoef: lambda items: jackknife(metrics.matthews_corrcoef, items),
    }

    def stderr_for_metric(metric: Any, bootstrap_iters: int) -> Any:
        own = ours.get(metric) if bootstrap_iters > 0 else None
        return own or plain(metric, bootstrap_iters)

    evaluator_utils.stderr_for_metric = stderr_for_metric
    try:
        yield
    finally:
        evaluator_utils.stderr_for_metric = plain


def jackknife(metric: Metric, items: Sequence[Any]) -> float:
    """The delete-one jackknife standard error of a metric, from the counts of equal items.

    ``sqrt((n - 1) / n * sum_c n_c (theta_c - mean)^2)``: ``theta_c`` is the metric without one item of kind ``c``, of
    which there are ``n_c``.

    Args:
        metric: A function of the items that does not depend on their order.
        items: At least two hashable items of few kinds.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap (1993), eq. 11.5.
    """
    kinds = Counter(items)
    n = len(items)
    left = {}
    for kind in kinds:
        less = kinds.copy()
        less[kind] -= 1
        left[kind] = float(metric(list(less.elements())))
    mean = sum(count * left[kind] for kind, count in kinds.items()) / n
    return math.sqrt((n - 1) / n * sum(count * (left[kind] - mean) ** 2 for kind, count in kinds.items()))


def _of_mean(values: Sequence[float]) -> float:
    from lm_eval.api.metrics import mean_stderr

    return float(mean_stderr(values))


def _of_perplexity(values: Sequence[float]) -> float:
    """The delta method: ``exp(-m)`` has the error of ``m`` times its slope."""
    return math.exp(-sum(values) / len(values)) * _of_mean(values)


def _of_nanmean(values: Sequence[float]) -> float:
    there = [value for value in values if not math.isnan(value)]
    return _of_mean(there) if len(there) > 1 else math.nan
