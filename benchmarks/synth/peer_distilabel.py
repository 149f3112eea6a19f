"""The near-duplicate step of ``benchmarks.synth.peers`` by distilabel; run by an interpreter that has it, prints JSON.

``python peer_distilabel.py FOLDER SHINGLES``: ``letters`` for distilabel's own 5-grams of letters, ``words`` for
those of words, which is what the harness compares.
"""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from distilabel.steps import MinHashDedup
from distilabel.steps.filtering.minhash import ngrams

_BATCH = 500


def words(texts: list[str]) -> list[set[bytes]]:
    """Set of the word 5-grams of each text."""
    return [{" ".join(gram).encode() for gram in ngrams(text.lower().split(), 5)} for text in texts]


def main() -> None:
    """Measure the step."""
    folder, shingles = Path(sys.argv[1]), sys.argv[2]
    start = time.process_time()
    step = MinHashDedup(name="dedup", tokenizer="ngrams", n=5, threshold=0.8, num_perm=128)
    step.load()
    if shingles == "words":
        step._tokenizer = words
    with (folder / "texts.jsonl").open(encoding="utf-8") as lines:
        rows = [{"text": json.loads(line)["instruction"]["text"]} for line in lines]
    found = 0
    for at in range(0, len(rows), _BATCH):
        batch = next(step.process(rows[at : at + _BATCH]))
        found += sum(not row["keep_row_after_minhash_filtering"] for row in batch)
    measured = {"step": "near-duplicates", "found": found, "cpu_s": time.process_time() - start}
    print(json.dumps({"peer": f"distilabel {version('distilabel')}, {shingles}", "rows": [measured]}))


if __name__ == "__main__":
    main()
