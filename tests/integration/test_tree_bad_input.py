"""Bad input to the model ``tree``: stock's result, or an error that says what is wrong. Scores are in another file."""

from __future__ import annotations

import resource
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from families import NANO, SUPPORTED, instances, prompts, questions, save
from lm_eval.models.huggingface import HFLM

from harness.engines.tree.loglikelihood import ask
from harness.engines.tree.model import TreeLM
from harness.errors import CheckpointError, DataError, UsageError

CPU = {"device": "cpu", "dtype": "float32"}
GREEDY = {"until": ["\n"], "max_gen_toks": 6}


def written(lm: Any, asked: Sequence[tuple[str, dict[str, Any]]]) -> list[str]:
    """Texts of (prompt, arguments) requests."""
    return list(lm.generate_until(instances("generate_until", asked), disable_tqdm=True))


@pytest.fixture(scope="module")
def stock() -> HFLM:
    """Stock lm-eval on the embedded checkpoint."""
    return HFLM(pretrained=str(NANO), **CPU)


@pytest.fixture
def tree() -> TreeLM:
    """The tree on the embedded checkpoint."""
    return TreeLM(pretrained=str(NANO), **CPU)


def test_no_texts_asked(tree: TreeLM) -> None:
    """An empty call has an empty answer."""
    assert written(tree, []) == []


@pytest.mark.parametrize("prompt", ["a", "\n", " ", "☃", "harbour " * 3, "<|end|>", "\ud83d\ude00"[:1] + "x"])
def test_one_prompt_of_any_kind(stock: HFLM, tree: TreeLM, prompt: str) -> None:
    """One request is a batch: short, blank, beyond the alphabet, special, not even valid Unicode."""
    try:
        wanted = written(stock, [(prompt, GREEDY)])
    except (TypeError, UnicodeError, ValueError) as error:
        with pytest.raises(type(error)):
            written(tree, [(prompt, GREEDY)])
    else:
        assert written(tree, [(prompt, GREEDY)]) == wanted


def test_an_empty_prompt_is_refused_by_number(tree: TreeLM) -> None:
    """Stock fails inside the model at batch size 1, and continues padding at larger ones."""
    with pytest.raises(DataError, match=r"Request 1: has a prompt without tokens; .*add_bos_token=True"):
        written(tree, [("a", GREEDY), ("", GREEDY)])


def test_an_empty_prompt_with_a_bos_token_is_a_prompt() -> None:
    """With add_bos_token the model has something to go on from, if the tokenizer puts one there; as stock."""
    stock, tree = (kind(pretrained=str(NANO), add_bos_token=True, **CPU) for kind in (HFLM, TreeLM))
    if stock.tok_encode(""):
        assert written(tree, [("", GREEDY)]) == written(stock, [("", GREEDY)])
    else:
        with pytest.raises(DataError, match="prompt without tokens"):
            written(tree, [("", GREEDY)])


@pytest.mark.parametrize("tokens", [64, 65, 400])
def test_more_new_tokens_than_context_are_refused(tokens: int) -> None:
    """Stock asserts; here the message has both numbers."""
    tree = TreeLM(pretrained=str(NANO), max_length=64, **CPU)
    with pytest.raises(UsageError, match=f"Generating {tokens} tokens: leaves no room for a prompt in a context of 64"):
        written(tree, [("the harbour", {"until": [], "max_gen_toks": tokens})])


@pytest.mark.parametrize(
    "settings", [{"until": 7}, {"do_sample": True}, {"do_sample": True, "temperature": -1.0}, {"nonsense": 3}], ids=str
)
def test_arguments_that_stock_rejects_are_rejected_alike(stock: HFLM, tree: TreeLM, settings: dict[str, Any]) -> None:
    """The error is stock's own."""
    asked = [("the harbour", {**GREEDY, **settings})]
    with pytest.raises(Exception) as theirs:  # noqa: PT011 - which one it is, is what is asked
        written(stock, asked)
    with pytest.raises(theirs.type):
        written(tree, asked)


def nan_head(folder: Path) -> TreeLM:
    """A model whose head has a NaN."""
    tree = TreeLM(pretrained=str(folder), **CPU)
    with torch.no_grad():
        tree.model.lm_head.weight[100, 3] = float("nan")
    return tree


