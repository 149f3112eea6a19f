"""Many strings as two arrays on disk, decoded when asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import overload

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Strings(Sequence[str]):
    """Strings on disk.

    Attributes:
        content: UTF-8 of all of them, one after the other; lone surrogates are kept.
        bounds: (strings + 1,) where each begins.
    """

    content: NDArray[np.uint8]
    bounds: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...
    @overload
    def __getitem__(self, number: slice) -> Sequence[str]: ...
    def __getitem__(self, number: int | slice) -> str | Sequence[str]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        return bytes(self.content[self.bounds[number] : self.bounds[number + 1]]).decode("utf-8", "surrogatepass")


def save_strings(strings: Sequence[str], folder: Path, name: str) -> None:
    """Write strings into a folder, as ``<name>.npy`` and ``<name>.bounds.npy``."""
    encoded = [text.encode("utf-8", "surrogatepass") for text in strings]
    np.save(folder / f"{name}.npy", np.frombuffer(b"".join(encoded), np.uint8))
    np.save(folder / f"{name}.bounds.npy", np.cumsum([0, *map(len, encoded)]))


def load_strings(folder: Path, name: str) -> Strings:
    """The strings that ``save_strings`` wrote, mapped from disk."""
    return Strings(
        np.load(folder / f"{name}.npy", mmap_mode="r"), np.load(folder / f"{name}.bounds.npy", mmap_mode="r")
    )
