"""The board: who is ranked with whom, what the marks mean, and that a stranger's name stays one cell of text."""

from __future__ import annotations

import re
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from records import edited, make_run, rows, sha, suite_entry, task_entry

from harness.board import Order, build, check, write
from harness.compare import Margins, Scope, compare
from harness.errors import MissingInputError, RunRecordError, UsageError
from harness.nouns import Comparison, Run
from harness.show.markdown import escaped
from harness.store import Checked, list_runs, verify, write_checked

GOLDEN = Path(__file__).resolve().parents[1] / "golden" / "board.md"

HALF = np.array([1.0, 0.0] * 100)
BETTER = np.where(np.arange(200) < 60, 1.0, HALF)
WORSE = np.where(np.arange(200) < 60, 0.0, HALF)
SPANS = np.tile([[3.0, 1.0, 1.0], [0.0, 2.0, 1.0]], (20, 1))


def paired(candidate: Run, baseline: Run, tasks: Sequence[str]) -> Comparison:
    return compare(candidate, baseline, Margins(), Scope(tasks=tuple(tasks)))


@pytest.fixture
def order(tmp_path: Path) -> Order:
    """A folder of boards with an empty store below it."""
    (tmp_path / "runs").mkdir()
    return Order(store=tmp_path / "runs", output=tmp_path)


def add(order: Order, name: str, day: int, topic: Any = HALF, **changes: Any) -> Run:
    tasks = {"topic": topic, "spans": SPANS}
    return make_run(order.store, tasks, checkpoint=name, date=f"2026-03-{day:02d}T10:00:00+00:00", **changes)


def checked(order: Order, run: Run, corpus: str, **tasks: tuple[int, int]) -> Path:
    """A record beside a run: per task the items that were looked at, and those of them in the corpus."""
    counts = {
        task: {"items": items, "text": 0, "sentence": 0, "13-gram": touched, "8-gram": touched}
        for task, (items, touched) in tasks.items()
    }
    record = Checked(run.id, "1.1", corpus, sha(corpus), 1000, {"quick": sha("suite")}, counts)
    return write_checked(order.store, record)


def cells(page: str, word: str) -> list[str]:
    """The cells of the table row that has a word."""
    (line,) = [line for line in page.splitlines() if line.startswith("|") and word in line]
    return [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]


def everything(order: Order) -> None:
    """A baseline, one of each kind of row, two runs that answer another question, one that failed, two checked ones."""
    add(order, "first", 1)
    checked(order, add(order, "better", 2, BETTER), "corpus|<b>a</b>", topic=(200, 5), spans=(40, 0))
    checked(order, add(order, "worse", 3, WORSE), "clean", topic=(200, 0))
    add(order, "same|<b>`as`</b>\nfirst", 4)
    add(order, "short", 5, HALF[:150])
    add(order, "chat", 6, prompting={"chat_template": True, "system_instruction": None, "fewshot_as_multiturn": None})
    add(order, "broken", 7, status="failed", reasons=["topic: 12.0% of items failed, limit 0.0% (most often: a|b)"])


def test_the_page_is_the_approved_one(order: Order) -> None:
    """A board with every kind of row reads as tests/golden/board.md, which a person has approved."""
    everything(order)
    page = build(replace(order, output=order.output / "elsewhere"), paired).pages["quick.md"]  # so without links
    ids = [run.id[:12] for run in list_runs(order.store)]
    for number, name in enumerate(sorted(ids, key=page.find), start=1):
        page = page.replace(name, f"run{number}")
    assert page == GOLDEN.read_text(encoding="utf-8")


def test_pages_are_the_same_bytes_in_another_place(order: Order, tmp_path_factory: pytest.TempPathFactory) -> None:
    """The order in which records were copied, the place and the day leave no trace."""
    everything(order)
    other = tmp_path_factory.mktemp("other")
    (other / "runs").mkdir()
    for folder in sorted(order.store.glob("*/"), reverse=True):
        shutil.copytree(folder, other / "runs" / folder.name)
    first, second = (build(o, paired).pages for o in (order, replace(order, store=other / "runs", output=other)))
    assert first == second


def test_one_run_is_a_board(order: Order) -> None:
    """Without a second run there is a baseline of rank 1 and nothing to compare."""
    add(order, "alone", 1)
    page = build(order, paired).pages["quick.md"]
    assert cells(page, "org/alone")[0] == "1"
    assert "baseline" in cells(page, "org/alone")
    assert "Not comparable" not in page


