"""Verdicts, edits, agreement and the queue of the human review."""

from __future__ import annotations

import json
import multiprocessing
import os
import pty
import re
import subprocess
import sys
import termios
import time
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reviews import EXAMPLE, examples, guideline, item, judge, rule, working_folder
from sklearn.metrics import cohen_kappa_score
from statsmodels.stats.inter_rater import cohens_kappa

from harness.errors import DataError, HarnessError, MissingInputError, StoreError, UsageError
from synth.guidelines import guideline_of
from synth.review import Item, VerdictLog, agreements, approved, differences, edited_examples, latest, queue, rejected
from synth.review.agreement import WORDS, kappa_and_error
from synth.rules import rule_of
from synth.work import read_lines


def found(out: Path, kind: str) -> list[Item]:
    """Items of one kind in the queue of a folder."""
    return [one for one in queue(out, 5, 0, "ann", 0) if one.kind == kind]


def test_the_last_word_counts_and_undo_takes_it_back(tmp_path: Path) -> None:
    """An undo is a line of its own; the word before the one that was taken back stands again."""
    log = VerdictLog(tmp_path)
    log.record(EXAMPLE, "accept", "ann")
    log.record(EXAMPLE, "reject", "ann", reason=" wrong span ")
    assert log.of("ann")["x1"].reason == "wrong span"
    log.record(EXAMPLE, "undo", "ann")
    assert log.of("ann")["x1"].verdict == "accept"
    log.record(EXAMPLE, "undo", "ann")
    assert log.of("ann") == {}
    assert [verdict.verdict for verdict in log.lines()] == ["accept", "reject", "undo", "undo"]
    assert all(verdict.time.tzinfo is not None for verdict in log.lines())


