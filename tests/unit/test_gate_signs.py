"""Gated failure signatures: the rule of every claim, for signs that may not become worse by more than a margin."""

from __future__ import annotations

import math
from dataclasses import replace
from statistics import NormalDist

import numpy as np
import pytest
from scipy import stats

from harness.errors import DataError
from harness.gate.rule import Levels, rule
from harness.gate.signs import sign_measure
from harness.nouns import Ruling, Signature
from harness.signs import SIGNS

LEVELS = Levels(0.05, 0.8)
NORMAL = NormalDist()


def sign(name: str, delta: float | None, error: float, **changes: object) -> Signature:
    """A change with a normal interval and test; without a baseline the value is the measure."""
    value = 0.3 if delta is None else 0.3 + delta
    worse = SIGNS[name].higher_is_worse
    move = 0.0 if delta is None else delta if worse else -delta
    p = 2 * NORMAL.cdf(-abs(move) / error) if SIGNS[name].either_way else NORMAL.cdf(-move / error)
    middle = value if delta is None else delta
    made = Signature(
        name, "quick_ner", value, (middle - 1.959964 * error, middle + 1.959964 * error), 200, "A sentence.", worse,
        None if delta is None else 0.3, delta, None if delta is None else p, None, ("probe",),
    )  # fmt: skip
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "delta", "ruling"),
    [
        ("format_gap", 0.00, Ruling.PASS),
        ("format_gap", 0.20, Ruling.FAIL),
        ("format_gap", 0.09, Ruling.FAIL),
        ("format_gap", 0.03, Ruling.PASS),
        ("format_consistency", -0.2, Ruling.FAIL),
        ("format_consistency", +0.2, Ruling.PASS),
        ("answer_length", +0.3, Ruling.FAIL),
        ("answer_length", -0.3, Ruling.FAIL),
        ("answer_length", -0.01, Ruling.PASS),
    ],
)
def test_a_worsening_beyond_the_margin_fails(name: str, delta: float, ruling: Ruling) -> None:
    """PASS where the margin is ruled out, FAIL where a worsening is shown, whichever direction is worse."""
    assert (
        rule(replace_family(sign_measure("probes", name, [sign(name, delta, 0.03)], 0.1)), LEVELS).claim.ruling
        is ruling
    )


def replace_family(measure: object) -> object:
    """A measure that is the only harm test of its verdict."""
    return replace(measure, p_family=measure.p_harm)  # type: ignore[type-var, attr-defined]


def test_an_open_claim_names_the_items() -> None:
    """Neither shown nor ruled out: INCONCLUSIVE, with the items that would settle it."""
    found = rule(replace_family(sign_measure("probes", "format_gap", [sign("format_gap", 0.05, 0.06)], 0.1)), LEVELS)
    assert found.claim.ruling is Ruling.INCONCLUSIVE
    assert found.claim.items_needed is not None
    assert found.claim.items_needed > 200


def test_several_subjects_are_averaged() -> None:
    """The change is the mean over the subjects and its error that of independent strata."""
    found = [sign("format_gap", delta, error) for delta, error in ((0.1, 0.03), (-0.04, 0.05))]
    measure = sign_measure("probes", "format_gap", found, 0.1)
    error = math.sqrt(0.03**2 + 0.05**2) / 2
    assert (measure.delta, measure.standard_error) == (pytest.approx(-0.03), pytest.approx(error, rel=1e-5))
    assert measure.p_shown == pytest.approx(stats.norm.sf((0.1 - 0.03) / error), rel=1e-3)
    assert measure.items == 400


def test_a_single_subject_keeps_its_own_test() -> None:
    """Where there is one subject, harm is judged by the sign's p-value (t, permutation), not by a normal stand-in."""
    measure = sign_measure("probes", "format_gap", [sign("format_gap", 0.1, 0.03, p_worse=0.2)], 0.05)
    assert measure.p_harm == 0.2


@pytest.mark.parametrize(("value", "ruling"), [(0.02, Ruling.PASS), (0.3, Ruling.FAIL), (0.1, Ruling.INCONCLUSIVE)])
def test_a_sign_without_baseline_is_held_against_the_margin(value: float, ruling: Ruling) -> None:
    """Flips are no change of a rate: below the margin passes, above it fails, neither shown is open."""
    error = 0.01
    flips = sign("flip_rate", None, error, value=value, interval=(value - 1.96 * error, value + 1.96 * error))
    found = rule(replace_family(sign_measure("general", "flip_rate", [flips], 0.1)), LEVELS)
    assert found.claim.ruling is ruling


def test_ties_need_items() -> None:
    """Where nothing moved, few documents do not rule out a worsening, many do."""
    still = sign("rule_ignoring", 0.0, 1.0, p_worse=1.0)
    few, many = (sign_measure("probes", "rule_ignoring", [replace(still, items=n)], 0.1) for n in (10, 1000))
    assert few.p_shown > 0.05 > many.p_shown


def test_a_sign_that_the_runs_lack_is_refused() -> None:
    """A gate that cannot see what it is asked for must not pass."""
    with pytest.raises(DataError, match="is gated, but the runs have none on the tasks of quick"):
        sign_measure("quick", "format_gap", [], 0.1)


def test_false_alarms_stay_at_the_level() -> None:
    """At a true worsening of the margin's size a sign passes in about 5 % of draws."""
    rng = np.random.default_rng(1)
    passes = [
        sign_measure("probes", "format_gap", [sign("format_gap", float(rng.normal(0.1, 0.03)), 0.03)], 0.1).p_shown
        < 0.05
        for _ in range(2000)
    ]
    assert np.mean(passes) == pytest.approx(0.05, abs=0.015)
