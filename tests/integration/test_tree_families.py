"""The model ``tree`` against stock ``hf``, architecture by architecture, on random and on trained weights.

In float32 choices and greedy flags are stock's and log-likelihoods lie within 1e-4 nats. In bfloat16 stock itself
rounds: it is asked with ``softmax_dtype=float32``, and what is promised is a distance of at most 1 % plus 0.15 nats,
and equal choices where two choices are not nearer to each other than that.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from families import NANO, REFUSED, SUPPORTED, VOCABULARY, Family, instances, prompts, questions, save

pytestmark = pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning")  # peft asks for it
Folder = Callable[[Family], Path]
Answer = tuple[float, bool]

FP32 = 1e-4
NEAR_TIE = 1e-3
"""Two choices this close may change places in float32."""


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Folder:
    """The checkpoint folder of an architecture, made once."""
    root = tmp_path_factory.mktemp("families")
    return lambda family: save(family, root / family.name)


def stock_of(path: Path, **options: Any) -> Any:
    """Stock lm-eval's model."""
    from lm_eval.models.huggingface import HFLM

    return HFLM(pretrained=str(path), **{"device": "cpu", "dtype": "float32", "batch_size": 1, **options})


def tree_of(path: Path, **options: Any) -> Any:
    """Ours."""
    from harness.engines.tree.model import TreeLM

    return TreeLM(pretrained=str(path), **{"device": "cpu", "dtype": "float32", "batch_size": 1, **options})


def scores(lm: Any, asked: Sequence[tuple[str, str]]) -> list[Answer]:
    """Answers to (context, continuation) requests."""
    return list(lm.loglikelihood(instances("loglikelihood", asked), disable_tqdm=True))


def texts(lm: Any, asked: Sequence[str], **settings: Any) -> list[str]:
    """Greedy texts of prompts."""
    arguments = {"until": ["\n", "the"], "max_gen_toks": 12, **settings}
    return list(
        lm.generate_until(instances("generate_until", [(text, arguments) for text in asked]), disable_tqdm=True)
    )


def greedy_questions(lm: Any) -> list[tuple[str, str]]:
    """Requests whose continuation is what stock would write, so that the greedy flag has something to say."""
    some = prompts(3, 6)
    written = texts(lm, some, until=[], max_gen_toks=3)
    return [(prompt, text) for prompt, text in zip(some, written, strict=True) if text.strip()]


def near_ties(asked: Sequence[tuple[str, str]], answers: Sequence[Answer], within: float) -> set[str]:
    """Contexts whose two best choices are too close to call."""
    by_context: dict[str, set[float]] = {}
    for (context, _), (value, _) in zip(asked, answers, strict=True):
        by_context.setdefault(context, set()).add(value)
    best = {context: sorted(values)[-2:] for context, values in by_context.items()}
    return {context for context, two in best.items() if len(two) == 2 and two[1] - two[0] <= within}


def chosen(asked: Sequence[tuple[str, str]], answers: Sequence[Answer], without: set[str]) -> dict[str, str]:
    """The likeliest continuation of each context."""
    found: dict[str, tuple[float, str]] = {}
    for (context, continuation), (value, _) in zip(asked, answers, strict=True):
        if context not in without and value > found.get(context, (float("-inf"), ""))[0]:
            found[context] = value, continuation
    return {context: continuation for context, (_, continuation) in found.items()}


def assert_equal_in_fp32(asked: Sequence[tuple[str, str]], ours: Sequence[Answer], stock: Sequence[Answer]) -> None:
    """Equal greedy flags and choices, log-likelihoods within ``FP32``; hardly a near-tie to excuse any."""
    assert max(abs(a[0] - b[0]) for a, b in zip(ours, stock, strict=True)) <= FP32
    assert [flag for _, flag in ours] == [flag for _, flag in stock]
    ties = near_ties(asked, stock, NEAR_TIE)
    assert len(ties) <= 1
    assert chosen(asked, ours, ties) == chosen(asked, stock, ties)


@pytest.mark.parametrize("family", SUPPORTED, ids=lambda family: family.name)
def test_an_architecture_scores_as_stock_does(folder: Folder, family: Family) -> None:
    """Scores, greedy flags, whole texts and generated texts of each supported architecture are stock's in float32."""
    stock, tree = stock_of(folder(family)), tree_of(folder(family))
    asked = questions() + greedy_questions(stock)
    answers = scores(stock, asked)
    assert_equal_in_fp32(asked, scores(tree, asked), answers)
    assert any(flag for _, flag in answers)
    whole = instances("loglikelihood_rolling", [(context * 3,) for context, _ in asked[:40:20]])
    pairs = zip(tree.loglikelihood_rolling(whole), stock.loglikelihood_rolling(whole, disable_tqdm=True), strict=True)
    assert max(abs(ours - theirs) / abs(theirs) for ours, theirs in pairs) <= 1e-6
    assert texts(tree, prompts()) == texts(stock, prompts())
    assert tree.stock_because is None, "the self-check must agree too"