@settings(max_examples=30)  # every verdict is synced to the disk
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["accept", "reject", "undo"])), max_size=25))
def test_words_are_a_stack_for_every_reviewer(said: list[tuple[str, str]]) -> None:
    """Whatever is said in whatever order, the last word of each is the top of that reviewer's own stack."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        log, stacks = VerdictLog(Path(folder)), {"a": [], "b": []}
        for reviewer, word in said:
            if word == "undo" and not stacks[reviewer]:
                with pytest.raises(UsageError, match="nothing to undo"):
                    log.record(EXAMPLE, word, reviewer)
                continue
            log.record(EXAMPLE, word, reviewer, reason="why")
            stacks[reviewer].append(word) if word != "undo" else stacks[reviewer].pop()
        tops = {("x1", name): stack[-1] for name, stack in stacks.items() if stack}
        assert {key: verdict.verdict for key, verdict in log.words().items()} == tops


@pytest.mark.parametrize(
    ("word", "reviewer", "reason", "sentence"),
    [
        ("reject", "ann", " ", "has no reason"),
        ("accept", " ", "", "has no name"),
        ("maybe", "ann", "", "is unknown"),
        ("edit", "ann", "", "cannot be edited"),
        ("undo", "ann", "", "nothing to undo"),
    ],
)
def test_incomplete_verdicts_are_refused(tmp_path: Path, word: str, reviewer: str, reason: str, sentence: str) -> None:
    """Nothing is written that could not be understood later."""
    log = VerdictLog(tmp_path)
    with pytest.raises(UsageError, match=sentence):
        log.record(EXAMPLE, word, reviewer, reason=reason)
    assert not log.path.exists()


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{broken", "line 2: is no verdict"),
        ('{"item": "x1"}', r"line 2: is no verdict \(kind: Field required"),
        ("VALID".replace("VALID", "maybe"), "line 2"),
    ],
)
def test_a_file_edited_by_hand_is_refused_by_line(tmp_path: Path, line: str, sentence: str) -> None:
    """A line that is no verdict is an error that names it, not a verdict that is lost."""
    log = VerdictLog(tmp_path)
    log.record(EXAMPLE, "accept", "ann")
    with log.path.open("a", encoding="utf-8") as file:
        file.write(line + "\n")
    with pytest.raises(DataError, match=sentence):
        log.words()


def test_a_changed_word_is_refused(tmp_path: Path) -> None:
    """A verdict that is none of the four words is an error with the field."""
    log = VerdictLog(tmp_path)
    log.record(EXAMPLE, "accept", "ann")
    log.path.write_text(log.path.read_text(encoding="utf-8").replace('"accept"', '"acept"'), encoding="utf-8")
    with pytest.raises(DataError, match=r"line 1: is no verdict \(verdict"):
        approved(tmp_path)


def test_a_torn_last_line_does_not_swallow_the_next(tmp_path: Path) -> None:
    """After a kill in the middle of a line the next verdict begins on a line of its own."""
    log = VerdictLog(tmp_path)
    log.path.write_text('{"item": "x', encoding="utf-8")
    log.record(EXAMPLE, "accept", "ann")
    torn, whole = log.path.read_text(encoding="utf-8").splitlines()
    assert torn == '{"item": "x'
    assert json.loads(whole)["verdict"] == "accept"


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    """The error says which file and what to do."""
    with pytest.raises(StoreError, match=r"verdicts\.jsonl: cannot be written"):
        VerdictLog(tmp_path / "nowhere").record(EXAMPLE, "accept", "ann")


def test_reviewers_in_several_processes_never_mix_lines(tmp_path: Path) -> None:
    """Three processes write at once; every line is whole and none is missing."""
    context = multiprocessing.get_context("spawn")
    workers = [context.Process(target=judge, args=(tmp_path, f"r{number}", 40)) for number in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    counts = Counter(verdict.reviewer for verdict in VerdictLog(tmp_path).lines())
    assert counts == {f"r{number}": 40 for number in range(3)}


def test_accepted_is_what_somebody_accepts_and_nobody_rejects(tmp_path: Path) -> None:
    """One rejection outweighs any number of approvals, until it is taken back."""
    log = VerdictLog(tmp_path)
    log.record(item(1), "accept", "ann")
    log.record(item(2), "accept", "ann")
    log.record(item(2), "reject", "ben", reason="wrong")
    assert (approved(tmp_path), rejected(tmp_path)) == ({"x1"}, {"x2"})
    log.record(item(2), "undo", "ben")
    assert (approved(tmp_path), rejected(tmp_path)) == ({"x1", "x2"}, set())


def test_an_edited_guideline_is_a_new_line_and_the_original_stays(tmp_path: Path) -> None:
    """The edit is approved, the original is not used any more, and both can be read."""
    out = working_folder(tmp_path, 5)
    (one, _) = found(out, "guideline")
    assert one.text is not None
    verdict = VerdictLog(out).record(one, "edit", "ann", edited=one.text.replace("A named human being", "A person"))
    rows = {row["id"]: guideline_of(row) for row in read_lines(out / "guidelines.jsonl")}
    assert rows[one.id].items[0].meaning == "A named human being."
    new = rows[verdict.replacement or ""]
    assert (new.items[0].meaning, new.status) == ("A person.", "draft")
    assert new.provenance == {"edited_from": one.id, "edited_by": "ann"}
    assert verdict.original == one.text
    assert approved(out) == {new.id}
    assert rejected(out) == {one.id}
    again = next(shown for shown in found(out, "guideline") if shown.id == new.id)
    assert again.before == one.text
    assert again.after == verdict.edited


def test_an_edit_that_is_taken_back_leaves_the_original_in_use(tmp_path: Path) -> None:
    """After an undo the edited version is not used, although its line stays in the file."""
    out = working_folder(tmp_path, 5)
    (one,) = found(out, "rule")
    log = VerdictLog(out)
    verdict = log.record(one, "edit", "ann", edited="A title never belongs to a name.")
    new = {row["id"]: rule_of(row) for row in read_lines(out / "rules.jsonl")}[verdict.replacement or ""]
    assert new.operation == rule().operation
    measured = {row["id"]: row for row in read_lines(out / "decisions.jsonl")}
    assert measured[new.id]["agreement"] == 0.95
    log.record(one, "undo", "ann")
    assert (approved(out), rejected(out)) == (set(), {new.id})
    assert [shown.id for shown in found(out, "rule")] == [one.id]


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (("label: place", "label: town"), "explains other labels"),
        (("meaning: A town", "meaning: [A town"), "is no YAML"),
        (("meaning: A town or a country.", "meaning: ''"), r"wrong value at items\.1\.meaning"),
        (("meaning: A named human being.", "meening: x"), "wrong value at items"),
        (("A town", "A town"), "changes nothing"),
    ],
)
def test_an_edit_must_be_a_guideline_for_the_same_labels(
    tmp_path: Path, change: tuple[str, str], sentence: str
) -> None:
    """A broken edit is refused with the reason, and nothing is written."""
    out = working_folder(tmp_path, 5)
    (one, _) = found(out, "guideline")
    before = (out / "guidelines.jsonl").read_text(encoding="utf-8")
    assert one.text is not None
    with pytest.raises(HarnessError, match=sentence):
        VerdictLog(out).record(one, "edit", "ann", edited=one.text.replace(*change))
    assert (out / "guidelines.jsonl").read_text(encoding="utf-8") == before
    assert not (out / "verdicts.jsonl").exists()


def test_an_edited_answer_is_an_example_of_its_own(tmp_path: Path) -> None:
    """It leads back to the original, can be edited again, and is not used any more once the edit is taken back."""
    out = working_folder(tmp_path, 5)
    one = next(shown for shown in found(out, "example") if shown.strategy == "basic")
    log, old = VerdictLog(out), one.example
    assert old is not None
    verdict = log.record(one, "edit", "ann", edited='{"person": ["Ada Vance"],  "place": ["Rome"]}')
    new = edited_examples(out)[one.id]
    assert new.id == verdict.replacement
    assert new.completion == ' {"person": ["Ada Vance"], "place": ["Rome"]}'
    assert [fact["text"] for fact in new.instruction.answer] == ["Ada Vance", "Rome"]
    assert new.instruction.provenance == {"edited_from": one.id, "edited_by": "ann"}
    assert (new.prompt, new.format, new.filters) == (old.prompt, old.format, ())
    assert rejected(out) == {one.id}
    more = replace(one, id=new.id, example=new, text=new.completion)
    log.record(more, "edit", "ben", edited='{"person": ["Vance"]}')
    assert latest(old, edited_examples(out)).completion == ' {"person": ["Vance"]}'
    log.record(more, "undo", "ben")
    log.record(one, "undo", "ann")
    assert latest(old, edited_examples(out)) is old


@pytest.mark.parametrize(
    ("edited", "sentence"),
    [
        ('{"person": ["Ada Vance"', "The answer, "),
        ('{"person": ["Bo"]}', "'Bo' does not occur in the text"),
        ('{"person": [""]}', "fact 1 has an empty text"),
    ],
)
def test_a_wrong_answer_is_no_edit(tmp_path: Path, edited: str, sentence: str) -> None:
    """What the format cannot read, and what the text does not hold, is refused with the reason; nothing is written."""
    out = working_folder(tmp_path, 5)
    one = next(shown for shown in found(out, "example") if shown.strategy == "basic")
    with pytest.raises(DataError, match=sentence):
        VerdictLog(out).record(one, "edit", "ann", edited=edited)
    assert not (out / "examples.jsonl").exists()
    assert not (out / "verdicts.jsonl").exists()


def test_edits_in_a_circle_end(tmp_path: Path) -> None:
    """Who edits an answer back to what it was gets it back, and no endless search."""
    out = working_folder(tmp_path, 5)
    one = next(shown for shown in found(out, "example") if shown.strategy == "basic")
    old = one.example
    assert old is not None
    other = replace(old, completion="x")
    assert latest(old, {old.id: other, other.id: old}) == old


def test_an_edit_of_what_is_gone(tmp_path: Path) -> None:
    """A guideline whose line was taken out of the file cannot be edited."""
    out = working_folder(tmp_path, 5)
    (one, _) = found(out, "guideline")
    (out / "guidelines.jsonl").write_text("", encoding="utf-8")
    with pytest.raises(MissingInputError, match="is not in"):
        VerdictLog(out).record(one, "edit", "ann", edited=(one.text or "") + "# mine\n")


def test_the_queue_shows_what_waits_first(tmp_path: Path) -> None:
    """Drafts and teachers' rules come before what is approved already, then the sample."""
    shown = queue(working_folder(tmp_path), 9, 0.5, "ann", 0)
    assert [one.kind for one in shown] == ["guideline", "rule", "guideline", *["example"] * 9]
    assert "letters" in shown[0].title
    assert "telegrams" in shown[2].title
    ruled = shown[1]
    assert "changes 30 of 30" in ruled.body
    assert "person: Dr Ada Vance" in ruled.before
    assert "person: Ada Vance" in ruled.after


