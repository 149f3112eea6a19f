"""The model ``tree`` against stock ``hf`` on texts: the same scores and flags, and plain words where it cannot."""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from families import NANO, SUPPORTED, instances, questions, save, sentence
from lm_eval.api.registry import get_model
from lm_eval.models.huggingface import HFLM

import harness.engines.tree  # noqa: F401 - registers the name
from harness.engines.tree import attention, loglikelihood
from harness.engines.tree.model import TreeLM
from harness.errors import CheckpointError, DataError, UnavailableError, UsageError

QUESTIONS = questions()
Score = tuple[float, bool]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small checkpoint with random weights."""
    return save(SUPPORTED[0], tmp_path_factory.mktemp("tree") / SUPPORTED[0].name)


@pytest.fixture(scope="module")
def stock(folder: Path) -> HFLM:
    """Stock lm-eval on that checkpoint."""
    return HFLM(pretrained=str(folder), device="cpu", batch_size=8)


@pytest.fixture(scope="module")
def tree(folder: Path) -> TreeLM:
    """The tree on that checkpoint."""
    return made(folder)


def made(folder: Path, **arguments: Any) -> TreeLM:
    """A tree model, by its name in lm-eval's registry."""
    model: TreeLM = get_model("tree")(pretrained=str(folder), device="cpu", **arguments)
    return model


def asked(lm: Any, pairs: list[tuple[str, str]]) -> list[Score]:
    """The answers of a model to loglikelihood requests."""
    return list(lm.loglikelihood(instances("loglikelihood", pairs), disable_tqdm=True))


def values(lm: Any) -> torch.Tensor:
    """The log-likelihoods that a model gives the questions."""
    return torch.tensor([value for value, _ in asked(lm, QUESTIONS)])


def assert_equal(ours: list[Score], wanted: list[Score], tolerance: float = 1e-4) -> None:
    """Equal flags, and log-likelihoods within a tolerance."""
    assert [greedy for _, greedy in ours] == [greedy for _, greedy in wanted]
    assert max(abs(a - b) for (a, _), (b, _) in zip(ours, wanted, strict=True)) <= tolerance


def test_the_name_is_registered_and_builds_from_arguments(folder: Path) -> None:
    """lm-eval finds ``tree`` by name and hands it an argument string as it does for ``hf``."""
    lm = get_model("tree").create_from_arg_string(f"pretrained={folder},max_memory=1GiB", {"device": "cpu"})
    assert isinstance(lm, TreeLM)
    assert lm.stock_because is None


def test_shared_questions_score_as_stock(stock: HFLM, tree: TreeLM) -> None:
    """Preambles, choices that begin alike, repeats and contexts inside contexts: all as stock, in its order."""
    assert_equal(asked(tree, QUESTIONS), asked(stock, QUESTIONS))


def test_trained_weights_score_as_stock() -> None:
    """The embedded checkpoint too, whose probabilities are far from flat."""
    texts = [(context, choice) for context, choice in QUESTIONS[:30]]
    stock = HFLM(pretrained=str(NANO), device="cpu", batch_size=8)
    assert_equal(asked(made(NANO), texts), asked(stock, texts))