def test_no_run_is_an_index_without_boards(order: Order) -> None:
    """An empty store gives the index alone, and it says so."""
    pages = build(order, paired).pages
    assert list(pages) == ["README.md"]
    assert "no records yet" in pages["README.md"]


def test_the_order_is_that_of_the_change(order: Order) -> None:
    """Rows are sorted by their change against the baseline, the baseline among them."""
    everything(order)
    (board,) = build(order, paired).boards
    names = [row.standing.run.manifest["checkpoint"]["reference"] for row in board.rows]
    assert names == ["org/better", "org/first", "org/same|<b>`as`</b>\nfirst", "org/worse"]
    assert [row.mark for row in board.rows] == ["▲", "", "?", "▼"]
    assert [row.ranks for row in board.rows] == [(1, 1), (2, 3), (2, 3), (4, 4)]


def test_a_named_baseline_holds(order: Order) -> None:
    """The run that is named as baseline is the one that others are held against; another suite's is not."""
    everything(order)
    worse = build(order, paired).boards[0].rows[-1].standing.run
    (board,) = build(replace(order, baselines=(worse,)), paired).boards
    assert board.baseline is not None
    assert board.baseline.standing.run.id == worse.id
    assert all(row.change is None or row.change.delta > 0 for row in board.rows)


def test_noninferior_is_shown_with_many_items(order: Order) -> None:
    """Equal answers to many items rule out a drop of the margin; few items leave it open."""
    many = np.array([1.0, 0.0] * 2000)
    for day, name in enumerate(("first", "second"), start=1):
        make_run(order.store, {"topic": many}, checkpoint=name, date=f"2026-03-{day:02d}")
    (board,) = build(order, paired).boards
    assert [row.mark for row in board.rows] == ["", "≈"]


def test_what_the_comparison_adds_is_below_the_table(order: Order) -> None:
    """Items left out and warnings of a comparison are on the page; a run with few errors is still ranked."""
    add(order, "first", 1)
    add(order, "first", 2, edited(rows("topic", HALF), {3: {"error": "no answer", "counts": {}}}))
    page = build(order, paired).pages["quick.md"]
    assert "topic leaves out 1 error in candidate" in page
    assert "both runs are of one checkpoint" in page


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"entries": {"topic": {"num_fewshot": 5}}}, "topic: shots 5 instead of 0"),
        ({"entries": {"topic": {"digest": sha("another card")}}}, "topic: card"),
        ({"gen_kwargs": {"temperature": 1}}, "generation options"),
        ({"prompting": {"system_instruction": "be brief"}}, "system prompt be brief instead of none"),
        ({"topic": HALF[:10]}, "topic: 10 items instead of 200"),
        ({"topic": edited(rows("topic", HALF), {0: {"item": sha("x")}})}, "topic: other items"),
        ({"topic": edited(rows("topic", HALF), {0: {"prompt_hash": sha("x")}})}, "prompts differ"),
    ],
    ids=["shots", "card", "generation", "system prompt", "fewer items", "other items", "prompts"],
)
def test_unlike_runs_are_kept_apart(order: Order, changes: dict[str, Any], why: str) -> None:
    """A run that answers another question is not ranked, and the page says what differs."""
    add(order, "first", 1)
    add(order, "other", 2, **changes)
    (board,) = build(order, paired).boards
    assert len(board.rows) == 1
    ((_, reasons),) = board.unlike
    assert why in "; ".join(reasons)


def test_another_suite_digest_is_kept_apart(order: Order) -> None:
    """Two versions of a suite share no ranking."""
    add(order, "first", 1)
    entries = [task_entry("topic", rows("topic", HALF))]
    make_run(
        order.store, {"topic": HALF}, suites=[suite_entry("quick", entries)], checkpoint="other", date="2026-04-01"
    )
    (board,) = build(order, paired).boards
    ((_, reasons),) = board.unlike
    assert reasons[0].startswith("suite digest")
    assert "spans is missing" in reasons


