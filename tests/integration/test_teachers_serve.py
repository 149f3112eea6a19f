"""A real OpenAI-compatible server: ``transformers serve`` on loopback with the embedded checkpoint.

The checkpoint has no chat template, and the server breaks on every chat without one; so the test serves a copy with a
template. The model writes nonsense: what counts is that each answer arrives, is sorted and is counted.
"""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import teaching
import yaml

from harness.cli import main
from harness.errors import UnavailableError
from synth.teachers import Outcome, spent

pytest.importorskip("fastapi", reason="transformers[serving] is not installed")
pytest.importorskip("uvicorn", reason="transformers[serving] is not installed")

TEMPLATE = "{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}assistant: "


@contextmanager
def serving(model: Path) -> Iterator[str]:
    """The base URL of a server of one model, until the block ends."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "transformers.cli.transformers", "serve", str(model)]
    options = ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu", "--log-level", "error"]
    log = model.parent / "server.log"
    with log.open("w") as out:
        server = subprocess.Popen([*command, *options], stdout=out, stderr=subprocess.STDOUT)
    try:
        _wait(server, f"http://127.0.0.1:{port}/health", log)
        yield f"http://127.0.0.1:{port}/v1"
    finally:
        server.terminate()
        server.wait(30)


def _wait(server: subprocess.Popen[bytes], url: str, log: Path) -> None:
    for _ in range(600):
        assert server.poll() is None, log.read_text()
        try:
            urllib.request.urlopen(url, timeout=1).close()
        except OSError:
            time.sleep(0.2)
        else:
            return
    pytest.fail(f"the server does not come up: {log.read_text()}")


@pytest.fixture
def model(repo: Path, tmp_path: Path) -> Path:
    """A copy of the embedded checkpoint."""
    return Path(shutil.copytree(repo / "harness" / "assets" / "nano", tmp_path / "nano"))


def test_a_live_server_is_a_teacher(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It ignores the schema, which is found out once; its nonsense is counted, and a second run asks nothing."""
    teaching.teach(monkeypatch)
    (model / "chat_template.jinja").write_text(TEMPLATE)
    said: list[str] = []
    with serving(model) as url:
        facts = {"model": str(model), "concurrency": 2, "max_tokens": 16, "reasks": 1, "temperature": 0}
        teacher = teaching.endpoint(url, tmp_path, said.append, **facts)
        answers = list(teacher.ask(teaching.requests(3)))
    assert [answer.outcome for answer in answers] == [Outcome.INVALID] * 3
    usage = teacher.usage()
    assert (usage.sent, usage.reasks, usage.uncounted) == (6, 3, 0)
    assert 0 < usage.completion_tokens <= 6 * 16
    assert usage.prompt_tokens > 6 * 50
    assert len(said) == 1
    assert "the server takes the schema and does not follow it" in said[0]
    again = teaching.endpoint(url, tmp_path, **facts)
    assert list(again.ask(teaching.requests(3))) == answers
    assert spent(tmp_path / "teacher.sqlite").completion_tokens == usage.completion_tokens


@pytest.mark.slow
def test_the_whole_pipeline_drafts_through_a_live_server(model: Path, tmp_path: Path) -> None:
    """From seeds to a corpus by one command: nonsense is rejected, and what needs no teacher remains."""
    (model / "chat_template.jinja").write_text(TEMPLATE)
    work = tmp_path / "work"
    with serving(model) as url:
        teacher = {"kind": "endpoint", "url": url, "model": str(model), "max_tokens": 8, "reasks": 0, "concurrency": 2}
        recipe = {
            "name": "live",
            "sources": [{"dataset": "seeds", "family": "tc", "limit": 24}],
            "teacher": teacher,
            "guidelines": {"rounds": 0, "seeds": 1},
            "rules": {"per_source": 2, "probe": 2, "min_changed": 1},
            "filters": {"suites": ["quick"]},
            "mix": {"records": 12, "compound": 0.25},
        }
        (tmp_path / "live.yaml").write_text(yaml.safe_dump(recipe))
        with pytest.raises(SystemExit) as ended:
            main(["synth", "run", "-r", str(tmp_path / "live.yaml"), "-o", str(work), "-w", "1"])
    assert not ended.value.code
    assert (work / "corpus" / "train-00000-of-00001.jsonl").read_text().count("\n") > 0
    usage = json.loads((work / "stats" / "stats.json").read_text())["teacher"]
    assert usage["sent"] > 0
    assert usage["completion_tokens"] > 0


def test_a_model_without_a_template_is_said(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server breaks on every chat, with status 500 or by dropping the connection; one error says so."""
    teaching.teach(monkeypatch)
    with serving(model) as url:
        teacher = teaching.endpoint(url, tmp_path, model=str(model), retries=0, structured=False, concurrency=1)
        with pytest.raises(UnavailableError, match=r"gives no answer \(asked once; (status 500|no connection)"):
            list(teacher.ask(teaching.requests(5)))
