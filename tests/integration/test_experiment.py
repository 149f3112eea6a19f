"""An experiment end to end: what it makes, how it goes on, how it fails, and what its exit code says."""

from __future__ import annotations

import fcntl
import json
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from matrices import write
from trainings import rows

from harness.cli import main
from harness.experiment.matrix import matrix_names
from harness.store import list_runs

Refused = Callable[..., str]
Tiny = Callable[..., Path]
pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it

SUITES = {"suites": ["quick-general"], "limit": 4, "log_samples": False}


def done(matrix: Path, out: Path, code: int, *more: str) -> dict[str, Any]:
    """The ``experiment.json`` of a call that ends with a code."""
    with pytest.raises(SystemExit) as exit_:
        main(["experiment", str(matrix), "-o", str(out), *more])
    assert exit_.value.code == code
    document: dict[str, Any] = json.loads((out / "experiment.json").read_text(encoding="utf-8"))
    return document


def runs(document: dict[str, Any]) -> dict[str, list[str]]:
    """Run ids by cell."""
    return {cell["cell"]: [run["run_id"] for run in cell["runs"]] for cell in document["cells"]}


@pytest.fixture(scope="module")
def checkpoints(tiny: Tiny, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three checkpoints that differ in their weights, as trainings of three seeds would."""
    folder = tmp_path_factory.mktemp("made")
    for seed in range(3):
        made = tiny(f"seed-{seed}", lambda model, seed=seed: model.lm_head.weight.mul_(2 + seed))
        shutil.move(made, folder / f"seed-{seed}")
    return folder


@pytest.fixture
def imported(checkpoint: Path, checkpoints: Path, tmp_path: Path) -> Callable[..., Path]:
    """A matrix whose candidate is imported, seed by seed."""

    def make(**changes: Any) -> Path:
        recipe = {"checkpoint": f"{checkpoints}/seed-{{seed}}"}
        arms = {"base": {"producer": None}, "tuned": {"producer": "import", "recipe": recipe}}
        compare = [{"candidate": "tuned", "baseline": "base"}]
        fields = {"bases": {"tiny": str(checkpoint)}, "arms": arms, "compare": compare, **SUITES, **changes}
        return write(tmp_path, **fields)

    return make


@pytest.fixture(scope="module")
def trained(checkpoint: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, dict[str, Any]]:
    """Matrix, folder and document of an experiment that trains: two seeds, and an arm that starts from another's."""
    folder = tmp_path_factory.mktemp("trained")
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows()), encoding="utf-8")
    recipe = {"data": "rows.jsonl", "seed": "{seed}", "steps": 2, "batch": 4, "learning_rate": 0.01}
    arms = {
        "base": {"producer": None},
        "tuned": {"producer": "lora", "recipe": recipe},
        "more": {"extends": "tuned", "producer": "full", "start": "tuned", "recipe": recipe},
    }
    compare = [{"candidate": "tuned", "baseline": "base", "policies": {"quick-general": "general"}}]
    matrix = write(folder, bases={"tiny": str(checkpoint)}, seeds=[0, 1], arms=arms, compare=compare, **SUITES)
    return matrix, folder / "out", done(matrix, folder / "out", 2)


def test_an_experiment_makes_scores_and_rules(trained: tuple[Path, Path, dict[str, Any]]) -> None:
    """Every cell is made and scored; with two seeds each pair is gated, and the exit code is the verdict's."""
    _, out, document = trained
    labels = ["tiny/base", *(f"tiny/{arm}/seed-{seed}" for arm in ("tuned", "more") for seed in (0, 1))]
    assert [cell["cell"] for cell in document["cells"]] == labels
    assert {cell["status"] for cell in document["cells"]} == {"made"}
    (held,) = document["comparisons"]
    assert [entry["claim_type"] for entry in held["comparisons"]] == ["checkpoint", "checkpoint"]
    assert (held["recipe"], held["verdict"], len(held["verdicts"])) == (None, "INCONCLUSIVE", 2)
    assert (document["verdict"], document["failures"], document["to_make"]) == ("INCONCLUSIVE", [], [])
    assert all(path.is_file() for path in (out / "report.html", out / "boards" / "quick-general.md"))
    assert len({run for own in runs(document).values() for run in own}) == 5
    manifest = json.loads((out / "checkpoints/tiny/more/seed-1/checkpoint.json").read_text(encoding="utf-8"))
    first = json.loads((out / "checkpoints/tiny/tuned/seed-1/checkpoint.json").read_text(encoding="utf-8"))
    assert manifest["parent"] == first["checkpoint"]["digests"]["weights"]
    assert all({"producing", "scoring", "own"} <= set(cell["seconds"]) for cell in document["cells"])


