"""What is said of several comparisons together: Holm over the matrix, the worst verdict, and the exit code."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from statsmodels.stats.multitest import multipletests

from harness.experiment.comparing import Held, adjusted, overall
from harness.experiment.document import exit_code
from harness.experiment.work import Account, Failure
from harness.nouns import Comparison, GroupComparison, Ruling, Verdict


def group(suite: str, p_improve: float) -> GroupComparison:
    """A suite's headline with one-sided p-values."""
    p_harm = 1 - p_improve
    return GroupComparison(suite, 0.5, 0.6, 0.1, (0.0, 0.2), 0.05, p_harm, p_improve, 0.01, 0.01, ("t",))


def held(rulings: Sequence[Ruling] = (), problem: str = "", **suites: float) -> Held:
    """A comparison of one pair, with p-values of improvement by suite and verdicts."""
    comparison = Comparison("a", "b", "checkpoint", (), (), tuple(group(name, p) for name, p in suites.items()))
    verdicts = tuple(Verdict(ruling, (), comparison) for ruling in rulings)
    return Held("nano", "with", "base", tuple(suites), (), (comparison,), verdicts=verdicts, problem=problem)


def test_holm_is_over_all_comparisons_of_a_suite() -> None:
    """Each suite is a family: its p-values over all comparisons, adjusted as statsmodels does."""
    given = [held(nlu=0.01, general=0.2), held(nlu=0.03), held(nlu=0.02, general=0.04)]
    found = adjusted(given)
    ups = {"nlu": [0.01, 0.03, 0.02], "general": [0.2, 0.04]}
    for suite, p_values in ups.items():
        told = [one.adjusted[suite] for one in found if one.adjusted and suite in one.adjusted]
        harms = [1 - p for p in p_values]
        assert [up for up, _ in told] == pytest.approx(list(multipletests(p_values, method="holm")[1]))
        assert [down for _, down in told] == pytest.approx(list(multipletests(harms, method="holm")[1]))


def test_without_comparisons_nothing_is_adjusted() -> None:
    """A matrix that compares nothing, or could not, has no family."""
    assert adjusted([]) == []
    (one,) = adjusted([Held("nano", "with", "base", ("nlu",), problem="no runs")])
    assert one.adjusted == {}


@pytest.mark.parametrize(
    ("rulings", "worst", "code"),
    [
        ([[], []], None, 0),
        ([["PASS"], ["PASS", "PASS"]], "PASS", 0),
        ([["PASS"], ["PASS", "INCONCLUSIVE"]], "INCONCLUSIVE", 2),
        ([["FAIL"], ["INCONCLUSIVE"]], "FAIL", 1),
        ([[], ["PASS"]], "PASS", 0),
    ],
)
def test_the_worst_verdict_is_the_experiment_s(rulings: list[list[str]], worst: str | None, code: int) -> None:
    """All gated comparisons have to pass; what is not gated does not count."""
    found = [held([Ruling(ruling) for ruling in own], nlu=0.5) for own in rulings]
    assert overall(found) == (None if worst is None else Ruling(worst))
    assert exit_code(Account(), found) == code


@pytest.mark.parametrize(
    ("codes", "code"), [([66], 66), ([66, 66], 66), ([66, 73], 65), ([69, None], 69), ([70], 70)], ids=str
)
def test_failures_come_before_verdicts(codes: list[int | None], code: int) -> None:
    """The code that all failures share, else 65; what failed only because of another has none."""
    account = Account([Failure("nano/with", "making", "a reason", own) for own in codes])
    assert exit_code(account, [held([Ruling.PASS], nlu=0.5)]) == code


def test_a_comparison_that_could_not_be_made_is_a_failure() -> None:
    """Runs that cannot be compared are told by 65."""
    assert exit_code(Account(), [held(problem="unlike")]) == 65
