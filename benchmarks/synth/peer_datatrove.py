"""The steps of ``benchmarks.synth.peers`` by datatrove; run by an interpreter that has it, prints one JSON document.

``python peer_datatrove.py FOLDER NGRAM TOKENIZER [contamination]``, the last for that step alone. The tokenizer is
datatrove's own for English (``spacy``), or ``split``: the words between spaces of the text that datatrove has
simplified, which is what the harness compares.
"""

from __future__ import annotations

import json
import os
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Any

os.environ["LOGURU_LEVEL"] = "ERROR"

import numpy as np
from datatrove.data import Document
from datatrove.pipeline.decont.n_grams import NGramsDecontConfig, NGramsDecontFilter
from datatrove.pipeline.dedup import MinhashDedupBuckets, MinhashDedupCluster, MinhashDedupSignature
from datatrove.pipeline.dedup.minhash import MinhashConfig
from datatrove.utils.text import ngrams, simplify_text

BUCKETS, HASHES = 14, 9


class Split:
    """Words between spaces."""

    def word_tokenize(self, text: str) -> list[str]:
        """The words."""
        return text.split()


def documents(path: Path) -> Any:
    """Rows of a file."""
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            row = json.loads(line)
            yield Document(text=row["instruction"]["text"], id=row["id"])


def near_duplicates(folder: Path, tokenizer: str) -> int:
    """Number of texts that repeat another."""
    config = MinhashConfig(n_grams=5, num_buckets=BUCKETS, hashes_per_bucket=HASHES)
    work = folder / f"datatrove-{tokenizer}"
    signatures = MinhashDedupSignature(str(work / "sigs"), config)
    if tokenizer == "split":
        signatures.word_tokenizer = Split()
    signatures.run(documents(folder / "texts.jsonl"))
    buckets = MinhashDedupBuckets(str(work / "sigs"), str(work / "buckets"), config=config)
    for rank in range(BUCKETS):
        buckets.run(None, rank, BUCKETS)
    MinhashDedupCluster(str(work / "buckets"), str(work / "remove"), config=config).run(None)
    return sum(path.stat().st_size // 4 for path in (work / "remove").glob("*.remove"))


def contaminated(folder: Path, n: int, tokenizer: str) -> tuple[int, float]:
    """Number of texts that share an n-gram with a test item, and the seconds that building the index took."""
    config = NGramsDecontConfig(n_grams=n, find_query_ngrams=True)
    step = NGramsDecontFilter(str(folder / "datatrove-index"), config)
    if tokenizer == "split":
        step.tokenizer = Split()
    start = time.process_time()
    hashes = set()
    for document in documents(folder / "tests.jsonl"):  # what NGramsDecontIndexer does, which needs lighteval to start
        words = step.tokenizer.word_tokenize(simplify_text(document.text, config.norm_config))
        hashes.update(map(step.hash_func, map(" ".join, ngrams(words, n))))
    (folder / "datatrove-index").mkdir(exist_ok=True)
    np.array(list(hashes), config.hash_config.np_descr).tofile(folder / "datatrove-index" / "tests.index.hashes")
    built = time.process_time() - start
    return sum(step.filter(document) is not True for document in documents(folder / "texts.jsonl")), built


def main() -> None:
    """Measure the steps."""
    folder, n, tokenizer, *only = Path(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:]
    rows = []
    start = time.process_time()
    if not only:
        found = near_duplicates(folder, tokenizer)
        rows.append({"step": "near-duplicates", "found": found, "cpu_s": time.process_time() - start})
    middle = time.process_time()
    dirty, built = contaminated(folder, n, tokenizer)
    rows += [
        {"step": "index of test items", "found": None, "cpu_s": built},
        {"step": "contamination", "found": dirty, "cpu_s": time.process_time() - middle - built},
    ]
    print(json.dumps({"peer": f"datatrove {version('datatrove')}, {tokenizer}", "rows": rows}))


if __name__ == "__main__":
    main()
