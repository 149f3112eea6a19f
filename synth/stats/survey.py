"""One pass over the pool and the corpus: what every measurement rests on. Memory does not grow with the texts."""

from __future__ import annotations

import heapq
import json
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.errors import MissingInputError
from synth.shards import read_shards

SAMPLE = 500
"""Examples on which diversity is measured: those of smallest digest."""

Nested = defaultdict[str, Counter[str]]


def _nested() -> Nested:
    return defaultdict(Counter)


@dataclass(slots=True)
class Found:
    """What the pass found.

    Attributes:
        funnel: Examples of the pool that are left after each filter, in the order of the filters; ``rendered``: all.
        corpus: Examples of the corpus.
        strategies: By family: examples by combination of strategies.
        sources: Examples by source.
        formats: By family: examples by answer format.
        templates: Examples by phrasing and format.
        labels: By family: facts by label.
        facts: By family: examples by number of facts.
        lengths: Tokens (where counted), and characters of prompt and completion, of each example.
        sample: Examples on which diversity is measured.
    """

    funnel: Counter[str] = field(default_factory=Counter)
    corpus: int = 0
    strategies: Nested = field(default_factory=_nested)
    sources: Counter[str] = field(default_factory=Counter)
    formats: Nested = field(default_factory=_nested)
    templates: Counter[str] = field(default_factory=Counter)
    labels: Nested = field(default_factory=_nested)
    facts: Nested = field(default_factory=_nested)
    lengths: dict[str, array[int]] = field(
        default_factory=lambda: {name: array("I") for name in ("tokens", "prompt", "completion")}
    )
    sample: list[Mapping[str, Any]] = field(default_factory=list)


def look(filtered: Path, corpus: Path, seed: int) -> Found:
    """What the pool and the corpus that was selected from it hold.

    Args:
        filtered: Folder of shards of annotated examples.
        corpus: Folder of the corpus.
        seed: Seed of the sample.

    Raises:
        MissingInputError: One of them is not there.
        DataError: A shard is torn.
    """
    chosen = _chosen(corpus)
    found, nearest, seen = Found(), _Nearest(seed), set[int]()
    for row in read_shards(filtered):
        _through_filters(found.funnel, row)
        key = _key(row["id"])
        place = int(np.searchsorted(chosen, np.uint64(key)))
        if place < len(chosen) and int(chosen[place]) == key and key not in seen:
            seen.add(key)
            _count(found, row)
            nearest.offer(row)
    found.sample = nearest.rows()
    return found


class _Nearest:
    """The examples of smallest digest, whatever order they come in."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._heap: list[tuple[int, str, Mapping[str, Any]]] = []

    def offer(self, row: Mapping[str, Any]) -> None:
        digest = -int.from_bytes(blake2b(f"{self._seed}/stats/{row['id']}".encode(), digest_size=8).digest(), "big")
        if len(self._heap) < SAMPLE:
            heapq.heappush(self._heap, (digest, row["id"], row))
        elif digest > self._heap[0][0]:
            heapq.heapreplace(self._heap, (digest, row["id"], row))

    def rows(self) -> list[Mapping[str, Any]]:
        return [row for _, _, row in sorted(self._heap, key=lambda item: (-item[0], item[1]))]


def _chosen(corpus: Path) -> NDArray[np.uint64]:
    """Keys of the examples of a corpus, sorted."""
    files = [*sorted(corpus.glob("train-*")), *sorted(corpus.glob("dev-*"))]
    if not files:
        raise MissingInputError(f"Folder {corpus}", "holds no corpus", "run harness synth mix first")
    keys = np.fromiter((_key(name) for path in files for name in _ids(path)), np.uint64)
    keys.sort()
    return keys


def _ids(path: Path) -> Iterator[str]:
    if path.suffix == ".parquet":
        from pyarrow import parquet

        yield from parquet.read_table(path, columns=["id"]).column("id").to_pylist()
        return
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)["id"]


def _key(identity: str) -> int:
    return int(identity[:16], 16)


def _through_filters(funnel: Counter[str], row: Mapping[str, Any]) -> None:
    funnel["rendered"] += 1
    alive = True
    for annotation in row["filters"]:
        alive = alive and annotation["passed"]
        funnel[annotation["name"]] += alive


def _count(found: Found, row: Mapping[str, Any]) -> None:
    asked = row["instruction"]
    family, answer = asked["family"], asked["answer"]
    found.corpus += 1
    found.strategies[family]["+".join(row["strategies"]) or "basic"] += 1
    found.sources[asked["source"]] += 1
    found.formats[family][row["format"]] += 1
    found.templates[f"{row['phrasing']} / {row['format']}"] += 1
    found.labels[family].update(_labels(answer))
    found.facts[family][str(len(answer))] += 1
    tokens = next((item["value"] for item in row["filters"] if item["name"] == "length"), None)
    if tokens is not None:
        found.lengths["tokens"].append(tokens)
    found.lengths["prompt"].append(len(row["prompt"]))
    found.lengths["completion"].append(len(row["completion"]))


def _labels(answer: Iterable[Mapping[str, Any]]) -> list[str]:
    return [fact["label"] for fact in answer if "label" in fact]
