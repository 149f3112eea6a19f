"""The score on some of the items against the score on all of them: the one set is a part of the other."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from harness.stats.intervals import Array


def subset_influence(everywhere: Array, inside: Array, chosen: npt.NDArray[np.bool_]) -> Array:
    """How far each item pulls ``score(chosen items) - score(all items)``.

    The two scores share items, so their errors must not be added. With F the score and n items, m of them chosen, an
    item's pull is ``(n / m) * IF_chosen - IF_all`` where it is chosen and ``-IF_all`` where it is not: influences of
    two ratios of sums over the same sample, the first of which gives the others the weight 0. The items are taken as
    drawn together with the flag that chooses them, as a bootstrap over items draws them. For a mean it comes to

        d_i = (x_i - mean_chosen) * chosen_i * n / m - (x_i - mean_all),

    whose variance holds the spread of both parts and that of the number of chosen items.

    Args:
        everywhere: Influences (n,) of all items on the score of all items.
        inside: Influences (m,) of the chosen items on the score of the chosen items, in their order.
        chosen: Which items are chosen (n,), at least one.

    Returns:
        Influences (n,) of mean zero; the standard error of their mean is that of the difference.

    Source:
        Influence functions of ratios and of domain (subpopulation) estimates: Särndal, Swensson and Wretman 1992, Model
        Assisted Survey Sampling, 5.5 and 10.3; Efron 1982, The Jackknife, the Bootstrap and Other Resampling Plans.
    """
    pull = -np.asarray(everywhere, dtype=np.float64)
    pull[chosen] += len(everywhere) / len(inside) * inside
    return pull
