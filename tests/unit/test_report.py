"""The report page: it says what the records and the comparison say, and nothing in them can become markup."""

from __future__ import annotations

import math
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from pages import Page, check_page, scored_run
from records import edited, rows, suite_entry

from harness.compare import Margins, Scope, compare
from harness.compare.flips import find_flips
from harness.compare.recipe import compare_recipes
from harness.errors import StoreError
from harness.gate import Evidence, gate
from harness.nouns import Claim, Comparison, Ruling, Run, Signature
from harness.policy import load_policy
from harness.report import Report, Table, html, labels_of, write_report
from harness.report.axis import change_axis, score_axis
from harness.report.origins import anchors
from harness.store import load_run

RNG = np.random.default_rng(11)
BASE = (RNG.random(120) < 0.6).astype(float)
BETTER = np.where(np.arange(120) < 40, 1.0, BASE)
SPANS = np.tile([[3.0, 1.0, 1.0], [0.0, 2.0, 1.0]], (30, 1))
FEWER = np.tile([[2.0, 1.0, 2.0], [0.0, 2.0, 1.0]], (30, 1))
EVIL = """</script></style></title><script>alert("1")</script><img src=x onerror='alert(2)'>"&amp;{{ 7*7 }}{% raw %}"""
FAMILIES = {"topic": "tc", "mood": "tc", "names": "ner"}


@pytest.fixture
def two(tmp_path: Path) -> tuple[Run, Run]:
    """A candidate and its baseline: two tasks of one family, one of another, texts kept."""
    both = {"families": FAMILIES, "texts": "What is asked here?"}
    baseline = scored_run(tmp_path, {"topic": BASE, "mood": BASE, "names": SPANS}, checkpoint="base", **both)
    candidate = scored_run(tmp_path, {"topic": BETTER, "mood": BASE, "names": FEWER}, checkpoint="tuned", **both)
    return candidate, baseline


def about(candidate: Run, baseline: Run, **changes: Any) -> Report:
    """A report on a comparison, with items."""
    found = compare(candidate, baseline)
    flips = {(candidate.id, baseline.id): tuple(find_flips(candidate, baseline, found, 2))}
    return replace(Report("A title", runs=(baseline, candidate), comparisons=(found,), flips=flips), **changes)


def verdict_on(found: Comparison) -> Any:
    return gate(Evidence(found), {"quick": load_policy("general")}, allow_underpowered=True)


SIGN = Signature("hallucinated", "names", 0.25, (0.1, 0.4), 60, "names: 25.0 % of the spans are not in the text.")
CHANGE = replace(SIGN, sentence="It rose.", baseline=0.05, delta=0.2, p_worse=0.001, p_worse_holm=0.002)


def whole(candidate: Run, baseline: Run) -> Report:
    """A report with every part."""
    report = about(candidate, baseline)
    return replace(
        report,
        verdicts=(verdict_on(report.comparisons[0]),),
        signatures=(("tuned", (SIGN,)), ("tuned against base", (SIGN, CHANGE)), ("nothing", ())),
        tables=(Table("Costs", ("Arm", "Tokens"), (("tuned", "12,345"), ("base", "0")), "What it cost."),),
        notes=("The base is not trained.",),
    )


def row(page: Page, name: str) -> list[str]:
    """Cells of the first table row whose header is a name."""
    headers = (i for i, e in enumerate(page.elements) if e.attributes.get("scope") == "row" and name == _flat(e.text))
    start = next(headers)
    cells = []
    for element in page.elements[start + 1 :]:
        if element.tag == "tr":
            break
        if element.tag == "td":
            cells.append(_flat(element.text))
    return cells


def _flat(text: str) -> str:
    return " ".join(text.split())


