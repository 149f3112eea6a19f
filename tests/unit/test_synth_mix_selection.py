"""The arithmetic of the selection on pools that can be counted by hand."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from harness.errors import DataError
from synth.mix.pool import CLEAN, FAMILIES, HELD_OUT, PASSED, ROW, STRATEGY_BITS, Pool
from synth.mix.selection import ABLATIONS, largest, quotas, select
from synth.recipe import MixSettings
from synth.records import Family, Strategy

GUIDELINES, RULES, FORMATS = (STRATEGY_BITS[name] for name in (Strategy.GUIDELINES, Strategy.RULES, Strategy.FORMATS))
GOOD = PASSED | CLEAN


def pool(*groups: tuple[int, int, Family]) -> Pool:
    """A pool of groups of (examples, flags, family); priorities are spread over the whole pool."""
    rows = [
        (number * 7919 % 10_007, 0, 2**63 + number, 10 + number % 5, FAMILIES.index(family), flags, 0)
        for number, (flags, family) in enumerate((flags, family) for n, flags, family in groups for _ in range(n))
    ]
    return np.array(rows, ROW)


MIXED = pool(
    (60, GOOD, Family.NER),
    (40, GOOD, Family.TC),
    (30, GOOD | GUIDELINES, Family.NER),
    (30, GOOD | RULES | FORMATS, Family.TC),
    (30, GOOD | FORMATS, Family.NER),
    (20, CLEAN, Family.NER),
    (10, 0, Family.NER),
    (10, GOOD | HELD_OUT, Family.NER),
)


def settings(**given: Any) -> MixSettings:
    """Settings without a dev split."""
    return MixSettings(**{"dev": 0.0, **given})


@pytest.mark.parametrize(
    ("shares", "size", "expected"),
    [([0.55, 0.45], 100, [55, 45]), ([1 / 3] * 3, 10, [4, 3, 3]), ([0.5, 0.5], 0, [0, 0]), ([1.0], 7, [7])],
)
def test_quotas_are_whole_and_sum_to_the_size(shares: list[float], size: int, expected: list[int]) -> None:
    """Largest remainder; equal remainders go to the first."""
    assert quotas(shares, size) == expected


def test_what_the_judge_scored_best_comes_first() -> None:
    """Of a cell the best scores are taken, of equal ones the smallest priority; ``unfiltered`` knows no score."""
    judged = pool((60, GOOD, Family.NER))
    judged["score"] = [4 + (number % 3 == 0) for number in range(60)]
    taken = judged[select(judged, settings(records=30, compound=0.0))["train"]]
    assert sorted(taken["score"]) == [4] * 10 + [5] * 20
    four = judged[judged["score"] == 4]
    assert set(taken["pick"][taken["score"] == 4]) == set(np.sort(four["pick"])[:10])
    plain = judged[select(judged, settings(records=30, compound=0.0, ablation="unfiltered"))["train"]]
    assert set(plain["pick"]) == set(np.sort(judged["pick"])[:30])


def test_a_budget_is_met_exactly_with_the_default_shares() -> None:
    """100 examples are 55 basic and 45 compound ones, and none is held out or rejected."""
    flags = MIXED[select(MIXED, settings(records=100))["train"]]["flags"]
    assert len(flags) == 100
    assert np.count_nonzero(flags & (GUIDELINES | RULES | FORMATS)) == 45
    assert not np.any(flags & HELD_OUT)
    assert np.all(flags & PASSED)


def test_without_a_budget_the_shares_decide_how_much_fits() -> None:
    """100 basic examples at 55 % leave room for 82 compound ones: of 182 rows, as many as whole numbers allow."""
    chosen = MIXED[select(MIXED, settings())["train"]]["flags"]
    compound = np.count_nonzero(chosen & (GUIDELINES | RULES | FORMATS))
    assert (len(chosen), compound) == (182, 82)


def test_families_get_their_shares() -> None:
    """Half of each family, and in each family the compound share."""
    chosen = MIXED[select(MIXED, settings(records=40, families={Family.NER: 0.5, Family.TC: 0.5}))["train"]]
    ner = chosen[chosen["family"] == FAMILIES.index(Family.NER)]
    assert len(ner) == 20
    assert np.count_nonzero(ner["flags"] & (GUIDELINES | FORMATS)) == 9


def test_a_budget_of_tokens_is_kept_and_nearly_used() -> None:
    """No more tokens than asked for, and less than one example per cell short."""
    tokens = int(MIXED[select(MIXED, settings(tokens=1000))["train"]]["tokens"].sum())
    assert 1000 - 2 * 14 <= tokens <= 1000


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_ablations_have_the_size_of_the_whole(ablation: str) -> None:
    """The same number of examples, without what the ablation leaves out."""
    flags = MIXED[select(MIXED, settings(records=60, ablation=ablation))["train"]]["flags"]
    assert len(flags) == 60
    barred = {"no_guidelines": GUIDELINES, "no_rules": RULES, "no_formats": FORMATS}
    assert not np.any(flags & barred.get(ablation, 0))
    assert np.count_nonzero(flags & (GUIDELINES | RULES | FORMATS)) == (0 if ablation == "basic_only" else 27)
    assert np.all(flags & CLEAN)


@pytest.mark.parametrize("ablation", ["no_guidelines", "no_rules", "no_formats", "basic_only"])
def test_an_ablation_keeps_every_row_that_it_may(ablation: str) -> None:
    """Whatever the whole corpus has and the ablation allows is in both."""
    whole = set(select(MIXED, settings(records=60))["train"].tolist())
    other = set(select(MIXED, settings(records=60, ablation=ablation))["train"].tolist())
    barred = {"no_guidelines": GUIDELINES, "no_rules": RULES, "no_formats": FORMATS}
    bits = barred.get(ablation, GUIDELINES | RULES | FORMATS)
    assert {place for place in whole if not MIXED[place]["flags"] & bits} <= other


def test_unfiltered_takes_what_filters_reject_but_never_test_items() -> None:
    """Rejected rows come in by their priority; those that overlap with test items stay out."""
    chosen = MIXED[select(MIXED, settings(records=110, compound=0.1, ablation="unfiltered"))["train"]]["flags"]
    assert np.any((chosen & PASSED) == 0)
    assert np.all(chosen & CLEAN)


def test_a_smaller_budget_takes_a_part_of_a_larger_one() -> None:
    """Growing a corpus keeps what is in it."""
    small, large = (set(select(MIXED, settings(records=n))["train"].tolist()) for n in (40, 120))
    assert small < large


def test_an_example_that_occurs_twice_counts_once() -> None:
    """A pool with every row repeated gives the same corpus as the pool."""
    twice = np.concatenate([MIXED, MIXED])
    assert len(select(twice, settings())["train"]) == len(select(MIXED, settings())["train"])


@pytest.mark.parametrize("ablation", ABLATIONS)
def test_the_largest_budget_is_the_largest(ablation: str) -> None:
    """The size that an error proposes works, and one more does not."""
    spread = MIXED.copy()
    spread["document"] = np.linspace(0, 2**64 - 2**12, len(spread)).astype("u8")[np.argsort(MIXED["pick"])]
    given = {"dev": 0.2, "ablation": ablation}
    size = largest(spread, settings(**given), ablation)
    chosen = select(spread, settings(records=size, **given))
    assert (len(chosen["train"]), len(chosen["dev"])) == (size - round(size * 0.2), round(size * 0.2))
    with pytest.raises(DataError):
        select(spread, settings(records=size + 1, **given))


def test_too_few_examples_are_an_error_that_says_what_fits() -> None:
    """Never fewer in silence: which cell lacks how many, and the budget that works."""
    with pytest.raises(DataError, match=r"90 of 450 records of compound examples for train.*mix\.records to 182"):
        select(MIXED, settings(records=1000))
    with pytest.raises(DataError, match=r"tokens of compound examples for train.*lower mix\.tokens"):
        select(MIXED, settings(tokens=100_000))
    with pytest.raises(DataError, match=r"0 of 10 records of compound ner"):
        select(pool((50, GOOD, Family.NER)), settings(records=20, compound=0.5, families={Family.NER: 1.0}))


def test_an_ablation_without_a_budget_is_as_large_as_the_whole_or_an_error() -> None:
    """It cannot be smaller in silence: then nothing could be compared."""
    with pytest.raises(DataError, match=r"100 of 182 records of basic examples for train.*mix\.records to 100 or less"):
        select(MIXED, settings(ablation="basic_only"))


def test_an_empty_corpus_is_an_error() -> None:
    """No compound example at a share of 45 % leaves nothing; the sentence says what is there."""
    with pytest.raises(DataError, match="50 basic, 0 compound"):
        select(pool((50, GOOD, Family.NER)), settings())


def test_contradictory_settings_are_refused() -> None:
    """Two budgets, and shares that do not sum to 1."""
    with pytest.raises(DataError, match="one of tokens"):
        select(MIXED, settings(records=10, tokens=10))
    with pytest.raises(DataError, match=r"sum to 0\.5"):
        select(MIXED, settings(families={Family.NER: 0.5}))
