"""A read-only map from 64-bit hashes to positions, as sorted arrays that can lie on disk.

Almost every question is about a hash that is not there. A bitmap of one bit per hash prefix answers those with one
look; only the rest is searched for.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contamination.words import Hashes, Positions

_BITS_PER_HASH = 16


@dataclass(frozen=True, slots=True)
class Table:
    """Hashes and where they occur.

    Attributes:
        hashes: (n,) sorted, repeated where a hash occurs at several positions.
        positions: (n,) in the order of ``hashes``.
        bitmap: (2^k / 8,) bytes; the bit of every hash's first k bits is set.
    """

    hashes: Hashes
    positions: NDArray[np.uint32]
    bitmap: NDArray[np.uint8]

    def find(self, hashes: Hashes) -> tuple[Positions, Positions]:
        """Number of the query and position, for every occurrence of every query, in order of the queries."""
        bits = hashes >> np.uint64(64 - _log2(self.bitmap) - 3)
        maybe = (self.bitmap[bits >> np.uint64(3)] >> (bits & np.uint64(7)).astype(np.uint8)) & 1
        queries = np.flatnonzero(maybe)
        low = np.searchsorted(self.hashes, hashes[queries], side="left")
        counts = np.searchsorted(self.hashes, hashes[queries], side="right") - low
        steps = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
        return np.repeat(queries, counts), self.positions[np.repeat(low, counts) + steps].astype(np.int64)

    def save(self, folder: Path, name: str) -> None:
        """Write the three arrays into a folder."""
        for part in self.__slots__:
            np.save(folder / f"{name}.{part}.npy", getattr(self, part))


def load_table(folder: Path, name: str) -> Table:
    """The table that ``save`` wrote, mapped from disk: processes on one machine share its pages."""
    arrays: dict[str, Any] = {part: np.load(folder / f"{name}.{part}.npy", mmap_mode="r") for part in Table.__slots__}
    return Table(**{part: np.asarray(array) for part, array in arrays.items()})


def table_of(hashes: Hashes, positions: Positions, texts: Positions, most_texts: int) -> tuple[Table, int]:
    """A table of each hash's first position in every text, without hashes of too many texts.

    Args:
        hashes: (n,).
        positions: (n,) ascending.
        texts: (n,) text that each position lies in, ascending.
        most_texts: A hash that more texts than this have is left out.

    Returns:
        The table, and the number of hashes left out.
    """
    order = np.argsort(hashes, kind="stable")
    hashes, positions, texts = hashes[order], positions[order], texts[order]
    new_hash = np.diff(hashes, prepend=hashes[:1] - np.uint64(1)) != 0
    first = new_hash | (np.diff(texts, prepend=-1) != 0)
    hashes, positions, new_hash = hashes[first], positions[first], new_hash[first]
    starts = np.flatnonzero(new_hash)
    counts = np.diff(np.append(starts, len(hashes)))
    kept = np.repeat(counts <= most_texts, counts)
    hashes, positions = hashes[kept], positions[kept]
    return Table(hashes, positions.astype(np.uint32), _bitmap(hashes)), int((counts > most_texts).sum())


def _bitmap(hashes: Hashes) -> NDArray[np.uint8]:
    log2 = max(10, (len(hashes) * _BITS_PER_HASH).bit_length())
    bits = np.zeros(1 << log2, np.bool_)
    bits[hashes >> np.uint64(64 - log2)] = True
    return np.packbits(bits, bitorder="little")


def _log2(bitmap: NDArray[np.uint8]) -> int:
    """Binary logarithm of the number of bytes."""
    return len(bitmap).bit_length() - 1