def test_a_page_keeps_its_promises(two: tuple[Run, Run]) -> None:
    """With every part: nested, linked, self-contained, its own policy; every section is in the navigation."""
    page = check_page(html(whole(*two)))
    sections = [section.attributes["id"] for section in page.all("section")]
    links = [link.attributes["href"][1:] for link in page.all("a") if link.parents[-1] == "nav"]
    assert links == sections
    assert {"headline", "comparison-1", "signatures", "table-1", "scores", "health", "origin", "tasks"} <= set(sections)
    assert page.words("title")[0] == "A title"


def test_an_almost_empty_report_is_a_page(two: tuple[Run, Run]) -> None:
    """A title alone is enough; so are tables, and comparisons whose runs are not shown."""
    check_page(html(Report("Nothing yet")))
    check_page(html(Report("Costs", tables=(Table("Costs", ("Arm",), ()),))))
    page = check_page(html(Report("Only compared", comparisons=(compare(*two),))))
    assert f"{two[0].id[:12]} against {two[1].id[:12]}" in page.words("h2")


def test_the_same_runs_give_the_same_bytes(two: tuple[Run, Run], tmp_path: Path) -> None:
    """Neither the clock nor the place of the records enters a page."""
    shutil.copytree(tmp_path, tmp_path / "elsewhere")
    copies = [load_run(run.id, tmp_path / "elsewhere") for run in two]
    first = html(whole(*two))
    assert html(whole(*two)) == first
    assert html(whole(copies[0], copies[1])) == first
    assert str(tmp_path) not in first


def test_the_page_says_what_compare_says(two: tuple[Run, Run]) -> None:
    """The claim about the suite leads; every other sentence stands in the section; changes are those of the noun."""
    report = about(*two)
    (found,) = report.comparisons
    page = check_page(html(report))
    assert page.words("li")[0] == found.sentences[0]
    text = " ".join(page.all("body")[0].text.split())
    assert all(text.count(" ".join(sentence.split())) == 1 for sentence in found.sentences)
    for task in found.tasks:
        _, mark, change, ends, moved, flips, harm, better, _, count = row(page, task.task)
        assert change == f"{100 * task.delta:+.1f}"
        assert ends == f"{100 * task.interval[0]:+.1f} to {100 * task.interval[1]:+.1f}"
        assert moved == f"{100 * task.baseline:.1f} → {100 * task.candidate:.1f}"
        assert (harm, better, count) == (_p(task.p_harm_holm), _p(task.p_improve_holm), f"{task.items:,}")
        if task.losses is not None:
            assert flips == f"{task.losses} lost, {task.gains} won"
        assert ("▲" in mark) == (task.p_improve_holm < 0.05)
        assert ("▼" in mark) == (task.p_harm_holm < 0.05)


def test_plots_lie_where_the_numbers_are(two: tuple[Run, Run]) -> None:
    """The mark, the interval and the margin of a task are at the places of their values on the axis."""
    report = about(*two)
    (found,) = report.comparisons
    page = check_page(html(report))
    task = found.tasks[0]
    parts = (*found.tasks, *found.suites, *found.families)
    axis = change_axis([part.delta for part in parts], [part.interval for part in parts], [0.02, 0.01])
    (at,) = [i for i, e in enumerate(page.elements) if e.tag == "title" and e.text.startswith(f"{task.task}: +")]
    use, margin, span, mark = page.elements[at + 1 : at + 5]
    assert use.attributes["href"] == "#comparison-1-axis"
    assert (margin.attributes["class"], margin.attributes["x1"]) == ("margin", axis.at(-0.02))
    assert [span.attributes[end] for end in ("x1", "x2")] == [axis.at(end) for end in task.interval]
    assert mark.attributes["x"] == axis.at(task.delta)


