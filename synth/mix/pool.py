"""First pass: what each filtered example brings to the selection, in 32 bytes.

Priorities are digests of seed and content, so the choice depends neither on the order of the shards nor on how many
there are, and two selections from one pool share as many examples as their rules allow.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from synth.records import Family, Strategy
from synth.shards import read_shard

FAMILIES = tuple(Family)
_NUMBERS = {str(family): number for number, family in enumerate(FAMILIES)}
STRATEGY_BITS = {strategy: 1 << number for number, strategy in enumerate(Strategy)}
PASSED, CLEAN, HELD_OUT = 8, 16, 32
"""Flags beside those of the strategies: every filter passes it; no filter of ``ALWAYS`` rejects it; it belongs to
something that is kept for evaluation."""
REVIEW = "review"
"""What the rejection of an example by a person counts as, beside the filters."""
ALWAYS = ("contamination", REVIEW)
"""What holds in every selection: a corpus that has seen the test items cannot be compared with anything, and what a
person rejected is no training data."""
ROW = np.dtype(
    [
        ("pick", "u8"), ("place", "u8"), ("document", "u8"), ("tokens", "u4"), ("family", "u1"), ("flags", "u2"),
        ("score", "u1"),
    ]
)  # fmt: skip
"""Priority in the selection, place in the corpus, key of the document, tokens, number of the family, flags, and the
score of the judge, 0 without one."""

Pool = NDArray[np.void]


@dataclass(frozen=True, slots=True)
class Lens:
    """What the first pass looks for.

    Attributes:
        seed: Seed of every priority.
        formats: Formats that are kept for evaluation.
        phrasings: Phrasings that are.
        rules: Ids of preference rules that are.
        refused: Ids of examples that a person rejected.
    """

    seed: int
    formats: frozenset[str]
    phrasings: frozenset[str]
    rules: frozenset[str]
    refused: frozenset[str] = frozenset()

    def held_out(self, row: Mapping[str, Any]) -> str | None:
        """Which kind of thing that is kept for evaluation an example belongs to, if any."""
        if row["format"] in self.formats:
            return "formats"
        if row["phrasing"] in self.phrasings:
            return "phrasings"
        return "rules" if row["instruction"]["rule"] in self.rules else None


@dataclass(frozen=True, slots=True)
class Survey:
    """What one shard, or a whole pool, brings.

    Attributes:
        rows: (examples,) of ``ROW``, in the order of the shard.
        rejected: Examples that each filter rejects; one can be rejected by several.
        held_out: Examples that belong to something kept for evaluation, by its kind.
        measured: Whether every example that passes has its tokens.
    """

    rows: Pool
    rejected: Counter[str]
    held_out: Counter[str]
    measured: bool


def survey(path: Path, lens: Lens) -> Survey:
    """The survey of one shard.

    Raises:
        DataError: The shard is torn.
    """
    rows, rejected, held_out = [], Counter[str](), Counter[str]()
    measured = True
    for row in read_shard(path):
        failed = [annotation["name"] for annotation in row["filters"] if not annotation["passed"]]
        failed += [REVIEW] if row["id"] in lens.refused else []
        values = {annotation["name"]: annotation["value"] for annotation in row["filters"]}
        tokens = values.get("length")
        kind = lens.held_out(row)
        rejected.update(set(failed))
        held_out.update([kind] if kind else [])
        measured = measured and (tokens is not None or bool(failed))
        asked = row["instruction"]
        rows.append(
            (
                *_keys(lens.seed, row["id"], asked["document"]),
                tokens or 0,
                _NUMBERS[asked["family"]],
                _flags(row["strategies"], failed, kind),
                values.get("judge") or 0,
            )
        )
    return Survey(np.array(rows, ROW), rejected, held_out, measured)


def together(surveys: Iterable[Survey]) -> Survey:
    """The survey of all shards, in their order."""
    found = list(surveys)
    return Survey(
        rows=np.concatenate([item.rows for item in found]),
        rejected=sum((item.rejected for item in found), Counter()),
        held_out=sum((item.held_out for item in found), Counter()),
        measured=all(item.measured for item in found),
    )


def document_number(seed: int, document: str) -> int:
    """A 64-bit number of a document's key; those below ``dev`` of the range are kept for the dev split."""
    return int.from_bytes(blake2b(f"{seed}/{document}".encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _keys(seed: int, identity: str, document: str) -> tuple[int, int, int]:
    digest = blake2b(f"{seed}/{identity}".encode(), digest_size=16).digest()
    pick, place = int.from_bytes(digest[:8], "big"), int.from_bytes(digest[8:], "big")
    return pick, place, document_number(seed, document)


def _flags(strategies: Iterable[str], failed: list[str], held_out: str | None) -> int:
    flags = 0 if failed else PASSED
    for strategy in strategies:
        flags |= STRATEGY_BITS[Strategy(strategy)]
    if not any(name in ALWAYS for name in failed):
        flags |= CLEAN
    return flags | HELD_OUT if held_out else flags