def test_the_sample_is_stratified_and_partly_shared(tmp_path: Path) -> None:
    """Every strategy has its share, two reviewers share the overlap, and the same reviewer gets the same again."""
    out = working_folder(tmp_path)
    ann, again, ben = (
        [one for one in queue(out, 30, 0.4, name, 3) if one.kind == "example"] for name in ("ann", "ann", "ben")
    )
    assert ann == again
    assert Counter(one.strategy for one in ann) == {"basic": 10, "formats": 10, "rules": 10}
    assert [one.id for one in ann[:12]] == [one.id for one in ben[:12]]
    assert len({one.id for one in ann}) == 30
    assert {one.id for one in ann} != {one.id for one in ben}


def test_a_relabelled_example_is_shown_beside_the_original(tmp_path: Path) -> None:
    """The answer without the rule and the answer under it are both there, and failed filters are said."""
    shown = queue(working_folder(tmp_path), 120, 0, "ann", 0)
    ruled = next(one for one in shown if one.kind == "example" and one.strategy == "rules")
    assert ruled.before == "person: Dr Ada Vance\nplace: Rome"
    assert ruled.after == "person: Ada Vance\nplace: Rome"
    assert any("Filters that it fails: length: too long" in one.body for one in shown)


def test_an_empty_folder_has_an_empty_queue(tmp_path: Path) -> None:
    """Before anything is drafted there is nothing to review."""
    assert queue(tmp_path, 10, 0.2, "ann", 0) == []