def test_scores_stand_beside_chance_health_and_licence(tmp_path: Path) -> None:
    """Headline, families, tasks with interval, chance, flags of 5 % and more, gold floors in the health table alone."""
    health = {"parse_failure": 0.4, "empty": 0.04, "gold_hallucinated_exact": 0.3}
    run = scored_run(tmp_path, {"topic": BASE}, entries={"topic": {"health": health, "licence": "CC0"}})
    page = check_page(html(Report("One", runs=(run,))))
    entry = run.manifest["tasks"][0]
    assert page.words("li")[0].startswith(f"org/a scores {100 * entry['score']:.1f} (95 % interval ")
    (cell,) = [cell for cell in row(page, "topic") if "parse failure" in cell]
    assert cell.startswith(f"{100 * entry['score']:.1f} {100 * entry['interval'][0]:.1f} – ")
    assert cell.endswith("40.0 % parse failure")
    assert "25.0" in row(page, "topic")
    assert page.words("td", class_="high") == ["30.0", "40.0"]
    assert "CC0" in page.words("dt")
    assert "items/topic.jsonl.zst" in page.words("code")


def test_items_are_shown_with_their_texts(two: tuple[Run, Run]) -> None:
    """What was asked and answered, the gold, the licence's place, and the command that shows more."""
    page = check_page(html(about(*two)))
    assert "What is asked here?" in page.words("pre")
    (command,) = [words for words in page.words("code", class_="command") if "compare" in words]
    assert command == f"harness compare {two[0].id[:12]} {two[1].id[:12]} --show_flips 5"
    assert "licences of the data" in page.words("a")
    assert [words for words in page.words("summary") if words.startswith("topic")] == ["topic 2 won"]


def test_a_page_without_texts_says_so(tmp_path: Path) -> None:
    """Records that keep no texts give flips without them, and the page says why; none asked for, none shown."""
    candidate, baseline = (scored_run(tmp_path, {"topic": v}, checkpoint=str(i)) for i, v in enumerate((BETTER, BASE)))
    report = about(candidate, baseline)
    page = check_page(html(report))
    assert "The records keep no texts" in page.all("body")[0].text
    assert "no texts kept" in page.words("small")
    page = check_page(html(replace(report, flips={})))
    assert page.all("pre") == []
    unmoved = about(baseline, scored_run(tmp_path, {"topic": BASE}, checkpoint="c"))
    assert "No item changed hands." in check_page(html(unmoved)).words("p")


def test_long_texts_are_cut_in_the_middle(tmp_path: Path) -> None:
    """A prompt of 100,000 characters costs the page a few hundred."""
    both = {"texts": "a" * 50_000 + "b" * 50_000}
    candidate = scored_run(tmp_path, {"topic": BETTER}, checkpoint="b", **both)
    page = check_page(html(about(candidate, scored_run(tmp_path, {"topic": BASE}, **both))))
    asked = page.words("pre")[0]
    assert len(asked) < 700
    assert (asked[0], asked[-1]) == ("a", "b")
    assert "[…]" in asked


@pytest.mark.parametrize("evil", [EVIL, "a\x00b\x1b[31m\u202edcba\u2066", "\ud800 lone", "]]>--><!--", "' onload='x"])
def test_strangers_cannot_write_markup(tmp_path: Path, evil: str) -> None:
    """Prompts, answers, names of models and tasks, labels, sentences and cells enter as text and stay visible."""
    name = evil.encode("utf-8", "replace").decode()  # a manifest is UTF-8
    both = {"texts": evil, "families": {"topic": name}}
    records = rows("topic", BETTER)
    records = edited(records, {i: {"prediction": {"answer": name}} for i in range(len(records))})
    checkpoint = {"checkpoint": name, "entries": {"topic": {"licence": name, "dataset": name, "source": name}}}
    candidate = scored_run(tmp_path, {"topic": records}, **both, **checkpoint)
    baseline = scored_run(tmp_path, {"topic": BASE}, **both, **{**checkpoint, "checkpoint": "b"})
    report = about(candidate, baseline)
    (found,) = report.comparisons
    verdict = replace(verdict_on(found), claims=(Claim(evil, Ruling.FAIL, evil, 3),))
    clean = [e.tag for e in check_page(html(_told(report, "word", verdict))).elements]
    text = html(_told(report, evil, verdict))
    page = check_page(text)
    assert [element.tag for element in page.elements] == clean
    text.encode("utf-8", "backslashreplace")
    assert not {"\x00", "\x1b", "\u202e", "\u2066"} & set(text)
    if evil == EVIL:
        assert evil in page.all("body")[0].text
        assert evil in page.words("pre")


