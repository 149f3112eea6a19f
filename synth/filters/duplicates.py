"""Near-duplicates over all shards: inputs among those of their family, guidelines and rules among their own kind."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from harness.plugins import Executor
from synth.filters.similarity import jaccard, rouge_l, shingles_of
from synth.filters.survey import Shown, Survey, load

_PAIRS = 2_000  # compared in one call of the executor
Numbers = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Texts:
    """Every distinct text of a family in all shards.

    Attributes:
        keys: (texts,) sorted.
        first: (texts,) number of its first occurrence, counted over the surveys.
        of: (texts,) number of the earlier text that it is a near-duplicate of; -1 for none.
        jaccard: (texts,) their similarity.
        rouge_l: (texts,) their ROUGE-L.
    """

    keys: NDArray[np.uint64]
    first: Numbers
    of: Numbers
    jaccard: NDArray[np.float32]
    rouge_l: NDArray[np.float32]


class Surveys:
    """The surveys of all shards as one sequence of texts."""

    def __init__(self, folders: Sequence[Path]) -> None:
        """Open nothing yet."""
        self.folders = folders
        self.begins = np.cumsum([0, *(len(load(folder).keys) for folder in folders)])

    def place(self, number: int) -> tuple[Survey, int]:
        """Survey of a text, and its number there."""
        shard = int(np.searchsorted(self.begins, number, side="right")) - 1
        return load(self.folders[shard]), number - int(self.begins[shard])

    def text(self, number: int) -> str:
        """A text by its number."""
        found, at = self.place(number)
        return found.texts[at]

    def owner(self, number: int) -> str:
        """The document that a text first came from."""
        found, at = self.place(number)
        return found.owners[at]


def near_texts(folders: Sequence[Path], threshold: float, executor: Executor) -> Texts:
    """Which text is a near-duplicate of which earlier one.

    Texts that share a band are candidates; a pair counts where the Jaccard similarity of their word 5-grams, counted
    exactly, and their ROUGE-L both reach the threshold. A text that repeats a near-duplicate only is none itself.

    Args:
        folders: Surveys, in the order of the shards.
        threshold: Smallest similarity.
        executor: Where pairs are compared.
    """
    surveys = [load(folder) for folder in folders]
    keys, first = np.unique(np.concatenate([found.keys for found in surveys]), return_index=True)
    pairs = _candidates(surveys, np.sort(first))
    chunks = [pairs[at : at + _PAIRS] for at in range(0, len(pairs), _PAIRS)]
    scores = [np.zeros((0, 2)), *executor.map(partial(_compared, tuple(folders)), chunks)]
    near = np.concatenate(scores)
    good = (near >= threshold).all(axis=1)
    total = sum(len(found.keys) for found in surveys)
    of, alike = np.full(total, -1, np.int64), np.zeros((total, 2), np.float32)
    for (earlier, later), score in zip(pairs[good].tolist(), near[good], strict=True):
        if of[earlier] < 0 and of[later] < 0:
            of[later], alike[later] = earlier, score
    return Texts(keys, first, of[first], alike[first, 0], alike[first, 1])


def _candidates(surveys: Sequence[Survey], chosen: Numbers) -> Numbers:
    """(pairs, 2) earlier and later text, sorted by the later: with the first and the last before it in a bucket."""
    found = [np.zeros(0, np.int64)]
    for band in range(len(surveys[0].bands)):
        hashes = np.concatenate([survey.bands[band] for survey in surveys])[chosen]
        order = np.argsort(hashes, kind="stable")
        hashes, members = hashes[order], chosen[order]
        begins = np.flatnonzero(np.diff(hashes, prepend=hashes[:1] - np.uint64(1)) != 0)
        heads = np.repeat(members[begins], np.diff(np.append(begins, len(members))))
        later = np.flatnonzero((heads != members) & (hashes != 0))
        for earlier in (heads[later], members[later - 1]):
            found.append(members[later] << 32 | earlier)
    packed = np.unique(np.concatenate(found))
    return np.stack((packed & 0xFFFFFFFF, packed >> 32), axis=1)


def _compared(folders: tuple[Path, ...], pairs: Numbers) -> NDArray[np.float64]:
    """(pairs, 2) Jaccard similarity and ROUGE-L of each pair."""
    surveys = Surveys(folders)
    numbers, places = np.unique(pairs, return_inverse=True)
    return similarities([surveys.text(int(number)) for number in numbers], places.reshape(pairs.shape))


def similarities(texts: Sequence[str], pairs: Numbers) -> NDArray[np.float64]:
    """(pairs, 2) Jaccard similarity of word 5-grams and ROUGE-L of pairs of texts.

    Args:
        texts: Texts.
        pairs: (pairs, 2) numbers of the texts.
    """
    shingles = shingles_of(texts)
    sets = [shingles.of(text) for text in range(len(texts))]
    words = shingles.words.tolist()
    sequences = [words[a:b] for a, b in zip(shingles.first[:-1], shingles.first[1:], strict=True)]
    found = [(jaccard(sets[a], sets[b]), rouge_l(sequences[a], sequences[b])) for a, b in pairs.tolist()]
    return np.array(found, np.float64).reshape(-1, 2)


def near_shown(shown: Sequence[Shown], texts: Mapping[str, Mapping[str, str]], threshold: float) -> dict[str, Any]:
    """Which guideline or rule is a near-duplicate of which earlier one of its family and source.

    Args:
        shown: Guidelines and rules in order of first occurrence.
        texts: Texts by id, under ``guideline`` and ``rule``.
        threshold: Smallest similarity.

    Returns:
        For each near-duplicate, by ``shown_key``: what it repeats and how alike they are.
    """
    groups: dict[tuple[str, str, str], list[str]] = {}
    for kind, name, family, source in dict.fromkeys(shown):
        if name in texts[kind]:
            groups.setdefault((kind, family, source), []).append(name)
    found: dict[str, Any] = {}
    for (kind, family, source), names in groups.items():
        pairs = np.array([(a, b) for b in range(len(names)) for a in range(b)], np.int64).reshape(-1, 2)
        scores = similarities([texts[kind][name] for name in names], pairs)
        for (a, b), (alike, rouge) in zip(pairs.tolist(), scores.tolist(), strict=True):
            one, other = (shown_key(kind, names[number], family, source) for number in (a, b))
            if min(alike, rouge) >= threshold and one not in found and other not in found:
                found[other] = alike_value(names[a], alike, rouge)
    return found


def shown_key(kind: str, name: str, family: str, source: str) -> str:
    """One string for a guideline or rule as the instructions of a family and source show it."""
    return "\n".join((kind, name, family, source))


def alike_value(of: str, alike: float, rouge: float) -> dict[str, Any]:
    """What an annotation says of a near-duplicate."""
    return {"of": of, "jaccard": round(alike, 3), "rouge_l": round(rouge, 3)}
