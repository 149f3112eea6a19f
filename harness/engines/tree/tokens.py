"""Text to token ids, exactly as stock lm-eval's ``hf`` makes them, with every piece of text tokenised once.

Stock encodes a context anew with every choice. Here texts are joined from cached pieces (``pieces.py``), and a sample
of every call is compared with the plain encoding: one difference turns the short cut off for that tokenizer.

Source of the rules for BOS, empty contexts and trailing spaces: lm-eval 0.4.13, ``HFLM.tok_encode``,
``HFLM.tok_batch_encode``, ``TemplateLM.loglikelihood`` and ``TemplateLM._encode_pair``.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Sequence
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from harness.engines.tree.pieces import CUT, Ids, Pieces, encoded

_log = logging.getLogger(__name__)
_FIRST_SAMPLE, _SAMPLE = 16, 4
"""Texts of the first call, and of every other one, that are also encoded plainly, at least."""

_MOST_SHARED = 4
"""Tokenizers whose pieces are kept for the next checkpoint."""

Pair = tuple[Ids, Ids]
Wanted = tuple[str, bool]
"""A text, and whether the tokenizer's special tokens stand around it."""

W = TypeVar("W")
F = TypeVar("F")

_SHARED: dict[str, Encoder] = {}
_OF_MODEL: WeakKeyDictionary[Any, tuple[tuple[Any, ...], Encoder]] = WeakKeyDictionary()


