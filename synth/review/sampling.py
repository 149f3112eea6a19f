"""A stratified sample of examples, read in one pass; a part of it is the same for every reviewer."""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from synth.records import Example, Instruction, digest, example_of, instruction_of
from synth.shards import read_shard, shards

Sampled = tuple[Example, Instruction | None]
"""An example, and for one under a rule the instruction that the rule changed."""

Row = Mapping[str, Any]

_SHARDS = 10  # of a large step; evenly spaced, so that every source has a chance
_STEPS = ("filtered", "examples")


def sampled(out: Path, count: int, overlap: float, own: str, common: str) -> Iterator[Sampled]:
    """Examples, the same number from every stratum of strategies and family as far as it goes.

    Args:
        out: Working folder.
        count: How many.
        overlap: Share that hangs on ``common`` alone.
        own: Key of the rest.
        common: Key of the part that every reviewer gets.
    """
    shared = round(count * overlap)
    pools: defaultdict[tuple[str, str], tuple[list[Any], list[Any]]] = defaultdict(lambda: ([], []))
    for row, base in _rows(out) if count else ():
        stratum = pools[strategy_of(row["strategies"]), row["instruction"]["family"]]
        for pool, key, size in zip(stratum, (common, own), (shared, count), strict=True):
            place = digest([key, row["id"]])
            if len(pool) < size or (pool and place < pool[-1][0]):
                insort(pool, (place, row, base), key=lambda entry: entry[0])
                del pool[size:]
    strata = [pools[name] for name in sorted(pools)]
    first = _dealt([pool for pool, _ in strata], shared, set())
    rest = _dealt([pool for _, pool in strata], count - len(first), {row["id"] for _, row, _ in first})
    for _, row, base in (*first, *rest):
        yield _example(row, base)


def strategy_of(strategies: Iterable[str]) -> str:
    """Strategies as one word."""
    return "+".join(sorted(strategies)) or "basic"


def spaced(folder: Path) -> list[Path]:
    """All shards of a folder, or some that are evenly spaced."""
    found = shards(folder)
    return found if len(found) <= _SHARDS else [found[number * len(found) // _SHARDS] for number in range(_SHARDS)]


def _rows(out: Path) -> Iterator[tuple[Row, Row | None]]:
    """Rows of examples with the last basic example before each: the variants of an instruction follow its basic one."""
    folder = next((out / name for name in _STEPS if any((out / name).glob("part-*"))), None)
    base: Row | None = None
    for path in spaced(folder) if folder is not None else ():
        for row in read_shard(path):
            base = row if row["instruction"]["parent"] is None else base
            yield row, base


def _dealt(pools: Sequence[Sequence[Any]], count: int, seen: set[str]) -> list[Any]:
    """Entries of the pools in turn, until there are enough or none is left."""
    queues = [[entry for entry in pool if entry[1]["id"] not in seen] for pool in pools]
    longest = max(map(len, queues), default=0)
    return [pool[turn] for turn in range(longest) for pool in queues if turn < len(pool)][:count]


def _example(row: Row, base: Row | None) -> Sampled:
    example = example_of(row)
    if example.instruction.rule is None or base is None:
        return example, None
    original = instruction_of(base["instruction"])
    return example, original if original.id == example.instruction.parent else None
