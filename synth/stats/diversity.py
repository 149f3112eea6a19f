"""How varied texts are: distinct n-grams, self-BLEU, Vendi score, entropy. All depend on the number of texts."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

_WORD = re.compile(r"[\u3400-\u9fff]|[^\W\u3400-\u9fff]+|[^\w\s]")


def words(text: str) -> list[str]:
    """Words and signs of a text in lower case; each Chinese character is one."""
    return _WORD.findall(text.lower())


def distinct(texts: Sequence[Sequence[str]], n: int) -> float | None:
    """Share of different n-grams among all n-grams of the texts; None where there is no n-gram.

    Args:
        texts: Texts as words.
        n: Words per n-gram.

    Source:
        Li et al. 2016, arXiv 1510.03055, section 5.1 (distinct-1, distinct-2).
    """
    grams = [gram for text in texts for gram in ngrams(text, n)]
    return len(set(grams)) / len(grams) if grams else None


def self_bleu(texts: Sequence[Sequence[str]]) -> float | None:
    """Mean BLEU-4 of each text with all others as references, in [0, 1]; None for less than two texts.

    sacrebleu's sentence BLEU with its default smoothing and effective order, on words as ``words`` cuts them.

    Source:
        Zhu et al. 2018 (Texygen), arXiv 1802.01886, section 3.
    """
    from sacrebleu.metrics import BLEU

    if len(texts) < 2:
        return None
    metric = BLEU(tokenize="none", effective_order=True)
    lines = [" ".join(text) for text in texts]
    scores = [metric.sentence_score(line, lines[:n] + lines[n + 1 :]).score for n, line in enumerate(lines)]
    return math.fsum(scores) / len(scores) / 100


def vendi(kernel: NDArray[np.float64]) -> float:
    """Vendi score of a similarity matrix: the effective number of different things, from 1 (all alike) to n.

    The exponential of the Shannon entropy of the eigenvalues of K / n.

    Args:
        kernel: (n, n), symmetric, positive semi-definite, ones on the diagonal.

    Source:
        Friedman and Dieng 2022, arXiv 2210.02410, definition 3.1.
    """
    values = np.linalg.eigvalsh(kernel / len(kernel))
    return math.exp(entropy(float(value) for value in values) * math.log(2))


def kernel(texts: Sequence[Sequence[str]], orders: Sequence[int] = (1, 2)) -> NDArray[np.float64]:
    """Cosine similarity of n-gram counts, averaged over the orders; a text without n-gram is like itself alone.

    Args:
        texts: Texts as words.
        orders: Values of n.

    Source:
        Friedman and Dieng 2022, arXiv 2210.02410, section 5 (n-gram overlap kernel for text).
    """
    kernels = []
    for n in orders:
        grams: dict[tuple[str, ...], int] = {}
        places = [[grams.setdefault(gram, len(grams)) for gram in ngrams(text, n)] for text in texts]
        counts = _sparse(places, len(grams))
        found = np.asarray((counts @ counts.T).todense())
        np.fill_diagonal(found, 1.0)
        kernels.append(found)
    mean: NDArray[np.float64] = np.mean(kernels, axis=0)
    return mean


def entropy(shares: Iterable[float]) -> float:
    """Shannon entropy in bits of shares that sum to 1; shares of 0 (and rounding below it) add nothing."""
    return math.fsum(share * math.log2(1 / share) for share in shares if share > 0)


def entropy_of_counts(counts: Mapping[str, int]) -> float | None:
    """Shannon entropy in bits of counts; None where there are none."""
    total = sum(counts.values())
    return entropy(count / total for count in counts.values()) if total else None


def ngrams(text: Sequence[str], n: int) -> list[tuple[str, ...]]:
    """The n-grams of a text as words."""
    return list(zip(*(text[start:] for start in range(n)), strict=False))


def _sparse(places: Sequence[Sequence[int]], width: int) -> Any:
    """Rows of counts, each of length 1."""
    from scipy.sparse import csr_matrix

    rows = [number for number, row in enumerate(places) for _ in row]
    columns = [place for row in places for place in row]
    counts = csr_matrix((np.ones(len(rows)), (rows, columns)), shape=(len(places), max(width, 1)))
    counts.sum_duplicates()
    norms = np.sqrt(counts.multiply(counts).sum(axis=1)).A1
    norms[norms == 0] = 1
    return csr_matrix(counts.multiply(1 / norms[:, None]))
