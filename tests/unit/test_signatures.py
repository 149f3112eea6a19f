"""Failure signatures from stored runs: what each says, on answers that were written by hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from probing import extraction, formats, probe_run
from records import make_run, rows, sha
from scipy import stats

from harness.compare import compare
from harness.metrics.agreement import facts_of, similarity
from harness.nouns import Record, Run, Signature
from harness.signatures import signature_changes, signatures_of
from harness.signs import SIGNS
from harness.stats.paired import holm
from harness.store import read_records

RNG = np.random.default_rng(3)
WORDS = ("Ida", "Olaf", "Quillon", "Tavor", "Brask")
GOLD = [list(RNG.choice(WORDS, 2, replace=False)) for _ in range(60)]


def told(share: float, rng: np.random.Generator = RNG) -> list[list[str]]:
    """Answers that state each gold fact with a probability, and sometimes another."""
    return [
        [fact for fact in right if rng.random() < share] + (["Nobody"] if rng.random() < 0.2 else []) for right in GOLD
    ]


def signs(found: Sequence[Signature]) -> dict[str, Signature]:
    """Signs by name, which occur once."""
    assert len({sign.name for sign in found}) == len(found)
    return {sign.name: sign for sign in found}


# renderings


def test_consistency_is_the_mean_over_pairs_of_answers(tmp_path: Path) -> None:
    """The rate equals the definition written out: pairs of a document, then documents that got an answer."""
    answers = {name: told(0.5) for name in ("json", "tsv", "new_qa")}
    run = formats(tmp_path, answers, GOLD)
    predictions = [[facts_of(r.prediction) for r in read_records(run, f"probe_{name}")] for name in answers]
    shares = []
    for document in zip(*predictions, strict=True):
        pairs = [similarity(a, b) for a, b in combinations(document, 2) if a or b]
        shares += [np.mean(pairs)] if pairs else []
    found = signs(signatures_of(run))["format_consistency"]
    assert (found.value, found.items) == (pytest.approx(np.mean(shares)), len(shares))
    low, high = stats.ttest_1samp(shares, 0).confidence_interval()
    assert found.interval == (pytest.approx(low), pytest.approx(high))
    assert (found.subject, found.tasks) == ("quick_ner", ("probe_json", "probe_tsv", "probe_new_qa"))


def test_empty_answers_that_agree_are_not_consistent(tmp_path: Path) -> None:
    """A model that never answers has no consistency; one that answers in one format alone has none either: 0."""
    silent: list[Any] = [[] for _ in GOLD]
    unread: list[Any] = [None for _ in GOLD]
    found = signs(signatures_of(formats(tmp_path, {"json": silent, "new_qa": unread, "tsv": silent}, GOLD)))
    assert "format_consistency" not in found
    assert found["format_all_correct"].value == 0.0
    found = signs(signatures_of(formats(tmp_path, {"json": GOLD, "new_qa": silent, "tsv": unread}, GOLD)))
    assert found["format_consistency"].value == 0.0


def test_all_correct_counts_documents_that_are_right_everywhere(tmp_path: Path) -> None:
    """The joint rate is the share of documents right in all formats, with Wilson's interval."""
    answers = {name: told(0.9) for name in ("json", "new_qa")}
    right = [all(sorted(answers[name][i]) == sorted(GOLD[i]) for name in answers) for i in range(len(GOLD))]
    found = signs(signatures_of(formats(tmp_path, answers, GOLD)))["format_all_correct"]
    direct = stats.binomtest(sum(right), len(GOLD)).proportion_ci(method="wilson")
    assert (found.value, found.interval) == (np.mean(right), (pytest.approx(direct.low), pytest.approx(direct.high)))
    assert found.p_worse is None


