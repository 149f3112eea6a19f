"""Property tests of the scorer's encoder: joined pieces are the tokens of the whole text."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

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


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=60, deadline=None)
@given(context=texts | letters, continuation=texts | letters)
def test_pieces_give_the_tokens_of_the_whole(kind: str, context: str, continuation: str) -> None:
    """Without the sample to correct them, joined ids equal stock's for any text and any pair."""
    tokenizer: Any = TOKENIZERS[kind]
    stock, encoder = Stock(tokenizer), Encoder(tokenizer, None, 1)
    with patch("harness.engines.tree.tokens._SAMPLE", 1):  # only the first of a call
        first, second = ("a first text", " to be compared"), (context, continuation)
        _, found = encoder.texts([first[0], context + continuation])
        assert found == stock.tok_encode(context + continuation)
        if context.rstrip() and all(expected := stock._encode_pair(*second)):
            assert encoder.pairs([first, second])[1] == expected
    assert encoder.note is None
