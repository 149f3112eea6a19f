"""lm-eval's model ``tree``: stock ``hf`` with another way to its scores."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from typing import Any

import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from harness.engines.tree import falcon
from harness.engines.tree.forward import unwrapped
from harness.engines.tree.generate import generate
from harness.engines.tree.head import read_head
from harness.engines.tree.loglikelihood import Asked, Pair, Report, Scorer, ask, score
from harness.engines.tree.plan import parse_bytes, peak_bytes, plan_memory
from harness.engines.tree.selfcheck import Check, check_scores
from harness.engines.tree.support import unsupported
from harness.engines.tree.tokens import encoder_of
from harness.errors import CheckpointError, DataError

_log = logging.getLogger(__name__)


@register_model("tree")
class TreeLM(HFLM):  # type: ignore[misc]
    """A causal language model whose requests share their prefixes.

    Takes every argument of lm-eval's ``hf`` and gives the same answers in the same order. A checkpoint that the tree
    cannot do is scored by stock, and one line says why.

    Attributes:
        stock_because: Why stock scores this checkpoint, or None where the tree does.
        check: What the self-check of the first scores found, or None before it.
        text_check: What the self-check of the first generated texts found, or None before it.
        left_to_stock: Texts that stock generated though it did not score the checkpoint, by the reason.
        truncated: Requests that were cut from the left so far.
        on_result: Called with (position in the call, answer) as each answer comes, or None.
    """

    def __init__(self, pretrained: Any, max_memory: str | int | None = None, **options: Any) -> None:
        """Load the model as ``hf`` does.

        Args:
            pretrained: Name, folder, or a model of transformers.
            max_memory: Bytes for stored keys and values and for one batch, or a text such as ``4GiB``; a share of what
                is free unless given.
            options: Arguments of ``hf``.
        """
        self._max_memory = parse_bytes(max_memory)
        super().__init__(pretrained, **options)
        self.truncated = 0
        self.left_to_stock: Counter[str] = Counter()
        self.on_result: Report | None = None
        self.check: Check | None = None
        self.text_check: Check | None = None
        self.stock_because = unsupported(self.model, self.tokenizer, options)
        if self.stock_because is not None:
            _log.warning("stock lm-eval scores this checkpoint: it has %s", self.stock_because)
        else:
            falcon.adapt(unwrapped(self.model))

    @property
    def peak_bytes(self) -> int:
        """Most memory taken so far: of the process on a CPU, else of the device."""
        return peak_bytes(self.device)

    def loglikelihood(self, requests: list[Any], disable_tqdm: bool = False) -> list[tuple[float, bool]]:
        """(log-likelihood, greedy) of each request's continuation after its context.

        Raises:
            DataError: A continuation adds no token to its context, or has more tokens than the model's context.
            CheckpointError: A logit is NaN.
        """
        if self.stock_because is not None or self.enable_thinking:  # stock refuses the latter
            return list(super().loglikelihood(requests, disable_tqdm=disable_tqdm))
        texts = [request.args for request in requests]
        pairs = encoder_of(self).pairs(texts)
        encoded = [(text, *pair) for text, pair in zip(texts, pairs, strict=True)]
        return self._loglikelihood_tokens(encoded, disable_tqdm=disable_tqdm)

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts, in windows of the context's length, as ``hf`` cuts them.

        Raises:
            CheckpointError: A logit is NaN.
        """
        if self.stock_because is not None:
            return list(super().loglikelihood_rolling(requests, disable_tqdm=disable_tqdm))
        windows: list[tuple[None, list[int], list[int]]] = []
        owners: list[int] = []
        for place, ids in enumerate(encoder_of(self).texts([request.args[0] for request in requests])):
            for window in get_rolling_token_windows(ids, self.prefix_token_id, self.max_length, context_len=1):
                windows.append((None, *make_disjoint_window(window)))
                owners.append(place)
        totals = [0.0] * len(requests)
        for owner, (value, _) in zip(owners, self._loglikelihood_tokens(windows, disable_tqdm), strict=True):
            totals[owner] += value
        for place, total in enumerate(totals):
            self.cache_hook.add_partial("loglikelihood_rolling", requests[place].args, total)
            if self.on_result is not None:
                self.on_result(place, total)
        return totals

    def generate_until(self, requests: list[Any], disable_tqdm: bool = False) -> list[str]:
        """The text that each request's prompt is continued with, up to its stop strings."""
        if self.stock_because is not None:
            return list(super().generate_until(requests, disable_tqdm=disable_tqdm))
        return generate(self, requests, disable_tqdm)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **others: Any
    ) -> list[tuple[float, bool]]:
        pairs = self._pairs(requests) if self.stock_because is None else []
        if self._why_stock(pairs) is not None:
            return list(super()._loglikelihood_tokens(requests, disable_tqdm=disable_tqdm, **others))
        asked = ask(pairs, self.max_length)
        self._count_truncated(asked.truncated)
        answers: list[Any] = [None] * len(requests)
        bar = tqdm(total=len(requests), disable=disable_tqdm or self.rank != 0, desc="Running loglikelihood requests")
        scored = self._scores(asked, lambda place: _named(place, requests[place][0]))
        with bar, closing(scored):  # whatever happens, stock's attention is back afterwards
            for place, value, greedy in scored:
                text, answers[place] = requests[place][0], (value, greedy)
                if text is not None:  # a window of a rolling request
                    self.cache_hook.add_partial("loglikelihood", text, answers[place])
                    if self.on_result is not None:
                        self.on_result(place, answers[place])
                bar.update()
        return answers

    def _pairs(self, requests: Sequence[tuple[Any, list[int], list[int]]]) -> list[Pair]:
        for place, (text, context, continuation) in enumerate(requests):
            if reason := _unscorable(context, continuation, self.max_length):
                raise DataError(_named(place, text), reason, "correct the card that makes it")
        return [(context, continuation) for _, context, continuation in requests]

    def _why_stock(self, pairs: list[Pair]) -> str | None:
        """Why stock has to score, by what the checkpoint is made of or by the self-check; None where it need not."""
        if self.stock_because is None and self.check is None and pairs:
            try:
                self.check = check_scores(self, pairs, self._answers)
            except CheckpointError:  # a NaN: the call itself will meet it, and name the request
                return None
            self.stock_because = self.check.reason
        return self.stock_because

    def _answers(self, pairs: list[Pair]) -> list[tuple[float, bool]]:
        found = sorted(self._scores(ask(pairs, self.max_length), "Request {} of the self-check".format))
        return [(value, greedy) for _, value, greedy in found]

    def _scores(self, asked: Asked, name: Callable[[int], str]) -> Generator[tuple[int, float, bool], None, None]:
        plan = plan_memory(self.model, self.device, asked.tree.longest, self._max_memory)
        wide = torch.float64 if self.softmax_dtype == torch.float64 else torch.float32
        return score(asked, Scorer(self.model, read_head(self.model), self.device, plan.rows, wide), name)

    def _count_truncated(self, requests: int) -> None:
        if requests:
            self.truncated += requests
            told = "%d requests exceed the context of %d tokens and are cut from the left"
            _log.warning(told, requests, self.max_length)


def _unscorable(context: Sequence[int], continuation: Sequence[int], max_length: int) -> str | None:
    """Why stock lm-eval fails on a request with an assertion, in words; None where it does not."""
    if not continuation:
        return "the continuation adds no token to the context"
    if not context:
        return "the context has no token"
    if len(continuation) > max_length:
        return f"the continuation has {len(continuation)} tokens, more than the context of {max_length}"
    return None


def _named(place: int, text: Any) -> str:
    """A request for people: its number, and the end of its context and its continuation."""
    return f"Request {place}" if text is None else f"Request {place} (... {text[0][-40:]!r} + {text[1][:40]!r})"
