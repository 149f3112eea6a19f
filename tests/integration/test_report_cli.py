"""``harness report`` as a user types it: exit codes, the JSON contract, refusals in a sentence each."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from pages import Page, check_page, scored_run

from harness.baseline import Pointer, accept, write_pointer
from harness.cli import main
from harness.nouns import Run
from harness.store import Checked, write_checked

RNG = np.random.default_rng(5)
BASE = (RNG.random(80) < 0.6).astype(float)
BETTER = np.where(np.arange(80) < 30, 1.0, BASE)

Refused = Callable[..., str]
Typed = Callable[..., tuple[str, Page]]


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a store ``runs``, where the command line's defaults hold."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def two(place: Path) -> tuple[Run, Run]:
    """A candidate and its baseline in the default store."""
    base = scored_run(place / "runs", {"topic": BASE}, checkpoint="base", families={"topic": "tc"})
    return scored_run(place / "runs", {"topic": BETTER}, checkpoint="tuned", families={"topic": "tc"}), base


@pytest.fixture
def typed(place: Path, capsys: pytest.CaptureFixture[str]) -> Typed:
    """Write ``page.html``; returns stdout and the page, which must keep its promises."""

    def run(*arguments: object) -> tuple[str, Page]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main(["report", "-o", "page.html", *map(str, arguments)])
        told = capsys.readouterr()
        assert ended.value.code in (0, None), told.err
        return told.out, check_page((place / "page.html").read_text(encoding="utf-8"))

    return run


def test_one_run(two: tuple[Run, Run], typed: Typed) -> None:
    """A page about the latest run; stdout is its path."""
    out, page = typed("latest")
    assert out == "page.html\n"
    assert page.words("h1") == ["org/tuned"]
    assert [section for section in page.all("section") if section.attributes["id"].startswith("comparison")] == []


def test_a_pair(two: tuple[Run, Run], typed: Typed) -> None:
    """With a baseline: the claims in the JSON document are those of the page, the baseline's run comes first."""
    out, page = typed(two[0].id[:8], "--baseline", two[1].path, "--json")
    document = json.loads(out)
    assert set(document) == {"path", "runs", "sentences"}
    assert document["path"] == "page.html"
    assert document["runs"] == [two[1].id, two[0].id]
    text = " ".join(page.all("body")[0].text.split())
    assert document["sentences"]
    assert all(" ".join(sentence.split()) in text for sentence in document["sentences"])
    assert page.words("h1") == ["org/tuned against org/base"]
    assert page.words("span", class_="pill") == []


def test_a_policy_rules(two: tuple[Run, Run], typed: Typed) -> None:
    """--policy alone takes the policy that the suite names, with a name that one."""
    _, page = typed(two[0].id[:8], "-B", two[1].id[:8], "--policy")
    assert "general 1.0 on quick" in page.words("p", class_="ruling")[0]
    _, page = typed(two[0].id[:8], "-B", two[1].id[:8], "--policy", "nlu")
    assert "nlu 1.0 on quick" in page.words("p", class_="ruling")[0]


def test_several_runs_against_a_pointer(two: tuple[Run, Run], place: Path, typed: Typed) -> None:
    """Every run is compared with what the pointer holds, a run given twice once; the title is the user's."""
    other = scored_run(place / "runs", {"topic": BASE}, checkpoint="other", families={"topic": "tc"})
    write_pointer(place / "baseline.json", Pointer(accept(two[1], "a test", "a tester")))
    runs = (two[0].id[:8], other.path, two[0].path, two[1].id)
    _, page = typed(*runs, "--baseline", "baseline.json", "--title", "Three <runs>")
    assert page.words("h1") == ["Three <runs>"]
    assert [words for words in page.words("h2") if "against" in words] == [
        "org/tuned against org/base", "org/other against org/base"
    ]  # fmt: skip


def test_texts_can_be_left_out(place: Path, typed: Typed) -> None:
    """--show_flips 0 gives a page without any text of the data."""
    both = {"texts": "A third party's words."}
    candidate = scored_run(place / "runs", {"topic": BETTER}, checkpoint="tuned", **both)
    baseline = scored_run(place / "runs", {"topic": BASE}, checkpoint="base", **both)
    assert "A third party's words." in typed(candidate.id, "-B", baseline.id)[1].words("pre")
    _, page = typed(candidate.id, "-B", baseline.id, "--show_flips", 0)
    assert page.all("pre") == []