class Encoder:
    """Token ids of a tokenizer under lm-eval's rules.

    It holds no model, so that several checkpoints with one tokenizer can share it.

    Attributes:
        note: Why texts are tokenised in full, or None where they are joined from cached pieces.
    """

    def __init__(self, tokenizer: Any, add_bos: bool | None, prefix_id: int) -> None:
        """Keep the tokenizer and find out what it puts around a text.

        Args:
            tokenizer: A transformers tokenizer.
            add_bos: lm-eval's ``add_bos_token``; None leaves it to the tokenizer.
            prefix_id: The token that stands for an empty context.
        """
        self._tokenizer = tokenizer
        self._special = add_bos is not False
        self._prefix_id = prefix_id
        self._prefix = tokenizer.decode(prefix_id)
        self._pieces = Pieces(tokenizer)
        self._before, self._after = _around(tokenizer)
        self._sample = _FIRST_SAMPLE
        self.note: str | None = None

    def texts(self, strings: Sequence[str]) -> list[Ids]:
        """The ids of each text, as ``HFLM.tok_encode`` gives them."""
        return self._checked([self._wanted(text) for text in strings], self._joined, self._plain)

    def prompts(self, strings: Sequence[str]) -> list[Ids]:
        """The ids of each prompt, as ``HFLM.tok_batch_encode`` gives them for that prompt alone, before truncation."""
        bos = self._tokenizer.bos_token
        wanted = [(text, self._special and not (bos is not None and text.startswith(bos))) for text in strings]
        return self._checked(wanted, self._joined, self._plain)

    def pairs(self, requests: Sequence[tuple[str, str]]) -> list[Pair]:
        """Ids of context and continuation of each request, as ``HFLM.loglikelihood`` makes them.

        Requests of one context share one list of context ids: do not change it. A part that has no token is empty.
        """
        alone = [(continuation, False) for context, continuation in requests if not context]
        moved = [_spaces_moved(*request) for request in requests if request[0]]
        bare = iter(self._checked(alone, self._joined, self._plain))
        within = iter(self._checked(moved, self._joined_pairs, self._plain_pairs))
        return [next(within) if context else self._after_prefix(next(bare)) for context, _ in requests]

    def _checked(
        self,
        wanted: Sequence[W],
        joined: Callable[[Sequence[W]], list[F | None]],
        plain: Callable[[Sequence[W]], list[F]],
    ) -> list[F]:
        """What ``joined`` finds where a sample shows it to be what ``plain`` finds; ``plain`` fills its gaps."""
        if self.note is not None:
            return plain(wanted)
        self._pieces.trim()
        found = joined(wanted)
        picked = set(range(0, len(wanted), max(1, len(wanted) // self._sample)))
        self._sample = _SAMPLE if wanted else self._sample
        plainly = sorted(picked | {number for number, ids in enumerate(found) if ids is None})
        for number, ids in zip(plainly, plain([wanted[number] for number in plainly]), strict=True):
            if found[number] not in (None, ids):
                name = type(self._tokenizer).__name__
                self.note = f"{name} splits a text unlike its pieces: every text is tokenised in full"
                _log.warning(self.note)
                return plain(wanted)
            found[number] = ids
        return [ids for ids in found if ids is not None]

    def _wanted(self, text: str) -> Wanted:
        return text, self._special and not text.startswith(self._prefix)

    def _after_prefix(self, ids: Ids) -> Pair:
        return (ids[:1], ids[1:]) if ids[:1] == [self._prefix_id] else ([self._prefix_id], ids)

    def _plain(self, wanted: Sequence[Wanted]) -> list[Ids]:
        known: dict[Wanted, Ids] = {}
        for special in (True, False):
            texts = list(dict.fromkeys(text for text, around in wanted if around == special))
            found = encoded(self._tokenizer, texts, special)
            known |= {(text, special): ids for text, ids in zip(texts, found, strict=True)}
        return [known[one] for one in wanted]

    def _plain_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Pair]:
        wholes = self._plain([self._wanted(context + continuation) for context, continuation in pairs])
        contexts = self._plain([self._wanted(context) for context, _ in pairs])
        return [(context, whole[len(context) :]) for context, whole in zip(contexts, wholes, strict=True)]

    def _joined(self, wanted: Sequence[Wanted]) -> list[Ids | None]:
        ids = self._pieces.ids(self._pieces.cut(text for text, _ in wanted))
        known = {one: self._wrapped(ids[one[0]], one[1]) for one in dict.fromkeys(wanted)}
        return [known[one] for one in wanted]

    def _joined_pairs(self, pairs: Sequence[tuple[str, str]]) -> list[Pair | None]:
        """As ``_joined``; of a request only the last piece of its context and its continuation are new."""
        cuts = self._pieces.cut(context for context, _ in pairs)
        contexts = {
            context: (special, self._wrapped(ids, special))
            for context, ids in self._pieces.ids(cuts).items()
            for special in (self._wanted(context)[1],)
        }
        tails = [CUT.split(cuts[context].pieces[-1] + continuation) for context, continuation in pairs]
        for start in (True, False):
            chosen = zip(pairs, tails, strict=True)
            self._pieces.learn((tail for (context, _), tail in chosen if cuts[context].whole == start), start)
        found: list[Pair | None] = []
        for (context, continuation), tail in zip(pairs, tails, strict=True):
            (special, ids), start = contexts[context], cuts[context].whole
            last, end = self._pieces.join(cuts[context].pieces[-1:], start), self._pieces.join(tail, start)
            if ids is None or last is None or end is None or special != self._wanted(context + continuation)[1]:
                found.append(None)
                continue
            after = self._after if special else []
            found.append((ids, [*end, *after][len(last) + len(after) :]))
        return found

    def _wrapped(self, ids: Ids | None, special: bool) -> Ids | None:
        return [*self._before, *ids, *self._after] if special and ids is not None else ids


def encoder_of(lm: Any) -> Encoder:
    """The encoder of an lm-eval ``HFLM``; models with equal tokenizers get one and the same."""
    rules = (id(lm.tokenizer), lm.add_bos_token, lm.prefix_token_id)
    known = _OF_MODEL.get(lm)
    if known is None or known[0] != rules:
        known = _OF_MODEL[lm] = rules, _shared_encoder(lm)
    return known[1]


def _shared_encoder(lm: Any) -> Encoder:
    tokenizer = lm.tokenizer
    backend = getattr(tokenizer, "backend_tokenizer", None)
    text = backend.to_str() if backend is not None else str(id(tokenizer))  # kept alive by its encoder
    rules = (type(tokenizer).__name__, tokenizer.bos_token, lm.add_bos_token, lm.prefix_token_id)
    key = hashlib.sha256(f"{rules}{text}".encode("utf-8", "surrogatepass")).hexdigest()
    if key not in _SHARED:
        while len(_SHARED) >= _MOST_SHARED:
            _SHARED.pop(next(iter(_SHARED)))
        _SHARED[key] = Encoder(tokenizer, lm.add_bos_token, lm.prefix_token_id)
    return _SHARED[key]


def _around(tokenizer: Any) -> tuple[Ids, Ids]:
    """The special tokens that a tokenizer puts before and after a text."""
    bare, whole = (encoded(tokenizer, ["a"], special)[0] for special in (False, True))
    for start in range(len(whole) - len(bare) + 1):
        if whole[start : start + len(bare)] == bare:
            return whole[:start], whole[start + len(bare) :]
    return [], []  # it changes the text itself: the sample will differ


def _spaces_moved(context: str, continuation: str) -> tuple[str, str]:
    """A request whose context ends in no white space: it begins the continuation."""
    bare = context.rstrip()
    return bare, context[len(bare) :] + continuation