def test_suites_of_one_run_get_a_page_each(order: Order) -> None:
    """Runs that share one suite are compared in it alone, whatever else they scored; ad hoc tasks get no page."""
    parts = {"topic": HALF, "spans": SPANS}
    entries = {name: task_entry(name, rows(name, values, "f1" if values.ndim == 2 else "acc"))
               for name, values in parts.items()}  # fmt: skip
    suites = [suite_entry("labels", [entries["topic"]]), suite_entry("extraction", [entries["spans"]])]
    make_run(order.store, parts, suites=suites, checkpoint="both", date="2026-01-01")
    alone = [suites[0], suite_entry("tasks", [entries["topic"]])]
    make_run(order.store, {"topic": BETTER}, suites=alone, checkpoint="labels-only", date="2026-01-02")
    built = build(order, paired)
    assert sorted(built.pages) == ["README.md", "extraction.md", "labels.md"]
    assert [len(board.rows) for board in built.boards] == [1, 2]
    assert list(build(replace(order, suites=("labels",)), paired).pages) == ["labels.md", "README.md"]


def test_a_stated_score_that_the_records_do_not_give_is_refused(order: Order) -> None:
    """A record whose hashes hold but whose score was made up does not get on a board."""
    add(order, "forged", 1, entries={"topic": {"score": 0.99}})
    with pytest.raises(RunRecordError, match=r"states the score 0\.99"):
        build(order, paired)


@pytest.mark.parametrize(
    "changes",
    [{"suites": [{"name": "quick"}]}, {"prompting": "plain"}, {"entries": {"topic": {"folds": {"acc": "median"}}}}],
    ids=["suite without tasks", "prompting is text", "unknown fold"],
)
def test_a_manifest_that_lacks_what_a_board_needs(order: Order, changes: dict[str, Any]) -> None:
    """A stranger's manifest ends in a sentence, never in an internal error."""
    add(order, "odd", 1, **changes)
    with pytest.raises(RunRecordError, match="does not describe the suite quick"):
        build(order, paired)


@pytest.mark.parametrize("name", ["../../escape", "readme", "a b", ""])
def test_a_suite_name_is_no_path(order: Order, name: str) -> None:
    """A suite whose name would leave the folder or replace the index is refused."""
    entries = [task_entry("topic", rows("topic", HALF))]
    make_run(order.store, {"topic": HALF}, suites=[suite_entry(name, entries)])
    with pytest.raises(RunRecordError, match="gives no file name"):
        build(order, paired)


def test_what_is_not_there_is_named(order: Order) -> None:
    """An unknown suite, an absent store and a baseline from elsewhere are told apart."""
    run = add(order, "first", 1)
    with pytest.raises(UsageError, match="did you mean quick"):
        build(replace(order, suites=("quik",)), paired)
    with pytest.raises(MissingInputError, match="is no folder"):
        build(replace(order, store=order.output / "nowhere"), paired)
    with pytest.raises(MissingInputError, match="is not in"):
        build(replace(order, baselines=(replace(run, id="0" * 64),)), paired)


def test_a_failed_baseline_is_refused(order: Order) -> None:
    """Nothing can be held against a run that failed."""
    add(order, "first", 1)
    broken = add(order, "broken", 2, status="failed", reasons=["topic: empty"])
    with pytest.raises(RunRecordError, match="has no score in quick to rely on"):
        build(replace(order, baselines=(broken,)), paired)


def test_flags_name_the_worst_task(order: Order) -> None:
    """Rates of 5 % and more are flagged with their task; lower ones and those of the gold answers are not."""
    texts = rows("topic", HALF)
    shares = {
        "parse_failure": (0.5, 1.0),
        "duplicate": (0.9, 1.0),
        "empty": (0.04, 1.0),
        "gold_hallucinated_exact": (1.0, 1.0),
    }
    texts = [replace(record, counts={**record.counts, **shares}) for record in texts]
    folds = {"acc": "mean", "parse_failure": "mean", "duplicate": "mean", "gold_hallucinated_exact": "mean"}
    add(order, "sick", 1, texts, entries={"topic": {"folds": folds}})
    page = build(order, paired).pages["quick.md"]
    assert "duplicate 90.0 % in topic; parse failure 50.0 % in topic" in cells(page, "org/sick")


def test_a_check_of_contamination_is_shown_with_what_was_searched(order: Order) -> None:
    """The cell has the share of all items and the worst family; a note names the corpus; no record is no clean bill."""
    everything(order)
    page = build(order, paired).pages["quick.md"]
    assert "2.1 % \\(topic 2.5 %\\)" in cells(page, "org/better")
    assert "none found, 1 of 2 tasks" in cells(page, "org/worse")
    assert "not checked" in cells(page, "org/first")
    assert "corpus\\|\\<b\\>a\\</b\\>, 1,000 rows" in page
    assert "2.5 % of 200 topic items" in page
    assert "none of 200 items found; not checked: spans" in page