def test_nan_logits_are_told_as_such(tmp_path: Path) -> None:
    """Scores and texts of a broken checkpoint are refused; a NaN is never an answer."""
    folder = save(SUPPORTED[0], tmp_path / "llama")
    with pytest.raises(CheckpointError, match="NaN"):
        nan_head(folder).loglikelihood(instances("loglikelihood", questions()), disable_tqdm=True)
    with pytest.raises(CheckpointError, match="NaN"):
        nan_head(folder).loglikelihood_rolling(instances("loglikelihood_rolling", [("the coast",)]))
    with pytest.raises(CheckpointError, match="gives NaN logits"):
        written(nan_head(folder), [("the coast", GREEDY)])


@pytest.fixture(scope="module")
def unpadded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint whose tokenizer has no padding token."""
    folder = tmp_path_factory.mktemp("unpadded") / "nano"
    shutil.copytree(NANO, folder)
    config = folder / "tokenizer_config.json"
    config.write_text(config.read_text().replace('  "pad_token": "<|pad|>",\n', ""))
    return folder


def test_a_missing_padding_token(unpadded: Path) -> None:
    """The tree pads nothing; scores and texts are stock's."""
    stock, tree = HFLM(pretrained=str(unpadded), batch_size=1, **CPU), TreeLM(pretrained=str(unpadded), **CPU)
    asked = [(prompt, GREEDY) for prompt in prompts()]
    assert written(tree, asked) == written(stock, asked)
    pairs = instances("loglikelihood", questions(subjects=1))
    ours, wanted = tree.loglikelihood(pairs, disable_tqdm=True), stock.loglikelihood(pairs, disable_tqdm=True)
    assert [flag for _, flag in ours] == [flag for _, flag in wanted]
    assert max(abs(a - b) for (a, _), (b, _) in zip(ours, wanted, strict=True)) <= 1e-4


def test_padding_of_the_vocabulary_can_be_generated(tmp_path: Path) -> None:
    """Ids beyond the tokenizer's take part in the choice and decode as stock decodes them."""
    padded = save(next(family for family in SUPPORTED if family.name == "padded"), tmp_path / "padded")
    stock, tree = HFLM(pretrained=str(padded), batch_size=1, **CPU), TreeLM(pretrained=str(padded), **CPU)
    with torch.no_grad():
        for lm in (stock, tree):
            lm.model.lm_head.weight[6150:] *= 4  # the padding is now what random weights like best
    asked = [(prompt, {"until": [], "max_gen_toks": 6}) for prompt in prompts()]
    assert written(tree, asked) == written(stock, asked)


def test_an_empty_whole_text_has_nothing_to_score(stock: HFLM, tree: TreeLM) -> None:
    """A rolling request without tokens gets stock's zero, and the text beside it its own score."""
    texts = instances("loglikelihood_rolling", [("",), ("the harbour opened in spring",)])
    ours, wanted = tree.loglikelihood_rolling(texts), stock.loglikelihood_rolling(texts, disable_tqdm=True)
    assert ours[0] == wanted[0] == 0
    assert ours[1] == pytest.approx(wanted[1], abs=1e-4)


@pytest.mark.slow
def test_a_million_requests_are_answered_in_little_memory(tmp_path: Path) -> None:
    """A million multiple-choice requests: under 2 GiB, each token of a shared beginning once, a sample as stock."""
    folder = str(save(SUPPORTED[0], tmp_path / "llama"))
    preamble = np.random.default_rng(0).integers(5, 6000, 60).tolist()

    def requests() -> Iterator[tuple[tuple[str, str], list[int], list[int]]]:
        for number in range(250_000):
            context = [*preamble, 1000 + number // 1000, 1000 + number % 1000]
            yield from ((("", ""), context, [choice]) for choice in range(10, 14))

    stock, tree, asked = HFLM(pretrained=folder, **CPU), TreeLM(pretrained=folder, **CPU), list(requests())
    assert ask([pair for _, *pair in asked], 2048).tree.rows == 60 + 250 + 250_000
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answers = tree._loglikelihood_tokens(asked, disable_tqdm=True)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 2 << 20
    assert len(answers) == 1_000_000
    some = slice(0, None, 25_013)
    wanted = stock._loglikelihood_tokens(asked[some], disable_tqdm=True)
    assert [greedy for _, greedy in answers[some]] == [greedy for _, greedy in wanted]
    assert max(abs(a - b) for (a, _), (b, _) in zip(answers[some], wanted, strict=True)) <= 1e-4