@pytest.mark.parametrize("family", SUPPORTED, ids=lambda family: family.name)
def test_shared_prompts_and_few_slots_change_no_text(
    folder: Folder, family: Family, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts are stock's where prompts share their keys, wait for a slot and go through the model in small packs."""
    from dataclasses import replace

    from harness.engines.tree import generate

    made = generate._engine
    monkeypatch.setattr(generate, "_engine", lambda *a: replace(made(*a), group_cost=0, slots=3, rows=40))
    asked = [*prompts(1, 8), *prompts(2, 6)]
    assert texts(tree_of(folder(family)), asked) == texts(stock_of(folder(family)), asked)


@pytest.mark.parametrize("family", SUPPORTED, ids=lambda family: family.name)
def test_bfloat16_is_near_to_stock_with_a_float32_softmax(folder: Folder, family: Family) -> None:
    """In bfloat16 log-likelihoods differ by at most 1 % and 0.15 nats; choices further apart than that are equal."""
    path = folder(family)
    stock = stock_of(path, dtype="bfloat16", softmax_dtype="float32")
    tree = tree_of(path, dtype="bfloat16")
    asked = questions()
    answers, ours = scores(stock, asked), scores(tree, asked)
    assert tree.stock_because is None
    assert all(abs(a - b) <= 0.15 + 0.01 * abs(b) for (a, _), (b, _) in zip(ours, answers, strict=True))
    ties = near_ties(asked, answers, 0.6)
    assert len(ties) < len({context for context, _ in asked})
    assert chosen(asked, ours, ties) == chosen(asked, answers, ties)


@pytest.mark.parametrize("family", REFUSED, ids=lambda family: family.name)
def test_what_the_tree_cannot_do_is_left_to_stock_with_a_reason(
    folder: Folder, family: Family, caplog: pytest.LogCaptureFixture
) -> None:
    """One line says why, and every kind of request gets stock's very answers."""
    with caplog.at_level(logging.WARNING, logger="harness"):
        tree = tree_of(folder(family))
    assert family.reason is not None
    told = [record.getMessage() for record in caplog.records if record.name.startswith("harness")]
    assert len(told) == 1
    assert family.reason in told[0]
    stock, asked = stock_of(folder(family)), questions(subjects=1, each=2)
    assert scores(tree, asked) == scores(stock, asked)
    assert texts(tree, prompts()[:2], max_gen_toks=4) == texts(stock, prompts()[:2], max_gen_toks=4)


@pytest.mark.parametrize("batch", [1, 8])
def test_trained_weights_score_as_stock_does(batch: int) -> None:
    """The embedded checkpoint gives stock's choices, flags and texts at any batch size of stock."""
    stock, tree = stock_of(NANO, batch_size=batch), tree_of(NANO)
    asked = questions(5) + greedy_questions(stock)
    assert_equal_in_fp32(asked, scores(tree, asked), scores(stock, asked))
    assert texts(tree, prompts(5), max_gen_toks=24) == texts(stock, prompts(5), max_gen_toks=24)


@pytest.fixture(scope="module")
def adapter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A LoRA adapter of nano that changes its answers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    base = AutoModelForCausalLM.from_pretrained(str(NANO), dtype=torch.float32)
    config = LoraConfig(r=4, lora_alpha=32, target_modules=["q_proj", "v_proj", "down_proj"], init_lora_weights=False)
    path = tmp_path_factory.mktemp("adapter")
    get_peft_model(base, config).save_pretrained(str(path))
    return path


def test_an_unmerged_adapter_scores_as_stock_does(adapter: Path) -> None:
    """peft= gives stock's scores and texts, which are not those of the base."""
    asked = questions(subjects=1)
    stock, tree = stock_of(NANO, peft=str(adapter)), tree_of(NANO, peft=str(adapter))
    answers = scores(stock, asked)
    assert tree.stock_because is None
    assert_equal_in_fp32(asked, scores(tree, asked), answers)
    assert texts(tree, prompts()) == texts(stock, prompts())
    assert max(abs(a[0] - b[0]) for a, b in zip(answers, scores(tree_of(NANO), asked), strict=True)) > 0.1


def test_a_merged_adapter_scores_as_the_unmerged_one(adapter: Path, tmp_path: Path) -> None:
    """Merging an adapter changes no choice, and log-likelihoods by rounding only."""
    import torch
    from peft import PeftModel
    from transformers import AutoModelForCausalLM, AutoTokenizer

    base = AutoModelForCausalLM.from_pretrained(str(NANO), dtype=torch.float32)
    PeftModel.from_pretrained(base, str(adapter)).merge_and_unload().save_pretrained(str(tmp_path))
    AutoTokenizer.from_pretrained(str(NANO)).save_pretrained(str(tmp_path))
    asked = questions(subjects=1)
    assert_equal_in_fp32(asked, scores(tree_of(tmp_path), asked), scores(tree_of(NANO, peft=str(adapter)), asked))


def test_an_adapter_of_the_head_scores_as_stock_does(folder: Folder, tmp_path: Path) -> None:
    """A head that an adapter has replaced is called whole."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(0)
    path = folder(SUPPORTED[0])
    base = AutoModelForCausalLM.from_pretrained(str(path), dtype=torch.float32)
    config = LoraConfig(r=2, target_modules=["lm_head"], init_lora_weights=False)
    get_peft_model(base, config).save_pretrained(str(tmp_path), save_embedding_layers=False)
    asked = questions(subjects=1)
    stock, tree = stock_of(path, peft=str(tmp_path)), tree_of(path, peft=str(tmp_path))
    assert tree.stock_because is None
    assert_equal_in_fp32(asked, scores(tree, asked), scores(stock, asked))


def test_a_quantised_head_scores_as_stock_does(folder: Folder) -> None:
    """A head that is no plain linear layer, here one of 8-bit weights, is called whole and not read in tiles."""
    import torch

    class EightBitHead(torch.nn.Module):
        def __init__(self, plain: torch.nn.Linear) -> None:
            super().__init__()
            self.scale = plain.weight.detach().abs().amax(1, keepdim=True) / 127
            self.weight = torch.nn.Buffer((plain.weight.detach() / self.scale).round().to(torch.int8))

        def forward(self, hidden: torch.Tensor) -> torch.Tensor:
            return hidden @ (self.weight * self.scale).t()

    stock, tree = stock_of(folder(SUPPORTED[0])), tree_of(folder(SUPPORTED[0]))
    plain = scores(stock, questions(subjects=1))
    for lm in (stock, tree):
        lm.model.set_output_embeddings(EightBitHead(lm.model.get_output_embeddings()))
    asked = questions(subjects=1)
    answers = scores(stock, asked)
    assert answers != plain
    assert_equal_in_fp32(asked, scores(tree, asked), answers)
    assert texts(tree, prompts()) == texts(stock, prompts())
    assert tree.stock_because is None


@pytest.mark.parametrize("add_bos", [True, False])
def test_a_bos_token_goes_where_stock_puts_it(folder: Folder, add_bos: bool) -> None:
    """add_bos_token= is understood as stock understands it, in scores and in prompts."""
    path = folder(SUPPORTED[0])
    stock, tree = stock_of(path, add_bos_token=add_bos), tree_of(path, add_bos_token=add_bos)
    asked = [*questions(subjects=1), ("<|end|>already there", " it is"), ("", " nothing before")]
    assert_equal_in_fp32(asked, scores(tree, asked), scores(stock, asked))
    assert texts(tree, ["<|end|>already", "not there"]) == texts(stock, ["<|end|>already", "not there"])


def test_a_chat_template_is_applied_as_stock_applies_it(folder: Folder) -> None:
    """The model hands out the tokenizer's template, and scores what it makes like stock."""
    template = "{% for m in messages %}[{{ m.role }}] {{ m.content }}\n{% endfor %}"
    stock, tree = stock_of(folder(SUPPORTED[0])), tree_of(folder(SUPPORTED[0]))
    said = [{"role": "user", "content": "Where is the harbour?"}]
    for lm in (stock, tree):
        lm.tokenizer.chat_template = template
    assert tree.apply_chat_template(said) == stock.apply_chat_template(said)
    assert tree.chat_template(True) == stock.chat_template(True)
    asked = [(stock.apply_chat_template(said), " On the coast"), (stock.apply_chat_template(said), " In the north")]
    assert_equal_in_fp32(asked, scores(tree, asked), scores(stock, asked))


def test_padding_of_the_vocabulary_is_scored_like_the_rest(folder: Folder) -> None:
    """A checkpoint with more embeddings than tokens is scored over all of them, as stock scores it."""
    padded = next(family for family in SUPPORTED if family.name == "padded")
    tree = tree_of(folder(padded))
    assert tree.model.config.vocab_size > VOCABULARY == len(tree.tokenizer)
    asked = questions(7, subjects=1)
    assert_equal_in_fp32(asked, scores(tree, asked), scores(stock_of(folder(padded)), asked))