def _told(report: Report, word: str, verdict: Any) -> Report:
    (found,) = report.comparisons
    return replace(
        report,
        title=word,
        lead=(word,),
        labels={run.id: f"{word} {place}" for place, run in enumerate(report.runs)},
        comparisons=(replace(found, sentences=(f"{word}!",), warnings=(word,)),),
        verdicts=(verdict,),
        signatures=((word, (replace(SIGN, name=word, subject=word, sentence=word),)),),
        tables=(Table(word, (word, "b"), ((word, word),), word),),
        notes=(word,),
    )


def test_secrets_are_masked(two: tuple[Run, Run]) -> None:
    """The store's rules hold for every text of a page, wherever it comes from."""
    token, key = "hf_" + "a1B2" * 8, "sk-" + "x9Y8" * 6
    manifest = {**two[0].manifest, "engine": {"arguments": {"pretrained": "m", "api_key": "opensesame"}, "model": "hf"}}
    run = Run(two[0].id, two[0].path, manifest)
    report = Report(
        f"With {token}", lead=(f"Authorization: Bearer {key}",), runs=(run,), notes=("https://me:pw12@host/x",)
    )
    text = html(report)
    check_page(text)
    assert not [secret for secret in (token, key, "opensesame", "pw12") if secret in text]
    assert "[redacted]" in text


def test_a_failed_run_is_said_first(tmp_path: Path) -> None:
    """A run that may not be relied on is named above everything else, and its missing score is no number."""
    entries = {"topic": {"score": None, "interval": None}}
    suites = [suite_entry("quick", [{"name": "topic", "family": "tc"}])]
    reasons = ["topic: 40.0% of items failed, limit 0.0%"]
    run = scored_run(tmp_path, {"topic": BASE}, status="failed", reasons=reasons, entries=entries, suites=suites)
    page = check_page(html(Report("Failed", runs=(run,))))
    assert page.words("p", class_="warning")[0] == f"Not to be relied on. org/a: {reasons[0]}"
    assert "none" in row(page, "topic")
    assert "1 run unscored" in page.words("small")


def test_what_a_record_does_not_tell_is_left_out(tmp_path: Path) -> None:
    """A run of another origin gives no line without a value, and no word such as None."""
    engine = {"model": "hf", "imported": "lm-eval", "batch_size": None}
    seeds = {"python": 0, "numpy": None, "torch": None, "fewshot": None}
    entries = {"topic": {"digest": None, "revision": None, "licence": None, "of": None, "chance": None}}
    run = scored_run(tmp_path, {"topic": BASE}, engine=engine, seeds=seeds, prompting={}, entries=entries, seconds=None)
    page = check_page(html(Report("Imported", runs=(run,))))
    facts = dict(zip(page.words("dt"), page.words("dd"), strict=True))
    assert (facts["Engine"], facts["Seeds"]) == ("hf, imported from lm-eval", "python=0")
    assert not {"Device", "Time", "Parent"} & set(facts)
    assert "None" not in page.all("main")[0].text


def test_what_was_left_out_is_said(tmp_path: Path) -> None:
    """Dropped items stand beside the row and in words; warnings are set apart."""
    failed = edited(rows("topic", BETTER), {0: {"error": "no answer", "counts": {}}})
    candidate = scored_run(tmp_path, {"topic": failed}, checkpoint="b")
    report = about(candidate, scored_run(tmp_path, {"topic": BASE}))
    page = check_page(html(replace(report, comparisons=(replace(report.comparisons[0], warnings=("Mind this.",)),))))
    assert page.words("p", class_="warning") == ["Mind this.", "topic leaves out: 1 error in candidate"]
    assert "119 1 left out" in row(page, "topic")


