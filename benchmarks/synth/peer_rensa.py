"""MinHash signatures by rensa, for ``benchmarks.synth.peers``; run by an interpreter that has it, prints JSON."""

from __future__ import annotations

import json
import sys
import time
from importlib.metadata import version
from pathlib import Path

from rensa import RMinHash


def main() -> None:
    """Measure signatures of word 5-grams with 128 permutations."""
    start = time.process_time()
    count = 0
    with (Path(sys.argv[1]) / "texts.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            words = json.loads(line)["instruction"]["text"].lower().split()
            sketch = RMinHash(128, 1)
            sketch.update([" ".join(words[at : at + 5]) for at in range(max(1, len(words) - 4))])
            sketch.digest()
            count += 1
    measured = {"step": "signatures", "found": count, "cpu_s": time.process_time() - start}
    print(json.dumps({"peer": f"rensa {version('rensa')}", "rows": [measured]}))


if __name__ == "__main__":
    main()
