"""What two texts begin with in common."""

from __future__ import annotations


def shared(first: str, second: str) -> int:
    """The number of characters that two texts begin with in common."""
    low, high = 0, min(len(first), len(second))
    while low < high:
        middle = (low + high + 1) // 2
        if first[low:middle] == second[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low
