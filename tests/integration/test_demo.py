"""``harness demo``: the whole loop, its claim, and what happens when something comes in between."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from disks import small_disk

from harness.cli import main
from harness.store import list_runs
from harness.store.disk import alone

Refused = Callable[..., str]

CORPUS = {"sources": [{"dataset": "seeds", "limit": 120}], "mix": {"records": 40}}
TUNING = {"data": "corpus/corpus", "steps": 2, "batch": 2, "learning_rate": 0.003}


def small(context: pytest.MonkeyPatch, folder: Path) -> None:
    """Let the demonstration take its smallest form: few rows, two steps, one suite."""
    for name, content in (("corpus.yaml", CORPUS), ("tuning.yaml", TUNING)):
        (folder / name).write_text(yaml.safe_dump(content), encoding="utf-8")
    context.setattr("harness.cli.demo.RECIPES", folder)
    context.setattr("harness.cli.demo.SUITES", ("quick-general",))


def typed(*line: str) -> Any:
    """The exit code of a command line."""
    with pytest.raises(SystemExit) as exit_:
        main(list(line))
    return exit_.value.code


@dataclass
class Shown:
    """A demonstration that was interrupted in its training and then given again."""

    out: Path
    code: int
    document: dict[str, Any]
    told: str

    @property
    def commands(self) -> list[list[str]]:
        """The commands that it printed, without ``harness``."""
        return [shlex.split(line[2:])[1:] for line in self.told.splitlines() if line.startswith("$ ")]


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    """The demonstration in its smallest form."""
    import contextlib
    import io

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    folder = tmp_path_factory.mktemp("demo")
    out, results, told = folder / "out", io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as context:
        small(context, folder)
        with pytest.MonkeyPatch.context() as broken:
            broken.setattr("synth.tuning.train._losses", interrupt)
            code = typed("demo", "-o", str(out))
        with contextlib.redirect_stdout(results), contextlib.redirect_stderr(told):
            assert typed("demo", "-o", str(out), "--json") == 0
        yield Shown(out, code, json.loads(results.getvalue()), told.getvalue())


def test_the_loop_ends_with_the_claim_of_compare(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    """Verdict and sentence are those that ``gate`` and ``compare`` give when they are typed as they were printed."""
    assert set(shown.document) == {"verdict", "sentence", "seconds", "path"}
    assert [line[0] for line in shown.commands] == [
        "run", "produce", "produce", "run", "compare", "gate", "leaderboard",
    ]  # fmt: skip
    compare, gate, board = shown.commands[4:]
    assert typed(*compare, "--json") == 0
    sentences = json.loads(capsys.readouterr().out)["sentences"]
    assert shown.document["sentence"] == sentences[0]
    assert shown.document["sentence"].startswith("quick-general: the candidate scores")
    assert typed(*gate, "--json") in (0, 1, 2)
    assert json.loads(capsys.readouterr().out)["verdict"] == shown.document["verdict"]
    assert typed("leaderboard", "check", *board[2:]) == 0


def test_what_it_made_is_where_it_says(shown: Shown) -> None:
    """Each path that it ends with is there, and the candidate's record leads back to the base."""
    paths = [line.split()[0] for line in shown.told.splitlines() if line.startswith(f"  {shown.out}")]
    assert len(paths) == 7
    assert all(Path(path).exists() for path in paths)
    newest, oldest = list_runs(shown.out / "runs")
    assert newest.manifest["checkpoint"]["producer"] == "full"
    assert newest.manifest["checkpoint"]["parent"] == oldest.manifest["checkpoint"]["digests"]["weights"]


def test_an_interrupt_costs_nothing_that_was_done(shown: Shown) -> None:
    """Ctrl-C in the training ends with 130; then the base is not scored again and the training goes on at its state."""
    assert shown.code == 130
    assert "scored before: quick-general" in shown.told
    assert "going on at checkpoint-1" in shown.told
    assert len(list(list_runs(shown.out / "runs"))) == 2


def test_a_finished_demonstration_is_shown_again(shown: Shown, capsys: pytest.CaptureFixture[str]) -> None:
    """The same command scores and trains nothing, and ends with the same claim."""
    before = {path: path.stat().st_mtime_ns for path in (shown.out / "runs").rglob("run.json")}
    assert typed("demo", "-o", str(shown.out), "--json") == 0
    again = json.loads(capsys.readouterr().out)
    assert {**again, "seconds": 0} == {**shown.document, "seconds": 0}
    assert {path: path.stat().st_mtime_ns for path in (shown.out / "runs").rglob("run.json")} == before


def test_a_folder_that_is_none_of_ours_is_refused(tmp_path: Path, refused: Refused) -> None:
    """A file, a folder below a file, a folder that holds something, and one that another process works in."""
    file = tmp_path / "file"
    file.write_text("mine", encoding="utf-8")
    refused(73, ["demo", "-o", str(file)], "is a file", "--output_path")
    refused(73, ["demo", "-o", str(file / "below")], "cannot be written")
    refused(64, ["demo", "-o", str(tmp_path)], "holds something else", "--output_path")
    refused(64, ["demo", "-o", str(tmp_path / "a,b")], "has a comma")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert file.read_text(encoding="utf-8") == "mine"
    busy = tmp_path / "busy"
    with alone(busy):
        (busy / "corpus.yaml").touch()
        refused(73, ["demo", "-o", str(busy)], "is being worked on by another process")


def test_a_full_disk_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """What cannot be written ends with 73 and a sentence."""
    small(monkeypatch, tmp_path)
    with small_disk(2_000):
        assert typed("demo", "-o", str(tmp_path / "out")) == 73
    told = capsys.readouterr().err
    assert told.strip().splitlines()[-1].startswith("harness: ")
    assert "cannot be written" in told


def test_a_disk_that_was_full_at_once_is_gone_on_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refused: Refused
) -> None:
    """What the first attempt left does not make the folder somebody else's."""
    small(monkeypatch, tmp_path)
    with small_disk(0):
        refused(73, ["demo", "-o", str(tmp_path / "out")], "cannot be written")

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("harness.cli.demo._Demonstration.show", interrupt)
    refused(130, ["demo", "-o", str(tmp_path / "out")], "Interrupted")
    assert (tmp_path / "out" / "corpus.yaml").is_file()


@pytest.mark.slow
def test_the_true_demonstration_is_short(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """It takes less than five minutes of two cores, and its claim is about both suites."""
    before = sum(os.times()[:4])
    assert typed("demo", "-o", str(tmp_path / "demo"), "--json") == 0
    assert sum(os.times()[:4]) - before < 2 * 300
    document = json.loads(capsys.readouterr().out)
    assert document["sentence"].startswith("quick-nlu: the candidate scores")
    assert "quick-general: the candidate scores" in document["sentence"]
