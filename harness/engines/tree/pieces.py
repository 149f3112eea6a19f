"""Texts joined from pieces that are tokenised once each.

A text is cut before a space that stands between two visible characters; most tokenizers begin a new token there.
Each distinct piece is encoded behind an anchor letter, which keeps the tokenizer from treating it as the beginning of
a text. Nothing here is assumed to hold for a tokenizer: ``tokens.py`` compares with the plain encoding.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, NamedTuple

from harness.engines.shared import shared

Ids = list[int]

CUT = re.compile(r" (?<=[\w!-~] )(?=[\w!-~])")
"""The space before a piece; it belongs to the piece and is left out of its text."""

_ANCHOR = "a"
_MOST_PIECES = 2_000_000
"""Cached pieces (some 400 MB) after which the cache starts anew."""


class Cut(NamedTuple):
    """A text in pieces.

    Attributes:
        pieces: Its pieces, all of them or those after what it shares with ``base``.
        base: An earlier text that begins in the same way, or None.
        kept: Pieces of the base that it begins with.
    """

    pieces: list[str]
    base: str | None = None
    kept: int = 0

    @property
    def whole(self) -> bool:
        """Whether the only piece is the whole text."""
        return self.base is None and len(self.pieces) == 1


class Pieces:
    """Ids of the pieces of texts, without special tokens around a text."""

    def __init__(self, tokenizer: Any) -> None:
        """Keep the tokenizer and find its tokens beside which no cut is safe."""
        self._tokenizer = tokenizer
        self._anchor = encoded(tokenizer, [_ANCHOR], special=False)[0]
        self._unknown = getattr(tokenizer, "unk_token_id", None)
        self._special = {self._unknown, *getattr(tokenizer, "added_tokens_decoder", {})}
        self._reaching = _reaching_tokens(tokenizer)
        self._last: tuple[list[str], Ids | None] = [], None
        self._first: dict[str, Ids | None] = {}
        self._later: dict[str, Ids | None] = {}

    def trim(self) -> None:
        """Forget all pieces where there are too many."""
        if len(self._first) + len(self._later) > _MOST_PIECES:
            self._first.clear()
            self._later.clear()

    def cut(self, texts: Iterable[str]) -> dict[str, Cut]:
        """Where to cut each text; one that begins as an earlier one did is cut from there on."""
        found: dict[str, Cut] = {}
        base = ""
        ends: list[int] = []  # where the pieces of the base end, once a text shares them
        for text in dict.fromkeys(texts):
            same = shared(base, text)
            if 2 * same > len(text) and base:
                ends = ends or [end - 1 for end in accumulate(len(piece) + 1 for piece in found[base].pieces)]
                if kept := bisect_right(ends, same - 2):  # the letter after a cut counts too
                    found[text] = Cut(CUT.split(text[ends[kept - 1] + 1 :]), base, kept)
                    continue
            found[text] = Cut(CUT.split(text))
            base, ends = text, []
        return found

    def ids(self, cuts: Mapping[str, Cut]) -> dict[str, Ids | None]:
        """The ids of texts, or None where a piece cannot be told from the outside."""
        self.learn(cut.pieces for cut in cuts.values() if cut.base is None)
        self.learn((cut.pieces for cut in cuts.values() if cut.base is not None), start=False)
        found: dict[str, Ids | None] = {}
        for text, cut in cuts.items():
            own = self.join(cut.pieces, cut.base is None)
            if cut.base is not None and own is not None:
                head = self._head(cuts[cut.base].pieces[: cut.kept])
                own = None if head is None else head + own
            found[text] = own
        return found

    def _head(self, pieces: list[str]) -> Ids | None:
        """The ids of the last beginning asked for, kept: the next text mostly has the same."""
        if pieces != self._last[0]:
            self._last = pieces, self.join(pieces)
        return self._last[1]

    def learn(self, texts: Iterable[Sequence[str]], start: bool = True) -> None:
        """Encode the pieces that are new, all at once.

        Args:
            texts: Pieces of each text, as ``CUT`` splits it.
            start: Whether the first piece of each is the beginning of a text; else a space stands before it.
        """
        first: set[str] = set()
        later: set[str] = set()
        for pieces in texts:
            (first if start else later).add(pieces[0])
            later.update(pieces[1:])
        self._add_first(sorted(first - self._first.keys()))
        self._add_later(sorted(later - self._later.keys()))

    def join(self, pieces: Sequence[str], start: bool = True) -> Ids | None:
        """The ids of a text whose pieces are known, or None where a piece cannot be told from the outside."""
        head = (self._first if start else self._later)[pieces[0]]
        try:
            return list(chain(head, chain.from_iterable(map(self._later.__getitem__, pieces[1:]))))  # type: ignore
        except TypeError:  # one of them is None
            return None

    def _add_first(self, pieces: list[str]) -> None:
        for piece, ids in zip(pieces, self._encoded(pieces), strict=True):
            self._first[piece] = None if self._is_odd(piece, ids) else ids

    def _add_later(self, pieces: list[str]) -> None:
        length = len(self._anchor)
        found = self._encoded([f"{_ANCHOR} {piece}" for piece in pieces])
        for piece, ids in zip(pieces, found, strict=True):
            own = ids[length:]
            self._later[piece] = None if ids[:length] != self._anchor or self._is_odd(piece, own) else own

    def _encoded(self, pieces: list[str]) -> list[Ids]:
        """Ids of pieces, where possible without transformers' wrapping, which costs as much as the encoding."""
        backend = getattr(self._tokenizer, "backend_tokenizer", None)
        if backend is None:
            return encoded(self._tokenizer, pieces, special=False)
        backend.no_padding()
        backend.no_truncation()
        return [each.ids for each in backend.encode_batch_fast(pieces, add_special_tokens=False)]

    def _is_odd(self, piece: str, ids: Ids) -> bool:
        """Whether a piece may change its neighbours: unknown tokens fuse, added tokens reach out."""
        if self._special.isdisjoint(ids):
            return False
        return self._unknown in ids or (self._reaching is not None and self._reaching.search(piece) is not None)


def encoded(tokenizer: Any, texts: list[str], special: bool) -> list[Ids]:
    """Ids of texts as ``tokenizer.encode(text, add_special_tokens=special)`` gives them, all at once."""
    if not texts:
        return []
    return list(tokenizer(texts, add_special_tokens=special, return_attention_mask=False, verbose=False)["input_ids"])


def _reaching_tokens(tokenizer: Any) -> re.Pattern[str] | None:
    """Added tokens that can reach over a cut: they swallow the space after them, hold one, or end a piece.

    What follows an added token is a text of its own to some tokenizers, with a mark of its beginning.
    """
    added = [token for token in getattr(tokenizer, "added_tokens_decoder", {}).values() if token.content.strip()]
    anywhere = [re.escape(token.content) for token in added if token.rstrip or " " in token.content[1:]]
    at_end = [re.escape(token.content) + r"\Z" for token in added]
    return re.compile("|".join(anywhere + at_end), re.IGNORECASE) if added else None
