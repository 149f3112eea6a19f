"""``generate_until`` of the model ``tree`` against stock: equal greedy texts, samples of the same distribution."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from families import NANO, SUPPORTED, instances, prompts, save
from lm_eval.models.huggingface import HFLM

from harness.engines.tree import decode, generate, slots
from harness.engines.tree.model import TreeLM
from harness.engines.tree.sampling import Recipe, recipe
from harness.errors import UnavailableError

PROMPTS = [*prompts(1, 14), *prompts(2, 4)]
CPU = {"device": "cpu", "dtype": "float32"}


@pytest.fixture(scope="module")
def stock() -> HFLM:
    """Stock lm-eval on the embedded checkpoint."""
    return HFLM(pretrained=str(NANO), batch_size=1, **CPU)


@pytest.fixture
def tree() -> TreeLM:
    """The tree on the embedded checkpoint."""
    return TreeLM(pretrained=str(NANO), **CPU)


def written(lm: Any, asked: Sequence[str], **settings: Any) -> list[str]:
    """Texts of prompts under generation arguments."""
    arguments = {"until": ["\n\n"], "max_gen_toks": 16, **settings}
    requests = instances("generate_until", [(text, arguments) for text in asked])
    return list(lm.generate_until(requests, disable_tqdm=True))


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Change how the next texts are generated."""
    made = generate._engine

    def change(**settings: Any) -> None:
        monkeypatch.setattr(generate, "_engine", lambda *a: replace(made(*a), **settings))

    return change


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"until": [" the", ",", "."]},
        {"until": "\n"},
        {"until": []},
        {"until": [""]},
        {"until": ["of the", "was a"]},
        {"until": ["<|end|>"]},
        {"max_gen_toks": 1},
        {"max_new_tokens": 5, "temperature": 0.0, "do_sample": False},
        {"repetition_penalty": 1.4, "top_p": 0.9},
    ],
    ids=str,
)
def test_greedy_texts_are_those_of_stock(stock: HFLM, tree: TreeLM, settings: dict[str, Any]) -> None:
    """Stop strings of one or more tokens, limits and penalties: each text ends where stock ends it."""
    assert written(tree, PROMPTS, **settings) == written(stock, PROMPTS, **settings)
    assert tree.stock_because is None


def test_larger_batches_of_stock_write_the_same(tree: TreeLM) -> None:
    """Stock at batch size 8 goes on until a whole batch has ended; what is left after cutting is equal."""
    eight = HFLM(pretrained=str(NANO), batch_size=8, **CPU)
    eight.tokenizer.padding_side = "left"
    assert written(tree, PROMPTS, until=[","]) == written(eight, PROMPTS, until=[","])


@pytest.mark.parametrize("count", [1, 2, 7])
@pytest.mark.parametrize("rows", [16, 50, 512])
def test_neither_slots_nor_packs_change_a_text(
    stock: HFLM, tree: TreeLM, engine: Callable[..., None], count: int, rows: int
) -> None:
    """Rows that wait, leave in any order and share their prompt write what stock writes."""
    engine(slots=count, rows=rows, group_cost=0)
    assert written(tree, PROMPTS, until=[" the", ","]) == written(stock, PROMPTS, until=[" the", ","])