@pytest.mark.parametrize("rows", [16, 37, 100])
def test_the_size_of_a_pack_changes_nothing(
    stock: HFLM, tree: TreeLM, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Packs that cut preambles, questions and choices anywhere give the same scores."""
    monkeypatch.setattr("harness.engines.tree.plan.CPU_ROWS", rows)
    assert_equal(asked(tree, QUESTIONS), asked(stock, QUESTIONS))


@pytest.mark.parametrize("name", ["mistral-window", "qwen2-window", "gemma2", "gpt2"])
def test_windows_and_soft_caps_reach_over_packs(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Layers that see a window, cap their scores or learn positions, with most of each path stored by earlier packs."""
    family = save(next(family for family in SUPPORTED if family.name == name), tmp_path / name)
    monkeypatch.setattr("harness.engines.tree.plan.CPU_ROWS", 29)
    stock = HFLM(pretrained=str(family), device="cpu", batch_size=8)
    assert_equal(asked(made(family), QUESTIONS), asked(stock, QUESTIONS))


def test_the_masked_attention_of_other_devices_gives_the_same(
    stock: HFLM, tree: TreeLM, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the CPU kernel is not to be had, one mask over the stored path and the pack takes its place."""
    monkeypatch.setattr(attention, "has_kernel", lambda *_: False)
    monkeypatch.setattr("harness.engines.tree.plan.CPU_ROWS", 64)
    assert_equal(asked(tree, QUESTIONS), asked(stock, QUESTIONS))


def test_one_request(stock: HFLM, tree: TreeLM) -> None:
    """A call of one request is a tree of one path."""
    assert_equal(asked(tree, QUESTIONS[:1]), asked(stock, QUESTIONS[:1]))


def test_no_request(tree: TreeLM) -> None:
    """An empty call has an empty answer."""
    assert asked(tree, []) == []


def test_repeats_are_scored_once_and_answered_each(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """A request that is asked five times costs the tokens of one."""
    rows: list[int] = []
    forward = loglikelihood.forward_rows

    def counted(model: Any, ids: torch.Tensor, *others: Any) -> torch.Tensor:
        rows.append(len(ids))
        return forward(model, ids, *others)

    monkeypatch.setattr(loglikelihood, "forward_rows", counted)
    answers = asked(tree, [("the harbour opened in", " spring")] * 5)
    assert len(set(answers)) == 1
    once = sum(rows)
    asked(tree, [("the harbour opened in", " spring")])
    assert sum(rows) == 2 * once


def test_one_text_split_in_two_places_is_scored_at_each(folder: Path, tree: TreeLM) -> None:
    """As stock without its cache of logits, which in lm-eval 0.4.13 scores the shorter answer at the wrong position."""
    pairs = [("the harbour", " opened in spring"), ("the harbour opened in", " spring")]
    assert_equal(asked(tree, pairs), asked(HFLM(pretrained=str(folder), device="cpu", logits_cache=False), pairs))


@pytest.mark.parametrize(
    "pair",
    [("", " spring"), ("the harbour ", "opened"), ("the harb", "our opened"), ("the\n\n", "harbour opened")],
    ids=["empty context", "space at the end", "merging choice", "newlines"],
)
def test_awkward_requests_score_as_stock(stock: HFLM, tree: TreeLM, pair: tuple[str, str]) -> None:
    """What stock does with an empty context, a trailing space or a choice that grows into its context."""
    assert_equal(asked(tree, [pair, *QUESTIONS[:3]]), asked(stock, [pair, *QUESTIONS[:3]]))


@pytest.mark.parametrize("pair", [("the harbour", ""), ("", ""), ("harb", "our")], ids=["empty", "both", "merged"])
def test_a_continuation_without_tokens_is_refused_by_name(tree: TreeLM, pair: tuple[str, str]) -> None:
    """Stock fails with an assertion or an index error; here the message has the request and the reason."""
    with pytest.raises(DataError, match=r"Request 1 \(.*the continuation adds no token to the context"):
        asked(tree, [("the", " harbour"), pair])


def test_too_long_requests_are_cut_as_stock_cuts_them(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """From the left, with one warning in all and a count that the harness can read."""
    short, tree = HFLM(pretrained=str(folder), device="cpu", max_length=48), made(folder, max_length=48)
    wanted = asked(short, QUESTIONS)
    caplog.clear()
    with caplog.at_level(logging.WARNING, logger="harness"):
        assert_equal(asked(tree, QUESTIONS), wanted)
    sizes = [sum(map(len, short._encode_pair(*pair))) for pair in QUESTIONS]
    assert tree.truncated == sum(size > 49 for size in sizes) > 0
    assert [record.message for record in caplog.records] == [
        f"{tree.truncated} requests exceed the context of 48 tokens and are cut from the left"
    ]


def test_a_continuation_longer_than_the_context_is_refused(folder: Path) -> None:
    """Nothing of its context would be left: stock asserts, here the message has both lengths."""
    with pytest.raises(DataError, match=r"the continuation has \d+ tokens, more than the context of 16"):
        asked(made(folder, max_length=16), [("the", " harbour opened in spring" * 9)])


def test_rolling_windows_score_as_stock(folder: Path) -> None:
    """Texts shorter and longer than the context, and equal ones."""
    import random

    texts = [(sentence(random.Random(k), n),) for k, n in enumerate((1, 30, 120, 200))]
    texts.append(texts[2])
    stock, tree = HFLM(pretrained=str(folder), device="cpu", max_length=60), made(folder, max_length=60)
    wanted = stock.loglikelihood_rolling(instances("loglikelihood_rolling", texts), disable_tqdm=True)
    ours = tree.loglikelihood_rolling(instances("loglikelihood_rolling", texts), disable_tqdm=True)
    assert ours == pytest.approx(wanted, abs=1e-3)  # hundreds of tokens each
    assert ours[2] == ours[4]


def test_bfloat16_is_as_exact_as_stock_with_a_float32_softmax(folder: Path) -> None:
    """Both differ by 0.1 nats per token at most (a step of a bfloat16 logit), and are as far from float32 weights."""
    half = {"device": "cpu", "dtype": "bfloat16", "softmax_dtype": "float32"}
    stock, ours = HFLM(pretrained=str(folder), batch_size=4, **half), made(folder, dtype="bfloat16")
    single = copy.deepcopy(stock.model).float()
    exact = values(HFLM(pretrained=single, tokenizer=stock.tokenizer, batch_size=4))
    tokens = torch.tensor([len(stock._encode_pair(*pair)[1]) for pair in QUESTIONS])
    assert bool(((values(ours) - values(stock)).abs() <= 0.1 * tokens).all())
    assert (values(ours) - exact).abs().mean() <= 1.5 * (values(stock) - exact).abs().mean()


def test_a_float64_softmax_is_honoured(folder: Path, stock: HFLM) -> None:
    """``softmax_dtype=float64`` sums in float64."""
    assert_equal(asked(made(folder, softmax_dtype="float64"), QUESTIONS[:9]), asked(stock, QUESTIONS[:9]))


def test_a_vocabulary_larger_than_the_tokenizers_is_summed_whole(tmp_path: Path) -> None:
    """Padded rows of the head are part of the softmax, as in stock."""
    padded = save(next(family for family in SUPPORTED if family.name == "padded"), tmp_path / "padded")
    stock = HFLM(pretrained=str(padded), device="cpu", batch_size=4)
    assert_equal(asked(made(padded), QUESTIONS[:20]), asked(stock, QUESTIONS[:20]))


def test_no_pad_token_is_needed(folder: Path) -> None:
    """Nothing is padded, so a tokenizer without that token does."""
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(str(folder))
    tokenizer.pad_token = None
    stock = HFLM(pretrained=str(folder), device="cpu", tokenizer=copy.deepcopy(tokenizer))
    assert_equal(asked(made(folder, tokenizer=tokenizer), QUESTIONS[:9]), asked(stock, QUESTIONS[:9]))


def test_a_nan_names_the_request(folder: Path) -> None:
    """A NaN is no score: the request that met it is in the message."""
    tree = made(folder)
    with torch.no_grad():
        tree.model.get_output_embeddings().weight[77] = float("nan")
    with pytest.raises(CheckpointError, match=r"Request 0 \(... 'the harbour' \+ ' opened'\): has a NaN logit"):
        asked(tree, [("the harbour", " opened")])


def test_answers_come_as_they_are_made(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """The callback has each answer once, the first long before the last tokens are scored."""
    monkeypatch.setattr("harness.engines.tree.plan.CPU_ROWS", 32)
    monkeypatch.setattr(loglikelihood, "ROWS", 4)
    forwards, seen = [0], []
    forward = loglikelihood.forward_rows

    def counted(*arguments: Any) -> torch.Tensor:
        forwards[0] += 1
        return forward(*arguments)

    monkeypatch.setattr(loglikelihood, "forward_rows", counted)
    monkeypatch.setattr(tree, "on_result", lambda place, answer: seen.append((place, answer, forwards[0])))
    answers = asked(tree, QUESTIONS)
    assert {place: answer for place, answer, _ in seen} == dict(enumerate(answers))
    assert len(seen) == len(answers)
    assert seen[0][2] * 2 < forwards[0]


def test_the_order_of_requests_changes_no_score(tree: TreeLM) -> None:
    """Twice the same call gives the same bits, and so does the call in reverse."""
    first = asked(tree, QUESTIONS)
    assert asked(tree, QUESTIONS) == first
    assert asked(tree, QUESTIONS[::-1])[::-1] == first


def starved(rows: int) -> Callable[..., torch.Tensor]:
    """A forward that has memory for so many rows."""
    forward = loglikelihood.forward_rows

    def limited(model: Any, ids: torch.Tensor, *others: Any) -> torch.Tensor:
        hidden = forward(model, ids, *others)  # fails late, when layers have already handed over keys and values
        if len(ids) > rows:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return hidden

    return limited


def test_out_of_memory_halves_the_pack_and_goes_on(stock: HFLM, tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """A pack that does not fit is halved until it does; no score is lost or changed."""
    monkeypatch.setattr(loglikelihood, "forward_rows", starved(70))
    assert_equal(asked(tree, QUESTIONS), asked(stock, QUESTIONS))


def test_no_memory_for_the_smallest_pack_is_an_error(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """When halving does not help any more, the message says so."""
    monkeypatch.setattr(loglikelihood, "forward_rows", starved(3))
    with pytest.raises(UnavailableError, match="has no memory for 16 tokens at once"):
        asked(tree, QUESTIONS)


def test_a_memory_limit_bounds_the_pack_and_not_the_scores(folder: Path, stock: HFLM) -> None:
    """A quarter of a megabyte gives smaller packs and the same scores; a thousand bytes are refused."""
    assert_equal(asked(made(folder, max_memory="400kB"), QUESTIONS), asked(stock, QUESTIONS))
    with pytest.raises(UnavailableError, match="raise max_memory"):
        asked(made(folder, max_memory=1000), QUESTIONS)
    with pytest.raises(UsageError, match="is no amount of memory"):
        made(folder, max_memory="plenty")


def test_the_peak_of_memory_is_reported(tree: TreeLM) -> None:
    """A process that holds torch takes more than 50 MB."""
    assert tree.peak_bytes > 50_000_000


def test_stock_attention_is_back_after_a_call(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """The model that the tree borrowed behaves as before, also where the call is broken off."""
    before = tree.model.config._attn_implementation
    asked(tree, QUESTIONS[:2])
    assert tree.model.config._attn_implementation == before

    def broken(place: int, answer: Score) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(tree, "on_result", broken)
    with pytest.raises(KeyboardInterrupt) as kept:  # holds the frames of the call alive
        asked(tree, QUESTIONS)
    assert tree.model.config._attn_implementation == before, kept


def test_the_cache_of_lm_eval_gets_every_answer(tree: TreeLM, monkeypatch: pytest.MonkeyPatch) -> None:
    """``--use_cache`` keeps what is scored, under the arguments of the request."""
    kept: dict[tuple[str, tuple[str, str]], Score] = {}
    monkeypatch.setattr(tree.cache_hook, "add_partial", lambda kind, args, res: kept.update({(kind, args): res}))
    answers = asked(tree, QUESTIONS[:5])
    assert kept == {("loglikelihood", pair): answer for pair, answer in zip(QUESTIONS[:5], answers, strict=True)}