def test_a_score_without_bound_has_no_plot(tmp_path: Path) -> None:
    """A perplexity is shown as it is, never in per cent, and drawn on no axis of shares."""
    counts = np.column_stack([-RNG.random(60) * 50, np.full(60, 10.0)])
    suite = suite_entry("lm", [{"name": "text", "family": "lm"}])
    entry = {"metric": "perplexity", "family": "lm", "folds": {"perplexity": "perplexity"}, "chance": 0.0}
    runs = [
        scored_run(tmp_path, {"text": rows("text", counts * [worse, 1], "perplexity")}, checkpoint=str(worse),
                   entries={"text": entry}, suites=[suite])
        for worse in (1.0, 1.1)
    ]  # fmt: skip
    page = check_page(html(about(runs[1], runs[0], flips={})))
    score = runs[0].manifest["tasks"][0]["score"]
    assert f"{score:,.3g}" in " ".join(row(page, "text"))
    assert not [element for element in page.all("title") if element.text.startswith("text:")]


def test_an_arm_is_the_mean_of_its_seeds(tmp_path: Path) -> None:
    """Mean and 95 % t interval over seeds as scipy has them, a point per seed; equal seeds keep a run's interval."""
    values = [np.where(np.arange(120) < n, 1.0, 0.0) for n in (50, 57, 70)]
    runs = [scored_run(tmp_path, {"topic": v}, checkpoint=str(i)) for i, v in enumerate(values)]
    same = [scored_run(tmp_path, {"topic": BASE}, checkpoint=f"s{i}") for i in (0, 1)]
    arms = {run.id: "tuned" for run in runs} | {run.id: "null" for run in same}
    page = check_page(html(Report("Arms", runs=(*runs, *same), arms=arms)))
    scores = [v.mean() for v in values]
    low, high = scipy.stats.t.interval(0.95, 2, np.mean(scores), scipy.stats.sem(scores))
    assert row(page, "tuned 3 seeds")[1:3] == [f"{100 * np.mean(scores):.1f}", f"{100 * low:.1f} – {100 * high:.1f}"]
    suite = same[0].manifest["suites"][0]
    assert row(page, "null 2 seeds")[2] == " – ".join(f"{100 * end:.1f}" for end in suite["interval"])
    axis = score_axis([high, *scores, *suite["interval"]])
    drawn = {mark.attributes["x"] for mark in page.all("svg", class_="s1") if mark.attributes["y"] == "80%"}
    assert drawn == {axis.at(score) for score in scores}
    assert row(page, "topic")[2] == f"{100 * np.mean(scores):.1f} {100 * min(scores):.1f} … {100 * max(scores):.1f}"


def test_recipes_are_called_by_their_arms(tmp_path: Path) -> None:
    """A recipe comparison names arm and seeds, a base that stands in every pair is one; its claims alone lead."""
    base = scored_run(tmp_path, {"topic": BASE}, checkpoint="base")
    seeds = [scored_run(tmp_path, {"topic": RNG.permutation(BETTER)}, checkpoint=f"t{i}") for i in range(3)]
    found = compare_recipes([(run, base) for run in seeds], Margins(), Scope())
    arms = {run.id: "tuned" for run in seeds}
    single = compare(seeds[0], base)
    page = check_page(html(Report("Recipe", runs=(base, *seeds), arms=arms, comparisons=(single, found))))
    assert page.words("h2")[1:3] == ["org/t0 against org/base", "tuned (3 seeds) against org/base"]
    lead = page.words("li")[0]
    assert lead == f"tuned (3 seeds) against org/base {found.sentences[0]}"
    assert single.sentences[0] not in page.words("ul", class_="lead")[0]
    assert "means over 3 pairs of training seeds" in " ".join(page.words("caption"))
    assert f"harness compare {seeds[0].id[:12]} {base.id[:12]} --show_flips 5" in page.words("code")


