"""Failure signatures as a user meets them: in ``run``, ``compare`` and ``gate``, on the screen and as JSON."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from probing import formats
from records import make_run

from harness.cli import main
from harness.engines.items import sample_ids, sampled_as
from harness.nouns import Run, Task

Call = Callable[..., tuple[int, str, str]]
Refused = Callable[..., str]
GOLD = [[f"fact {i}", f"other {i}"] for i in range(80)]
RNG = np.random.default_rng(4)
SIGN_KEYS = {
    "name", "subject", "value", "interval", "items", "sentence", "higher_is_worse", "baseline", "delta", "p_worse",
    "p_worse_holm", "tasks",
}  # fmt: skip
POLICY = "policy: mine\nversion: 1\nsignatures:\n  {name}: {margin}\n"


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process; returns exit code, stdout and stderr."""

    def typed(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        told = capsys.readouterr()
        return int(ended.value.code or 0), told.out, told.err

    return typed


def told(share: float) -> list[list[str]]:
    """Answers that state each gold fact with a probability."""
    return [[fact for fact in right if RNG.random() < share] for right in GOLD]


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Run, Run]:
    """A candidate that has learned the seen formats alone, and its baseline."""
    store = tmp_path / "runs"
    tuned = formats(store, {"json": told(0.95), "new_qa": told(0.5)}, GOLD, checkpoint="tuned")
    return tuned, formats(store, {"json": told(0.5), "new_qa": told(0.5)}, GOLD, checkpoint="base")


def test_compare_says_what_stands_out(pair: tuple[Run, Run], call: Call) -> None:
    """A row per sign, and in words those that are shown to be worse."""
    code, out, _ = call("compare", pair[0].path, pair[1].path)
    assert code == 0
    assert "Failure signatures" in out
    assert "format_gap" in out
    assert "points above that with others (new_qa)" in " ".join(out.split())
    assert "Shown to be worse than the baseline (p <0.001 after Holm)." in " ".join(out.split())


def test_compare_has_signs_in_json(pair: tuple[Run, Run], call: Call) -> None:
    """``signatures`` holds every field of every sign; the document stays one document."""
    code, out, _ = call("compare", pair[0].path, pair[1].path, "--json")
    found = json.loads(out)["signatures"]
    assert code == 0
    assert {"task_degradation", "format_consistency", "format_spread", "format_gap"} <= {sign["name"] for sign in found}
    assert all(set(sign) == SIGN_KEYS for sign in found)


@pytest.mark.parametrize(("margin", "code"), [("0.05", 1), ("0.9", 0)])
def test_a_gated_sign_decides_the_exit_code(
    pair: tuple[Run, Run], call: Call, tmp_path: Path, margin: str, code: int
) -> None:
    """A policy of signatures alone is a policy: the gap fails at five points and passes at ninety."""
    policy = tmp_path / "gate.yaml"
    policy.write_text(POLICY.format(name="format_gap", margin=margin), encoding="utf-8")
    ended, out, err = call("gate", pair[0].path, "--baseline", pair[1].path, "-p", policy, "--json")
    assert ended == code, err
    claims = {claim["claim"]: claim for claim in json.loads(out)["claims"]}
    (claim,) = [claim for name, claim in claims.items() if "format gap not worse by" in name]
    assert claim["verdict"] == ("FAIL" if code else "PASS")
    assert "(less is better)" in claim["sentence"]


def test_a_sign_that_the_runs_lack_is_refused(refused: Refused, tmp_path: Path) -> None:
    """A policy that gates what was not scored ends with 65."""
    run = make_run(tmp_path / "runs", {"topic": np.ones(50)})
    policy = tmp_path / "gate.yaml"
    policy.write_text(POLICY.format(name="rule_ignoring", margin="0.05"), encoding="utf-8")
    refused(65, ["gate", run.path, "--baseline", run.path, "-p", str(policy)], "The sign rule_ignoring", "quick")


def test_an_unknown_sign_is_refused_with_the_nearest(refused: Refused, tmp_path: Path) -> None:
    """A misspelt sign would let everything pass."""
    run = make_run(tmp_path / "runs", {"topic": np.ones(50)})
    policy = tmp_path / "gate.yaml"
    policy.write_text(POLICY.format(name="format_consistancy", margin="0.05"), encoding="utf-8")
    refused(65, ["gate", run.path, "--baseline", run.path, "-p", str(policy)], "did you mean format_consistency")


def test_compare_of_recipes_has_signs(tmp_path: Path, call: Call) -> None:
    """``--recipe`` reports the signs over pairs of seeds."""
    runs = [
        formats(tmp_path / "runs", {"json": told(share), "new_qa": told(0.5)}, GOLD, checkpoint=f"{word} {seed}")
        for seed in range(3)
        for word, share in (("tuned", 0.9), ("base", 0.5))
    ]
    code, out, _ = call("compare", *(run.path for run in runs), "--recipe", "--json")
    found = {sign["name"]: sign for sign in json.loads(out)["signatures"]}
    assert code == 0
    assert "over 3 pairs of training seeds" in found["format_gap"]["sentence"]


def test_probes_of_one_task_ask_the_same_rows() -> None:
    """A limit draws one sample for a task and all probes of its documents, and others for other tasks."""
    names = {
        task.name: tuple(sample_ids(sampled_as(task), 500, 20, 0))
        for task in (
            Task("quick_ner", "ner", "f1"),
            Task("probe_a", "format", "f1", probe={"kind": "format", "of": "quick_ner", "variant": "json"}),
            Task("probe_b", "format", "f1", probe={"kind": "format", "of": "quick_ner", "variant": "tsv"}),
            Task("quick_re", "re", "f1"),
        )
    }
    assert names["quick_ner"] == names["probe_a"] == names["probe_b"] != names["quick_re"]