@pytest.mark.parametrize(("sample", "overlap"), [(-1, 0.2), (5, 1.5), (5, -0.1)])
def test_a_sample_out_of_range_is_refused(tmp_path: Path, sample: int, overlap: float) -> None:
    """The message says what the two numbers are."""
    with pytest.raises(UsageError, match="out of range"):
        queue(tmp_path, sample, overlap, "ann", 0)


@given(
    st.lists(st.integers(0, 30), min_size=9, max_size=9).filter(lambda cells: sum(cells) > 1),
)
def test_kappa_is_that_of_sklearn_and_its_error_that_of_statsmodels(cells: list[int]) -> None:
    """Kappa and its large-sample standard error agree with two other implementations wherever they are defined."""
    table = np.array(cells, dtype=float).reshape(3, 3)
    ours = kappa_and_error(table)
    if ours is None:
        assert np.count_nonzero(table) == 1
        return
    one = [WORDS[row] for row in range(3) for column in range(3) for _ in range(int(table[row, column]))]
    other = [WORDS[column] for row in range(3) for column in range(3) for _ in range(int(table[row, column]))]
    assert ours[0] == pytest.approx(cohen_kappa_score(one, other, labels=list(WORDS)), abs=1e-9)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # other figures of its summary divide by zero
        theirs = cohens_kappa(table)
    assert ours[1] ** 2 == pytest.approx(max(0.0, theirs.var_kappa), abs=1e-9)


def test_agreement_is_counted_per_strategy(tmp_path: Path) -> None:
    """Only items that both judged count; each strategy has its kappa, and all together have one."""
    log = VerdictLog(tmp_path)
    for number in range(40):
        strategy = "rules" if number % 2 else "formats"
        log.record(item(number, strategy), "accept" if number % 3 else "reject", "ann", reason="x")
        if number < 30:
            same = number % 3 > 0 if number % 7 else number % 3 == 0
            log.record(item(number, strategy), "accept" if same else "reject", "ben", reason="x")
    result = {one.strategy: one for one in agreements(log)}
    assert set(result) == {"all", "formats", "rules"}
    assert (result["all"].items, result["rules"].items) == (30, 15)
    assert result["all"].reviewers == ("ann", "ben")
    kappa, interval = result["all"].kappa, result["all"].interval
    assert kappa is not None
    assert interval is not None
    assert interval[0] < kappa < interval[1] <= 1
    assert result["all"].observed == pytest.approx(25 / 30)


