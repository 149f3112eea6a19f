"""Measures the endpoint teacher: how full it keeps a server, and how fast its cache replays a job.

Run ``python -m benchmarks.synth.endpoint [--rounds N] [--replay N]``. The server is a process of its own on loopback
with random latency; it measures how many requests it had under way, averaged over time until the last one arrived.
The exit code is 1 where that is below 95 % of the limit.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

from synth.recipe import TeacherSettings
from synth.teachers import Request, teacher_of
from synth.teachers.cache import Cache
from synth.teachers.dialogue import Dialogue
from synth.teachers.replies import completion

SERVER = Path(__file__).resolve().parents[2] / "tests" / "faulty_server.py"
TEXT = json.dumps({"score": 4, "reason": "One span is a word too long."})
LATENCY_S = ("0.2", "2.0")
CONCURRENCIES = (8, 32, 128)
LEAST_SHARE = 0.95


def requests(count: int) -> Iterator[Request]:
    """Return as many different requests of a common kind: judge a prompt of some 900 characters."""
    for number in range(count):
        prompt = f"List the names of places in text {number}. " + "The ferry to the island leaves at nine. " * 22
        yield Request("judge", {"prompt": prompt, "completion": f'[{{"label": "place", "text": "isle {number}"}}]'})


def settings(url: str, concurrency: int) -> TeacherSettings:
    """Return the settings of the fake endpoint."""
    return TeacherSettings(kind="endpoint", model="fake", url=url, concurrency=concurrency)


def occupancy(concurrency: int, count: int) -> float:
    """Print a row on one fresh server; return the share of the limit that was used."""
    command = [sys.executable, str(SERVER), "--latency", *LATENCY_S, "--text", TEXT]
    server = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert server.stdout is not None
        url = server.stdout.readline().strip()
        with tempfile.TemporaryDirectory() as folder:
            teacher = teacher_of(settings(url, concurrency), Path(folder) / "teacher.sqlite")
            start, cpu = time.perf_counter(), time.process_time()
            answered = sum(answer.content is not None for answer in teacher.ask(requests(count)))
            seconds, busy = time.perf_counter() - start, time.process_time() - cpu
        with urllib.request.urlopen(url.removesuffix("/v1") + "/stats") as response:
            stats = json.load(response)
    finally:
        server.kill()
        server.communicate()
    share = float(stats["average"]) / concurrency
    row = (
        f"{concurrency:>11} {answered:>9,} {seconds:>8.1f} {answered / seconds:>9.1f} {stats['most']:>5} {share:>6.1%}"
    )
    print(f"{row} {busy / answered * 1e3:>12.2f}")
    return share


def replay(count: int) -> None:
    """Print how long a job takes whose every request is in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        path, facts = Path(folder) / "teacher.sqlite", settings("http://127.0.0.1:9/v1", 16)
        cache = Cache(path)
        cache.rows("BEGIN")
        for request in requests(count):
            cache.put(Dialogue(request, facts, "fake").call, completion(TEXT, "stop", 300, 20))
        cache.rows("COMMIT")
        teacher = teacher_of(facts, path)
        start, cpu = time.perf_counter(), time.process_time()
        answered = sum(answer.content is not None for answer in teacher.ask(requests(count)))
        seconds, busy = time.perf_counter() - start, time.process_time() - cpu
        size = path.stat().st_size / 1e6
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6
    print(f"\n{answered:,} cached requests replayed in {seconds:.1f} s, {busy:.1f} s of CPU")
    print(f"cache file {size:.0f} MB, peak memory {peak:.0f} MB")


def main() -> int:
    """Print both measurements; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=30, help="requests per slot of the limit")
    parser.add_argument("--replay", type=int, default=100_000, help="cached requests")
    options = parser.parse_args()
    print(f"latency {LATENCY_S[0]} to {LATENCY_S[1]} s, uniform")
    print("concurrency  requests  seconds  a second  most   used  ms CPU each")
    shares = [occupancy(limit, limit * options.rounds) for limit in CONCURRENCIES]
    replay(options.replay)
    return 0 if min(shares) >= LEAST_SHARE else 1


if __name__ == "__main__":
    raise SystemExit(main())