def test_what_training_data_was_checked_for_is_told(two: tuple[Run, Run], typed: Typed, refused: Refused) -> None:
    """A check of contamination beside the run is told with its corpus; none is said to be none; a changed one stops."""
    _, page = typed(two[0].id, two[1].id)
    facts = [words for words in page.words("dd") if words.startswith("quick: not checked")]
    assert len(facts) == 2
    tasks = {"topic": {"items": 80, "text": 1, "sentence": 2, "13-gram": 4, "8-gram": 6}}
    suites = {suite["name"]: suite["digest"] for suite in two[0].manifest["suites"]}
    record = write_checked(Path("runs"), Checked(two[0].id, "1", "corpus.jsonl", "ab" * 32, 1200, suites, tasks))
    _, page = typed(two[0].id, two[1].id)
    (told,) = [words for words in page.words("dd") if "corpus.jsonl" in words]
    assert "1,200 rows" in told
    assert "5.0 % of 80 tc items" in told
    record.write_text(record.read_text().replace("1200", "1300"))
    refused(65, f"report {two[0].id} -o page.html", record.name, "changed", "harness contamination")
    typed(two[1].id)


def test_no_run(refused: Refused, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """No RUN is a usage error of click; a RUN or a store that is not there is named."""
    with pytest.raises(SystemExit) as ended:
        main(["report", "-o", "page.html"])
    assert ended.value.code == 64
    assert "RUN" in capsys.readouterr().err
    refused(66, "report abcdef12 -o page.html", "abcdef12", "fits no run")
    refused(66, "report latest -o page.html", "holds no runs")
    refused(66, "report gone/run -o page.html", "gone/run")
    assert not (place / "page.html").exists()


def test_no_output(two: tuple[Run, Run], capsys: pytest.CaptureFixture[str]) -> None:
    """The page's place must be said."""
    with pytest.raises(SystemExit) as ended:
        main(["report", "latest"])
    assert ended.value.code == 64
    assert "--output_path" in capsys.readouterr().err


@pytest.mark.parametrize("damage", ["records", "manifest", "missing", "added"])
def test_a_damaged_run_is_refused(two: tuple[Run, Run], place: Path, refused: Refused, damage: str) -> None:
    """Whatever was changed after the run was stored, in candidate or baseline, is named, and no page is written."""
    folder = Path(two[1].path)
    items = folder / "items" / "topic.jsonl.zst"
    if damage == "records":
        items.write_bytes(items.read_bytes()[:-1] + b"x")
    elif damage == "manifest":
        (folder / "run.json").write_text((folder / "run.json").read_text().replace("org/base", "org/best"))
    elif damage == "missing":
        items.unlink()
    else:
        (folder / "items" / "more.jsonl.zst").write_bytes(b"")
    words = {"records": "changed", "manifest": "was changed", "missing": "missing", "added": "added"}[damage]
    refused(65, f"report {two[0].id} --baseline {two[1].path} -o page.html", folder.name, words)
    refused(65, f"report {two[1].path} -o page.html", folder.name, words)
    assert not (place / "page.html").exists()


def test_unlike_runs_are_refused(two: tuple[Run, Run], place: Path, refused: Refused) -> None:
    """Runs of other cards have no comparison, so no page either; side by side without a baseline they are shown."""
    entries = {"topic": {"digest": "0" * 64}}
    other = scored_run(place / "runs", {"topic": BASE}, checkpoint="c", entries=entries)
    refused(65, f"report {other.id} --baseline {two[1].id} -o page.html", "Task topic", "unlike")
    assert not (place / "page.html").exists()
    with pytest.raises(SystemExit) as ended:
        main(["report", other.id, two[1].id, "-o", "page.html"])
    assert not ended.value.code
    check_page((place / "page.html").read_text(encoding="utf-8"))


def test_options_that_make_no_sense(two: tuple[Run, Run], refused: Refused) -> None:
    """A baseline against itself, a policy without a baseline, one that is not known."""
    refused(64, f"report {two[1].id} --baseline {two[1].id} -o page.html", "is the only run")
    refused(64, f"report {two[1].id} --policy -o page.html", "--policy", "--baseline")
    refused(64, f"report {two[0].id} -B {two[1].id} --policy generall -o page.html", "general")
    refused(66, f"report {two[0].id} -B {two[1].id} --policy gone.yaml -o page.html", "gone.yaml")
    refused(66, f"report {two[0].id} -B gone.json -o page.html", "gone.json", "is not there")


def test_places_that_cannot_be_written(two: tuple[Run, Run], place: Path, refused: Refused) -> None:
    """A folder, a file in the way, a folder without permission: 73, and what was there stays."""
    (place / "folder").mkdir()
    (place / "file").write_text("mine")
    refused(73, "report latest -o folder", "folder", "is a folder")
    refused(73, "report latest -o file/page.html", "file/page.html", "cannot be written")
    assert (place / "file").read_text() == "mine"
    if os.geteuid():  # root may write anywhere
        (place / "folder").chmod(0o500)
        refused(73, "report latest -o folder/page.html", "folder/page.html", "cannot be written")


def test_help_has_examples(capsys: pytest.CaptureFixture[str]) -> None:
    """The help shows how a page of one run, of a pair, and of several is made, and the exit codes."""
    with pytest.raises(SystemExit):
        main(["report", "--help"])
    text = capsys.readouterr().out
    assert text.count("harness report ") >= 3
    assert "73 cannot write" in text
