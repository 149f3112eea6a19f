"""Measures ``harness contamination`` and datatrove's n-gram decontamination on the same rows and the same test texts.

Run ``python -m benchmarks.contamination.beside --mirror DIR [--suite general] [--rows N] [--datatrove PYTHON]``, where
PYTHON is the interpreter of an environment that has datatrove; without one, only the harness is measured. The rows are
those of training sets of the mirror, repeated up to N with one word in ten replaced by a word of another row, so that
none is like another. Times are seconds of processor time: of the whole command for the harness, with one process; of
its step alone for datatrove, without starting up. The exit code is 1 where datatrove is faster, or where the harness
takes 4 GB.

What is equal: the rows, the test texts, the length of the runs. What is not: the harness compares the words of every
hit, finds whole texts and sentences too, counts items per task, and writes its report; datatrove stops at a row's first
hit.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import numpy as np

from harness.contamination import corpus_of, index_of, load
from harness.contamination.rows import rows_of, texts_of

TRAINING = ("local/t0_train_50k", "DFKI-SLT/cross_ner", "stanfordnlp/imdb")
LIMIT_KB = 4_000_000
PEER = Path(__file__).parent.parent / "synth" / "peer_datatrove.py"


def training_texts(mirror: Path) -> list[str]:
    """The longest text of every training row of the mirror that is used here."""
    found = []
    for name in TRAINING:
        for source in corpus_of([name], mirror).sources:
            found += [max((text.text for text in texts_of(row.value)), key=len, default="") for row in rows_of(source)]
    return found


def varied(texts: Sequence[str], total: int) -> Iterator[str]:
    """As many rows as asked for: each text as it is, then again with one word in ten replaced."""
    rng = np.random.default_rng(0)
    words = " ".join(texts[:: max(1, len(texts) // 2000)]).split()
    for number, text in enumerate(islice(cycle(texts), total)):
        if number >= len(texts):
            parts = text.split(" ")
            for place in np.flatnonzero(rng.random(len(parts)) < 0.1):
                parts[place] = words[int(rng.integers(len(words)))]
            text = " ".join(parts)
        yield text


def write(path: Path, texts: Iterator[str]) -> None:
    """Rows in the form that the peer's script reads."""
    with path.open("w", encoding="utf-8") as out:
        for number, text in enumerate(texts):
            out.write(json.dumps({"id": str(number), "instruction": {"text": text}}) + "\n")


def harness(folder: Path, given: argparse.Namespace) -> dict[str, Any]:
    """The command as a user gives it, with the index in place."""
    command = [sys.executable, "-m", "harness", "contamination", "--data", str(folder / "texts.jsonl"), "--suite",
               given.suite, "--mirror", str(given.mirror), "-o", str(folder / "out"), "--workers", "1",
               "--json"]  # fmt: skip
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        document = json.loads(process.stdout.read())
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    tasks = document["tasks"]
    return {
        "cpu_s": used.ru_utime + used.ru_stime,
        "peak_kb": used.ru_maxrss,
        "rows": document["corpus"]["rows"],
        "items": {level: sum(task["levels"][level]["items"] for task in tasks) for level in tasks[0]["levels"]},
    }


def datatrove(folder: Path, python: str, n: int, tokenizer: str) -> dict[str, Any]:
    """The peer's step."""
    command = [python, str(PEER), str(folder), str(n), tokenizer, "contamination"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{PEER.name} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def main() -> int:
    """Print a row for each tool."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mirror", type=Path, required=True)
    parser.add_argument("--suite", default="general")
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--datatrove", metavar="PYTHON")
    parser.add_argument("--ngram", type=int, default=13)
    parser.add_argument("--tokenizers", nargs="*", default=["split", "spacy"])
    parser.add_argument("--folder", type=Path, help="Work here and keep the index; default: a temporary folder.")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = given.folder or Path(name)
        index = load(index_of([given.suite], given.mirror, (), folder / "out" / "index"))
        write(folder / "texts.jsonl", varied(training_texts(given.mirror), given.rows))
        ours = harness(folder, given)
        size = (folder / "texts.jsonl").stat().st_size
        print(f"{given.rows:,} rows, {size / 1e6:,.0f} MB, against {given.suite}: {len(index.texts):,} test texts")
        print(f"harness {ours['cpu_s']:.1f} CPU s, peak {ours['peak_kb'] / 1000:,.0f} MB, items {ours['items']}")
        slower = ours["peak_kb"] >= LIMIT_KB
        if given.datatrove:
            write(folder / "tests.jsonl", iter(index.texts))
            for tokenizer in given.tokenizers:
                found = datatrove(folder, given.datatrove, given.ngram, tokenizer)
                built, step = found["rows"]
                slower |= step["cpu_s"] < ours["cpu_s"]
                times = step["cpu_s"] / ours["cpu_s"]
                print(f"{found['peer']}, {given.ngram}-grams: {step['cpu_s']:.1f} CPU s ({times:.1f} x), index "
                      f"{built['cpu_s']:.1f}, rows found {step['found']:,}", flush=True)  # fmt: skip
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
