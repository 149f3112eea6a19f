"""The self-check: at the first call some requests are scored as stock does it too, and the answers compared.

What a model's code does beside attention cannot be known from its configuration. A few forwards without our attention
find it out; where they disagree stock does everything, and one line says by how much they did.
"""

from __future__ import annotations

import inspect
import itertools
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch

from harness.engines.models import free_memory, is_out_of_memory
from harness.engines.tree.decode import Decoder, Engine
from harness.engines.tree.forward import unwrapped
from harness.engines.tree.sampling import Recipe

_log = logging.getLogger(__name__)

Pair = tuple[Sequence[int], Sequence[int]]
Answer = tuple[float, bool]

_REQUESTS = 4
_FEWEST_TOKENS, _MOST_TOKENS, _SHARE = 512, 8192, 50
"""The check costs stock at most this many tokens: one in fifty of the call's, within bounds; one request at least."""
_NEAR = 64
"""Requests among which those to check are looked for."""
_NEW_TOKENS = 8
_ROWS = 64
"""Rows of logits that are looked at together."""


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far a log-likelihood may be from stock's: ``absolute + relative * |stock|``."""

    absolute: float
    relative: float

    def of(self, value: float) -> float:
        """Nats that a log-likelihood may differ from stock's value."""
        return self.absolute + self.relative * abs(value)


@dataclass(frozen=True, slots=True)
class Check:
    """What a self-check has found.

    Attributes:
        requests: Requests that were scored both ways.
        tokens: Tokens that stock's way took.
        largest: Largest difference in nats.
        reason: Why stock has to score this checkpoint, or None where both agree.
    """

    requests: int
    tokens: int
    largest: float
    reason: str | None


def tolerance_of(dtype: torch.dtype) -> Tolerance:
    """What rounding explains: in float32 and wider by far less, in half precision by the width of its steps."""
    if dtype.itemsize >= 4:
        return Tolerance(1e-4, 1e-5)
    return Tolerance(0.15, 0.02) if dtype == torch.bfloat16 else Tolerance(0.02, 0.003)


def check_scores(lm: Any, pairs: Sequence[Pair], scored: Callable[[list[Pair]], list[Answer]]) -> Check:
    """Score a few requests both ways.

    Args:
        lm: lm-eval's HFLM or a subclass.
        pairs: Token ids of context and continuation of all requests of the call.
        scored: Our way: log-likelihood and greedy flag of each request.
    """
    most = lm.max_length + 1
    lengths = [min(len(context) + len(continuation), most) for context, continuation in pairs]
    numbers = pick(lengths, lambda number: [*pairs[number][0], *pairs[number][1]][-most:])
    bound, largest, reasons = tolerance_of(lm.model.dtype), 0.0, []
    for number, (value, greedy) in zip(numbers, scored([pairs[number] for number in numbers]), strict=True):
        context, continuation = pairs[number]
        said = _stock(lm, [*context, *continuation][-most:][:-1], continuation)
        if said is None:
            continue
        stock, leads = said
        largest = max(largest, abs(value - stock))
        if not abs(value - stock) <= bound.of(stock):
            reasons.append(f"a log-likelihood of {value:.5f} in the self-check where stock has {stock:.5f}")
        elif abs(leads.min()) > bound.of(0.0) and greedy != bool(leads.min() > 0):
            reasons.append(f"a greedy flag in the self-check that is {greedy} and stock's is not")
    tokens = sum(lengths[number] for number in numbers)
    return _told(Check(len(numbers), tokens, largest, _weighty(reasons, len(numbers), lm.model.dtype)))


def check_texts(lm: Any, prompts: Sequence[Sequence[int]], how: Recipe, engine: Engine) -> Check:
    """Generate the beginning of a few texts, and ask stock whether each token is its likeliest.

    Args:
        lm: lm-eval's HFLM or a subclass.
        prompts: Token ids of all prompts of the call.
        how: Their recipe; the check is greedy whatever it says.
        engine: What generates them.
    """
    numbers = pick([len(prompt) for prompt in prompts], prompts.__getitem__)
    greedy = replace(how, sample=False, repetition_penalty=1.0, tokens=min(how.tokens, _NEW_TOKENS))
    asked = {number: prompts[number] for number in numbers}
    bound, largest, reasons = tolerance_of(lm.model.dtype).of(0.0), 0.0, []
    ours = list(Decoder(asked, greedy, replace(engine, group_cost=0), 0).run())  # closes our attention before stock's
    for owners, made in ours:
        prompt = prompts[owners[0]]
        said = _stock(lm, [*prompt, *made[:-1]], made)
        behind = 0.0 if said is None else -float(said[1].min())
        largest = max(largest, behind)
        if not behind <= bound:
            reasons.append(f"a generated token in the self-check that stock puts {behind:.5f} below its likeliest")
    tokens = sum(len(prompt) + greedy.tokens for prompt in asked.values())
    return _told(Check(len(numbers), tokens, largest, _weighty(reasons, len(numbers), lm.model.dtype)))


