"""Scores on clean items against all items: the standard error of a part against the whole, and what is said of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from records import make_run, rows, sha, suite_entry, task_entry

from harness.compare.tasks import difference
from harness.contamination import Overlap, TaskOverlap
from harness.contamination.against import Trained
from harness.contamination.claims import clean_sentences, overlap_sentences
from harness.contamination.clean import NONE, Contrast, contrasts, gain_of, scores_of
from harness.contamination.record import checked_of, write_record
from harness.contamination.suites import suite_contrasts
from harness.errors import RunRecordError
from harness.metrics.folds import FOLDS, Fold, influence
from harness.nouns import Run
from harness.stats.intervals import mean_standard_error
from harness.stats.paired import Paired
from harness.stats.subset import subset_influence

MEAN, F1 = FOLDS["mean"], FOLDS["micro_f1"]


def differ(*counted: Any) -> Paired:
    return difference(*counted).paired


def outcomes(values: np.ndarray) -> np.ndarray:
    """0/1 outcomes as counts."""
    return np.stack([values, np.ones_like(values)], axis=1).astype(float)


def bootstrap(statistic: Callable[[np.ndarray], float], groups: np.ndarray, times: int = 3000) -> float:
    """Standard deviation of a statistic of weights per item, over resampled groups of items."""
    rng = np.random.default_rng(7)
    names, places = np.unique(groups, return_inverse=True)
    weights = rng.multinomial(len(names), np.full(len(names), 1 / len(names)), size=times)
    return float(np.std([statistic(one[places].astype(float)) for one in weights]))


def of_part(fold: Fold, counts: np.ndarray, touched: np.ndarray) -> Callable[[np.ndarray], float]:
    """Score on clean items minus score on all, as a function of weights."""

    def statistic(weights: np.ndarray) -> float:
        full, clean = fold.score(weights @ counts), fold.score((weights * ~touched) @ counts)
        assert full is not None
        assert clean is not None
        return clean - full

    return statistic


def spans(n: int, rng: np.random.Generator, skill: np.ndarray) -> np.ndarray:
    """Counts (tp, fp, fn) of documents of several sizes."""
    size = rng.integers(1, 7, n)
    tp = rng.binomial(size, skill)
    return np.stack([tp, rng.poisson(0.7, n), size - tp], axis=1).astype(float)


@given(hnp.arrays(float, st.integers(4, 40), elements=st.integers(0, 1)), st.randoms(use_true_random=False))
def test_the_error_of_a_part_against_the_whole_is_the_closed_form(values: np.ndarray, random: Any) -> None:
    """For a mean: both parts' variances by their weights in the difference, and the share of the chosen items."""
    chosen = np.array([random.random() < 0.6 for _ in values])
    if not chosen.any() or chosen.all():
        return
    inside, n, m, t = values[chosen], len(values), int(chosen.sum()), int((~chosen).sum())
    pull = subset_influence(values - values.mean(), inside - inside.mean(), chosen)
    delta = inside.mean() - values.mean()
    variance = (t**2 / m * inside.var() + t * values[~chosen].var()) / n**2 + delta**2 * m / (t * n)
    assert pull.mean() == pytest.approx(0, abs=1e-12)
    assert mean_standard_error(pull)[0] == pytest.approx(np.sqrt(variance * n / (n - 1)), abs=1e-12)


