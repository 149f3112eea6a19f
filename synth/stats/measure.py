"""The numbers of ``stats.json``, from what the pass over pool and corpus found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from synth.stats.diversity import distinct, entropy_of_counts, kernel, self_bleu, vendi, words
from synth.stats.survey import Found

SELF_BLEU_SAMPLE = 100
"""Texts of the sample on which self-BLEU is measured: its cost grows with the square."""
_QUANTILES = {"least": 0.0, "p5": 0.05, "median": 0.5, "p95": 0.95, "most": 1.0}


def measure(found: Found, usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """What ``stats.json`` holds; every share and score is in [0, 1], what could not be measured is None.

    Args:
        found: What the pass found.
        usage: What the teacher did and cost; None where nothing was recorded.
    """
    return {
        "records": found.corpus,
        "families": _ordered(Counter({family: counts.total() for family, counts in found.strategies.items()})),
        "strategies": {family: _ordered(counts) for family, counts in sorted(found.strategies.items())},
        "shares": _shares(found),
        "sources": _ordered(found.sources),
        "formats": {family: _ordered(counts) for family, counts in sorted(found.formats.items())},
        "templates": _templates(found.templates),
        "diversity": _diversity(found.sample),
        "labels": {family: _labels(counts) for family, counts in sorted(found.labels.items()) if counts},
        "facts": {family: dict(sorted(counts.items(), key=_number)) for family, counts in sorted(found.facts.items())},
        "lengths": {name: _quantiles(values) for name, values in found.lengths.items()},
        "funnel": _funnel(found),
        "teacher": dict(usage) if usage else None,
    }


def _shares(found: Found) -> dict[str, float]:
    """Share of the examples that each strategy shaped; they sum to more than 1 where several shape one."""
    counts = Counter[str]()
    for combinations in found.strategies.values():
        for names, rows in combinations.items():
            counts.update(dict.fromkeys(names.split("+"), rows))
    return {name: rows / found.corpus for name, rows in _ordered(counts).items()}


def _templates(templates: Counter[str]) -> dict[str, Any]:
    """How evenly phrasing and format vary."""
    top, rows = templates.most_common(1)[0] if templates else (None, 0)
    bits, total = entropy_of_counts(templates), templates.total()
    return {
        "different": len(templates),
        "entropy_bits": bits,
        "evenness": bits / float(np.log2(len(templates))) if bits and len(templates) > 1 else None,
        "top": top,
        "top_share": rows / total if total else None,
    }


def _diversity(sample: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Measures of the sample: of the seed texts, of whole prompts, of completions."""
    texts = {
        "text": [words(row["instruction"]["text"]) for row in sample],
        "prompt": [words(row["prompt"]) for row in sample],
        "completion": [words(row["completion"]) for row in sample],
    }
    return {
        name: {
            "texts": len(column),
            "distinct": {str(n): distinct(column, n) for n in (1, 2, 3)},
            "vendi": vendi(kernel(column)) if column else None,
            "self_bleu": self_bleu(column[:SELF_BLEU_SAMPLE]),
            "self_bleu_texts": min(len(column), SELF_BLEU_SAMPLE),
        }
        for name, column in texts.items()
    }


def _labels(counts: Counter[str]) -> dict[str, Any]:
    return {"different": len(counts), "entropy_bits": entropy_of_counts(counts), "facts": _ordered(counts)}


def _quantiles(values: Sequence[int]) -> dict[str, float] | None:
    if not len(values):
        return None
    found = {name: float(np.quantile(np.asarray(values), at)) for name, at in _QUANTILES.items()}
    return {**found, "mean": float(np.mean(values))}


def _funnel(found: Found) -> list[dict[str, Any]]:
    """Examples left after each step, filters in their order, the selection last."""
    steps = [{"step": name, "left": left} for name, left in found.funnel.items()]
    return [*steps, {"step": "in the corpus", "left": found.corpus}]


def _number(pair: tuple[str, int]) -> int:
    return int(pair[0])


def _ordered(counts: Counter[str]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))
