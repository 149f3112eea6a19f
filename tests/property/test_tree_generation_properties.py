"""Random prompts over random trees, generated in random numbers of slots and packs, against transformers' own."""

from __future__ import annotations

import functools
from typing import Any

import pytest
import torch
import transformers
from families import SUPPORTED, draw
from hypothesis import given, settings
from hypothesis import strategies as st

from harness.engines.tree.decode import Decoder, Engine
from harness.engines.tree.head import read_head
from harness.engines.tree.sampling import Recipe

KINDS = ("llama", "mistral-window", "gemma2", "gpt2")
END = 7
TOKENS = st.integers(5, 12)
BRANCHES = st.lists(st.lists(TOKENS, min_size=1, max_size=30), min_size=1, max_size=3)
PATHS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2), st.lists(TOKENS, max_size=4)), min_size=1, max_size=7)


class EndsAt:
    """A stop rule of one end token."""

    def met(self, tokens: list[int]) -> bool:
        """Whether the newest token is the end."""
        return tokens[-1] == END


@functools.cache
def model_of(name: str) -> Any:
    """A small model whose vocabulary is so small that it meets the end token now and then."""
    family = next(family for family in SUPPORTED if family.name == name)
    config = getattr(transformers, family.config)(**{**family.settings, "vocab_size": 24, "tie_word_embeddings": False})
    torch.manual_seed(1)
    model = transformers.AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    draw(model)
    return model


def plain(model: Any, prompt: list[int], tokens: int) -> list[int]:
    """What transformers generates for one prompt."""
    ids = torch.tensor([prompt])
    made = model.generate(
        ids, attention_mask=torch.ones_like(ids), max_new_tokens=tokens, do_sample=False, eos_token_id=END,
        pad_token_id=1,
    )  # fmt: skip
    return [int(token) for token in made[0, len(prompt) :].tolist()]


@pytest.mark.parametrize("name", KINDS)
@given(
    branches=BRANCHES, paths=PATHS, tokens=st.integers(1, 9),
    slots=st.integers(1, 5), rows=st.integers(3, 60), cost=st.sampled_from([0, 20, 1024]),
)  # fmt: skip
@settings(max_examples=25)
def test_random_trees_of_prompts_generate_what_transformers_generates(
    name: str, branches: list[list[int]], paths: list[Any], tokens: int, slots: int, rows: int, cost: int
) -> None:
    """Every prompt gets its greedy tokens, whichever prompts share its beginning or its slot."""
    model = model_of(name)
    turned = [[*branches[a % len(branches)], *branches[b % len(branches)], *rest] for a, b, rest in paths]
    prompts = dict(enumerate(turned))
    how = Recipe((), tokens, frozenset({END}), False, 1.0, 0, 1.0, None, 1.0)
    engine = Engine(model, read_head(model), EndsAt(), torch.device("cpu"), rows, slots, cost)  # type: ignore[arg-type]
    found = {owner: made for owners, made in Decoder(prompts, how, engine, 0).run() for owner in owners}
    assert found == {number: plain(model, prompt, tokens) for number, prompt in prompts.items()}
