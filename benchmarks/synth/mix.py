"""Measures the mix: selects and writes a corpus from N synthetic filtered examples; prints rates and peak memory.

Run ``python -m benchmarks.synth.mix [--records N] [--workers W]``. With one worker everything happens in this
process, so the peak of resident memory is that of the whole step. The exit code is 1 where it grew past the limit.
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from harness.executors import Local
from synth.mix import mix
from synth.recipe import recipe_of
from synth.shards import write_shards

LIMIT_MB = 2000.0
FORMATS = ("json", "yaml", "xml", "prose")
STRATEGIES = ((), (), ("formats",), ("guidelines",), ("formats", "rules"))
FILTERS = (
    "schema_valid",
    "grounded",
    "parses_back",
    "length",
    "language",
    "near_duplicate",
    "siblings",
    "contamination",
)


def synthetic(number: int) -> dict[str, Any]:
    """Row ``number`` of a pool: as large as a real one, every tenth rejected by a filter."""
    identity = hashlib.sha256(b"%d" % number).hexdigest()
    text = " ".join(
        f"Visitor {identity[n : n + 6]} signed the guest book of house {number % 977}." for n in range(0, 24, 6)
    )
    instruction = {
        "id": identity[::-1], "family": "ner", "source": f"book-{number % 12}", "document": f"page-{number // 5}",
        "text": text, "schema": {"labels": ["visitor", "house", "date"], "roles": {}},
        "answer": [{"label": "visitor", "text": identity[n : n + 6]} for n in range(0, 24, 6)],
        "licence": "CC0-1.0", "question": None, "parent": identity, "guideline": None, "rule": None, "provenance": {},
    }  # fmt: skip
    filters = [
        {"name": name, "version": "1", "passed": number % 80 != place, "value": 160, "reason": ""}
        for place, name in enumerate(FILTERS)
    ]
    return {
        "id": identity, "instruction": instruction, "format": FORMATS[number % 4], "phrasing": "ner-plain",
        "prompt": f"Which spans of the text are entities of the types visitor, house, date?\nText: {text}\nOutput:",
        "completion": f' {{"visitor": ["{identity[:6]}", "{identity[6:12]}"]}}',
        "strategies": list(STRATEGIES[number % 5]), "filters": filters,
    }  # fmt: skip


def rows(total: int) -> Iterator[dict[str, Any]]:
    """The pool."""
    return map(synthetic, range(total))


def peak_mb() -> float:
    """Largest resident memory of this process so far, in MB (ru_maxrss is in kB on Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def main() -> int:
    """Write the pool, mix it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--workers", type=int, default=1)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        pool = Path(folder) / "filtered"
        write_shards(pool, rows(given.records))
        base, start, cpu = peak_mb(), time.perf_counter(), time.process_time()
        recipe = recipe_of({"sources": [{"dataset": "seeds"}]})
        found = mix(pool, Path(folder) / "corpus", recipe, Local(given.workers))
        seconds, spent = time.perf_counter() - start, time.process_time() - cpu
    print(f"pool {given.records:,} examples, corpus {found['records']:,}")
    print(f"{seconds:.1f} s, {spent:.1f} CPU s in this process: {given.records / spent:,.0f} examples/s per core")
    print(f"peak {peak_mb():.0f} MB, of which {peak_mb() - base:.0f} MB beyond writing the pool")
    return int(peak_mb() > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
