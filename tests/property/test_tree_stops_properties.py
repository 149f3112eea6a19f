"""Stop rules and groups of prompts on random input, against stock's rule and against their definitions."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from families import NANO
from hypothesis import example, given, settings
from hypothesis import strategies as st
from lm_eval.models.utils_hf import MultiTokenEOSCriteria
from transformers import AutoTokenizer

from harness.engines.tree.prefill import group_prompts
from harness.engines.tree.selfcheck import pick
from harness.engines.tree.stops import Stops

TEXTS = st.text("ab .,\n\"'é☃the", max_size=4) | st.sampled_from(["\n\n", "the end", "</s>", "<|end|>", ". The", "é"])
TOKENS = st.lists(st.integers(0, 400) | st.integers(0, 6143), min_size=1, max_size=12)


@functools.cache
def tokenizer() -> Any:
    """Nano's, whose tokens are bytes and pieces of words."""
    return AutoTokenizer.from_pretrained(str(NANO))


def stock_end(until: Sequence[str], tokens: Sequence[int]) -> int | None:
    """How many tokens stock writes at batch size 1 before a stop string ends the text."""
    rules = [MultiTokenEOSCriteria(text, tokenizer(), 0, 1) for text in until]
    for end in range(1, len(tokens) + 1):
        if any(rule(torch.tensor([tokens[:end]]), None) for rule in rules):
            return end
    return None


@given(until=st.lists(TEXTS, max_size=3), text=st.text("ab .,\n\"'é☃the", max_size=20), tokens=TOKENS)
@example(until=["☃"], text="a☃b", tokens=[5])
@example(until=[""], text="a", tokens=[5])
@settings(max_examples=200)
def test_a_text_ends_where_stock_ends_it(until: list[str], text: str, tokens: list[int]) -> None:
    """After each token our rule says what stock's criteria say at batch size 1."""
    written = [*tokenizer().encode(text, add_special_tokens=False), *tokens]
    stops = Stops(tokenizer(), until, ())
    ends = (end for end in range(1, len(written) + 1) if stops.met(written[:end]))
    assert next(ends, None) == stock_end(until, written)


@given(tokens=TOKENS, ends=st.frozensets(st.integers(0, 6143), max_size=2))
def test_end_tokens_end_a_text(tokens: list[int], ends: frozenset[int]) -> None:
    """A token that ends texts does so wherever it stands last."""
    assert Stops(tokenizer(), [], ends).met(tokens) == (tokens[-1] in ends)


@given(depths=st.lists(st.integers(0, 30), min_size=1, max_size=40), cost=st.integers(0, 60))
def test_groups_share_what_they_claim(depths: list[int], cost: int) -> None:
    """A group is a run of neighbours that share at least its length, and spares more than it costs."""
    group, length = group_prompts(np.array([0, *depths[1:]]), cost)
    assert len(group) == len(length) == len(depths)
    for first in sorted(set(group.tolist())):
        members = np.flatnonzero(group == first)
        assert members.tolist() == list(range(members[0], members[-1] + 1))
        shared = set(length[members].tolist())
        assert len(shared) == 1
        if (size := shared.pop()) > 0:
            assert all(depths[place] >= size for place in members[1:])
            assert size * (len(members) - 1) > cost


@given(depths=st.lists(st.integers(0, 30), min_size=2, max_size=40), cost=st.integers(0, 60))
def test_groups_spare_as_much_as_one_group_of_all(depths: list[int], cost: int) -> None:
    """What the groups spare is never less than without any, or with all prompts in one."""
    depths = [0, *depths[1:]]
    group, length = group_prompts(np.array(depths), cost)
    sizes = np.bincount(group)
    spared = sum(int(length[first]) * (int(sizes[first]) - 1) - cost for first in set(group.tolist()) if length[first])
    assert spared >= max(0, min(depths[1:]) * (len(depths) - 1) - cost)


@given(lengths=st.lists(st.integers(1, 900), min_size=1, max_size=30))
def test_the_self_check_stays_within_its_budget(lengths: list[int]) -> None:
    """The shortest request is always checked; together they cost stock one token in fifty, or 512 tokens."""
    picked = pick(lengths, lambda number: [7] * lengths[number])
    cost = [lengths[number] for number in picked]
    assert len(picked) == len(set(picked)) <= 4
    assert cost[0] == min(lengths)
    assert sum(cost) <= max(512, sum(lengths) // 50, min(lengths))
