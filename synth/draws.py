"""Random choices that depend on a key and on nothing else.

One digest of the key is a very large whole number; each draw takes a digit of it in mixed radix. The same key gives
the same choices in every process, on every machine and in every release of Python, and a thousand-step pipeline can
start at any row without playing back the rows before it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")

_LEAST = 1 << 64  # refilled below this, a draw from n values is uneven by less than n / 2**64
_BYTES = 128


class Draws:
    """Choices under one key.

    Args:
        key: What they depend on, such as a seed and a row number.
    """

    __slots__ = ("_key", "_pool", "_round")

    def __init__(self, key: str) -> None:
        self._key = key
        self._round = 0
        self._pool = int.from_bytes(hashlib.shake_128(key.encode()).digest(_BYTES), "big")

    def below(self, count: int) -> int:
        """A whole number of 0 to ``count`` - 1."""
        self._pool, number = divmod(self._pool, count)
        if self._pool < _LEAST:
            self._round += 1
            fresh = hashlib.shake_128(f"{self._key}/{self._round}".encode()).digest(_BYTES)
            self._pool = int.from_bytes(fresh, "big")
        return number

    def pick(self, items: Sequence[T]) -> T:
        """One of the items."""
        return items[self.below(len(items))]

    def chance(self, share: float) -> bool:
        """True in this share of the draws."""
        return self.below(1 << 30) < share * (1 << 30)

    def shuffled(self, items: Sequence[T]) -> list[T]:
        """All items in a drawn order (Fisher and Yates)."""
        mixed = list(items)
        for last in range(len(mixed) - 1, 0, -1):
            other = self.below(last + 1)
            mixed[last], mixed[other] = mixed[other], mixed[last]
        return mixed

    def sample(self, items: Sequence[T], count: int) -> list[T]:
        """At most ``count`` of the items, none twice, in a drawn order."""
        return self.shuffled(items)[:count]
