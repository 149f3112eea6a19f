"""First pass over one shard: its distinct texts, their bands, and how often each document occurs.

What all shards together say (near-duplicates, siblings) is worked out from these small files; texts lie beside them, so
that no process ever holds them all.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.contamination.strings import load_strings, save_strings
from harness.errors import StoreError
from synth.filters.similarity import bands_of
from synth.records import Family
from synth.shards import read_shard

_ARRAYS = ("keys", "families", "bands", "documents", "counts", "examples")
_FAMILIES = {family: number for number, family in enumerate(Family)}
Shown = tuple[str, str, str, str]
"""``guideline`` or ``rule``, its id, and the family and source of an instruction that shows it."""


@dataclass(frozen=True, slots=True)
class Survey:
    """What one shard holds.

    Attributes:
        keys: (texts,) key of each distinct text of a family, in order of first occurrence.
        families: (texts,) number of its family.
        bands: (bands, texts) hashes; texts of other families never share one.
        documents: (documents,) key of each document, in order of first occurrence.
        counts: (documents,) examples of it.
        examples: (rows,) key of each example's id.
        texts: The texts.
        owners: Document that each text first came from.
        shown: Guidelines and rules that occur, in order of first occurrence.
    """

    keys: NDArray[np.uint64]
    families: NDArray[np.uint8]
    bands: NDArray[np.uint64]
    documents: NDArray[np.uint64]
    counts: NDArray[np.int64]
    examples: NDArray[np.uint64]
    texts: Sequence[str]
    owners: Sequence[str]
    shown: tuple[Shown, ...]


def key_of(*parts: str) -> int:
    """64-bit key of some strings."""
    text = "\0".join(parts).encode("utf-8", "surrogatepass")
    return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest())


def survey(path: Path, threshold: float) -> Survey:
    """The survey of one shard.

    Args:
        path: The shard.
        threshold: Jaccard similarity that bands are cut for.

    Raises:
        DataError: The shard is torn.
    """
    texts: dict[tuple[str, str], str] = {}
    documents: Counter[str] = Counter()
    shown: dict[Shown, None] = {}
    examples = []
    for row in read_shard(path):
        asked = row["instruction"]
        texts.setdefault((asked["family"], asked["text"]), asked["document"])
        documents[asked["document"]] += 1
        examples.append(key_of(row["id"]))
        for kind in ("guideline", "rule"):
            if asked[kind] is not None:
                shown[kind, asked[kind], asked["family"], asked["source"]] = None
    families = np.array([_FAMILIES[Family(family)] for family, _ in texts], np.uint8)
    bands = bands_of([text for _, text in texts], threshold)
    return Survey(
        keys=_keys(key_of(*text) for text in texts),
        families=families,
        bands=np.where(bands, bands * np.uint64(16) + families, 0),
        documents=_keys(map(key_of, documents)),
        counts=np.array(list(documents.values()), np.int64),
        examples=_keys(examples),
        texts=[text for _, text in texts],
        owners=list(texts.values()),
        shown=tuple(shown),
    )


def _keys(values: Iterable[int]) -> NDArray[np.uint64]:
    return np.fromiter(values, np.uint64)


def save(found: Survey, folder: Path) -> None:
    """Write a survey, whole or not at all.

    Raises:
        StoreError: The folder cannot be written.
    """
    temporary = folder.with_suffix(".partial")
    try:
        temporary.mkdir(parents=True, exist_ok=True)
        for name in _ARRAYS:
            np.save(temporary / f"{name}.npy", getattr(found, name))
        for name in ("texts", "owners"):
            save_strings(getattr(found, name), temporary, name)
        (temporary / "shown.json").write_text(json.dumps(found.shown, ensure_ascii=False), encoding="utf-8")
        temporary.replace(folder)
    except OSError as error:
        raise StoreError(
            f"Survey {folder}", f"cannot be written ({error.strerror})", "free space or name another folder"
        ) from error


@lru_cache(maxsize=256)
def load(folder: Path) -> Survey:
    """The survey that ``save`` wrote, mapped from disk."""
    arrays: dict[str, Any] = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in _ARRAYS}
    shown = json.loads((folder / "shown.json").read_text(encoding="utf-8"))
    return Survey(
        **arrays,
        texts=load_strings(folder, "texts"),
        owners=load_strings(folder, "owners"),
        shown=tuple((kind, name, family, source) for kind, name, family, source in shown),
    )