def test_a_verdict_leads_with_what_decides_it(two: tuple[Run, Run]) -> None:
    """The ruling stands at the top with its reason; failing claims come first, watched tasks are folded."""
    report = about(*two)
    claims = (
        Claim("quick: macro non-inferior", Ruling.PASS, "The macro holds.", 300),
        Claim("quick: watched task mood", Ruling.PASS, "mood holds.", 120),
        Claim("quick: watched task names", Ruling.FAIL, "names fell.", 60, 240),
    )
    verdict = replace(verdict_on(report.comparisons[0]), ruling=Ruling.FAIL, claims=claims)
    page = check_page(html(replace(report, verdicts=(verdict,))))
    (top,) = page.words("p", class_="ruling")
    assert top == "FAIL org/tuned against org/base, general 1.0 on quick names fell."
    assert page.words("span", class_="pill") == ["FAIL", "FAIL", "FAIL", "PASS", "PASS"]
    assert "1 task watched" in page.words("summary")
    recipe = replace(verdict, comparison=replace(report.comparisons[0], pairs=3))
    page = check_page(html(replace(report, comparisons=(recipe.comparison,), verdicts=(recipe,))))
    assert {"Pairs", "Pairs needed"} <= set(page.words("th"))


def test_signs_that_are_shown_come_first(two: tuple[Run, Run]) -> None:
    """Shares in per cent, changes in points; a sign that stands after Holm leads; what is no share stays as it is."""
    words = replace(SIGN, name="words", value=85.25, interval=(80.0, 90.0), sentence="Answers are long.")
    signs = (("both", (SIGN, CHANGE)), ("one", (words,)))
    page = check_page(html(about(*two, signatures=signs)))
    names = [cell.text for cell in page.all("th") if cell.text in ("hallucinated", "words")]
    assert names == ["hallucinated", "hallucinated", "words"]
    assert row(page, "hallucinated") == ["names", "It rose.", "5.0", "25.0", "+20.0", "+10.0 to +40.0", "0.002", "60"]
    assert row(page, "words")[2:4] == ["85.2", "80 to 90"]


def test_runs_that_are_called_alike_are_told_apart(two: tuple[Run, Run], tmp_path: Path) -> None:
    """Equal names get the beginning of the run id; a folder is called by its last part, a hub id as it is."""
    other = scored_run(tmp_path, {"topic": BETTER}, checkpoint="base")
    names = labels_of([two[1], other])
    assert sorted(names.values()) == sorted(f"org/base · {run.id[:8]}" for run in (two[1], other))
    folder = Run("f" * 64, "", {**two[0].manifest, "checkpoint": {"reference": "/a/b/tuned/", "adapter": "out/lora"}})
    assert labels_of([folder]) == {folder.id: "tuned + out/lora"}
    assert labels_of([folder], {folder.id: "mine"}) == {folder.id: "mine"}


def test_suites_of_two_versions_are_two(tmp_path: Path) -> None:
    """Runs of one suite under another limit are not set in one table."""
    limits = (None, 50, 0.25)
    runs = [scored_run(tmp_path, {"topic": BASE}, checkpoint=str(i), limit=limit) for i, limit in enumerate(limits)]
    page = check_page(html(Report("Two", runs=tuple(runs))))
    captions = page.words("caption")
    assert sum("120 items in 1 task" in caption for caption in captions) == 3
    assert sum("at most 50 per task" in caption for caption in captions) == 1
    assert sum("a sample of 25.0 % per task" in caption for caption in captions) == 1
    assert "quick 1.0" in dict(zip(page.words("dt"), page.words("dd"), strict=True))["Suites"]


CHANGES = st.lists(st.tuples(st.floats(-1, 1), st.floats(0, 1), st.floats(0, 1)), max_size=20)


@given(CHANGES, st.lists(st.floats(0.001, 0.5), max_size=5))
def test_axes_hold_what_they_must(found: list[Any], margins: list[float]) -> None:
    """Every change, 0 and the margins lie within, ticks are even and few, and places keep the order of the values."""
    intervals = [(change - below, change + above) for change, below, above in found]
    axis = change_axis([change for change, _, _ in found], intervals, margins)
    inside = [0.0, *(change for change, _, _ in found), *margins, *(-margin for margin in margins)]
    assert all(axis.low - 1e-9 <= value <= axis.high + 1e-9 for value in inside)
    steps = np.diff(axis.ticks)
    assert np.allclose(steps, steps[0])
    assert 2 <= len(axis.ticks) <= 9
    values = sorted([*inside, *(end for ends in intervals for end in ends)])
    places = [float(axis.at(value).rstrip("%")) for value in values]
    assert places == sorted(places)