def test_a_format_that_matters_stands_out_from_its_null(tmp_path: Path) -> None:
    """Equal formats are not named; one that a model cannot write is, with the smallest p-value that can be drawn."""
    even = signs(signatures_of(formats(tmp_path, {name: told(0.6) for name in ("a", "b", "c", "d")}, GOLD)))
    assert even["format_spread"].p_worse is not None
    assert even["format_spread"].p_worse > 0.05
    broken: Any = {**{name: told(0.6) for name in ("a", "b", "c")}, "d": [[] for _ in GOLD]}
    found = signs(signatures_of(formats(tmp_path, broken, GOLD)))["format_spread"]
    assert (found.p_worse, found.interval[0] > 0.3) == (1 / 2000, True)
    assert "worst d 0.0" in found.sentence


def test_order_of_formats_does_not_matter(tmp_path: Path) -> None:
    """The same answers under permuted format names give the same signs."""
    answers = {name: told(0.5) for name in ("a", "b", "new")}
    turned = {name: answers[name] for name in ("new", "a", "b")}
    one, other = (signs(signatures_of(formats(tmp_path, each, GOLD))) for each in (answers, turned))
    for name in ("format_consistency", "format_all_correct", "format_gap"):
        assert one[name].value == pytest.approx(other[name].value)
        assert one[name].interval == pytest.approx(other[name].interval)


def test_one_rendering_alone_says_nothing(tmp_path: Path) -> None:
    """There is nothing to be consistent with."""
    assert signatures_of(formats(tmp_path, {"json": told(0.5)}, GOLD)) == ()


def test_phrasings_have_signs_of_their_own(tmp_path: Path) -> None:
    """Kind phrasing gives the same measures under its own names."""
    found = signs(signatures_of(formats(tmp_path, {"a": told(0.5), "new": told(0.5)}, GOLD, kind="phrasing")))
    assert set(found) == {"phrasing_consistency", "phrasing_all_correct", "phrasing_spread", "phrasing_gap"}


def test_documents_that_failed_in_one_rendering_are_left_out(tmp_path: Path) -> None:
    """Every measure rests on the documents that all renderings have."""
    answers = {"json": told(0.9), "new_qa": told(0.9)}
    gold, probe = GOLD, {"kind": "format", "of": "quick_ner"}
    made = {
        name: ({**probe, "variant": name, "seen": name == "json"}, extraction(name, told_, gold))
        for name, told_ in answers.items()
    }
    probe_of, records = made["json"]
    made["json"] = (probe_of, [replace(records[0], counts={}, prediction=None, error="no answer"), *records[1:]])
    found = signs(signatures_of(probe_run(tmp_path, made)))
    assert found["format_all_correct"].items == len(GOLD) - 1


def test_renderings_without_a_common_document_say_nothing(tmp_path: Path) -> None:
    """Where no document has an answer in every rendering there is no sign, and the run can still be shown."""
    made = {}
    for place, name in enumerate(("json", "tsv")):
        records = [replace(r, doc_id=r.doc_id + place * 100) for r in extraction(name, told(0.5), GOLD)]
        made[name] = ({"kind": "format", "of": "quick_ner", "variant": name, "seen": True}, records)
    run = probe_run(tmp_path, made)
    assert signatures_of(run) == ()
    assert "format_spread" not in signs(signature_changes(run, run))


# gaps


def test_the_change_of_the_gap_is_the_difference_in_differences(tmp_path: Path) -> None:
    """Value, baseline and delta are the folded scores; a recipe that only helps seen formats is named."""
    base = formats(tmp_path, {name: told(0.4) for name in ("json", "tsv", "new_qa")}, GOLD, checkpoint="base")
    tuned = formats(tmp_path, {"json": told(0.95), "tsv": told(0.95), "new_qa": told(0.4)}, GOLD, checkpoint="tuned")
    comparison = compare(tuned, base)
    scores = {task.task: (task.candidate, task.baseline) for task in comparison.tasks}
    gaps = [
        np.mean([scores["probe_json"][side], scores["probe_tsv"][side]]) - scores["probe_new_qa"][side]
        for side in (0, 1)
    ]
    found = signs(signature_changes(tuned, base, comparison))["format_gap"]
    assert (found.value, found.baseline) == (pytest.approx(gaps[0]), pytest.approx(gaps[1]))
    assert found.delta == pytest.approx(gaps[0] - gaps[1])
    assert found.interval[0] > 0.2
    assert found.p_worse is not None
    assert found.p_worse < 1e-4
    assert signs(signatures_of(tuned))["format_gap"].value == pytest.approx(gaps[0])


