"""``harness import``, ``export``, ``verify`` and ``ls`` as a user types them: exit codes, stdout, stderr, files."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from harness.cli import main
from harness.engines.items import sample_ids
from harness.nouns import Run
from harness.store import load_run, read_records

TASKS = ("quick_topic", "quick_ner", "quick_mrc")
LIMIT = 5

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Call:
    """Run the command line in this process; returns exit code, stdout and stderr."""

    def typed(*arguments: object) -> tuple[int, str, str]:
        capsys.readouterr()
        with pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return typed


@pytest.fixture(scope="module")
def model(repo: Path) -> str:
    return f"pretrained={repo / 'harness' / 'assets' / 'nano'},dtype=float32"


@pytest.fixture(scope="module")
def native(model: str, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A run of ours on the embedded checkpoint."""
    store = tmp_path_factory.mktemp("native")
    with pytest.raises(SystemExit):
        main(["run", "-t", ",".join(TASKS), "-a", model, "-L", str(LIMIT), "-o", str(store), "--device=cpu", "--json"])
    return load_run("latest", store)


@pytest.fixture(scope="module")
def stock(repo: Path, model: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What stock lm-eval writes for the very items of the native run."""
    import lm_eval
    from lm_eval.loggers import EvaluationTracker
    from lm_eval.tasks import TaskManager

    sizes = {"quick_topic": 114, "quick_ner": 98, "quick_mrc": 108}
    folder = tmp_path_factory.mktemp("stock")
    tracker = EvaluationTracker(output_path=str(folder))
    results = lm_eval.simple_evaluate(
        model="hf",
        model_args=model,
        tasks=list(TASKS),
        device="cpu",
        samples={task: sample_ids(task, sizes[task], LIMIT, 0) for task in TASKS},
        task_manager=TaskManager(include_path=str(repo / "tasks"), include_defaults=False),
        evaluation_tracker=tracker,
        log_samples=True,
    )
    samples = results.pop("samples")
    tracker.save_results_aggregated(results=results, samples=samples)
    for task in TASKS:
        tracker.save_results_samples(task_name=task, samples=samples[task])
    return folder


def outcomes(run: Run, metrics_of: Run) -> dict[str, list[Any]]:
    """Item, row, cluster, hashes and the card's counts of every record; engine rates of one side are left out."""
    folds = {entry["name"]: entry["folds"] for entry in metrics_of.manifest["tasks"]}
    return {
        task: [
            replace(record, prediction=None, counts={m: c for m, c in record.counts.items() if m in folds[task]})
            for record in read_records(run, task)
        ]
        for task in TASKS
    }


def scores(run: Run) -> dict[str, tuple[Any, ...]]:
    return {entry["name"]: (entry["score"], entry["interval"]) for entry in run.manifest["tasks"]}


def test_an_imported_run_has_the_items_and_counts_of_a_native_one(
    native: Run, stock: Path, tmp_path: Path, call: Call
) -> None:
    """The same checkpoint on the same rows gives the same records, scores and card digests through either door."""
    code, out, err = call("import", stock, "-o", tmp_path, "--json")
    document = json.loads(out)
    imported = load_run(document["run_id"], tmp_path)
    assert (code, document["status"], err) == (0, "complete", "")
    assert outcomes(imported, native) == outcomes(native, native)
    assert scores(imported) == scores(native)
    digests = [{entry["name"]: entry["digest"] for entry in run.manifest["tasks"]} for run in (imported, native)]
    assert digests[0] == digests[1]


def test_export_and_import_are_inverse(native: Run, tmp_path: Path, call: Call) -> None:
    """What export writes, import reads back: items, counts, clusters, scores, intervals, digests."""
    code, out, _ = call("export", "lm_eval", native.path, "-o", tmp_path / "out", "--json")
    files = json.loads(out)["files"]
    assert (code, len(files)) == (0, 1 + len(TASKS))
    content = json.loads(Path(files[0]).read_text(encoding="utf-8"))
    assert {"results", "configs", "versions", "n-shot", "n-samples", "higher_is_better", "task_hashes"} <= set(content)
    assert {"acc,none", "acc_stderr,none", "acc_norm,none", "alias"} <= set(content["results"]["quick_topic"])
    code, out, _ = call("import", tmp_path / "out", "-o", tmp_path / "runs", "--json")
    back = load_run(json.loads(out)["run_id"], tmp_path / "runs")
    assert code == 0
    assert outcomes(back, native) == outcomes(native, native)
    assert scores(back) == scores(native)
    assert [e["digest"] for e in back.manifest["tasks"]] == [e["digest"] for e in native.manifest["tasks"]]


def test_an_imported_run_exports_lm_evals_own_files(stock: Path, tmp_path: Path, call: Call) -> None:
    """Nothing is rewritten that lm-eval itself wrote."""
    call("import", stock, "-o", tmp_path / "runs")
    code, out, err = call("export", "lm_eval", "latest", "--store", tmp_path / "runs", "-o", tmp_path / "out")
    assert code == 0
    assert "lm-eval's own files" in err
    written = {Path(line).name: Path(line).read_bytes() for line in out.split()}
    assert written == {path.name: path.read_bytes() for path in stock.rglob("*") if path.is_file()}


def test_a_run_without_samples_exports_its_results_and_says_so(model: str, tmp_path: Path, call: Call) -> None:
    """Without documents there are scores only."""
    call("run", "-t", "quick_topic", "-a", model, "-L", 2, "-o", tmp_path / "runs", "--no_log_samples", "--device=cpu")
    code, out, err = call("export", "lm_eval", "latest", "--store", tmp_path / "runs", "-o", tmp_path / "out")
    assert (code, len(out.split())) == (0, 1)
    assert "quick_topic: the record has no samples" in err


def test_an_unknown_format_is_a_usage_error(native: Run, call: Call) -> None:
    """The message lists what works."""
    code, out, err = call("export", "csv", native.path)
    assert (code, out) == (64, "")
    assert "lm_eval" in err


def test_an_edited_record_is_found_and_not_exported(native: Run, tmp_path: Path, call: Call) -> None:
    """One changed byte in a file of the record is named, with exit code 65."""
    copy = tmp_path / "runs" / native.id
    shutil.copytree(native.path, copy)
    shutil.copy(Path(native.path).parent / "ledger.jsonl", tmp_path / "runs")
    code, out, _ = call("verify", tmp_path / "runs")
    assert (code, out) == (0, "1 run verified\n")
    with (copy / "env.json").open("ab") as file:
        file.write(b" ")
    code, out, _ = call("verify", tmp_path / "runs")
    assert code == 65
    assert "env.json" in out
    code, out, _ = call("verify", copy, "--json")
    assert code == 65
    assert [problem["file"] for problem in json.loads(out)] == ["env.json"]
    code, out, err = call("export", "lm_eval", copy, "-o", tmp_path / "out")
    assert (code, out) == (65, "")
    assert "damaged (env.json" in err


def test_verify_of_nothing_is_missing_input(tmp_path: Path, call: Call) -> None:
    """A folder without runs is neither sound nor damaged."""
    code, out, err = call("verify", tmp_path)
    assert (code, out) == (66, "")
    assert "neither a run folder nor a store" in err


@pytest.mark.parametrize(
    ("make", "code", "words"),
    [
        (lambda folder: None, 66, "holds no results file"),
        (lambda folder: (folder / "results_1.json").write_text("{"), 65, "cannot be read"),
        (lambda folder: folder.rmdir(), 66, "does not exist"),
    ],
    ids=["empty", "broken", "missing"],
)
def test_import_of_bad_input_says_what_is_wrong(
    tmp_path: Path, call: Call, make: Callable[[Path], Any], code: int, words: str
) -> None:
    """Stdout stays empty and no store appears."""
    folder = tmp_path / "in"
    folder.mkdir()
    make(folder)
    found, out, err = call("import", folder, "-o", tmp_path / "runs", "--json")
    assert (found, out) == (code, "")
    assert words in err
    assert "Traceback" not in err
    assert not (tmp_path / "runs").exists()


def edited(stock: Path, folder: Path, edit: Callable[[dict[str, Any]], None]) -> Path:
    """A copy of lm-eval's folder with the second row of the topic log edited."""
    shutil.copytree(stock, folder)
    log = next(folder.rglob("samples_quick_topic_*"))
    rows = [json.loads(line) for line in log.read_text(encoding="utf-8").splitlines()]
    edit(rows[1])
    log.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return folder


def test_a_nan_score_of_stock_lm_eval_is_named(stock: Path, tmp_path: Path, call: Call) -> None:
    """Task, row and metric of a NaN are in the message."""
    folder = edited(stock, tmp_path / "in", lambda row: row.update(acc=float("nan")))
    code, out, err = call("import", folder, "-o", tmp_path / "runs")
    assert (code, out) == (65, "")
    assert "Task quick_topic, row 2" in err


def test_an_item_without_an_answer_fails_the_imported_run(stock: Path, tmp_path: Path, call: Call) -> None:
    """The record is stored with status failed and the exit code of a failed run."""
    folder = edited(stock, tmp_path / "in", lambda row: row.update(resps=[]))
    code, out, _ = call("import", folder, "-o", tmp_path / "runs", "--json")
    document = json.loads(out)
    assert (code, document["status"]) == (65, "failed")
    assert "no answer" in document["reasons"][0]


@pytest.fixture
def rows(call: Call) -> Iterator[Callable[..., list[dict[str, Any]]]]:
    def listed(*arguments: object) -> list[dict[str, Any]]:
        code, out, err = call("ls", *arguments, "--json")
        assert (code, err) == (0, "")
        found: list[dict[str, Any]] = json.loads(out)
        return found

    return listed


def test_ls_lists_suites_with_their_tasks_and_families(rows: Any) -> None:
    """Each suite file is there, included suites resolved."""
    suites = {row["name"]: row for row in rows("suites")}
    assert {"quick", "nlu", "general"} <= set(suites)
    assert set(TASKS) <= set(suites["quick"]["tasks"])
    assert suites["nlu"]["families"] == ["ner", "re", "ee", "mrc", "tc"]


def test_ls_lists_tasks_and_where_their_data_is(rows: Any, tmp_path: Path) -> None:
    """Cards of ours, those of one suite, stock names on demand, and the place of the data."""
    quick = {row["name"]: row for row in rows("tasks", "--suite", "quick")}
    assert len(quick) == 12
    assert quick["quick_topic"] == {
        "name": "quick_topic", "source": "card", "family": "tc", "metric": "acc", "chance": 0.1667,
        "dataset": "embedded:quick/topic.jsonl", "data": "package", "licence": "CC-BY-4.0",
    }  # fmt: skip
    (tmp_path / "rajpurkar" / "squad").mkdir(parents=True)
    (tmp_path / "rajpurkar" / "squad" / "README.md").touch()
    places = {row["name"]: row["data"] for row in rows("tasks", "--mirror", tmp_path)}
    assert (places["squad"], places["squad_v2"]) == ("mirror", "hub")
    assert "gsm8k" not in places
    sources = {row["name"]: row["source"] for row in rows("tasks", "--stock")}
    assert (sources["gsm8k"], sources["mmlu"], sources["quick_topic"]) == ("lm-eval", "lm-eval", "card")


def test_ls_lists_the_models_of_lm_evals_registry(rows: Any) -> None:
    """The table read from the source text is the one that lm-eval uses, and our tree."""
    from lm_eval.models import MODEL_MAPPING

    assert [row["name"] for row in rows("models")] == sorted({*MODEL_MAPPING, "tree"})


def test_stock_names_are_those_of_lm_evals_index() -> None:
    """Reading names from the text of the cards misses none that lm-eval indexes, and adds few (tags without tasks)."""
    from lm_eval.tasks import TaskManager

    from harness.stock import stock_task_names

    indexed, read = set(TaskManager().all_tasks), set(stock_task_names())
    assert indexed <= read
    assert len(read - indexed) < 0.001 * len(indexed)


def test_ls_lists_runs_newest_first(native: Run, rows: Any, call: Call) -> None:
    """Id, date, status, suites with scores, model and items; the table shortens the id."""
    store = Path(native.path).parent
    listed = rows("runs", "-o", store)
    assert listed[0]["run_id"] == native.id
    assert (listed[0]["model"], listed[0]["items"], listed[0]["status"]) == ("nano", LIMIT * len(TASKS), "complete")
    assert listed[0]["suites"][0]["name"] == "tasks"
    _, out, _ = call("ls", "runs", "-o", store)
    assert native.id[:12] in out
    assert native.id not in out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["cards"], 64, "suites"),
        (["suites", "--stock"], 64, "says nothing about suites"),
        (["tasks", "--suite", "quik"], 64, "did you mean quick"),
        (["tasks", "--mirror", "nowhere"], 66, "is not a folder"),
        (["runs", "-o", "nowhere"], 66, "is no folder"),
    ],
)
def test_ls_refuses_what_it_cannot_list(arguments: list[str], code: int, words: str, call: Call) -> None:
    """A wrong word, flag, suite or folder has its own exit code and a next step."""
    found, out, err = call("ls", *arguments)
    assert (found, out) == (code, "")
    assert words in err