def test_agreement_that_is_not_defined_is_said(tmp_path: Path) -> None:
    """Where both accept everything there is no kappa, with the reason; nothing becomes a NaN."""
    log = VerdictLog(tmp_path)
    for reviewer in ("ann", "ben"):
        for number in range(5):
            log.record(item(number), "accept", reviewer)
    for one in agreements(log):
        assert (one.kappa, one.interval, one.observed) == (None, None, 1.0)
        assert "chance alone" in one.reason


@given(st.text("ab c\n", max_size=40), st.text("ab c\n", max_size=40))
def test_differences_lose_nothing(before: str, after: str) -> None:
    """The pieces of each side join to its text, and equal texts have no marks."""
    old, new = differences(before, after)
    assert "".join(text for _, text in old) == before
    assert "".join(text for _, text in new) == after
    assert not any(marked for marked, _ in differences(before, before)[0])


TERMINAL = """
import sys
import termios
import time
import warnings
from pathlib import Path
from synth.review import VerdictLog, in_terminal, queue
out = Path(sys.argv[1])
print("judged", in_terminal(queue(out, 3, 0, "ann", 0), VerdictLog(out), "ann"))
"""


def wait_for_mode(master: int, lines: bool) -> None:
    """Wait until the program reads single keys or lines: what is typed before it changes the mode is thrown away."""
    while bool(termios.tcgetattr(master)[3] & termios.ICANON) is not lines:
        time.sleep(0.01)


def in_a_terminal(out: Path, steps: Sequence[tuple[str, str]]) -> str:
    """What a terminal shows when a person waits for some words and presses some keys, again and again."""
    master, slave = pty.openpty()
    program = [sys.executable, "-c", TERMINAL, str(out)]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "100", "LINES": "40"}
    with subprocess.Popen(program, stdin=slave, stdout=slave, stderr=slave, env=environment) as running:
        os.close(slave)
        shown = ""
        for words, keys in steps:
            seen = len(shown)
            while words not in shown[seen:]:
                shown += os.read(master, 65536).decode(errors="replace")
            wait_for_mode(master, lines=keys.endswith("\r"))
            os.write(master, keys.encode())
        while not re.search(r"judged \d", shown):
            shown += os.read(master, 65536).decode(errors="replace")
        running.wait()
    os.close(master)
    return shown


def test_the_terminal_mode_takes_keys(tmp_path: Path) -> None:
    """Accept, next, previous, an unknown key, undo, a reason for a rejection and quit work in a real terminal."""
    out = working_folder(tmp_path, 5)
    keys = "q quit"
    steps = [(keys, "a"), (keys, "n"), (keys, "x"), (keys, "p"), (keys, "a"), (keys, "k"), (keys, "u"), (keys, "r")]
    screen = in_a_terminal(out, [*steps, ("Why", "too broad\r"), (keys, "q")])
    assert "Guideline · ner · letters" in screen
    assert "There is no key 'x'" in screen
    assert "Taken back." in screen
    said = [(verdict.verdict, verdict.reason) for verdict in VerdictLog(out).lines()]
    assert said == [("accept", ""), ("accept", ""), ("undo", ""), ("reject", "too broad")]
    assert "judged 2" in screen


def test_ctrl_c_ends_the_terminal_mode(tmp_path: Path) -> None:
    """It is a way to quit like any other: what was judged is counted and kept."""
    out = working_folder(tmp_path, 5)
    assert "judged 1" in in_a_terminal(out, [("q quit", "a"), ("q quit", "\x03")])
    assert len(list(VerdictLog(out).lines())) == 1


def test_guidelines_and_rules_of_the_helpers_are_what_they_seem() -> None:
    """The made-up folder holds what the tests think it does."""
    assert guideline().labels == ("person", "place")
    assert [one.strategies for one in examples(1)] == [(), ("rules",), ("formats",)]
