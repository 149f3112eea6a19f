"""Property tests of the scorer's encoder: joined pieces are the tokens of the whole text."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizer_kinds import KINDS, Stock, tokenizer_of

from harness.engines.tree.tokens import Encoder

words = st.sampled_from(
    ["the", "dog", "Answer:", "A", "42", "1,503", "don't", "[step]", "é", "東京", "<s>", "<|user|>"]
)
gaps = st.sampled_from([" ", " ", " ", "  ", "\n", "\n\n", " \n", "\t", "", "\u00a0", "\u200b", "\u0301"])
texts = st.lists(st.tuples(words, gaps), max_size=12).map(lambda parts: "".join(word + gap for word, gap in parts))
letters = st.text(alphabet="ab .,'-_\n\té😀½", max_size=20)
TOKENIZERS = {kind: tokenizer_of(kind) for kind in KINDS if kind != "crossing"}


def unchecked(tokenizer: Any) -> Encoder:
    """An encoder that compares the first text of a call only, and so has to be right by itself."""
    encoder = Encoder(tokenizer, None, 1)
    encoder._sample = 1
    return encoder


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=30, deadline=None)
@given(context=texts | letters, continuation=texts | letters)
def test_pieces_give_the_tokens_of_the_whole(kind: str, context: str, continuation: str) -> None:
    """Without the sample to correct them, joined ids equal stock's for any text and any pair."""
    tokenizer: Any = TOKENIZERS[kind]
    stock, encoder = Stock(tokenizer), unchecked(tokenizer)
    first, second = ("a first text", " to be compared"), (context, continuation)
    _, found = encoder.texts([first[0], context + continuation])
    assert found == stock.tok_encode(context + continuation)
    if context.rstrip() and all(expected := stock._encode_pair(*second)):
        assert unchecked(tokenizer).pairs([first, second])[1] == expected
    assert encoder.note is None


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=30, deadline=None)
@given(preamble=texts, ends=st.lists(texts | letters, max_size=5), more=st.lists(texts, max_size=3))
def test_shared_beginnings_are_not_cut_elsewhere(kind: str, preamble: str, ends: list[str], more: list[str]) -> None:
    """Texts that begin alike, in any order and with strangers between, have the tokens that each has alone."""
    tokenizer: Any = TOKENIZERS[kind]
    stock = Stock(tokenizer)
    asked = ["a first text", *(preamble * 2 + end for end in ends), *more, *(preamble * 2 + end for end in more)]
    assert unchecked(tokenizer).texts(asked) == [stock.tok_encode(text) for text in asked]
    pairs = [(text, choice) for text in asked if text.rstrip() for choice in (" A", ": the dog", "s")]
    usable = [pair for pair in pairs if all(stock._encode_pair(*pair))]
    assert unchecked(tokenizer).pairs(usable) == [stock._encode_pair(*pair) for pair in usable]
