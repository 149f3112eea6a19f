"""Measures near-duplicates and contamination beside datatrove, distilabel, datasketch and rensa, on the same texts.

Run ``python -m benchmarks.synth.peers [--texts N] [--datatrove PYTHON] [--distilabel PYTHON] [--rensa PYTHON]``, where
PYTHON is the interpreter of an environment that has the peer; without one, only the harness is measured. All times are
seconds of processor time on one core, reading the file included, starting up not. The exit code is 1 where datatrove or
distilabel is faster at a step; signatures are only a part of one, for the choice of a library.

What is equal: the texts, word 5-grams for near-duplicates and word 8-grams for contamination, 126 to 128 permutations,
14 bands of 9 rows (distilabel's library sets its own bands for 0.8). What is not: the harness alone verifies (exact
similarity and ROUGE-L of candidates, the words of every n-gram hit), reports every hit with spans instead of the first,
and looks for sentences and whole texts too.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from datasketch import MinHash

from harness.contamination import ItemText, build
from harness.executors import Local
from synth.filters.duplicates import near_texts
from synth.filters.similarity import bands_of
from synth.filters.survey import save, survey
from synth.shards import read_shard, write_shards

THRESHOLD, NGRAM = 0.8, 8
TESTS_PER_TEXT = 0.1
HERE = Path(__file__).parent


def texts(total: int, seed: int) -> Iterator[str]:
    """Texts of 20 to 120 words drawn by Zipf's law; every tenth repeats an earlier one with a word changed."""
    rng = np.random.default_rng(seed)
    vocabulary = ["".join(rng.choice(list("aeioulnrstdkm"), rng.integers(2, 9))) for _ in range(20_000)]
    earlier: list[list[str]] = []
    for number in range(total):
        if number % 10 == 9:
            words = list(earlier[int(rng.integers(len(earlier)))])
            words[int(rng.integers(len(words)))] = "changed"
        else:
            ranks = np.minimum(rng.zipf(1.15, int(rng.integers(20, 121))) - 1, len(vocabulary) - 1)
            words = [vocabulary[rank] for rank in ranks]
            earlier.append(words)
        yield " ".join(words)


def rows(total: int, tests: list[str]) -> Iterator[dict[str, Any]]:
    """Rows as of examples; every fiftieth holds 12 words of a test text."""
    for number, text in enumerate(texts(total, 0)):
        if number % 50 == 7:
            text += " " + " ".join(tests[number % len(tests)].split()[4:16])
        asked = {
            "family": "tc",
            "text": text,
            "document": str(number),
            "source": "made",
            "guideline": None,
            "rule": None,
        }
        yield {"id": str(number), "instruction": asked}


def harness(folder: Path, tests: list[str]) -> Iterator[dict[str, Any]]:
    """The steps of the harness."""
    start = time.process_time()
    save(survey(folder / "part-00000.jsonl.zst", THRESHOLD), folder / "survey-0")
    found = near_texts([folder / "survey-0"], THRESHOLD, Local(1))
    yield {"step": "near-duplicates", "found": int((found.of >= 0).sum()), "cpu_s": time.process_time() - start}
    start = time.process_time()
    index = build(ItemText("s", "t", number, "test", "text", text) for number, text in enumerate(tests))
    yield {"step": "index of test items", "found": None, "cpu_s": time.process_time() - start}
    start = time.process_time()
    stream = (row["instruction"]["text"] for row in read_shard(folder / "part-00000.jsonl.zst"))
    dirty = sum(bool(hits) for hits in index.scan(stream))
    yield {"step": "contamination", "found": dirty, "cpu_s": time.process_time() - start}
    start = time.process_time()
    made = bands_of([row["instruction"]["text"] for row in read_shard(folder / "part-00000.jsonl.zst")], THRESHOLD)
    yield {"step": "signatures", "found": made.shape[1], "cpu_s": time.process_time() - start}


def datasketch(folder: Path) -> Iterator[dict[str, Any]]:
    """Signatures by datasketch, as its documentation shows them."""
    start, count = time.process_time(), 0
    for row in read_shard(folder / "part-00000.jsonl.zst"):
        words = row["instruction"]["text"].lower().split()
        sketch = MinHash(num_perm=128)
        sketch.update_batch([" ".join(words[at : at + 5]).encode() for at in range(max(1, len(words) - 4))])
        count += 1
    yield {"step": "signatures", "found": count, "cpu_s": time.process_time() - start}


def peer(python: str, script: str, *arguments: str) -> dict[str, Any]:
    """What a peer's script printed."""
    done = subprocess.run([python, str(HERE / script), *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"{script} failed: {done.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def measured(given: argparse.Namespace, folder: Path) -> list[dict[str, Any]]:
    """Everything that was asked for, the harness first."""
    tests = list(texts(round(given.texts * TESTS_PER_TEXT), 1))
    write_shards(folder, rows(given.texts, tests), given.texts)
    with (folder / "texts.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps(row) + "\n" for row in read_shard(folder / "part-00000.jsonl.zst"))
    with (folder / "tests.jsonl").open("w", encoding="utf-8") as out:
        out.writelines(json.dumps({"id": "", "instruction": {"text": text}}) + "\n" for text in tests)
    list(build([ItemText("s", "t", 0, "test", "text", "warm up")]).scan(["the tables of characters"]))
    found = [
        {"peer": "harness", "rows": list(harness(folder, tests))},
        {"peer": "datasketch", "rows": list(datasketch(folder))},
    ]
    if given.datatrove:
        found += [
            peer(given.datatrove, "peer_datatrove.py", str(folder), str(NGRAM), name) for name in ("split", "spacy")
        ]
    if given.distilabel:
        found += [peer(given.distilabel, "peer_distilabel.py", str(folder), name) for name in ("words", "letters")]
    if given.rensa:
        found.append(peer(given.rensa, "peer_rensa.py", str(folder)))
    return found


def main() -> int:
    """Print a row per step and peer."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--texts", type=int, default=50_000)
    for name in ("datatrove", "distilabel", "rensa"):
        parser.add_argument(f"--{name}", metavar="PYTHON")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        found = measured(given, Path(folder))
    ours = {row["step"]: row["cpu_s"] for row in found[0]["rows"]}
    slower = False
    for one in found:
        for row in one["rows"]:
            times = row["cpu_s"] / ours[row["step"]]
            slower |= times < 1 and row["step"] != "signatures"
            said = "" if row["found"] is None else f"{row['found']:,} found"
            print(f"{row['step']:<22}{one['peer']:<28}{row['cpu_s']:>9.1f} CPU s{times:>8.1f} x   {said}")
    return int(slower)


if __name__ == "__main__":
    sys.exit(main())
