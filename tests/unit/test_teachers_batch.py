"""The Batch API form: files out, files in, through the same cache."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import teaching

from harness.errors import DataError, MissingInputError, StoreError
from synth.teachers import Answer, Outcome, Teacher, batch_files, teacher_of
from synth.teachers.replies import completion


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    teaching.teach(monkeypatch)


def teacher(folder: Path, **changes: Any) -> Teacher:
    """A batch teacher of a working folder."""
    return teacher_of(teaching.settings("", kind="batch", **changes), folder / "teacher.sqlite")


def ask(folder: Path, count: int, **changes: Any) -> list[Answer]:
    """All answers, or the error that some are awaited."""
    return list(teacher(folder, **changes).ask(teaching.requests(count)))


def written(folder: Path) -> dict[str, list[dict[str, Any]]]:
    """Lines of the request files, by file name."""
    return {
        path.name: [json.loads(line) for line in path.read_text().splitlines()]
        for path in sorted((folder / "batch").glob("requests-*.jsonl"))
    }


def respond(folder: Path, lines: list[dict[str, Any]], name: str = "out.jsonl") -> None:
    """Put a response file where the teacher looks."""
    place = folder / "batch" / "responses"
    place.mkdir(exist_ok=True)
    (place / name).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")


def good(line: dict[str, Any], text: str = teaching.PERU) -> dict[str, Any]:
    """The output line of a request that was answered."""
    body = json.loads(completion(text, "stop", 5, 2))
    return {"id": "r", "custom_id": line["custom_id"], "response": {"status_code": 200, "body": body}, "error": None}


def bad(line: dict[str, Any], status: int) -> dict[str, Any]:
    """The error line of a request that the server refused or broke on."""
    body = {"error": {"message": "too long"}}
    return {"custom_id": line["custom_id"], "response": {"status_code": status, "body": body}, "error": None}


def expired(line: dict[str, Any]) -> dict[str, Any]:
    """The error line of a request that nobody came to."""
    return {"custom_id": line["custom_id"], "response": None, "error": {"code": "batch_expired", "message": "too late"}}


def test_the_round_trip(tmp_path: Path) -> None:
    """Requests are written with an exit code for a missing input; the responses make the second run whole."""
    with pytest.raises(MissingInputError, match=r"waiting for batch responses \(5 open, 5 of them.*run again") as e:
        ask(tmp_path, 5)
    assert e.value.exit_code == 66
    lines = written(tmp_path)["requests-00000.jsonl"]
    assert [(line["method"], line["url"]) for line in lines] == [("POST", "/v1/chat/completions")] * 5
    assert lines[0]["body"]["model"] == "m"
    assert lines[0]["body"]["response_format"]["json_schema"]["name"] == "capital"
    respond(tmp_path, [good(line) for line in reversed(lines)])
    made = teacher(tmp_path, price=(1.0, 1.0))
    answers = list(made.ask(teaching.requests(5)))
    assert [answer.outcome for answer in answers] == [Outcome.STRICT] * 5
    assert [answer.keys for answer in answers] == [(line["custom_id"],) for line in lines]
    assert (made.usage().sent, made.usage().cost) == (5, pytest.approx(35e-6))
    again = teacher(tmp_path)
    assert list(again.ask(teaching.requests(5))) == answers
    assert (again.usage().sent, again.usage().cached) == (0, 5)


def test_what_waits_is_not_written_again(tmp_path: Path) -> None:
    """Running again while a batch is under way writes only what is new; a file that was removed is written anew."""
    for count in (3, 3, 5):
        with pytest.raises(MissingInputError, match=f"{count} open"):
            ask(tmp_path, count)
    assert {name: len(lines) for name, lines in written(tmp_path).items()} == {
        "requests-00000.jsonl": 3, "requests-00001.jsonl": 2,
    }  # fmt: skip
    (tmp_path / "batch" / "requests-00000.jsonl").unlink()
    with pytest.raises(MissingInputError, match="5 open, 3 of them written now"):
        ask(tmp_path, 5)


def test_answers_come_out_up_to_the_first_that_is_awaited(tmp_path: Path) -> None:
    """Order is kept; what came later is in the cache."""
    with pytest.raises(MissingInputError):
        ask(tmp_path, 4)
    (lines,) = written(tmp_path).values()
    respond(tmp_path, [good(lines[0]), good(lines[1]), good(lines[3])])
    answers = teacher(tmp_path).ask(teaching.requests(4))
    assert [next(answers).outcome, next(answers).outcome] == [Outcome.STRICT] * 2
    with pytest.raises(MissingInputError, match="1 open, 0 of them"):
        next(answers)


def test_an_invalid_answer_is_asked_again_in_the_next_file(tmp_path: Path) -> None:
    """The re-ask is a request of its own, with the problem in it."""
    with pytest.raises(MissingInputError):
        ask(tmp_path, 1)
    respond(tmp_path, [good(written(tmp_path)["requests-00000.jsonl"][0], "no idea")])
    with pytest.raises(MissingInputError, match="1 of them written now"):
        ask(tmp_path, 1)
    (again,) = written(tmp_path)["requests-00001.jsonl"]
    assert "it holds no JSON object" in again["body"]["messages"][-1]["content"]
    respond(tmp_path, [good(again)], "second.jsonl")
    assert ask(tmp_path, 1)[0].outcome is Outcome.STRICT


def test_refused_requests_fail_and_lost_ones_go_again(tmp_path: Path) -> None:
    """A client error is final; an expired line, a server fault and an empty completion go into the next file, once."""
    with pytest.raises(MissingInputError):
        ask(tmp_path, 5)
    lines = written(tmp_path)["requests-00000.jsonl"]
    hollow = good(lines[3]) | {"response": {"status_code": 200, "body": {"choices": []}}}
    respond(tmp_path, [good(lines[4])])
    respond(tmp_path, [bad(lines[0], 400), expired(lines[1]), bad(lines[2], 500), hollow], "errors.jsonl")
    for written_now in (3, 0):
        with pytest.raises(MissingInputError, match=f"3 open, {written_now} of them"):
            ask(tmp_path, 5)
    respond(tmp_path, [good(line) for line in written(tmp_path)["requests-00001.jsonl"]], "second.jsonl")
    answers = ask(tmp_path, 5)
    assert [answer.outcome for answer in answers] == [Outcome.FAILED] + [Outcome.STRICT] * 4
    assert answers[0].reason == "status 400, too long"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense\n", r"out\.jsonl, line 1: is no response of the Batch API"),
        ("[1]\n", "is no response of the Batch API"),
        ('{"id": 1}\n', "is no response of the Batch API"),
        ('\n{"custom_id": "abc", "response": null}\n', r"line 2: answers a request that is none of this job's \(abc\)"),
    ],
)
def test_a_wrong_response_file_is_refused(tmp_path: Path, content: str, message: str) -> None:
    """The message names file and line."""
    with pytest.raises(MissingInputError):
        ask(tmp_path, 1)
    respond(tmp_path, [])
    (tmp_path / "batch" / "responses" / "out.jsonl").write_text(content)
    with pytest.raises(DataError, match=message):
        ask(tmp_path, 1)


def test_files_are_split_at_the_limits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither the count nor the size of a file is past what a service takes."""
    monkeypatch.setattr(batch_files, "MOST_REQUESTS", 4)
    with pytest.raises(MissingInputError):
        ask(tmp_path / "count", 10)
    assert [len(lines) for lines in written(tmp_path / "count").values()] == [4, 4, 2]
    monkeypatch.setattr(batch_files, "MOST_BYTES", 2500)
    with pytest.raises(MissingInputError):
        ask(tmp_path / "size", 10)
    sizes = [path.stat().st_size for path in (tmp_path / "size" / "batch").glob("requests-*.jsonl")]
    assert max(sizes) <= 2500
    assert sum(len(lines) for lines in written(tmp_path / "size").values()) == 10


def test_a_folder_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    """Where ``batch`` is a file, nothing can be written into it."""
    (tmp_path / "batch").write_text("")
    with pytest.raises(StoreError, match=r"Request file in .* cannot be written"):
        ask(tmp_path, 1)
