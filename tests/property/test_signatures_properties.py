"""Invariants of failure signatures, whatever the answers are."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from probing import formats

from harness.metrics.agreement import agreement, similarity
from harness.nouns import Run, Signature
from harness.signatures import signature_changes, signatures_of
from harness.stats.estimates import ratio

FACTS = ("a", "b", "c")
GOLD = [["a"], ["a", "b"], ["c"], ["b", "c"], ["a", "c"], ["b"]]
answers = st.lists(st.sampled_from(FACTS), max_size=3)
told = st.lists(answers, min_size=len(GOLD), max_size=len(GOLD))
renderings = st.fixed_dictionaries({"json": told, "tsv": told, "new_qa": told})


def made(store: str, answers: dict[str, list[list[str]]], word: str = "a") -> Run:
    """A run of these answers."""
    return formats(Path(store), {name: answers[name] for name in sorted(answers)}, GOLD, checkpoint=word)


def values(found: tuple[Signature, ...]) -> dict[str, float]:
    """Value by name."""
    return {sign.name: sign.value for sign in found}


@given(answers, answers)
def test_similarity_is_symmetric_and_bounded(one: list[str], other: list[str]) -> None:
    """F1 of two answers is in [0, 1], 1 for the same answer, and does not depend on which comes first."""
    assert 0 <= similarity(one, other) == similarity(other, one) <= 1
    assert similarity(one, sorted(one)) == 1


@given(st.permutations([["a"], ["a", "b"], [], ["c"]]))
def test_order_of_renderings_does_not_matter(order: list[list[str]]) -> None:
    """Agreement is the mean over unordered pairs."""
    assert agreement(order)[0] == agreement([["a"], ["a", "b"], [], ["c"]])[0]


@settings(max_examples=12, deadline=None)
@given(renderings)
def test_identical_runs_show_no_change(answers: dict[str, list[list[str]]]) -> None:
    """Every delta is zero, no test finds anything, and the interval holds zero."""
    with tempfile.TemporaryDirectory() as store:
        run = made(store, answers)
        for sign in signature_changes(run, run):
            assert sign.delta in (None, 0.0)
            assert sign.p_worse in (None, 1.0)
            assert sign.delta is None or sign.interval[0] <= 0 <= sign.interval[1]


@settings(max_examples=12, deadline=None)
@given(renderings, renderings)
def test_swapping_the_runs_flips_the_sign(one: dict[str, list[list[str]]], other: dict[str, list[list[str]]]) -> None:
    """Candidate and baseline exchanged: deltas and intervals change their sign, values change places."""
    with tempfile.TemporaryDirectory() as store:
        runs = made(store, one, "a"), made(store, other, "b")
        forth = {s.name: s for s in signature_changes(*runs) if s.name != "task_degradation" and s.delta is not None}
        back = {s.name: s for s in signature_changes(*reversed(runs))}
        for name, sign in forth.items():
            assert sign.value == back[name].baseline
            assert sign.delta is not None
            assert back[name].delta is not None
            assert np.isclose(sign.delta, -back[name].delta)
            assert np.allclose(sign.interval, [-end for end in reversed(back[name].interval)])


@settings(max_examples=12, deadline=None)
@given(renderings)
def test_a_candidate_that_is_right_everywhere_is_never_worse(answers: dict[str, list[list[str]]]) -> None:
    """Whatever the baseline answers: perfect answers are consistent, even, without gap, and no task is harmed."""
    with tempfile.TemporaryDirectory() as store:
        perfect = made(store, dict.fromkeys(answers, GOLD), "perfect")
        found = values(signatures_of(perfect))
        assert (found["format_consistency"], found["format_all_correct"]) == (1.0, 1.0)
        assert (found["format_spread"], found["format_gap"]) == (0.0, 0.0)
        for sign in signature_changes(perfect, made(store, answers, "b")):
            if sign.name != "format_gap":  # a baseline may have had a gap in favour of held-out formats
                assert sign.p_worse is None or sign.p_worse >= 0.5


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(3, 5)), min_size=2, max_size=20))
def test_a_rate_lies_in_its_interval(rows: list[tuple[int, int]]) -> None:
    """Value inside the interval, the interval inside [0, 1], never of zero width."""
    found = ratio(np.array(rows, dtype=float))
    assert found is not None
    low, high = found.interval
    assert 0 <= low <= found.value <= high <= 1
    assert low < high
