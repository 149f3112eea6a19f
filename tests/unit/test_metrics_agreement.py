"""Likeness of answers: F1 of what they state, equality of labels, and silence that never counts as agreement."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest

from harness.metrics.agreement import agreement, facts_of, similarity
from harness.nouns import Record
from harness.run import without_text


@pytest.mark.parametrize(
    ("prediction", "facts"),
    [
        ({"answer": [["person", "Ida"]], "reading": "strict"}, [["person", "Ida"]]),
        ({"answer": [], "reading": "strict"}, []),
        ({"answer": None, "reading": "failed", "text": "well"}, []),
        ([{"answer": [["a", "b"]]}, {"answer": None}, {"answer": [["c", "d"]]}], [["a", "b"], ["c", "d"]]),
        ({"choice": 2, "loglikelihoods": [-3.0, -2.0, -1.0]}, [2]),
        ("positive", ["positive"]),
        (" \n", []),
        (None, []),
        ([], []),
        ([["person", "Ida"]], [["person", "Ida"]]),
        ({"sha256": "abc"}, [{"sha256": "abc"}]),
    ],
)
def test_what_a_prediction_states(prediction: Any, facts: list[Any]) -> None:
    """Every form that a record holds becomes a list of facts; an answer that says nothing has none."""
    assert facts_of(prediction) == facts


def brute_force(one: list[Any], other: list[Any]) -> float:
    """Largest number of equal facts that can be matched one to one, over all assignments, as an F1."""
    if not one and not other:
        return 1.0
    short, long = sorted((one, other), key=len)
    matched = max(sum(a == b for a, b in zip(short, order, strict=False)) for order in permutations(long))
    return 2 * matched / (len(one) + len(other))


@pytest.mark.parametrize(
    ("one", "other"),
    [([], []), (["a"], []), (["a"], ["a"]), (["a", "a"], ["a"]), (["a", "b", "c"], ["c", "a", "d", "a"])],
)
def test_similarity_is_the_best_matching(one: list[Any], other: list[Any]) -> None:
    """The multiset F1 equals the best one-to-one matching found by trying all."""
    assert similarity(one, other) == pytest.approx(brute_force(one, other))


def test_silence_agrees_about_nothing() -> None:
    """Pairs without any answer are left out: four silent answers say nothing, one spoken among three silent is 0."""
    assert agreement([[], [], [], []]) == (0.0, 0.0)
    assert agreement([["a"], [], [], []]) == (0.0, 1.0)
    assert agreement([["a"], ["a"], []]) == (pytest.approx(1 / 3), 1.0)
    assert agreement([["a"], ["a"]]) == (1.0, 1.0)


@pytest.mark.parametrize("parts", [False, True])
def test_hashed_answers_compare_as_the_answers_do(parts: bool) -> None:
    """A run without texts keeps a hash per fact: the similarity stays, the words go."""

    def kept(facts: list[list[str]]) -> Any:
        told: Any = {"answer": facts, "reading": "strict", "text": "Ida met Olaf"}
        record = Record("t", "i", 0, None, {}, [told] if parts else told, "p", "g")
        return without_text(record).prediction

    one, other = [["person", "Ida"], ["person", "Olaf"]], [["person", "Ida"]]
    hashed = [facts_of(kept(facts)) for facts in (one, other)]
    assert similarity(*hashed) == pytest.approx(similarity(one, other)) == pytest.approx(2 / 3)
    assert "Ida" not in str(kept(one))
    assert facts_of(kept([])) == []