@pytest.mark.parametrize(
    ("kind", "variants", "name"),
    [
        ("labels", ("original", "renamed"), "label_rename_gap"),
        ("order", ("original", "reversed"), "label_order_gap"),
        ("schema", ("1", "6", "all"), "schema_size_gap"),
    ],
)
def test_shifts_of_the_schema_are_gaps(tmp_path: Path, kind: str, variants: tuple[str, ...], name: str) -> None:
    """Renamed labels, reversed order and other sizes are held against what training has."""
    usual = {"original", "6"}
    probes = {
        f"{kind}_{variant}": (
            {"kind": kind, "of": "quick_ner", "variant": variant},
            extraction(f"{kind}_{variant}", told(0.9 if variant in usual else 0.3), GOLD),
        )
        for variant in variants
    }
    found = signatures_of(probe_run(tmp_path, probes))
    assert [sign.name for sign in found] == [name]
    assert found[0].value > 0.2
    assert found[0].p_worse is not None
    assert found[0].p_worse < 0.001


# rules, general prompts


def rule_run(store: Path, followed: Sequence[int], ignored: Sequence[int], **changes: Any) -> Run:
    """A run of two rule probes; a swapped rule changes every second document."""
    affected = [i % 2 for i in range(len(GOLD))]
    counts = {
        "rule_followed": [(f * a, a) for f, a in zip(followed, affected, strict=True)],
        "rule_ignored": [(g * a, a) for g, a in zip(ignored, affected, strict=True)],
    }
    rule = {"kind": "rule", "of": "quick_ner", "seen": True}
    probes = {
        "rule_default": ({**rule, "variant": "default"}, extraction("rule_default", told(0.9), GOLD)),
        "rule_first": ({**rule, "variant": "first"}, extraction("rule_first", told(0.5), GOLD, counts=counts)),
        "rule_last": ({**rule, "variant": "last"}, extraction("rule_last", told(0.5), GOLD, counts=counts)),
    }
    return probe_run(store, probes, **changes)