def test_one_long_interval_leaves_room_for_the_others() -> None:
    """Ends far beyond the usual are off the scale and drawn to the edge; usual ones are all within."""
    usual = [(-0.05 - n / 500, 0.05 + n / 500) for n in range(12)]
    axis = change_axis([0.0] * 12, usual, [0.02])
    assert axis.low <= usual[-1][0]
    assert axis.high >= usual[-1][1]
    wide = change_axis([0.0] * 13, [*usual, (-0.9, 0.9)], [0.02])
    assert wide.high <= 0.25
    assert (wide.at(-0.9), wide.at(0.9)) == ("0%", "100%")


@given(st.lists(st.floats(0, 1)))
def test_score_axes_begin_at_zero(values: list[float]) -> None:
    """Scores are drawn from 0 to a round number, 1 at most; infinite ends are left out."""
    axis = score_axis([*values, math.inf])
    assert axis.low == 0
    assert max(values, default=0) <= axis.high <= 1


@given(st.lists(st.text(max_size=8), max_size=12))
def test_anchors_are_unique(names: list[str]) -> None:
    """Whatever tasks are called, each has an id of its own that a link can name."""
    found = anchors(names)
    assert len(set(found)) == len(names)
    assert all(name.isascii() and name.replace("-", "").isalnum() for name in found)


def test_a_page_replaces_an_older_one_whole(two: tuple[Run, Run], tmp_path: Path) -> None:
    """The folder is made, the file replaced, and no draft stays."""
    out = tmp_path / "new" / "page.html"
    write_report(Report("First"), out)
    write_report(about(*two), out)
    check_page(out.read_text(encoding="utf-8"))
    assert [path.name for path in out.parent.iterdir()] == ["page.html"]


def test_places_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder, a file in the way of the folder, a full disk: a sentence each, and the older page stays."""
    with pytest.raises(StoreError, match="is a folder; name a file"):
        write_report(Report("x"), tmp_path)
    out = tmp_path / "page.html"
    write_report(Report("Old"), out)
    with pytest.raises(StoreError, match="cannot be written"):
        write_report(Report("x"), out / "page.html")

    def full(self: Path, data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(StoreError, match="No space left"):
        write_report(Report("New"), out)
    assert "Old" in out.read_text()
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]


def test_a_hundred_tasks_stay_small_and_quick(tmp_path: Path) -> None:
    """A pair of a hundred tasks with long prompts is a page of less than 1.5 MB, rendered in seconds."""
    tasks = [f"task_{n:03}" for n in range(100)]
    shared = {"texts": "A long question. " * 300, "families": {task: f"family {i % 8}" for i, task in enumerate(tasks)}}
    health = {"parse_failure": 0.1, "empty": 0.02}
    runs = [
        scored_run(tmp_path, {task: RNG.random(10).round() for task in tasks}, checkpoint=str(i), **shared,
                   entries={task: {"health": health, "matching": "exact " * 30} for task in tasks})
        for i in (0, 1)
    ]  # fmt: skip
    report = about(runs[1], runs[0])
    start = time.perf_counter()
    text = html(report)
    assert time.perf_counter() - start < 10
    assert len(text.encode()) < 1_500_000
    check_page(text)


def test_a_report_needs_no_heavy_library() -> None:
    """Rendering loads neither torch nor matplotlib."""
    code = "import sys, harness.report as r; r.html(r.Report('x')); print({'torch', 'matplotlib'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"


def _p(p: float) -> str:
    return "<0.001" if p < 0.001 else f"{p:.3f}"
