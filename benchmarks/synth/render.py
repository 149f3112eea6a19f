"""Measures rendering: N synthetic instructions through every format, read back, and onto disk; prints rates and memory.

Run ``python -m benchmarks.synth.render [--records N]``. Rates are examples per second of processor time, on one core.
The exit code is 1 where an answer does not come back or the peak of resident memory grew past the limit.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator
from itertools import cycle, islice
from pathlib import Path

from benchmarks.synth.mix import LIMIT_MB, peak_mb
from synth.formats import FORMATS, canonical, example, train_phrasings
from synth.records import Example, Family, Instruction, Schema, as_row
from synth.shards import write_shards

TRIAL = 3_000


def synthetic(number: int) -> Instruction:
    """Instruction ``number``: events, entities or a label about a sentence with four names."""
    names = [f"Visitor {number * 7 + place}" for place in range(4)]
    text = f"{names[0]} met {names[1]} in house {number % 977}, where {names[2]} had invited {names[3]}."
    given = {"source": "book", "document": f"page-{number // 5}", "text": text, "licence": "CC0-1.0"}
    match number % 3:
        case 0:
            facts = tuple({"label": "visitor", "text": name} for name in names)
            return Instruction(family=Family.NER, schema=Schema(("visitor", "date")), answer=facts, **given)
        case 1:
            arguments = [{"role": "guest", "text": name} for name in names[:2]]
            events = ({"label": "meeting", "trigger": "met", "arguments": arguments},)
            schema = Schema(("meeting", "trade"), {"meeting": ("guest", "place"), "trade": ("price",)})
            return Instruction(family=Family.EE, schema=schema, answer=events, **given)
        case _:
            labels = Schema(("visit", "trade", "weather"))
            return Instruction(family=Family.TC, schema=labels, answer=({"label": "visit"},), **given)


def examples(total: int) -> Iterator[Example]:
    """One example per instruction, its format by turns."""
    by_family = {
        family: cycle([name for name, item in FORMATS.items() if family in item.families]) for family in Family
    }
    for number in range(total):
        asked = synthetic(number)
        form = next(name for name in by_family[asked.family] if FORMATS[name].can(asked))
        yield example(asked, form, train_phrasings(asked.family)[0])


def measure_formats() -> bool:
    """Print rates of each format; whether every answer came back."""
    good = True
    for name, form in FORMATS.items():
        asked = list(islice((item for item in map(synthetic, range(100_000)) if form.can(item)), TRIAL))
        start = time.process_time()
        made = [example(item, name, train_phrasings(item.family)[0]) for item in asked]
        rendered = time.process_time()
        found = [form.parse(item.completion, item.instruction) for item in made]
        parsed = time.process_time()
        good &= all(answer == canonical(item) for answer, item in zip(found, asked, strict=True))
        rates = len(made) / (rendered - start), len(made) / (parsed - rendered)
        print(f"{name:<16}{rates[0]:12,.0f} rendered/s{rates[1]:12,.0f} parsed/s")
    return good


def main() -> int:
    """Measure every format, then the way onto disk."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=1_000_000)
    given = parser.parse_args()
    good = measure_formats()
    with tempfile.TemporaryDirectory() as folder:
        start = time.process_time()
        total = write_shards(Path(folder), map(as_row, examples(given.records)))
        spent = time.process_time() - start
    print(f"{total:,} examples rendered and written: {total / spent:,.0f}/s per core, peak {peak_mb():.0f} MB")
    return int(not good or peak_mb() > LIMIT_MB)


if __name__ == "__main__":
    sys.exit(main())