def test_the_attention_of_other_devices_writes_the_same(
    stock: HFLM, tree: TreeLM, engine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the CPU kernel is not to be had, one softmax over shared and own tokens takes its place."""
    engine(slots=5, group_cost=0)
    monkeypatch.setattr(slots, "_merged", slots._together)
    assert written(tree, PROMPTS) == written(stock, PROMPTS)


def test_long_texts_grow_their_slots(
    stock: HFLM, tree: TreeLM, engine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Texts past the first room go on as stock's do, and no memory is read that was not written (it is NaN here)."""
    blank = slots.Slots._empty
    monkeypatch.setattr(slots.Slots, "_empty", lambda self, like: blank(self, like).fill_(float("nan")))
    monkeypatch.setattr(slots, "GROWTH", 9)
    monkeypatch.setattr(decode, "GROWTH", 9)
    engine(slots=2, group_cost=0)
    asked = [PROMPTS[0], PROMPTS[9], PROMPTS[3]]
    assert written(tree, asked, max_gen_toks=70, until=[]) == written(stock, asked, max_gen_toks=70, until=[])


def test_end_tokens_of_the_checkpoint_end_a_text(stock: HFLM, tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """All end tokens of generation_config.json count, beside the stop strings."""
    usual = tree.tokenizer.encode(" the", add_special_tokens=False)[0]
    for lm in (stock, tree):
        monkeypatch.setattr(lm.model.generation_config, "eos_token_id", [0, usual])
    texts = written(tree, PROMPTS)
    assert texts == written(stock, PROMPTS)
    assert any(text.endswith(" the") for text in texts)


def test_long_prompts_are_cut_as_stock_cuts_them(caplog: pytest.LogCaptureFixture) -> None:
    """From the left, so that the new tokens fit; counted, with one warning."""
    stock, tree = HFLM(pretrained=str(NANO), max_length=64, **CPU), TreeLM(pretrained=str(NANO), max_length=64, **CPU)
    wanted = written(stock, PROMPTS)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="harness"):
        assert written(tree, PROMPTS) == wanted
    assert tree.truncated == sum(len(tree.tok_encode(text)) > 48 for text in PROMPTS) > 0
    assert len(caplog.records) == 1


def test_equal_prompts_are_written_once(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Five requests for one greedy text cost the tokens of one, and all get it."""
    rows: list[int] = []
    forward = decode.forward_rows

    def counted(model: Any, ids: torch.Tensor, *others: Any) -> torch.Tensor:
        rows.append(len(ids))
        return forward(model, ids, *others)

    written(tree, PROMPTS[:1])  # the self-check is behind us
    monkeypatch.setattr(decode, "forward_rows", counted)
    one = written(tree, PROMPTS[:1])
    once = sum(rows)
    assert written(tree, PROMPTS[:1] * 5) == one * 5
    assert sum(rows) == 2 * once


def test_requests_of_different_kinds_keep_their_order(stock: HFLM, tree: TreeLM) -> None:
    """Requests with other arguments are generated apart and answered in place; answers are reported as they come."""
    kinds = ({"until": [","], "max_gen_toks": 6}, {"until": ["."], "max_gen_toks": 9})
    asked = [(text, kinds[k % 2]) for k, text in enumerate(PROMPTS)]
    told: dict[int, Any] = {}
    tree.on_result = told.__setitem__
    texts = tree.generate_until(instances("generate_until", asked), disable_tqdm=True)
    assert texts == stock.generate_until(instances("generate_until", asked), disable_tqdm=True)
    assert [told[place] for place in range(len(asked))] == texts


@pytest.mark.parametrize("mark", [" the", "id"])
def test_what_was_thought_is_left_out_as_stock_leaves_it_out(mark: str) -> None:
    """think_end_token= as text and as a token id."""
    lm = HFLM(pretrained=str(NANO), **CPU)
    mark = str(lm.tok_encode(" the", add_special_tokens=False)[0]) if mark == "id" else mark
    stock, tree = (kind(pretrained=str(NANO), think_end_token=mark, **CPU) for kind in (HFLM, TreeLM))
    assert written(tree, PROMPTS) == written(stock, PROMPTS)


SAMPLING: dict[str, Any] = {"do_sample": True, "temperature": 1.3, "top_p": 0.9, "top_k": 20}


def test_samples_repeat_with_torchs_seed(tree: TreeLM, engine: Callable[..., None]) -> None:
    """One seed, one set of texts, whatever the number of slots; another seed, other texts; repeats differ."""

    def drawn(seed: int) -> list[str]:
        torch.manual_seed(seed)
        return written(tree, [*PROMPTS[:4], *PROMPTS[:1] * 3], **SAMPLING)

    first = drawn(1)
    engine(slots=2, rows=32, group_cost=0)
    assert drawn(1) == first
    assert drawn(2) != first
    assert len({first[0], *first[4:]}) > 1


@pytest.mark.parametrize(
    "settings",
    [SAMPLING, {"do_sample": True, "temperature": 0.7, "min_p": 0.05}, {"temperature": 1.0, "repetition_penalty": 1.3}],
    ids=str,
)
def test_samples_have_stocks_distribution(stock: HFLM, tree: TreeLM, settings: dict[str, Any]) -> None:
    """The first tokens of 4,000 samples against the probabilities that transformers draws from (chi-square)."""
    from scipy.stats import chisquare

    ids = torch.tensor([stock.tok_encode(PROMPTS[0])])
    how = {"do_sample": True, **settings, "max_new_tokens": 1, "output_scores": True, "return_dict_in_generate": True}
    scores = stock.model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=1, **how).scores[0][0]
    likely = torch.softmax(scores, 0).double()
    torch.manual_seed(3)
    firsts = written(tree, PROMPTS[:1] * 4000, until=[], max_gen_toks=1, **settings)
    expected: dict[str, float] = {}
    for token in likely.nonzero()[:, 0].tolist():
        text = tree.tok_decode([token])
        expected[text] = expected.get(text, 0.0) + float(likely[token])
    assert set(firsts) <= set(expected)
    common = [text for text, share in expected.items() if 4000 * share >= 5]
    counts = [firsts.count(text) for text in common]
    shares = [4000 * expected[text] for text in common]
    assert chisquare([*counts, 4000 - sum(counts) + 1], [*shares, 4000 - sum(shares) + 1]).pvalue > 1e-4


def test_what_only_stock_can_do_is_left_to_it(stock: HFLM, tree: TreeLM, caplog: pytest.LogCaptureFixture) -> None:
    """Beam search gives stock's text, with one line that says why; the next request is ours again."""
    with caplog.at_level(logging.WARNING, logger="harness"):
        texts = written(tree, PROMPTS[:2], num_beams=2)
        written(tree, PROMPTS[:1], num_beams=2)
    assert texts == written(stock, PROMPTS[:2], num_beams=2)
    assert [record.message for record in caplog.records] == ["stock lm-eval generates these texts: num_beams=2"]
    assert tree.left_to_stock == {"num_beams=2": 3}
    assert tree.stock_because is None


def test_memory_bounds_how_many_texts_are_written_at_once(stock: HFLM) -> None:
    """max_memory= is kept by fewer slots, at least one, and no text changes."""
    sizes = []
    for memory in ("4MB", "12MB", "1GB"):
        tree = TreeLM(pretrained=str(NANO), max_memory=memory, **CPU)
        how = recipe(tree, {"until": ["\n\n"], "max_gen_toks": 16})
        assert isinstance(how, Recipe)
        sizes.append(generate._engine(tree, how, [tree.tok_encode(text) for text in PROMPTS]).slots)
        assert written(tree, PROMPTS) == written(stock, PROMPTS)
    assert 1 <= sizes[0] < sizes[1] < sizes[2] == len(PROMPTS)


def test_where_memory_runs_out_fewer_texts_are_written_at_once(
    stock: HFLM, tree: TreeLM, engine: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Halved until it fits, no text lost or changed."""
    engine(slots=16, rows=128)
    _limit_rows(monkeypatch, 40)
    assert written(tree, PROMPTS) == written(stock, PROMPTS)


def test_no_memory_at_all_is_told(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where not even one text fits, the error names the remedy."""
    written(tree, PROMPTS[:1])
    _limit_rows(monkeypatch, 0)
    with pytest.raises(UnavailableError, match="no memory for a single text"):
        written(tree, PROMPTS)


def _limit_rows(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    forward = decode.forward_rows

    def limited(model: Any, ids: torch.Tensor, *others: Any) -> torch.Tensor:
        if len(ids) > most:
            raise torch.OutOfMemoryError("out of memory")
        return forward(model, ids, *others)

    monkeypatch.setattr(decode, "forward_rows", limited)


def test_prompts_of_several_instructions_share_each_their_own(tmp_path: Path, engine: Callable[..., None]) -> None:
    """Two instructions in one call, nested in a common beginning, are two groups; texts stay stock's."""
    folder = save(SUPPORTED[0], tmp_path / "llama")
    stock, tree = HFLM(pretrained=str(folder), **CPU), TreeLM(pretrained=str(folder), **CPU)
    engine(slots=9, rows=64, group_cost=0)
    asked = [f"{kind} one.\n\n{text}" for text in PROMPTS for kind in ("Common words, then this", "Common words, that")]
    assert written(tree, asked) == written(stock, asked)
