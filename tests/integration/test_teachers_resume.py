"""Killed jobs, concurrent jobs: the cache is what they have in common, and no request is repeated."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

from faulty_server import Act, FaultyServer

from synth.teachers import spent

TESTS = Path(__file__).resolve().parent.parent
JOB = """
import json, sys
from pathlib import Path
import pytest
sys.path.insert(0, sys.argv[3])
import teaching
teaching.teach(pytest.MonkeyPatch())
teacher = teaching.endpoint(sys.argv[1], Path(sys.argv[2]), concurrency=8)
contents = [answer.content for answer in teacher.ask(teaching.requests(200))]
json.dump({"contents": contents, "sent": teacher.usage().sent}, sys.stdout)
"""


def start(server: FaultyServer, folder: Path) -> subprocess.Popen[str]:
    """A job of 200 requests in a process of its own."""
    command = [sys.executable, "-c", JOB, server.url, str(folder), str(TESTS)]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=TESTS.parent)


def finish(job: subprocess.Popen[str]) -> dict[str, list[object]]:
    """What the job printed."""
    out, _ = job.communicate(timeout=120)
    assert job.returncode == 0
    content: dict[str, list[object]] = json.loads(out)
    return content


def test_a_killed_job_repeats_no_answered_request(tmp_path: Path) -> None:
    """After SIGKILL the next run sends only what had no answer: at most the requests in flight are sent twice."""
    with FaultyServer(lambda number, body: Act(delay_s=0.02)) as server:
        job = start(server, tmp_path)
        while len(server.bodies) < 60:
            time.sleep(0.01)
            assert job.poll() is None
        job.send_signal(signal.SIGKILL)
        job.communicate()
        time.sleep(0.5)  # what was on the wire already arrives
        kept, seen = spent(tmp_path / "teacher.sqlite").sent, len(server.bodies)
        done = finish(start(server, tmp_path))
    assert 40 <= kept <= seen < 200
    assert seen - kept <= 8
    assert (len(done["contents"]), done["sent"]) == (200, 200 - kept)
    assert len(server.bodies) == seen + 200 - kept


def test_two_jobs_share_a_cache(tmp_path: Path) -> None:
    """They run at once on one file; both get every answer, and the answers are the same."""
    number = iter(range(10_000))
    plan = lambda _, body: Act(json.dumps({"country": "x", "capital": str(next(number))}), delay_s=0.005)  # noqa: E731
    with FaultyServer(plan) as server:
        one, other = (finish(job) for job in [start(server, tmp_path), start(server, tmp_path)])
    assert one["contents"] == other["contents"]
    assert spent(tmp_path / "teacher.sqlite").sent == 200
