"""Log-likelihoods of continuations: one prefix tree over all requests, walked pack by pack, scores as they come.

The input of a request is its context and continuation without the last token, cut from the left to the length of the
model's context as stock lm-eval cuts it; its scored rows are the last ones, as many as the continuation has tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from harness.engines.models import free_memory, is_out_of_memory
from harness.engines.tree.attention import PackAttention, StoredPath
from harness.engines.tree.forward import forward_rows, tree_attention
from harness.engines.tree.head import ROWS, Head, score_rows
from harness.engines.tree.pack import Pack, cut_pack
from harness.engines.tree.plan import FEWEST_ROWS
from harness.engines.tree.radix import Ints, PrefixTree, key_of, tree_of
from harness.errors import CheckpointError, UnavailableError

Pair = tuple[Sequence[int], Sequence[int]]
"""Token ids of a context and of its continuation, neither empty."""

Report = Callable[[int, Any], None]
"""Takes the position of a request in its call, and its answer."""


@dataclass(frozen=True, slots=True)
class Asked:
    """The tree of a call and the scores that are read from it, ordered by row.

    Attributes:
        tree: The tree.
        rows: (pairs,) row after which a token is scored.
        tokens: (pairs,) that token.
        requests: (pairs,) number of the request that asks.
        count: Requests.
        truncated: Requests that were cut.
    """

    tree: PrefixTree
    rows: Ints
    tokens: NDArray[np.int32]
    requests: NDArray[np.int32]
    count: int
    truncated: int


@dataclass(frozen=True, slots=True)
class Scorer:
    """What turns packs into scores.

    Attributes:
        model: The model.
        head: Its output head.
        device: Where its input goes.
        rows: Rows per forward.
        wide: Type of the log-sum-exp.
    """

    model: Any
    head: Head
    device: torch.device
    rows: int
    wide: torch.dtype = torch.float32


def ask(pairs: Sequence[Pair], max_length: int) -> Asked:
    """The tree of all requests of a call, and where their scores stand.

    Args:
        pairs: Token ids of each request.
        max_length: Context of the model in tokens.
    """
    tree, numbers = tree_of(_keys(pairs, max_length))
    order = np.argsort(numbers, kind="stable")
    counts = np.fromiter((len(continuation) for _, continuation in pairs), np.int64, len(pairs))
    rows = np.empty(int(counts.sum()), np.int64)
    tokens = np.empty(len(rows), np.int32)
    place, waiting = 0, iter(order.tolist())
    request = next(waiting, None)
    for number, path in enumerate(tree.paths()):
        while request is not None and numbers[request] == number:
            continuation = pairs[request][1]
            end = place + len(continuation)
            rows[place:end], tokens[place:end] = path[-len(continuation) :], continuation
            place, request = end, next(waiting, None)
    requests = np.repeat(order, counts[order]).astype(np.int32)
    by_row = np.argsort(rows, kind="stable")
    cut = sum(len(context) + len(continuation) > max_length + 1 for context, continuation in pairs)
    return Asked(tree, rows[by_row], tokens[by_row], requests[by_row], len(pairs), cut)


def _keys(pairs: Sequence[Pair], max_length: int) -> Iterator[bytes]:
    """The input of each request, as a key of the tree; neighbours often have one and the same context."""
    known, begin = None, b""
    for context, continuation in pairs:
        if context is not known:
            known, begin = context, key_of(context)
        yield (begin + key_of(continuation))[-4 * (max_length + 1) : -4]


def score(asked: Asked, scorer: Scorer, name: Callable[[int], str]) -> Generator[tuple[int, float, bool], None, None]:
    """Yield (request, log-likelihood, greedy) of each request as soon as its last token is scored.

    Args:
        asked: The call.
        scorer: The model.
        name: What a request is called in a message.

    Raises:
        CheckpointError: A logit is NaN.
        UnavailableError: Memory does not suffice for the smallest pack.
    """
    total, greedy = np.zeros(asked.count), np.ones(asked.count, dtype=bool)
    left = np.bincount(asked.requests, minlength=asked.count)
    for part, logprobs, best in _scored(asked, scorer):
        requests = asked.requests[part]
        if np.isnan(logprobs).any():
            raise CheckpointError(
                name(int(requests[np.isnan(logprobs)][0])), "has a NaN logit",
                "score the checkpoint in float32, or save it again from a healthy step",
            )  # fmt: skip
        np.add.at(total, requests, logprobs)
        np.logical_and.at(greedy, requests, best)
        np.subtract.at(left, requests, 1)
        for request in np.unique(requests).tolist():
            if left[request] == 0:
                yield request, float(total[request]), bool(greedy[request])


def _scored(asked: Asked, scorer: Scorer) -> Iterator[tuple[slice, NDArray[Any], NDArray[Any]]]:
    """Scores of consecutive pairs, whenever enough rows for the head have come together."""
    rows, firsts = np.unique(asked.rows, return_index=True)
    bounds = np.append(firsts, len(asked.rows))
    pool: list[torch.Tensor] = []
    done = 0
    for pack, hidden in hidden_rows(asked.tree, scorer):
        low, high = np.searchsorted(rows, [pack.first, pack.first + pack.rows])
        pool.append(hidden[torch.from_numpy(rows[low:high] - pack.first).to(hidden.device)])
        while high - done >= ROWS or done < high == len(rows):
            taken = min(ROWS, int(high) - done)
            pooled = torch.cat(pool)
            pool, counts = [pooled[taken:]], np.diff(bounds[done : done + taken + 1])
            part = slice(bounds[done], bounds[done + taken])
            yield part, *_through_head(pooled[:taken], counts, asked.tokens[part], scorer)
            done += taken


def _through_head(hidden: torch.Tensor, counts: Ints, tokens: NDArray[np.int32], scorer: Scorer) -> tuple[Any, Any]:
    """Log-probabilities and greedy flags of the tokens asked after some rows, so many after each."""
    place = scorer.head.module.weight.device
    rows = torch.from_numpy(np.repeat(np.arange(len(counts)), counts)).to(place)
    wanted = torch.from_numpy(tokens.astype(np.int64)).to(place)
    scores = score_rows(scorer.head, hidden.to(place), rows, wanted, scorer.wide)
    return scores.logprobs.cpu().double().numpy(), scores.greedy.cpu().numpy()


def hidden_rows(tree: PrefixTree, scorer: Scorer) -> Iterator[tuple[Pack, torch.Tensor]]:
    """Yield the packs of a tree, in order, with the final hidden states of their rows.

    Where memory runs out the pack is halved, for the rest of the call.

    Raises:
        UnavailableError: Memory does not suffice for the smallest pack.
    """
    path = StoredPath(tree.longest)
    first, rows = 0, scorer.rows
    with tree_attention(scorer.model):
        while first < tree.rows:
            pack = cut_pack(tree, first, rows)
            try:
                hidden = _forward(pack, path, scorer)
            except Exception as error:  # torch has no one exception for it
                if not is_out_of_memory(error):
                    raise
                rows = _halved(rows, error)
                continue
            yield pack, hidden
            first += pack.rows


def _forward(pack: Pack, path: StoredPath, scorer: Scorer) -> torch.Tensor:
    attention = PackAttention(pack, path, scorer.device)
    ids = torch.from_numpy(pack.ids.astype(np.int64)).to(scorer.device)
    hidden = forward_rows(scorer.model, ids, torch.from_numpy(pack.positions).to(scorer.device), attention)
    attention.commit()
    return hidden


def _halved(rows: int, error: Exception) -> int:
    free_memory()
    if rows <= FEWEST_ROWS:
        raise UnavailableError(
            "The model", f"has no memory for {rows} tokens at once", "use a smaller dtype, or another device"
        ) from error
    return max(FEWEST_ROWS, rows // 2)
