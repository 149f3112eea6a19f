"""lm-eval's model ``tree``: stock ``hf`` with another way to its scores."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
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
from harness.engines.tree.loglikelihood import Pair, Report, Scorer, ask, score
from harness.engines.tree.plan import parse_bytes, peak_bytes, plan_memory
from harness.engines.tree.support import unsupported
from harness.engines.tree.tokens import encoder_of
from harness.errors import DataError

_log = logging.getLogger(__name__)


@register_model("tree")
class TreeLM(HFLM):  # type: ignore[misc]
    """A causal language model whose requests share their prefixes.

    Takes every argument of lm-eval's ``hf`` and gives the same answers in the same order. A checkpoint that the tree
    cannot do is scored by stock, and one line says why.

    Attributes:
        stock_because: Why stock scores this checkpoint, or None where the tree does.
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
        self.on_result: Report | None = None
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
        if self.stock_because is not None:
            return list(super()._loglikelihood_tokens(requests, disable_tqdm=disable_tqdm, **others))
        answers: list[Any] = [None] * len(requests)
        bar = tqdm(total=len(requests), disable=disable_tqdm or self.rank != 0, desc="Running loglikelihood requests")
        with bar:
            for place, value, greedy in self._scores(requests):
                text, answers[place] = requests[place][0], (value, greedy)
                if text is not None:  # a window of a rolling request
                    self.cache_hook.add_partial("loglikelihood", text, answers[place])
                    if self.on_result is not None:
                        self.on_result(place, answers[place])
                bar.update()
        return answers

    def _scores(self, requests: Sequence[tuple[Any, list[int], list[int]]]) -> Iterator[tuple[int, float, bool]]:
        pairs: list[Pair] = []
        for place, (text, context, continuation) in enumerate(requests):
            if reason := _unscorable(context, continuation, self.max_length):
                raise DataError(_named(place, text), reason, "correct the card that makes it")
            pairs.append((context, continuation))
        asked = ask(pairs, self.max_length)
        if asked.truncated:
            self.truncated += asked.truncated
            told = "%d requests exceed the context of %d tokens and are cut from the left"
            _log.warning(told, asked.truncated, self.max_length)
        plan = plan_memory(self.model, self.device, asked.tree.longest, self._max_memory)
        wide = torch.float64 if self.softmax_dtype == torch.float64 else torch.float32
        scorer = Scorer(self.model, read_head(self.model), self.device, plan.rows, wide)
        yield from score(asked, scorer, lambda place: _named(place, requests[place][0]))


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
