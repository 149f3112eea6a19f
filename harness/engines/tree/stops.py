"""When a generated row ends: lm-eval's stop strings and the model's end tokens, for each row by itself.

Source: lm-eval 0.4.13, ``models/utils_hf.py: MultiTokenEOSCriteria``: a stop string is looked for in the decoded last
tokens, two more than it takes to write it. Stock goes on until every row of a batch has met one and the same string;
here a row ends when stock would end it alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

_SPARE = 2
"""Tokens looked back on beyond the stop string's own: a model may spell it with other tokens."""


class Stops:
    """The stop rule of one kind of request."""

    def __init__(self, tokenizer: Any, until: Sequence[str], ends: Iterable[int]) -> None:
        """Keep the strings, and how far back each is looked for.

        Args:
            tokenizer: The model's tokenizer.
            until: Stop strings.
            ends: Token ids that end a row by themselves.
        """
        self._tokenizer = tokenizer
        self._ends = frozenset(ends)
        self._spans = {text: len(tokenizer.encode(text, add_special_tokens=False)) + _SPARE for text in until}
        anchor = tokenizer.encode("a", add_special_tokens=False)[-1:]
        self._anchor, self._anchored = anchor, len(tokenizer.decode(anchor))
        self._careful = bool(getattr(tokenizer, "clean_up_tokenization_spaces", False))
        self._suspects: dict[int, tuple[str, ...]] = {}

    def met(self, tokens: Sequence[int]) -> bool:
        """Whether a row ends with its newest token.

        Args:
            tokens: What was generated so far, at least one token.
        """
        newest = tokens[-1]
        if newest in self._ends:
            return True
        if (suspects := self._suspects.get(newest)) is None:
            suspects = self._suspects[newest] = tuple(text for text in self._spans if self._may_end(newest, text))
        return any(text in self._tokenizer.decode(list(tokens[-self._spans[text] :])) for text in suspects)

    def _may_end(self, token: int, stop: str) -> bool:
        """Whether a stop string may be complete with this token and not before: most tokens need no decoding."""
        alone = self._tokenizer.decode([token])
        behind = self._tokenizer.decode([*self._anchor, token])[self._anchored :]
        if self._careful or not stop or "\ufffd" in alone + behind:
            return True
        return any(
            stop in text or any(text[:size] == stop[-size:] for size in range(1, min(len(text), len(stop)) + 1))
            for text in (alone, behind)
        )