def _weighty(reasons: Sequence[str], requests: int, dtype: torch.dtype) -> str | None:
    """The last reason; in half precision only where most requests give one.

    There the rounding of stock itself turns on other experts of a mixture, or another of two nearly equal tokens.
    """
    excused = 0 if dtype.itemsize >= 4 else requests // 2
    return reasons[-1] if len(reasons) > excused else None


def pick(lengths: Sequence[int], tokens: Callable[[int], Sequence[int]]) -> list[int]:
    """Numbers of the requests to check: the shortest, two that share the most, and the longest that are affordable.

    Args:
        lengths: Tokens of each request, at least one request.
        tokens: Gives the tokens of a request by its number.
    """
    sizes = np.array(lengths)
    budget = min(max(int(sizes.sum()) // _SHARE, _FEWEST_TOKENS), _MOST_TOKENS)
    order = np.argsort(sizes, kind="stable")
    picked, left = [int(order[0])], budget - int(sizes[order[0]])
    near = [number for number in range(min(len(sizes), _NEAR)) if 2 * sizes[number] <= left]
    affordable = order[: int(np.searchsorted(sizes[order], left, side="right"))][::-1]
    for number in (*_most_shared(near, tokens), *affordable[:_NEAR].tolist()):
        if len(picked) < _REQUESTS and number not in picked and sizes[number] <= left:
            picked.append(number)
            left -= int(sizes[number])
    return picked


def _most_shared(near: Sequence[int], tokens: Callable[[int], Sequence[int]]) -> tuple[int, ...]:
    """Of requests near each other in the call, the two unlike ones that share the longest beginning."""
    best: tuple[int, tuple[int, ...]] = (0, ())
    for left, right in itertools.pairwise(near):
        one, other = list(tokens(left)), list(tokens(right))
        if one != other:
            best = max(best, (_shared(one, other), (left, right)), key=lambda found: found[0])
    return best[1]


def _shared(left: Sequence[int], right: Sequence[int]) -> int:
    pairs = enumerate(zip(left, right, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(left), len(right)))


def _stock(lm: Any, inputs: Sequence[int], wanted: Sequence[int]) -> tuple[float, Any] | None:
    """What ``_plainly`` finds; None where stock has no memory for the request."""
    try:
        return _plainly(lm, inputs, wanted)
    except Exception as error:  # torch has no one exception for it
        if not is_out_of_memory(error):
            raise
        free_memory()
        return None


@torch.inference_mode()
def _plainly(lm: Any, inputs: Sequence[int], wanted: Sequence[int]) -> tuple[float, Any]:
    """Log-likelihood of the last tokens by stock's own forward, and by how much each leads all others."""
    kept = {"logits_to_keep": len(wanted)} if _keeps_logits(lm.model) else {}
    ids = torch.tensor([list(inputs)], device=lm.device)
    logits = lm.model(ids, use_cache=False, **kept).logits[0, -len(wanted) :]
    targets = torch.tensor(list(wanted), device=logits.device)[:, None]
    value, leads = 0.0, []
    for first in range(0, len(targets), _ROWS):
        some, target = logits[first : first + _ROWS].float(), targets[first : first + _ROWS]
        own = some.gather(1, target)
        value += float((own - some.logsumexp(1, keepdim=True)).sum())
        leads.append(own - some.scatter(1, target, float("-inf")).amax(dim=1, keepdim=True))
    return value, torch.cat(leads)[:, 0].cpu().numpy()


def _keeps_logits(model: Any) -> bool:
    return "logits_to_keep" in inspect.signature(unwrapped(model).forward).parameters


def _told(check: Check) -> Check:
    if check.reason is not None:
        _log.warning("stock lm-eval scores this checkpoint: the tree gives %s", check.reason)
    told = "self-check: %d requests of %d tokens, largest difference from stock %.2g"
    _log.info(told, check.requests, check.tokens, check.largest)
    return check
