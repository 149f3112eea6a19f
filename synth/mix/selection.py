"""Which examples of a pool make the corpus: shares, budget, ablations and the split, as arithmetic on arrays."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np
from numpy.typing import NDArray

from harness.errors import DataError
from synth.mix.pool import CLEAN, FAMILIES, HELD_OUT, PASSED, STRATEGY_BITS, Pool
from synth.recipe import MixSettings
from synth.records import Family, Strategy

Mask = NDArray[np.bool_]
Places = NDArray[np.intp]
SPLITS = ("train", "dev")
ABLATIONS: tuple[str, ...] = get_args(MixSettings.model_fields["ablation"].annotation)
_COMPOUND = sum(STRATEGY_BITS.values())
_WITHOUT = {
    "no_guidelines": STRATEGY_BITS[Strategy.GUIDELINES],
    "no_rules": STRATEGY_BITS[Strategy.RULES],
    "no_formats": STRATEGY_BITS[Strategy.FORMATS],
    "basic_only": _COMPOUND,
}


@dataclass(frozen=True, slots=True)
class Cell:
    """One stratum of a split.

    Attributes:
        family: Its family; None for all together.
        compound: Whether at least one strategy shaped its examples.
        share: Its share of the split.
        places: Places in the pool of what it may take, by priority.
    """

    family: Family | None
    compound: bool
    share: float
    places: Places

    @property
    def name(self) -> str:
        """In words, for an error."""
        kind = "compound" if self.compound else "basic"
        return f"{kind} {self.family}" if self.family else kind


def select(pool: Pool, settings: MixSettings) -> Mapping[str, Places]:
    """Places in the pool of the examples of each split.

    In each cell those that the judge scored best are taken, where there is one (but for ``unfiltered``), and of equal
    ones those of smallest priority, so that a smaller budget takes a part of what a larger one takes, and an ablation
    keeps every example that its rule allows.

    Args:
        pool: (examples,) of ``ROW``.
        settings: Budget, shares, ablation and share of the dev split.

    Raises:
        DataError: The pool has too few examples for the budget or the shares, or the recipe contradicts itself.
    """
    refuse_contradictions(settings)
    splits = _splits(pool, settings, settings.ablation)
    weights = np.ones(len(pool), np.uint32) if settings.tokens is None else pool["tokens"]
    lacks: list[str] = []
    chosen: dict[str, Places] = {}
    for split, size in _sizes(pool, settings).items():
        shares = [cell.share for cell in splits[split]]
        needs = quotas(shares, size) if settings.tokens is None else [math.floor(share * size) for share in shares]
        parts = []
        for cell, need in zip(splits[split], needs, strict=True):
            reached = np.cumsum(weights[cell.places], dtype=np.int64)
            have = int(reached[-1]) if len(reached) else 0
            if have < need:
                lacks.append(f"{have:,} of {need:,} {_unit(settings)} of {cell.name} examples for {split}")
            parts.append(cell.places[: np.searchsorted(reached, need, side="right")])
        chosen[split] = np.concatenate(parts)
    if lacks:
        raise _too_few(lacks, pool, settings)
    if not len(chosen["train"]):
        found = ", ".join(f"{len(cell.places):,} {cell.name}" for cell in splits["train"])
        raise DataError("The corpus", f"would be empty: for train there are {found} examples", _OTHERWISE)
    return chosen


def largest(pool: Pool, settings: MixSettings, ablation: str) -> int:
    """The largest budget of records that an ablation can have."""
    splits = _splits(pool, settings, ablation)
    bounds = ((_fitting(splits["train"]), 1 - settings.dev), (_fitting(splits["dev"]), settings.dev))
    size = math.floor(min((fit + 1) / share for fit, share in bounds if share > 0))
    while not all(_fits(splits[split], part) for split, part in _parts(size, settings.dev).items()):
        size -= 1
    return size


def eligible(pool: Pool, ablation: str) -> Mask:
    """Which examples an ablation may take: filtered (but for ``unfiltered``), each once, nothing that is held out."""
    flags = pool["flags"]
    mask: Mask = (flags & (CLEAN if ablation == "unfiltered" else PASSED)) > 0
    mask &= (flags & (HELD_OUT | _WITHOUT.get(ablation, 0))) == 0
    places = np.flatnonzero(mask)
    _, first = np.unique(pool["pick"][places], return_index=True)
    once = np.zeros(len(pool), np.bool_)
    once[places[first]] = True
    return once


def refuse_contradictions(settings: MixSettings) -> None:
    """Nothing comes out; what no pool can satisfy is an error.

    Raises:
        DataError: There are two budgets, or the shares of the families do not sum to 1.
    """
    if settings.records is not None and settings.tokens is not None:
        raise DataError("The recipe (mix)", "has a budget of records and one of tokens", "leave one of them out")
    shares = settings.families.values() if settings.families else [1.0]
    if any(share < 0 for share in shares) or not math.isclose(sum(shares), 1, abs_tol=1e-6):
        reason = f"has shares that sum to {sum(shares):g}"
        raise DataError("The recipe (mix.families)", reason, "make them sum to 1, none below 0")


def dev_bound(share: float) -> int:
    """The document number below which a document belongs to the dev split."""
    return min(int(share * 2.0**64), 2**64 - 1)


def quotas(shares: Sequence[float], size: int) -> list[int]:
    """Whole numbers that sum to the size, by largest remainder."""
    exact = [share * size for share in shares]
    found = [math.floor(value) for value in exact]
    rest = sorted(range(len(exact)), key=lambda number: (found[number] - exact[number], number))
    for number in rest[: size - sum(found)]:
        found[number] += 1
    return found


def _splits(pool: Pool, settings: MixSettings, ablation: str) -> dict[str, list[Cell]]:
    """The cells of each split; a document is in one split by the digest of its key."""
    dev: Mask = pool["document"] < np.uint64(dev_bound(settings.dev))
    allowed = eligible(pool, ablation)
    scores = np.zeros(len(pool), np.uint8) if ablation == "unfiltered" else pool["score"]
    order = np.lexsort((pool["pick"], -scores.astype(np.int8)))
    return {
        split: [
            Cell(family, compound, share, _places(pool, order, allowed & side, family, compound))
            for family, compound, share in _shares(settings, ablation)
        ]
        for split, side in zip(SPLITS, (~dev, dev), strict=True)
    }


def _shares(settings: MixSettings, ablation: str) -> list[tuple[Family | None, bool, float]]:
    """Family, compound or basic, and share of each cell; the shares sum to 1."""
    compound = 0.0 if ablation == "basic_only" else settings.compound
    families: list[tuple[Family | None, float]] = [*(settings.families or {}).items()] or [(None, 1.0)]
    kinds = ((False, 1 - compound), (True, compound))
    found = [(family, kind, share * part) for family, share in families for kind, part in kinds]
    return [cell for cell in found if cell[2] > 0]


def _places(pool: Pool, order: Places, allowed: Mask, family: Family | None, compound: bool) -> Places:
    mask = allowed & (((pool["flags"] & _COMPOUND) > 0) == compound)
    if family is not None:
        mask &= pool["family"] == FAMILIES.index(family)
    places: Places = order[mask[order]]
    return places


def _sizes(pool: Pool, settings: MixSettings) -> dict[str, int]:
    """Records (or tokens) of each split; without a budget what fits the shares, for an ablation as for the whole."""
    budget = settings.records if settings.tokens is None else settings.tokens
    if budget is not None:
        return _parts(budget, settings.dev)
    splits = _splits(pool, settings, "none")
    return {split: _fitting(found) if all(len(cell.places) for cell in found) else 0 for split, found in splits.items()}


def _parts(total: int, dev: float) -> dict[str, int]:
    """Sizes of train and dev that sum to the total."""
    held = round(total * dev)
    return {"train": total - held, "dev": held}


def _fitting(found: Sequence[Cell]) -> int:
    """The largest number of records that keeps the shares of the cells."""
    size = math.floor(min((len(cell.places) + 1) / cell.share for cell in found))
    while not _fits(found, size):
        size -= 1
    return size


def _fits(found: Sequence[Cell], size: int) -> bool:
    """Whether every cell has what a number of records asks of it; none always fits."""
    needs = quotas([cell.share for cell in found], size)
    return all(need <= len(cell.places) for need, cell in zip(needs, found, strict=True))


_OTHERWISE = "change mix.compound, mix.families or mix.dev, or add sources or variants"


def _unit(settings: MixSettings) -> str:
    return "records" if settings.tokens is None else "tokens"


def _too_few(lacks: Sequence[str], pool: Pool, settings: MixSettings) -> DataError:
    reason = f"cannot be filled: there are {'; '.join(lacks)}"
    if settings.tokens is not None:
        return DataError("The corpus", reason, f"lower mix.tokens, or {_OTHERWISE}")
    size = largest(pool, settings, settings.ablation)
    step = f"set mix.records to {size} or less, or {_OTHERWISE}" if size else _OTHERWISE
    return DataError("The corpus", reason, step)