def test_the_same_command_does_nothing_again(trained: tuple[Path, Path, dict[str, Any]]) -> None:
    """Equal run ids, and no file of a checkpoint or a run is written anew; a seed more is all that is made."""
    matrix, out, before = trained
    files = {path: path.stat().st_mtime_ns for path in out.rglob("*") if path.suffix in (".safetensors", ".zst")}
    assert runs(done(matrix, out, 2)) == runs(before)
    assert {path: path.stat().st_mtime_ns for path in files} == files
    assert not [path for path in out.rglob("*.zst") if path not in files]


def test_scores_are_those_of_harness_run(
    trained: tuple[Path, Path, dict[str, Any]], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    """A checkpoint that was scored after others, with their cards and prompts, has the records of one scored alone."""
    _, out, document = trained
    cell = document["cells"][-1]
    folder = str(out / cell["folder"])
    with pytest.raises(SystemExit):
        main(
            [
                "run",
                "-S",
                "quick-general",
                "-a",
                f"pretrained={folder}",
                "-L",
                "4",
                "-o",
                str(tmp_path),
                "--json",
                "--no_log_samples",
            ]
        )
    alone = Path(json.loads(capsys.readouterr().out)["path"])
    stored = out / "runs" / cell["runs"][0]["run_id"]
    for name in (path.name for path in (alone / "items").iterdir()):
        assert (alone / "items" / name).read_bytes() == (stored / "items" / name).read_bytes()


def test_three_seeds_allow_a_claim_about_the_recipe(imported: Callable[..., Path], tmp_path: Path) -> None:
    """The comparison of recipes is there beside those of the pairs, and it is what is gated."""
    compare = [{"candidate": "tuned", "baseline": "base", "claim": "recipe", "policies": {"quick-general": "general"}}]
    document = done(imported(compare=compare), tmp_path / "out", 2)
    (held,) = document["comparisons"]
    assert len(held["comparisons"]) == len(held["pairs"]) == 3
    assert held["recipe"]["claim_type"] == "recipe"
    (verdict,) = held["verdicts"]
    assert verdict["claim_type"] == "recipe"
    assert {claim["items"] for claim in verdict["claims"]} == {3}
    assert set(held["holm"]) == {"quick-general"}


def test_a_cell_that_fails_does_not_keep_the_others(
    imported: Callable[..., Path], checkpoints: Path, tmp_path: Path
) -> None:
    """Its reason is told, what needs it is not tried, the rest is done; the next call tries again what failed alone."""
    arms = {
        "base": {"producer": None},
        "tuned": {"producer": "import", "recipe": {"checkpoint": str(tmp_path / "later-{seed}")}},
        "more": {"producer": "null", "start": "tuned"},
        "other": {"producer": "import", "recipe": {"checkpoint": f"{checkpoints}/seed-{{seed}}"}},
    }
    matrix = imported(arms=arms, seeds=[0])
    document = done(matrix, tmp_path / "out", 66)
    assert {cell["cell"]: cell["status"] for cell in document["cells"]} == {
        "tiny/base": "made",
        "tiny/tuned/seed-0": "failed",
        "tiny/more/seed-0": "failed",
        "tiny/other/seed-0": "made",
    }
    first, second = document["failures"]
    assert "later-0" in first["reason"]
    assert second["reason"] == "needs tiny/tuned/seed-0, which failed"
    assert "for want of runs of tiny/tuned/seed-0" in document["comparisons"][0]["problem"]
    shutil.copytree(checkpoints / "seed-0", tmp_path / "later-0")
    again, before = done(matrix, tmp_path / "out", 0), runs(document)
    assert again["failures"] == []
    assert all(runs(again).values())
    assert {cell: own for cell, own in runs(again).items() if before[cell]} == {
        c: own for c, own in before.items() if own
    }


def test_a_run_past_its_limits_is_a_failure(imported: Callable[..., Path], tmp_path: Path) -> None:
    """It is recorded and told, the checkpoint stays, and the next call asks it again."""
    suite = "suite: strict\ntitle: A strict one\nversion: '1'\ntasks: [quick_ner]\nlimits: {unparseable: 0.1}\n"
    (tmp_path / "cards").mkdir()
    (tmp_path / "cards" / "strict.yaml").write_text(suite, encoding="utf-8")
    matrix = imported(arms={"base": {}}, compare=[], suites=["strict"], include=["cards"], limit=2)
    for recorded in (1, 2):
        document = done(matrix, tmp_path / "out", 65)
        (failure,) = document["failures"]
        assert (failure["step"], document["to_make"]) == ("strict", [])
        assert all(word in failure["reason"] for word in ("failed (", "quick_ner", "is recorded as"))
        assert len(list((tmp_path / "out" / "runs").glob("*/run.json"))) == recorded


def test_a_killed_experiment_goes_on(imported: Callable[..., Path], tmp_path: Path) -> None:
    """SIGKILL in the middle: what was recorded keeps its run ids, and only the rest is done."""
    matrix, out = imported(), tmp_path / "out"
    command = [sys.executable, "-m", "harness", "experiment", str(matrix), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    while process.poll() is None and not (out / "runs" / "ledger.jsonl").is_file():
        time.sleep(0.02)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    (before,) = (run.id for run in list_runs(out / "runs"))
    document = done(matrix, out, 0)
    found = [run for own in runs(document).values() for run in own]
    assert len(found) == len(list(list_runs(out / "runs"))) == 4
    assert before in found


def test_ctrl_c_says_how_far_it_is(
    imported: Callable[..., Path], tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The exit code is 130, the sentence counts cells and runs, and the document is there."""
    seen: list[str] = []

    def second(cell: Any, *rest: Any) -> Any:
        from harness.experiment.scoring import score

        seen.append(cell.label)
        if len(seen) == 2:
            raise KeyboardInterrupt
        return score(cell, *rest)

    matrix, out = imported(), tmp_path / "out"
    with monkeypatch.context() as context:
        context.setattr("harness.experiment.work.score", second)
        refused(
            130, ["experiment", str(matrix), "-o", str(out), "--json"], "2 of 4 cells", "1 of 4 runs", "same command"
        )
    document = json.loads((out / "experiment.json").read_text(encoding="utf-8"))
    assert document["to_make"] == ["tiny/tuned/seed-1", "tiny/tuned/seed-2"]
    assert done(matrix, out, 0)["to_make"] == []


def test_two_processes_in_one_folder_are_refused(
    imported: Callable[..., Path], tmp_path: Path, refused: Refused
) -> None:
    """The second says so and computes nothing."""
    (tmp_path / "out").mkdir()
    with (tmp_path / "out" / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        refused(73, ["experiment", str(imported()), "-o", str(tmp_path / "out"), "--json"], "another process")


def test_a_changed_recipe_is_not_mixed_in(
    trained: tuple[Path, Path, dict[str, Any]], refused: Refused, tmp_path: Path
) -> None:
    """What was made from other inputs is refused before anything is computed, and stays."""
    matrix, out, _ = trained
    text = matrix.read_text(encoding="utf-8").replace("steps: 2", "steps: 3")
    changed = matrix.with_name("changed.yaml")
    changed.write_text(text, encoding="utf-8")
    sentence = refused(64, ["experiment", str(changed), "-o", str(out)], "tiny/tuned/seed-0", "another recipe")
    assert str(out / "checkpoints/tiny/tuned/seed-0") in sentence
    rows_ = matrix.with_name("rows.jsonl")
    before = rows_.read_text(encoding="utf-8")
    rows_.write_text(before * 2, encoding="utf-8")
    refused(64, ["experiment", str(matrix), "-o", str(out)], "tiny/tuned/seed-0", "data")
    rows_.write_text(before, encoding="utf-8")


def test_some_arms_first(imported: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """``--only`` makes an arm and what it needs, and compares nothing that it does not have; --json is one document."""
    matrix, out = imported(), tmp_path / "out"
    document = done(matrix, out, 0, "--only", "base", "--json")
    assert json.loads(capsys.readouterr().out) == document
    assert (list(runs(document)), document["comparisons"]) == (["tiny/base"], [])
    assert len(done(matrix, out, 0, "--only", "tuned", "--only", "base", "--limit", "3")["comparisons"]) == 1
    assert document["limits"] == {"quick-general": 4}


@pytest.mark.parametrize(
    ("changes", "code", "words"),
    [
        ({"compare": [{"candidate": "tuned", "baseline": "tuned"}]}, 64, ["holds tuned against itself"]),
        ({"compare": [{"candidate": "tune", "baseline": "base"}]}, 65, ["arm tune", "did you mean tuned?"]),
        ({"compare": [{"candidate": "base", "baseline": "tuned", "claim": "recipe"}]}, 64, ["the same for every seed"]),
        (
            {"seeds": [0, 1], "compare": [{"candidate": "tuned", "baseline": "base", "claim": "recipe"}]},
            64,
            ["over 2 of the seeds", "at least 3 seeds"],
        ),
        (
            {"compare": [{"candidate": "tuned", "baseline": "base", "policies": {"quick-nlu": "nlu"}}]},
            65,
            ["gates the suite quick-nlu", "nothing is scored", "did you mean quick-general?"],
        ),
        (
            {"compare": [{"candidate": "tuned", "baseline": "base", "policies": {"quick-general": "genral"}}]},
            64,
            ["'genral'", "did you mean general?"],
        ),
        ({"suites": ["quick-generl"]}, 64, ["quick-generl"]),
        ({"arms": {"a": {"producer": "laro"}}, "compare": []}, 64, ["'laro'", "not installed"]),
        (
            {"arms": {"a": {"producer": "null", "recipe": {"x": 1}}}, "compare": []},
            65,
            ["arm a", "null refuses", "key x"],
        ),
        (
            {"arms": {"a": {"producer": "lora", "recipe": {"data": "d", "epoch": 1}}}, "compare": []},
            65,
            ["arm a", "unknown key epoch", "did you mean epochs?"],
        ),
        ({"bases": {"tiny": "./none"}}, 66, ["./none", "does not exist"]),
        ({"arms": {"a": {"start": "b"}, "b": {"start": "a"}}, "compare": []}, 65, ["needs itself in the end"]),
        ({"limit": {"quick-nlu": 3}}, 65, ["quick-nlu, on which nothing is scored"]),
        ({"suites": ["quick-nlu", "quick-general"], "limit": {"quick-nlu": 3}}, 65, ["differs within the run"]),
    ],
)
@pytest.mark.parametrize("dry", [[], ["--dry_run"]], ids=["run", "dry run"])
def test_what_cannot_be_done_is_refused_at_once(
    imported: Callable[..., Path],
    tmp_path: Path,
    refused: Refused,
    dry: list[str],
    changes: dict[str, Any],
    code: int,
    words: list[str],
) -> None:
    """Nothing is computed, no folder is begun, and one sentence says what to correct."""
    refused(code, ["experiment", str(imported(**changes)), "-o", str(tmp_path / "out"), *dry], *words)
    assert not (tmp_path / "out").exists()


def test_an_arm_that_is_given_twice_is_refused(tmp_path: Path, refused: Refused) -> None:
    """Of two arms of one name neither is dropped in silence: code 65, with both lines."""
    matrix = tmp_path / "twice.yaml"
    matrix.write_text("matrix: m\narms:\n  a: {producer: null}\n  a: {producer: null}\nsuites: [quick]\n")
    refused(65, ["experiment", str(matrix), "-o", str(tmp_path / "out")], "line 4, field arms.a", "is given twice")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", matrix_names())
def test_shipped_matrices_can_be_done(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each passes a dry run offline, has a base arm and at least three seeds, and writes nothing."""
    with pytest.raises(SystemExit) as exit_:
        main(["experiment", name, "-o", str(tmp_path / "out"), "--dry_run", "--json"])
    assert exit_.value.code == 0
    document = json.loads(capsys.readouterr().out)
    assert document["matrix"] == name
    assert len(document["seeds"]) >= 3
    assert "null" in {cell["producer"] for cell in document["cells"]}
    assert not (tmp_path / "out").exists()
