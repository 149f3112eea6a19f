"""``generate_until``: stock's texts from shared prompts, rows that end by themselves, and memory that is bounded.

Greedy texts are those of stock at batch size 1: there each text ends by its own stop strings. Larger batches of stock
go on until all rows have met one and the same string, which changes no text unless a stop string is a special token.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

import torch
from lm_eval.models.huggingface import HFLM
from lm_eval.models.utils import postprocess_generated_text
from tqdm import tqdm

from harness.engines.models import free_memory, is_out_of_memory
from harness.engines.tree.decode import Decoder, Engine
from harness.engines.tree.head import read_head
from harness.engines.tree.plan import FEWEST_ROWS, plan_memory
from harness.engines.tree.sampling import Recipe, recipe
from harness.engines.tree.selfcheck import check_texts
from harness.engines.tree.stops import Stops
from harness.engines.tree.tokens import encoder_of
from harness.errors import DataError, UnavailableError, UsageError

_log = logging.getLogger(__name__)
SLOTS = 128
"""Rows that are generated at once, at most."""


def generate(lm: Any, requests: Sequence[Any], disable_tqdm: bool = False) -> list[str]:
    """The texts of ``generate_until`` requests, in their order.

    Args:
        lm: A ``TreeLM``.
        requests: lm-eval instances of (prompt, generation arguments).
        disable_tqdm: Show no progress.

    Raises:
        UsageError: The tokens to be generated leave no room for a prompt.
        DataError: A prompt has no tokens.
        CheckpointError: A logit is NaN.
        UnavailableError: Memory does not suffice for a single text.
    """
    answers: list[str] = [""] * len(requests)
    bar = tqdm(total=len(requests), disable=disable_tqdm or lm.rank != 0, desc="Running generate_until requests")
    with bar:
        for how, places in _by_recipe(lm, requests).items():
            picked = [requests[place] for place in places]
            made = _by_stock(lm, picked, how) if isinstance(how, str) else _generated(lm, picked, how)
            for number, text in made:
                answers[places[number]] = text
                if lm.on_result is not None:
                    lm.on_result(places[number], text)
                bar.update()
    return answers


def _by_recipe(lm: Any, requests: Sequence[Any]) -> dict[Recipe | str, list[int]]:
    """Requests by how they are to be generated; under a reason in words those that stock has to do."""
    known: dict[str, Recipe | str] = {}
    found: dict[Recipe | str, list[int]] = {}
    for place, request in enumerate(requests):
        written = repr(request.args[1])
        if written not in known:
            known[written] = "truncation=True" if lm.truncation else recipe(lm, request.args[1])
        found.setdefault(known[written], []).append(place)
    return found


def _by_stock(lm: Any, requests: Sequence[Any], reason: str) -> Iterator[tuple[int, str]]:
    if reason not in lm.left_to_stock:
        _log.warning("stock lm-eval generates these texts: %s", reason)
    lm.left_to_stock[reason] += len(requests)
    return enumerate(HFLM.generate_until(lm, list(requests), disable_tqdm=True))


def _generated(lm: Any, requests: Sequence[Any], how: Recipe) -> Iterator[tuple[int, str]]:
    left = dict(enumerate(_prompts(lm, requests, how)))
    seed = int(torch.randint(1 << 62, ()).item()) if how.sample else 0
    engine = _engine(lm, how, list(left.values()))
    while left:
        try:
            if not _agrees(lm, list(left.values()), how, engine):
                yield from _by_stock(lm, requests, f"the tree gives {lm.stock_because}")
                return
            for owners, tokens in Decoder(left, how, engine, seed).run():
                text = _text(lm, tokens, how)
                for owner in owners:
                    del left[owner]
                    lm.cache_hook.add_partial("generate_until", requests[owner].args, text)
                    yield owner, text
        except Exception as error:  # torch has no one exception for it
            if not is_out_of_memory(error):
                raise
            engine = _halved(engine, error)


def _agrees(lm: Any, prompts: Sequence[Sequence[int]], how: Recipe, engine: Engine) -> bool:
    """Whether the first texts begin as stock's do; if not, stock generates all."""
    if lm.text_check is None:
        lm.text_check = check_texts(lm, prompts, how, engine)
        lm.stock_because = lm.text_check.reason
    return lm.stock_because is None


def _prompts(lm: Any, requests: Sequence[Any], how: Recipe) -> list[list[int]]:
    """Token ids, cut from the left so that the generated tokens fit into the context."""
    room = lm.max_length - how.tokens
    if room < 1:
        raise UsageError(
            f"Generating {how.tokens} tokens", f"leaves no room for a prompt in a context of {lm.max_length} tokens",
            "lower max_gen_toks, or use a checkpoint with a longer context",
        )  # fmt: skip
    found = encoder_of(lm).prompts([request.args[0] for request in requests])
    if [] in found:
        raise DataError(
            f"Request {found.index([])}", "has a prompt without tokens",
            "write a prompt, or add add_bos_token=True to --model_args",
        )  # fmt: skip
    if cut := sum(len(prompt) > room for prompt in found):
        lm.truncated += cut
        _log.warning("%d prompts exceed the %d tokens that are left for them and are cut from the left", cut, room)
    return [prompt[-room:] for prompt in found]


def _engine(lm: Any, how: Recipe, prompts: Sequence[Sequence[int]]) -> Engine:
    """Half of the memory is for the slots, half for the forward."""
    length = max(map(len, prompts)) + how.tokens
    whole = plan_memory(lm.model, lm.device, length, lm._max_memory)
    half = whole.limit // 2
    plan = plan_memory(lm.model, lm.device, length, half)
    return Engine(
        model=lm.model, head=read_head(lm.model), stops=Stops(lm.tokenizer, how.until, how.ends), device=lm.device,
        rows=plan.rows, slots=max(1, min(SLOTS, len(prompts), half // max(1, plan.path_bytes))),
    )  # fmt: skip


def _halved(engine: Engine, error: Exception) -> Engine:
    free_memory()
    if engine.slots == 1 and engine.rows <= FEWEST_ROWS:
        raise UnavailableError(
            "The model", "has no memory for a single text", "use a smaller dtype, or another device"
        ) from error
    _log.warning("memory ran out: going on with %d texts at once", max(1, engine.slots // 2))
    return replace(engine, slots=max(1, engine.slots // 2), rows=max(FEWEST_ROWS, engine.rows // 2))


def _text(lm: Any, tokens: list[int], how: Recipe) -> str:
    """Text of generated tokens, without what was thought and without what follows a stop string, as stock cuts it."""
    end = lm.think_end_token
    if isinstance(end, int) and end in tokens:
        tokens = tokens[len(tokens) - tokens[::-1].index(end) :]
    text = lm.tok_decode(tokens)
    if isinstance(end, int):
        return str(postprocess_generated_text(text.lstrip(), list(how.until), None))
    return str(postprocess_generated_text(text, list(how.until), end))