def test_a_second_check_of_one_corpus_replaces_the_first(order: Order) -> None:
    """A run has one record per corpus: a new one takes the old one's place, another corpus stands beside it."""
    run = add(order, "first", 1)
    old = checked(order, run, "corpus", topic=(200, 5))
    new = checked(order, run, "corpus", topic=(200, 6))
    checked(order, run, "other", topic=(200, 0))
    assert not old.exists()
    assert new.exists()
    page = build(order, paired).pages["quick.md"]
    assert {"3.0 % \\(topic 3.0 %\\), 1 of 2 tasks", "none found, 1 of 2 tasks"} == set(
        next(cell for cell in cells(page, "org/first") if "none found" in cell).split("; ")
    )


def test_a_check_that_was_changed_or_fits_no_run_stops_the_build(order: Order) -> None:
    """An edited record, one of a run that is gone, and a stray file are named; verify names them too."""
    run = add(order, "first", 1)
    path = checked(order, run, "corpus", topic=(200, 5))
    path.write_bytes(path.read_bytes().replace(b'"13-gram":5', b'"13-gram":0'))
    with pytest.raises(RunRecordError, match=r"changed: its SHA-256.*check again with harness contamination"):
        build(order, paired)
    assert [problem.file for problem in verify(order.store)] == [f"contamination/{path.name}"]
    path.rename(path.with_name("notes.txt"))
    with pytest.raises(RunRecordError, match="is no record of a check"):
        build(order, paired)
    path.with_name("notes.txt").unlink()
    checked(order, run, "corpus", topic=(200, 5))
    shutil.rmtree(run.path)
    assert any("whose folder is missing" in problem.what for problem in check(order, paired)[0])


@pytest.mark.parametrize(
    ("tasks", "why"),
    [
        ({"topic": (999, 5)}, "do not fit its 200 items"),
        ({"topic": (5, 6)}, "contradict"),
        ({"other": (1, 0)}, "not scored"),
    ],
)
def test_a_check_with_numbers_that_the_run_cannot_have_is_refused(
    order: Order, tasks: dict[str, tuple[int, int]], why: str
) -> None:
    """A record that vouches for itself must still fit its run: more items than it has, or another task, is refused."""
    checked(order, add(order, "first", 1), "corpus", **tasks)
    (problem,) = verify(order.store)
    assert why in problem.what


def test_pages_that_are_edited_missing_or_left_over_are_named(order: Order) -> None:
    """Check passes right after a build and names every page that is not what the records give."""
    everything(order)
    write(build(order, paired), order.output)
    assert check(order, paired)[0] == []
    page = order.output / "quick.md"
    (order.output / "old.md").write_bytes(page.read_bytes())
    (order.output / "notes.md").write_text("by hand", encoding="utf-8")
    page.write_text(page.read_text(encoding="utf-8").replace("▼", "▲"), encoding="utf-8")
    (order.output / "README.md").unlink()
    found = {Path(problem.file).name: problem.what.partition(":")[0] for problem in check(order, paired)[0]}
    assert found == {"quick.md": "stale", "README.md": "missing", "old.md": "left over"}


@given(st.text(max_size=40))
def test_a_name_is_one_cell_of_plain_text(name: str) -> None:
    """Whatever a text holds, no unescaped character of it ends a cell or a line, or begins markup."""
    shown = escaped(name)
    bare = re.sub(r"\\[\\`*_{}\[\]()<>|&~$#!@:.]", "", shown)
    assert not set(bare) & set("\\`*_{}[]()<>|&~$#!@\n\r\t") or "\\x" in shown or "\\u" in shown or "\\U" in shown
    assert len(shown.splitlines()) <= 1


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a|b\nc", r"a\|b c"),
        ("`x` <script>", r"\`x\` \<script\>"),
        ("&amp; $x$ #1 @me", r"\&amp; \$x\$ \#1 \@me"),
        ("https://a.b/c www.a.b :x:", r"https\://a.b/c www\.a.b \:x:"),
        ("[a](b) ![c](d)", r"\[a\]\(b\) \!\[c\]\(d\)"),
        ("back\\slash\\|", r"back\\slash\\\|"),
        ("a\u202eb\x1b[0m", r"a\\u202eb\\x1b\[0m"),
        ("x" * 200, "x" * 160 + "…"),
        (None, "None"),
    ],
)
def test_hostile_names(name: object, shown: str) -> None:
    """Known tricks are plain text."""
    assert escaped(name) == shown