def test_rules_count_where_they_change_the_gold(tmp_path: Path) -> None:
    """Both rates rest on the affected documents; a document under two rules is one unit."""
    n = len(GOLD)
    followed = [int(RNG.random() < 0.3) for _ in range(n)]
    found = signs(signatures_of(rule_run(tmp_path, followed, [1 - f for f in followed])))
    assert set(found) == {"rule_following", "rule_ignoring"}
    share = np.mean(followed[1::2])
    assert (found["rule_following"].value, found["rule_following"].items) == (pytest.approx(share), n // 2)
    assert found["rule_ignoring"].value == pytest.approx(1 - share)
    low, high = stats.ttest_1samp(followed[1::2], 0).confidence_interval()
    assert found["rule_following"].interval == (pytest.approx(low), pytest.approx(high))


def test_a_candidate_that_ignores_rules_is_named(tmp_path: Path) -> None:
    """Fewer followed and more ignored are both shown, each on its side."""
    n = len(GOLD)
    candidate = rule_run(tmp_path, [0] * n, [1] * n, checkpoint="tuned")
    baseline = rule_run(tmp_path, [1, 1, 0, 1] * (n // 4), [0] * n, checkpoint="base")
    found = signs(signature_changes(candidate, baseline))
    assert found["rule_following"].delta == pytest.approx(-1.0)
    assert (found["rule_following"].higher_is_worse, found["rule_ignoring"].higher_is_worse) == (False, True)
    for name in ("rule_following", "rule_ignoring"):
        assert found[name].p_worse_holm is not None
        assert found[name].p_worse_holm < 0.001


def general_run(store: Path, words: Sequence[float], shaped: Sequence[int], **changes: Any) -> Run:
    """A run of open prompts with their number of words, and whether the answer has a format that nobody asked for."""
    records = [
        Record(
            "open", sha(f"open {i}"), i, None,
            {"sound": (1.0, 1.0), "words": (float(n), 1.0), "unprompted_format": (float(f), 1.0),
             "repetition": (0.0, 1.0)},
            "text", sha(f"prompt {i}"), sha(f"target {i}"),
        )
        for i, (n, f) in enumerate(zip(words, shaped, strict=True))
    ]  # fmt: skip
    probe = {"kind": "general", "of": "probe_general", "variant": "plain"}
    return probe_run(store, {"open": (probe, records)}, **changes)


def test_length_is_a_ratio_tested_both_ways(tmp_path: Path) -> None:
    """Half as long is a shift as twice as long is: ratio, t interval of its logarithm, two-sided p-value."""
    base = RNG.integers(20, 60, 40).astype(float)
    runs = [general_run(tmp_path, base * k + (k != 1) * RNG.integers(0, 5, 40), [0] * 40, checkpoint=f"{k}")
            for k in (1.0, 0.5, 2.0)]  # fmt: skip
    shorter, longer = (signs(signature_changes(run, runs[0]))["answer_length"] for run in runs[1:])
    for found in (shorter, longer):
        assert found.delta == pytest.approx(found.value - 1)
        assert found.p_worse is not None
        assert found.p_worse < 1e-6
        assert found.interval[0] < found.delta < found.interval[1]
    ours, theirs = base * 0.5, base
    again = signs(signature_changes(general_run(tmp_path, ours, [0] * 40, checkpoint="x"), runs[0]))["answer_length"]
    assert again.value == pytest.approx(ours.mean() / theirs.mean())
    same = signs(signature_changes(runs[0], runs[0]))["answer_length"]
    assert (same.delta, same.p_worse) == (0.0, 1.0)


def test_unprompted_formats_are_a_rate_and_its_paired_change(tmp_path: Path) -> None:
    """A tuned model that answers open prompts as JSON is named."""
    base = general_run(tmp_path, [30] * 40, [0] * 38 + [1] * 2, checkpoint="base")
    tuned = general_run(tmp_path, [30] * 40, [1] * 20 + [0] * 20, checkpoint="tuned")
    assert signs(signatures_of(base))["unprompted_format"].value == 0.05
    found = signs(signature_changes(tuned, base))["unprompted_format"]
    assert (found.value, found.baseline, found.delta) == (0.5, 0.05, pytest.approx(0.45))
    direct = stats.ttest_rel([1] * 20 + [0] * 20, [0] * 38 + [1] * 2, alternative="greater")
    assert found.p_worse == pytest.approx(direct.pvalue)


# what a comparison tells by itself


def spans(hallucinated: Sequence[tuple[int, int]], gold: Sequence[tuple[int, int]]) -> list[Record]:
    """Records of a task that predicts spans: (ungrounded, spans) of answer and gold per document."""
    return [
        replace(
            record,
            counts={
                "f1": (1.0, 0.0, 1.0),
                "hallucinated_exact": tuple(map(float, mine)),
                "gold_hallucinated_exact": tuple(map(float, floor)),
            },
        )
        for record, mine, floor in zip(rows("ner", np.ones((len(gold), 3)), "f1"), hallucinated, gold, strict=True)
    ]


def span_run(store: Path, mine: Sequence[tuple[int, int]], gold: Sequence[tuple[int, int]], **changes: Any) -> Run:
    """A run of such a task."""
    rates = {"f1": "micro_f1", "hallucinated_exact": "mean", "gold_hallucinated_exact": "mean"}
    return make_run(store, {"ner": spans(mine, gold)}, entries={"ner": {"folds": rates}}, **changes)


def test_hallucination_is_held_against_the_gold_floor(tmp_path: Path) -> None:
    """The excess is the difference of the two ratios; its error that of the infinitesimal jackknife over documents."""
    n = 50
    mine = [(int(RNG.integers(0, 3)), 3) for _ in range(n)]
    gold = [(int(RNG.random() < 0.1), 2) for _ in range(n)]
    found = signs(signatures_of(span_run(tmp_path, mine, gold)))["hallucinated_spans"]
    x, w, y, v = (np.array(column, dtype=float) for column in (*zip(*mine, strict=True), *zip(*gold, strict=True)))
    excess = x.sum() / w.sum() - y.sum() / v.sum()
    assert found.value == pytest.approx(excess)
    pulls = (x - x.sum() / w.sum() * w) / w.mean() - (y - y.sum() / v.sum() * v) / v.mean()
    half = stats.t.ppf(0.975, n - 1) * pulls.std(ddof=1) / np.sqrt(n)
    assert found.interval == (pytest.approx(excess - half), pytest.approx(excess + half))
    assert found.p_worse == pytest.approx(stats.ttest_1samp(pulls + excess, 0, alternative="greater").pvalue)


def test_the_floor_cancels_in_a_change(tmp_path: Path) -> None:
    """On the same documents the change of the excess is the change of the rate."""
    gold = [(1, 4)] * 40
    base = span_run(tmp_path, [(0, 2), (1, 2)] * 20, gold, checkpoint="base")
    tuned = span_run(tmp_path, [(1, 2), (1, 2), (2, 2), (0, 2)] * 10, gold, checkpoint="tuned")
    found = signs(signature_changes(tuned, base))["hallucinated_spans"]
    assert (found.value, found.baseline) == (pytest.approx(0.5 - 0.25), pytest.approx(0.25 - 0.25))
    assert found.delta == pytest.approx(0.25)


def test_a_model_that_predicts_no_span_has_no_rate(tmp_path: Path) -> None:
    """0/0 is absent, not a floor with a minus before it."""
    assert signatures_of(span_run(tmp_path, [(0, 0)] * 20, [(1, 4)] * 20)) == ()


def test_few_predicted_spans_show_little(tmp_path: Path) -> None:
    """Two invented spans in one document of many are not evidence from many documents."""
    mine = [(2, 2), *[(0, 0)] * 39]
    (found,) = signatures_of(span_run(tmp_path, mine, [(0, 4)] * 40))
    assert (found.value, found.items, found.p_worse) == (1.0, 1, 1.0)
    (found,) = signatures_of(span_run(tmp_path, [(1, 1), *mine], [(0, 4)] * 41))
    assert found.items == 2
    assert found.p_worse is not None
    assert found.p_worse > 0.05


def test_a_change_of_few_predicted_spans_shows_little(tmp_path: Path) -> None:
    """Documents in which neither run predicts a span are no evidence of a change, however many they are."""
    gold = [(0, 4)] * 42
    base = span_run(tmp_path, [(1, 2), (0, 2), *[(0, 0)] * 40], gold, checkpoint="base")
    tuned = span_run(tmp_path, [(2, 2), (1, 1), *[(0, 0)] * 40], gold, checkpoint="tuned")
    found = signs(signature_changes(tuned, base))["hallucinated_spans"]
    assert (found.delta, found.items) == (pytest.approx(0.75), 2)
    assert found.p_worse is not None
    assert found.p_worse > 0.05


def test_degradation_counts_tasks_after_holm(tmp_path: Path) -> None:
    """How many tasks are harmed after correction, how many without it, and the largest fall."""
    n = 400
    base = {f"t{k}": np.ones(n) for k in range(6)}
    tuned = {name: values.copy() for name, values in base.items()}
    tuned["t1"][:60] = 0  # broken
    tuned["t2"][:6] = 0  # p = 1/64: below 5 % alone, not among six tasks
    found = signs(signature_changes(make_run(tmp_path, tuned, checkpoint="b"), make_run(tmp_path, base)))
    sign = found["task_degradation"]
    assert sign.sentence.startswith(
        "quick: 1 of 6 tasks is harmed after Holm's correction (2 would be named without it). The largest fall is "
        "-15.0 points in t1, 85.0 against 100.0"
    )
    assert (sign.value, sign.baseline, sign.delta) == (0.85, 1.0, pytest.approx(-0.15))
    assert sign.p_worse == pytest.approx(6 * 0.5**60, rel=1e-6)
    alone = compare(make_run(tmp_path, tuned, checkpoint="b"), make_run(tmp_path, base)).tasks[1].interval
    assert sign.interval[0] < alone[0] < alone[1] < sign.interval[1]


def test_flips_tell_what_scores_hide(tmp_path: Path) -> None:
    """Equal scores with many flips: the rate, its Wilson interval, and the share that cancels out."""
    n = 200
    base, tuned = np.repeat([1.0, 0.0], n // 2), np.repeat([1.0, 0.0], n // 2)
    tuned[:20], tuned[-20:] = 0.0, 1.0
    found = signs(signature_changes(make_run(tmp_path, {"t": tuned}, checkpoint="b"), make_run(tmp_path, {"t": base})))
    direct = stats.binomtest(40, n).proportion_ci(method="wilson")
    assert (found["flip_rate"].value, found["flip_rate"].delta) == (0.2, None)
    assert found["flip_rate"].interval == (pytest.approx(direct.low), pytest.approx(direct.high))
    assert "20 lost and 20 gained; 20.0 % cancel out" in found["flip_rate"].sentence


def test_instructions_are_read_from_ifeval(tmp_path: Path) -> None:
    """The drop of an IFEval task is a sign with the comparison's own test."""
    base, tuned = np.ones(100), np.ones(100)
    tuned[:30] = 0
    runs = [make_run(tmp_path, {"ifeval": values}, checkpoint=word) for word, values in (("b", tuned), ("a", base))]
    found = signs(signature_changes(*runs))["instruction_following"]
    assert (found.delta, found.p_worse) == (pytest.approx(-0.3), pytest.approx(0.5**30))


# all of them


def test_identical_runs_show_no_change(tmp_path: Path) -> None:
    """Every delta is 0 with p = 1, and no interval has zero width."""
    run = formats(tmp_path, {name: told(0.5) for name in ("json", "tsv", "new_qa")}, GOLD)
    for sign in signature_changes(run, run):
        assert sign.delta in (0.0, None)
        assert sign.p_worse in (1.0, None)
        assert sign.interval[0] < sign.interval[1]


def test_holm_is_over_the_tested_signs_of_one_call(tmp_path: Path) -> None:
    """Adjusted p-values are Holm's of the tested ones; the others have none."""
    base, tuned = (formats(tmp_path, {n: told(share) for n in ("json", "new_qa")}, GOLD, checkpoint=str(share))
                   for share in (0.6, 0.5))  # fmt: skip
    found = signature_changes(tuned, base)
    tested = [sign for sign in found if sign.p_worse is not None]
    assert [sign.p_worse_holm for sign in tested] == pytest.approx(list(holm([s.p_worse or 0.0 for s in tested])))
    assert all(sign.p_worse_holm is None for sign in found if sign.p_worse is None)


def test_every_sign_is_registered(tmp_path: Path) -> None:
    """Names and directions are those of the registry, which policies and the documentation read."""
    run = formats(tmp_path, {name: told(0.5) for name in ("json", "new_qa")}, GOLD)
    for sign in (*signatures_of(run), *signature_changes(run, run)):
        assert SIGNS[sign.name].higher_is_worse == sign.higher_is_worse
        assert sign.sentence.endswith(".")


def test_every_sign_is_documented() -> None:
    """docs/signatures.md names each sign, with the direction that is worse."""
    page = (Path(__file__).parents[2] / "docs" / "signatures.md").read_text(encoding="utf-8")
    lines = {
        name: [line for line in page.splitlines() if line.startswith("|") and f"`{name}`" in line] for name in SIGNS
    }
    assert [name for name, found in lines.items() if len(found) != 1] == []
    for name, (line,) in lines.items():
        worse = line.split("|")[3].strip()
        assert worse == ("either way" if SIGNS[name].either_way else "more" if SIGNS[name].higher_is_worse else "less")


def test_records_without_probes_have_no_signs_of_them(tmp_path: Path) -> None:
    """Runs from before probes existed are read as they are."""
    run = make_run(tmp_path, {"t": np.ones(20)})
    assert "probe" not in run.manifest["tasks"][0]
    assert signatures_of(run) == ()
    assert {sign.name for sign in signature_changes(run, run)} == {"task_degradation", "flip_rate"}
