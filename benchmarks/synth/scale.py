"""Measures the whole way of N base records through draft, render, filter and mix: rates per core, peak memory by step.

Run ``python -m benchmarks.synth.scale [--records N] [--variants V] [--generated] [--folder DIR]``. Seed data is the
embedded grammar and the teacher the rulebook; with ``--generated``, instructions come from a generator that costs next
to nothing, and nothing is drafted. Each step runs in a process of its own, on one core, so that its time and its peak
of resident memory are its own. The exit code is 1 where a step grew past the limit.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import yaml

from benchmarks.synth.render import synthetic
from synth import pipeline
from synth.records import as_row
from synth.shards import mark_done, write_shards
from synth.work import Work, open_work

LIMIT_MB = 2000.0
_RECIPE = "recipe.yaml"


def generate(work: Work) -> Mapping[str, Any]:
    """Write instructions of a generator instead of drafting."""
    records = work.recipe.sources[0].limit or 0
    folder = work.part(pipeline.INSTRUCTIONS)
    count = write_shards(folder, (as_row(synthetic(number)) for number in range(records)))
    mark_done(folder, "generated", rows=count)
    return {"instructions": count}


STEPS: Mapping[str, Callable[[Any], Mapping[str, Any]]] = {
    "generate": generate, "draft": pipeline.draft,
    "render": pipeline.render, "filter": pipeline.filter, "mix": pipeline.mix,
}  # fmt: skip
COUNTED = {
    "generate": "instructions",
    "draft": "instructions",
    "render": "examples",
    "filter": "examples",
    "mix": "records",
}
DOCUMENTS_PER_RECORD = 0.82  # of the embedded grammar: a document with many labels is asked in several records


@dataclass(frozen=True, slots=True)
class Cost:
    """What a step took.

    Attributes:
        rows: Rows that it made.
        cpu_s: Seconds of processor time.
        peak_mb: Largest resident memory.
    """

    rows: int
    cpu_s: float
    peak_mb: float


def recipe(documents: int, variants: int) -> dict[str, Any]:
    """A recipe over the embedded grammar with every filter but the judge."""
    return {
        "name": "scale",
        "sources": [{"dataset": "seeds", "limit": documents}],
        "variants": variants,
        "mix": {} if variants else {"compound": 0.0},
    }


def step(name: str, folder: Path, counted: Path) -> None:
    """Run one step of a working folder, and leave the number of its rows."""
    work = open_work(folder, folder / _RECIPE, workers=1)
    counted.write_text(str(STEPS[name](work)[COUNTED[name]]), encoding="utf-8")


def cost(name: str, folder: Path) -> Cost:
    """What one step takes, in a process of its own."""
    counted = folder / "counted"
    process = get_context("spawn").Process(target=step, args=(name, folder, counted))
    process.start()
    assert process.pid is not None
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"The step {name} failed.")
    return Cost(int(counted.read_text(encoding="utf-8")), used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


def main() -> int:
    """Measure the steps one after the other."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    parser.add_argument("--variants", type=int, default=1)
    parser.add_argument("--generated", action="store_true", help="no grammar, no teacher")
    parser.add_argument("--folder", type=Path, help="keep the corpus here")
    given = parser.parse_args()
    good = True
    with ExitStack() as stack:
        folder = given.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        folder.mkdir(parents=True, exist_ok=True)
        documents = given.records if given.generated else round(given.records * DOCUMENTS_PER_RECORD)
        (folder / _RECIPE).write_text(yaml.safe_dump(recipe(documents, given.variants)), encoding="utf-8")
        for name in ("generate" if given.generated else "draft", "render", "filter", "mix"):
            found = cost(name, folder)
            good &= found.peak_mb <= LIMIT_MB
            rate = found.rows / found.cpu_s
            figures = f"{found.rows:>12,} rows{found.cpu_s:>10.1f} CPU s{rate:>10,.0f}/s{found.peak_mb:>8.0f} MB"
            print(f"{name:<10}{figures}", flush=True)
    return int(not good)


if __name__ == "__main__":
    sys.exit(main())
