"""The filter of length, in tokens of the model that will learn from the example."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from importlib.resources import files

from harness.errors import CheckpointError
from synth.filters.filter import Check, Filter, Work
from synth.records import Annotation, Example

Counter = Callable[[Sequence[str]], list[int]]
"""Tokens of each text."""


def _check(work: Work) -> Check:
    most = work.context.settings.max_tokens
    count = token_counter(work.context.settings.tokenizer)

    def check(examples: Sequence[Example]) -> list[Annotation]:
        texts = [example.prompt + example.completion for example in examples]
        lone = [not _encodable(text) for text in texts]
        counts = count(["" if bad else text for text, bad in zip(texts, lone, strict=True)])
        return [
            LENGTH.found(False, None, "a lone surrogate, which is no character, has no tokens")
            if bad
            else LENGTH.found(tokens <= most, tokens, f"{tokens} tokens are more than {most}")
            for tokens, bad in zip(counts, lone, strict=True)
        ]

    return check


LENGTH = Filter("length", "1", _check)
"""Prompt and completion have at most ``max_tokens`` tokens, special tokens not counted. Value: tokens."""


@lru_cache(maxsize=2)
def token_counter(name: str | None) -> Counter:
    """A function that counts the tokens of many texts at once.

    Args:
        name: Folder or hub id of a tokenizer; None for that of the embedded checkpoint.

    Raises:
        CheckpointError: It cannot be loaded.
    """
    from transformers import AutoTokenizer

    place = name or str(files("harness") / "assets" / "nano")
    try:
        tokenizer = AutoTokenizer.from_pretrained(place)
    except Exception as error:  # a broken tokenizer file can raise anything, a panic of the Rust library included
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
        raise CheckpointError(
            f"Tokenizer {place}", f"cannot be loaded ({reason})", "name a folder with tokenizer files, or a hub id"
        ) from error
    backend = getattr(tokenizer, "backend_tokenizer", None)
    if backend is None:
        return lambda texts: [len(ids) for ids in tokenizer(list(texts), add_special_tokens=False)["input_ids"]]
    backend.no_truncation()
    backend.no_padding()
    return lambda texts: [len(found) for found in backend.encode_batch_fast(list(texts), add_special_tokens=False)]


def _encodable(text: str) -> bool:
    return text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text)
