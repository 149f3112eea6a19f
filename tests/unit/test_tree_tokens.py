"""The encoder of the scorer gives the ids of stock lm-eval, whatever the tokenizer."""

from __future__ import annotations

import logging
from importlib.resources import files
from types import SimpleNamespace
from typing import Any

import pytest
from tokenizer_kinds import KINDS, SENTENCES, Stock, tokenizer_of
from transformers import AutoTokenizer

from harness.engines.tree.tokens import Encoder, encoder_of

NANO = str(files("harness") / "assets" / "nano")
PREAMBLE = f"{SENTENCES[2]}\n\n{SENTENCES[1]}\n\n"
PAIRS = [
    *((PREAMBLE + context, choice) for context in SENTENCES for choice in (" A", " B", " the dog", "\nAnswer: 42")),
    ("The quick brown fox ", "jumps"),  # the space belongs to the continuation
    ("Two lines\n", "follow"),
    ("A", " B"),
    ("wor", "ds merge into one"),
    ("", "no context at all"),
    ("<s>given", " by hand"),
    ("<|user|> hello <|user|>  there", " you <|user|> too"),
    ("tabs\tand\u00a0odd\u3000spaces \u200b here", " e\u0301 \u0301 x"),
]


def stock_pairs(stock: Stock, pairs: list[tuple[str, str]]) -> list[Any]:
    """What stock lm-eval hands to its scorer."""
    return stock.loglikelihood([SimpleNamespace(args=pair) for pair in pairs], disable_tqdm=True)


@pytest.fixture(scope="module", params=["nano", *KINDS])
def tokenizer(request: pytest.FixtureRequest) -> Any:
    """One tokenizer of each kind."""
    return AutoTokenizer.from_pretrained(NANO) if request.param == "nano" else tokenizer_of(request.param)


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_pairs_are_those_of_stock(tokenizer: Any, add_bos: bool | None) -> None:
    """Context and continuation ids equal stock's: BOS, moved spaces, merging choices, odd characters."""
    stock, encoder = Stock(tokenizer, add_bos), Encoder(tokenizer, add_bos, tokenizer.bos_token_id)
    pairs = [pair for pair in PAIRS if all(stock_pairs(stock, [pair])[0])]
    assert len(pairs) > 25
    assert encoder.pairs(pairs) == stock_pairs(stock, pairs)
    assert encoder.pairs(pairs[::-1]) == stock_pairs(stock, pairs[::-1])


@pytest.mark.parametrize("add_bos", [None, True, False])
def test_texts_and_prompts_are_those_of_stock(tokenizer: Any, add_bos: bool | None) -> None:
    """Rolling texts and generation prompts get stock's ids, empty ones too."""
    stock, encoder = Stock(tokenizer, add_bos), Encoder(tokenizer, add_bos, tokenizer.bos_token_id)
    texts = [context + choice for context, choice in PAIRS] + ["", " ", "\n"]
    assert encoder.texts(texts) == [stock.tok_encode(text) for text in texts]
    tokenizer.pad_token = tokenizer.eos_token
    rows = [stock.tok_batch_encode([text])[0][0].tolist() for text in texts]
    assert encoder.prompts(texts) == rows


def test_a_tokenizer_that_merges_over_words_turns_the_short_cut_off(caplog: pytest.LogCaptureFixture) -> None:
    """One difference in the sample is told once, and every text is tokenised in full from then on."""
    encoder = Encoder(tokenizer_of("crossing"), None, 1)
    text = "the dog of the house"
    with caplog.at_level(logging.WARNING):
        first, again = encoder.texts([text]), encoder.texts([text, text])
    assert first * 2 == again == [Stock(tokenizer_of("crossing")).tok_encode(text)] * 2
    assert encoder.note is not None
    assert len(caplog.records) == 1


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != "crossing"])
def test_usual_tokenizers_keep_the_short_cut(kind: str) -> None:
    """No other kind of tokenizer is tokenised in full."""
    encoder = Encoder(tokenizer_of(kind), None, 1)
    encoder.texts([f"{one} {other}" for one in SENTENCES for other in SENTENCES])
    assert encoder.note is None


def test_a_part_without_a_token_is_empty() -> None:
    """Requests that stock fails on keep their place, with an empty part for the scorer to refuse by name."""
    encoder = Encoder(tokenizer_of("byte"), None, 0)
    found = encoder.pairs([("a word", ""), ("", ""), (" ", "x")])
    assert [tuple(map(bool, pair)) for pair in found] == [(True, False), (True, False), (False, True)]


def test_requests_of_one_context_share_its_ids() -> None:
    """The ids of a context exist once, however many choices it has."""
    pairs = Encoder(tokenizer_of("byte"), None, 0).pairs([(PREAMBLE, " A"), (PREAMBLE, " B")])
    assert pairs[0][0] is pairs[1][0]


def test_models_with_equal_tokenizers_share_an_encoder() -> None:
    """A second checkpoint of one base finds the pieces of the first; other rules or tokenizers do not."""
    first, second = (Stock(AutoTokenizer.from_pretrained(NANO)) for _ in range(2))
    assert encoder_of(first) is encoder_of(second)
    assert encoder_of(first) is not encoder_of(Stock(first.tokenizer, add_bos=False))
    assert encoder_of(first) is not encoder_of(Stock(tokenizer_of("byte")))


def test_the_pieces_are_forgotten_when_there_are_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    """A million different texts cannot fill the memory: the cache starts anew and the ids stay right."""
    monkeypatch.setattr("harness.engines.tree.pieces._MOST_PIECES", 5)
    encoder, stock = Encoder(tokenizer_of("byte"), None, 0), Stock(tokenizer_of("byte"))
    for text in SENTENCES:
        assert encoder.texts([text]) == [stock.tok_encode(text)]
        assert encoder.pairs([(text, " A")]) == stock_pairs(stock, [(text, " A")])
