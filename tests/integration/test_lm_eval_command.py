"""``harness lm-eval``: lm-eval's own command line, with the model tree and the exit codes of the harness."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from lm_eval.tasks import TaskManager

from harness.catalog import tasks_folder
from harness.cli import main
from harness.engines.index import index_of
from harness.stock import model_names

NANO = str(tasks_folder().parent / "harness" / "assets" / "nano")
TASKS = (
    "--tasks",
    "quick_topic,quick_sentiment",
    "--include_path",
    str(tasks_folder()),
    "--limit",
    "6",
    "--device",
    "cpu",
)


@pytest.fixture(autouse=True)
def fresh_logging(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """lm-eval sets its logger up once per process, on the stderr of that moment."""
    monkeypatch.setattr("lm_eval.utils._LOGGING_CONFIGURED", False)
    yield
    logger = logging.getLogger("lm_eval")
    logger.handlers.clear()
    logger.propagate = True


def called(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of ``harness lm-eval``."""
    with pytest.raises(SystemExit) as exit_:
        main(["lm-eval", *arguments])
    told = capsys.readouterr()
    return int(exit_.value.code or 0), told.out, told.err


def results(folder: Path) -> tuple[dict[str, Any], list[Any]]:
    """Results and what was answered, as lm-eval wrote them."""
    (aggregated,) = folder.rglob("results_*.json")
    samples = [
        json.loads(line) for path in sorted(folder.rglob("samples_*.jsonl")) for line in path.read_text().splitlines()
    ]
    return json.loads(aggregated.read_text())["results"], [
        (row["doc_id"], row["target"], row["acc"]) for row in samples
    ]


def test_tree_prints_and_writes_what_hf_does(
    checkpoint: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The table, the results file and the samples of a run with tree are those of a run with hf."""
    tables = []
    for model in ("tree", "hf"):
        chosen = ("run", "--model", model, "--model_args", f"pretrained={checkpoint}", *TASKS)
        code, out, err = called(capsys, *chosen, "--output_path", str(tmp_path / model), "--log_samples")
        assert code == 0, err
        tables.append(out[out.index("|") :])
    assert tables[0] == tables[1]
    assert results(tmp_path / "tree") == results(tmp_path / "hf")


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        ("run --tasks no_such_task --model tree", 64, "no_such_task"),
        ("run --tasks hellaswagg --model tree", 64, "did you mean hellaswag"),
        ("validate --tasks no_such_task", 64, "does not know"),
        ("run --no_such_option", 64, "wrong arguments"),
        ("run --tasks quick_topic --include_path {cards} --model no_such_model", 64, "no_such_model"),
        ("run --tasks quick_topic --include_path {cards} --model tree --model_args pretrained=./nowhere",
         66, "nowhere"),
        ("run --tasks quick_topic --include_path {cards} --model tree --model_args pretrained={nano},max_memory=x",
         64, "max_memory=x"),
    ],
)  # fmt: skip
def test_what_goes_wrong_has_an_exit_code_and_a_sentence(
    arguments: str, code: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """No traceback: usage is 64, what is not there 66, and the last line names the reason."""
    found, _, err = called(capsys, *arguments.format(cards=tasks_folder(), nano=NANO).split())
    assert found == code, err
    assert "Traceback" not in err
    assert told in err.strip().splitlines()[-1]


def test_help_is_lm_evals_own(capsys: pytest.CaptureFixture[str]) -> None:
    """--help reaches lm-eval and ends well."""
    code, out, _ = called(capsys, "run", "--help")
    assert code == 0
    assert "--tasks" in out


def test_tree_is_listed_with_lm_evals_models() -> None:
    """``harness ls models`` names it."""
    assert {"tree", "hf", "vllm"} <= set(model_names())


@pytest.mark.slow
def test_the_light_index_loads_what_the_full_one_does() -> None:
    """Names and patterns find the same cards, and metadata reaches them."""
    full = TaskManager()
    for names in (["mmlu_anatomy"], ["hellaswag", "arc_*"], ["wikitext", "piqa"], ["mmlu"]):
        light = index_of(names, metadata={"mark": 1})
        wanted = light.match_tasks(names)
        assert wanted == full.match_tasks(names)
        assert len(light.all_tasks) < len(full.all_tasks)
        assert light.metadata == {"mark": 1}
        for name in wanted:
            assert light.task_index[name].yaml_path == full.task_index[name].yaml_path


def test_an_unknown_name_is_in_no_index() -> None:
    """No card defines it, so nothing is read for it."""
    assert index_of(["no_such_task"]).all_tasks == []