@pytest.mark.parametrize("share", [0.03, 0.3])
@pytest.mark.parametrize("clustered", [False, True])
@pytest.mark.parametrize("fold", [MEAN, F1], ids=lambda fold: fold.name)
def test_the_error_is_that_of_a_bootstrap(fold: Fold, share: float, clustered: bool) -> None:
    """Linearised standard errors agree with resampling items, or whole clusters of them, with their flags."""
    rng = np.random.default_rng(3)
    n = 900
    clusters = np.repeat(np.arange(n // 3), 3) if clustered else np.arange(n)
    touched = rng.random(n // 3 if clustered else n)[clusters] < share
    skill = np.clip(np.where(touched, 0.85, 0.5) + 0.2 * rng.normal(size=clusters.max() + 1)[clusters], 0.02, 0.98)
    counts = outcomes(rng.random(n) < skill) if fold is MEAN else spans(n, rng, skill)
    found = scores_of(fold, counts, touched, clusters.astype(object) if clustered else None)
    assert found.change.delta == pytest.approx(of_part(fold, counts, touched)(np.ones(n)))
    assert found.change.standard_error == pytest.approx(bootstrap(of_part(fold, counts, touched), clusters), rel=0.08)
    assert found.touched == fold.score(counts[touched].sum(axis=0))


def test_the_error_of_what_is_left_of_a_gain_is_that_of_a_bootstrap() -> None:
    """The difference of two differences, of two runs on the same items and their clean part, resampled together."""
    rng = np.random.default_rng(5)
    n = 800
    touched = rng.random(n) < 0.15
    theirs, ours = spans(n, rng, np.full(n, 0.5)), spans(n, rng, np.where(touched, 0.9, 0.55))

    def statistic(weights: np.ndarray) -> float:
        return of_part(F1, ours, touched)(weights) - of_part(F1, theirs, touched)(weights)

    found = gain_of(F1, (ours, theirs), touched, None, differ)
    assert found.change.delta == pytest.approx(statistic(np.ones(n)))
    assert found.change.delta == pytest.approx(found.clean.delta - found.full.delta)
    assert found.change.standard_error == pytest.approx(bootstrap(statistic, np.arange(n)), rel=0.08)


def test_the_interval_covers_with_few_touched_items() -> None:
    """With 4, 20 and 200 of 400 items touched on average the 95 % interval holds the truth 92 to 97 times of 100."""
    rng = np.random.default_rng(11)
    for share in (0.01, 0.05, 0.5):
        truth = 0.6 - (share * 0.9 + (1 - share) * 0.6)
        held = []
        for _ in range(1000):
            touched = rng.random(400) < share
            if touched.any():
                counts = outcomes(rng.random(400) < np.where(touched, 0.9, 0.6))
                low, high = scores_of(MEAN, counts, touched, None).change.interval
                held.append(low <= truth <= high)
        assert 0.92 <= np.mean(held) <= 0.97


def test_without_a_touched_item_clean_is_all() -> None:
    """No difference, and no invented uncertainty of one."""
    counts = outcomes(np.array([1.0, 0.0] * 50))
    none = np.zeros(100, dtype=bool)
    assert scores_of(MEAN, counts, none, None).change == NONE
    gain = gain_of(MEAN, (counts, counts[::-1].copy()), none, None, differ)
    assert gain.change == NONE
    assert gain.clean == gain.full


def test_equal_outcomes_are_no_certainty() -> None:
    """Where every item is right, clean and touched ones alike, the difference is 0 and its interval is not."""
    touched = np.arange(100) < 20
    low, high = scores_of(MEAN, outcomes(np.ones(100)), touched, None).change.interval
    assert low < 0 < high


def task_of(run_task: str, items: int, touched: set[int], ids: list[str] | None = None) -> TaskOverlap:
    """What a corpus holds of a task of tests/records.py."""
    levels = {level: frozenset(touched) for level in ("text", "sentence", "13-gram", "8-gram")}
    known = [sha(f"{run_task}:{i}") for i in range(items)]
    return TaskOverlap("quick", run_task, "test", ids or known, levels, dict.fromkeys(levels, len(touched)), ())


def overlap_of(*tasks: TaskOverlap) -> Overlap:
    trained = Trained("corpus", sha("corpus"), ("a.jsonl",), (), 10, 20)
    return Overlap(trained, {"quick": sha("suite")}, tasks, (), {})


@pytest.fixture
def pair(tmp_path: Path) -> list[Run]:
    """A candidate that has memorised the first 30 of 100 items of topic and is like the baseline elsewhere."""
    base = np.array([1.0, 0.0] * 50)
    ours = np.where(np.arange(100) < 30, 1.0, base)
    flat = np.tile([[3.0, 1.0, 1.0], [0.0, 2.0, 1.0]], (20, 1))
    return [
        make_run(tmp_path, {"topic": values, "spans": flat}, checkpoint=name)
        for name, values in (("ours", ours), ("base", base))
    ]


def test_a_gain_by_memorised_items_does_not_survive(pair: list[Run]) -> None:
    """All of the gain rests on touched items: shown on all of them, not shown on the clean ones, and said so."""
    tasks, silent = contrasts(
        overlap_of(task_of("topic", 100, set(range(30))), task_of("spans", 40, set())), pair, differ
    )
    topic = tasks[0]
    assert silent == ()
    assert topic.gain is not None
    assert (topic.items, topic.touched) == (100, 30)
    assert topic.gain.full.delta == pytest.approx(0.15)
    assert topic.gain.clean.delta == 0
    (suite,) = suite_contrasts(pair[0], ["quick"], tasks)
    assert isinstance(suite, Contrast)
    assert suite.gain is not None
    assert suite.gain.full.delta == pytest.approx(0.075)
    first, second = clean_sentences([suite], tasks)
    assert "quick: the candidate changes by +7.5 points" in first
    assert "The gain is not shown on clean items alone" in first
    assert "topic: the candidate changes by +15.0 points" in second


def test_a_gain_that_clean_items_share_survives(tmp_path: Path) -> None:
    """Where clean items gain as well, the sentence says that the gain survives; a loss is told likewise."""
    base = np.array([1.0, 0.0] * 100)
    better = np.where(np.arange(200) % 5 == 1, 1.0, base)
    runs = [make_run(tmp_path, {"topic": one}, checkpoint=name) for name, one in (("b", better), ("a", base))]
    overlap = overlap_of(task_of("topic", 200, {1, 2, 3}))
    assert "The gain survives on clean items" in next(clean_sentences([], contrasts(overlap, runs, differ)[0]))
    assert "The loss survives on clean items" in next(clean_sentences([], contrasts(overlap, runs[::-1], differ)[0]))
    same = [runs[1], runs[1]]
    assert "Neither a gain nor a loss" in next(clean_sentences([], contrasts(overlap, same, differ)[0]))


def test_one_run_is_said_in_words(tmp_path: Path) -> None:
    """Touched items that lift the score, that lower it, that do neither, and none at all are four sentences."""
    run = make_run(tmp_path, {"topic": np.array([1.0] * 40 + [1.0, 0.0] * 80)})
    said = {}
    for touched in (set(range(40)), set(range(41, 120, 2)), set(range(60, 70)), set()):
        tasks, _ = contrasts(overlap_of(task_of("topic", 200, touched)), [run], differ)
        (said[len(touched), min(touched, default=-1)],) = clean_sentences(tasks, [])
    endings = (
        "touched items lift the score.",
        "touched items lower the score.",
        "no effect of the touched items is shown.",
        "no item is touched, so 60.0 is its score on clean items.",
    )
    assert all(sentence.endswith(ending) for sentence, ending in zip(said.values(), endings, strict=True)), said


def test_items_of_other_data_are_not_paired(pair: list[Run]) -> None:
    """A row number alone pairs nothing: a record whose id is another one is left out, and none left is said."""
    ids = [sha(f"topic:{i}") if i < 60 else sha(f"other {i}") for i in range(100)]
    tasks, _ = contrasts(overlap_of(task_of("topic", 100, {0, 1, 99}, ids)), pair[:1], differ)
    assert (tasks[0].items, tasks[0].touched) == (60, 2)
    _, silent = contrasts(overlap_of(task_of("topic", 100, {0}, [sha("x")] * 100)), pair, differ)
    assert silent == (("topic", "no item of the record is one of the data at hand (100 are others or have no value)"),)


def test_items_without_a_count_are_items_all_the_same(tmp_path: Path) -> None:
    """Texts with nothing to find, and nothing found, move no score but belong to the items, touched and others."""
    spans = np.tile([[3.0, 1.0, 1.0], [0.0, 0.0, 0.0]], (50, 1))
    run = make_run(tmp_path, {"spans": spans})
    (task,), _ = contrasts(overlap_of(task_of("spans", 100, {0, 1, 3})), [run], differ)
    (counted,), _ = contrasts(overlap_of(task_of("spans", 100, {0})), [run], differ)
    assert (task.items, task.touched) == (100, 3)
    assert task.candidate == counted.candidate
    none = make_run(tmp_path, {"spans": np.zeros((40, 3))}, checkpoint="none")
    _, silent = contrasts(overlap_of(task_of("spans", 40, set())), [none], differ)
    assert silent == (("spans", "its items have nothing to find, and nothing was found in them"),)


def test_too_few_clean_items_and_a_suite_that_lacks_a_task_are_said(pair: list[Run]) -> None:
    """29 clean items say nothing; a suite says nothing where one of its tasks does not."""
    tasks, silent = contrasts(
        overlap_of(task_of("topic", 100, set(range(71))), task_of("spans", 40, set())), pair, differ
    )
    assert silent == (("topic", "only 29 of 100 items are clean, and at least 30 are needed"),)
    assert list(suite_contrasts(pair[0], ["quick"], tasks)) == [("quick", "nothing can be said of its tasks topic")]


def test_a_small_task_without_a_touched_item_is_no_obstacle(tmp_path: Path) -> None:
    """Where nothing is touched, ten items are enough: there is no difference whose error could be wrong."""
    run = make_run(tmp_path, {"topic": np.array([1.0, 0.0] * 5)})
    tasks, silent = contrasts(overlap_of(task_of("topic", 10, set())), [run], differ)
    assert silent == ()
    assert tasks[0].candidate.change == NONE


def test_a_run_of_other_tasks_is_refused(pair: list[Run]) -> None:
    """A run that scored none of the suites' tasks cannot be asked."""
    with pytest.raises(RunRecordError, match="scored no task of quick"):
        contrasts(overlap_of(task_of("sentiment", 10, set())), pair, differ)


def test_clusters_are_drawn_as_wholes(tmp_path: Path) -> None:
    """Where the task's unit names a passage, its items vary together, and the error is the larger for it."""
    values = np.repeat(np.tile([1.0, 0.0, 0.0], 10), 8)
    records = rows("topic", values, clusters=[f"p{i // 8}" for i in range(240)])
    overlap = overlap_of(task_of("topic", 240, set(range(24))))
    errors = []
    for day, unit in enumerate(("item", "passage"), start=1):
        entries = {"topic": {"unit": unit}}
        run = make_run(tmp_path, {"topic": records}, entries=entries, date=f"2026-01-0{day}T00:00:00+00:00")
        errors.append(contrasts(overlap, [run], differ)[0][0].candidate.change.standard_error)
    assert errors[1] > 2 * errors[0]


def test_pooled_families_weigh_items(tmp_path: Path) -> None:
    """A pooled family's tasks weigh by their items, the others alike, as in the suite's headline."""
    values = {"topic": np.ones(60), "other": np.zeros(180)}
    entries = [task_entry(name, rows(name, one), family="tc") for name, one in values.items()]
    for pooled, score in (([], 0.5), (["tc"], 0.25)):
        suites = [suite_entry("quick", entries, pooled=pooled, families=dict.fromkeys(values, "tc"))]
        run = make_run(tmp_path, values, suites=suites, date=f"2026-01-0{len(pooled) + 1}T00:00:00+00:00")
        overlap = overlap_of(task_of("topic", 60, {0}), task_of("other", 180, {0}))
        (suite,) = suite_contrasts(run, ["quick"], contrasts(overlap, [run], differ)[0])
        assert isinstance(suite, Contrast)
        assert suite.candidate.full == pytest.approx(score)


def test_overlap_is_said_in_words() -> None:
    """A suite with touched items names the worst task; one without says so, and what an 8-gram is worth."""
    (found,) = overlap_sentences(overlap_of(task_of("topic", 100, {1, 2}), task_of("spans", 10, {3})))
    assert found == "quick: 3 of 110 items stand in corpus at the 13-gram level, most in spans (10.0 % of 10 items)."
    hint = task_of("topic", 100, set())
    hint = replace(hint, touched={**hint.touched, "8-gram": frozenset({1})})
    (none,) = overlap_sentences(overlap_of(hint))
    assert none.startswith("quick: none of 100 items stands in corpus at the 13-gram level. 1 item shares 8 words")


def test_the_record_counts_the_items_of_the_run(tmp_path: Path, pair: list[Run]) -> None:
    """Touched items that the run did not score do not count; the record lies in the store of the run."""
    overlap = overlap_of(task_of("topic", 130, {0, 5, 120}), task_of("unscored", 5, {1}))
    checked = checked_of(overlap, pair[0])
    assert checked.tasks == {"topic": {"items": 100, "text": 2, "sentence": 2, "13-gram": 2, "8-gram": 2}}
    path = write_record(overlap, pair[0])
    assert path is not None
    assert path.parent == tmp_path / "contamination"
    moved = tmp_path / "copy"
    Path(pair[0].path).rename(moved)
    assert write_record(overlap, replace(pair[0], path=str(moved))) is None


def test_influences_of_a_part_are_checked_by_moving_an_item() -> None:
    """The pull of an item is the derivative of the difference by its weight, numerically."""
    rng = np.random.default_rng(2)
    counts, touched = spans(50, rng, np.full(50, 0.6)), rng.random(50) < 0.3
    pull = subset_influence(influence(F1, counts), influence(F1, counts[~touched]), ~touched)
    statistic, step = of_part(F1, counts, touched), 1e-6
    for item in range(50):
        weights = np.ones(50)
        weights[item] += step
        assert pull[item] == pytest.approx(50 * (statistic(weights) - statistic(np.ones(50))) / step, abs=1e-3)
