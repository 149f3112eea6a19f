"""lm-eval's model ``tree``: stock ``hf`` with another way to its scores."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import torch
from lm_eval.api.registry import register_model
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows, make_disjoint_window
from tqdm import tqdm

from harness.engines.tree.head import read_head
from harness.engines.tree.loglikelihood import Asked, Pair, Report, Scorer, ask, score
from harness.engines.tree.plan import parse_bytes, peak_bytes, plan_memory
from harness.errors import DataError

_log = logging.getLogger(__name__)


@register_model("tree")
class TreeLM(HFLM):
    """A causal language model whose requests share their prefixes.

    Takes every argument of lm-eval's ``hf`` and gives the same answers in the same order.

    Attributes:
        truncated: Requests that were cut from the left so far.
        peak_bytes: Most memory taken so far: of the process on a CPU, else of the device.
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

    @property
    def peak_bytes(self) -> int:
        """Most memory taken so far."""
        return peak_bytes(self.device)

    def _loglikelihood_tokens(
        self, requests: Sequence[tuple[Any, list[int], list[int]]], disable_tqdm: bool = False, **_: Any
    ) -> list[tuple[float, bool]]:
        texts, pairs = [request[0] for request in requests], [request[1:] for request in requests]
        self._refuse_unscorable(texts, pairs)
        answers: list[Any] = [None] * len(requests)
        bar = tqdm(total=len(requests), disable=disable_tqdm or self.rank != 0, desc="Running loglikelihood requests")
        with bar:
            for place, value, greedy in self._score(pairs):
                answers[place] = (value, greedy)
                if texts[place] is not None:
                    self.cache_hook.add_partial("loglikelihood", texts[place], answers[place])
                if self.on_result is not None:
                    self.on_result(place, answers[place])
                bar.update()
        return answers

    def _score(self, pairs: Sequence[Pair]) -> Any:
        if not pairs:
            return iter(())
        asked = ask(pairs, self.max_length)
        self._count_truncated(asked)
        plan = plan_memory(self.model, self.device, asked.tree.longest, self._max_memory)
        scorer = Scorer(self.model, read_head(self.model), self.device, plan.rows, self._wide)
        return score(asked, scorer, len(pairs))

    @property
    def _wide(self) -> torch.dtype | None:
        return self.softmax_dtype if self.softmax_dtype == torch.float64 else None

    def _count_truncated(self, asked: Asked) -> None:
        if asked.truncated:
            self.truncated += asked.truncated
            _log.warning(
                "%d requests exceed the context of %d tokens and are cut from the left",
                asked.truncated,
                self.max_length,
            )

    def _refuse_unscorable(self, texts: Sequence[Any], pairs: Sequence[Pair]) -> None:
        for place, (text, (context, continuation)) in enumerate(zip(texts, pairs, strict=True)):
            if context and continuation and len(continuation) <= self.max_length:
                continue
            reason = "its context has no tokens" if not context else "its continuation adds no tokens to its context"
            if len(continuation) > self.max_length:
                reason = f"its continuation of {len(continuation)} tokens exceeds the context of {self.max_length}"
            raise DataError(f"Request {place} ({str(text)[-80:]})", reason, "correct the card that makes it")

    def loglikelihood_rolling(self, requests: list[Any], disable_tqdm: bool = False) -> list[float]:
        """Log-likelihood of whole texts, in windows of the context's length, as ``hf`` cuts them."""
        windows: list[tuple[None, list[int], list[int]]] = []
        owners: list[int] = []
        for place, request in enumerate(requests):
            made = get_rolling_token_windows(
                token_list=self.tok_encode(request.args[0]), prefix_token=self.prefix_token_id,
                max_seq_len=self.max_length, context_len=1,
            )  # fmt: skip
            for window in map(make_disjoint_window, made):
                windows.append((None, *window))
                owners.append(place)
        totals = [0.0] * len(requests)
        for owner, (value, _) in zip(owners, self._loglikelihood_tokens(windows, disable_tqdm), strict=True):
            totals[owner] += value
        for request, total in zip(requests, totals, strict=True):
            self.cache_hook.add_partial("loglikelihood_rolling", request.args, total)
        return totals
