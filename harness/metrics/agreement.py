"""How alike the answers to several renderings of one document are.

An answer that says nothing agrees about nothing: a pair of two such answers is not counted.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

from harness.nouns import Counts

Facts = list[Any]
"""What an answer states, whatever its form: tuples of an extraction, or the one text or label; none says nothing."""


def facts_of(prediction: Any) -> Facts:
    """What a recorded prediction states.

    Args:
        prediction: ``{"answer": rows}`` of a probe (no rows where it could not be read), a list of these where the
            document was asked in parts, ``{"choice": number, ...}``, a list of tuples, or a text.
    """
    if isinstance(prediction, list) and prediction and all(map(_is_part, prediction)):
        return [fact for part in prediction for fact in facts_of(part)]
    if isinstance(prediction, Mapping):
        if _is_part(prediction):
            return list(prediction["answer"] or ())
        return [prediction["choice"]] if "choice" in prediction else [prediction]
    if isinstance(prediction, list):
        return prediction
    blank = prediction is None or (isinstance(prediction, str) and not prediction.strip())
    return [] if blank else [prediction]


def similarity(one: Facts, other: Facts) -> float:
    """F1 of the multisets of facts, which is equality where both sides have one; two without any are alike."""
    ours, theirs = Counter(map(_key, one)), Counter(map(_key, other))
    size = ours.total() + theirs.total()
    return 2 * (ours & theirs).total() / size if size else 1.0


def agreement(answers: Sequence[Facts]) -> Counts:
    """Mean similarity over the pairs of answers of which at least one says something.

    Args:
        answers: The answers to the renderings of one document.

    Returns:
        (mean similarity, 1), or (0, 0) where no answer says anything.

    Source:
        Mean over unordered pairs, as in docs/signatures.md; pairs without an answer are left out there and here.
    """
    pairs = [similarity(one, other) for one, other in combinations(answers, 2) if one or other]
    return (sum(pairs) / len(pairs), 1.0) if pairs else (0.0, 0.0)


def _is_part(value: Any) -> bool:
    return isinstance(value, Mapping) and "answer" in value


def _key(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, sort_keys=True)
