"""Tokenizers of every kind that checkpoints come with, trained in a moment on a few sentences."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from lm_eval.models.huggingface import HFLM

SENTENCES = (
    "The quick brown fox jumps over the lazy dog, and the dog doesn't mind.",
    "In 1912 the ship sailed; 1,503 people were lost. (Source: a book!)",
    "Question: what is 17 + 25?\nA. 42\nB. 43\nC. 44\nD. 52\nAnswer: A",
    "def add(a, b):\n    return a + b\n\n\nprint(add(1, 2))",
    "Ein Mädchen aß Brötchen; naïve café, 東京は大きい。 Привет, мир!",
    "[header] How to knit [step] Take two needles. [title] Done",
)

KINDS = ("byte", "byte digits", "metaspace", "merged", "unigram", "wordpiece", "swallowing", "crossing")


class Stock(HFLM):
    """Stock lm-eval's own encoding of a tokenizer, without a model; ``pairs`` is what reaches the scorer."""

    def __init__(self, tokenizer: Any, add_bos: bool | None = None) -> None:
        """Keep what encoding needs."""
        self.tokenizer, self.add_bos_token, self.backend = tokenizer, add_bos, "causal"
        self.custom_prefix_token_id, self.enable_thinking = None, None

    def _loglikelihood_tokens(self, requests: Any, **_: Any) -> Any:
        return [(context, continuation) for _, context, continuation in requests]


def tokenizer_of(kind: str) -> Any:
    """A small tokenizer of one of ``KINDS``, as transformers wraps it."""
    from tokenizers import AddedToken
    from transformers import PreTrainedTokenizerFast

    raw, special = _RAW[kind]()
    special = {"bos_token": "<s>", "eos_token": "</s>", **special}
    if kind == "swallowing":
        raw.add_special_tokens([AddedToken("<|user|>", rstrip=True, lstrip=True)])
    return PreTrainedTokenizerFast(tokenizer_object=raw, **special)


def _trained(raw: Any, trainer: Any, texts: tuple[str, ...] = SENTENCES) -> Any:
    def corpus() -> Iterator[str]:
        yield from texts * 3

    raw.train_from_iterator(corpus(), trainer)
    return raw


def _with_bos(raw: Any) -> Any:
    from tokenizers.processors import TemplateProcessing

    raw.post_processor = TemplateProcessing(single="<s> $A", special_tokens=[("<s>", raw.token_to_id("<s>"))])
    return raw


def _byte(digits: bool = False) -> tuple[Any, dict[str, Any]]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE())
    split = pre_tokenizers.ByteLevel(add_prefix_space=False)
    raw.pre_tokenizer = pre_tokenizers.Sequence([pre_tokenizers.Digits(True), split]) if digits else split
    raw.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=500, special_tokens=["<s>", "</s>"], initial_alphabet=alphabet)
    return _trained(raw, trainer), {}


def _metaspace() -> tuple[Any, dict[str, Any]]:
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="first")
    raw.decoder = decoders.Metaspace()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<unk>", "<s>", "</s>"])
    return _with_bos(_trained(raw, trainer)), {"unk_token": "<unk>"}


def _merged(crossing: bool = False) -> tuple[Any, dict[str, Any]]:
    """No pre-tokenizer, as in Llama 2: merges could cross words, and do where a phrase is all that was seen."""
    from tokenizers import Tokenizer, models, normalizers, trainers

    raw = Tokenizer(models.BPE(unk_token="<unk>"))
    raw.normalizer = normalizers.Sequence([normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")])
    texts = ("the dog of the house",) * 9 + SENTENCES if crossing else tuple(" ".join(SENTENCES).split())
    size = 500 if crossing else 300
    trainer = trainers.BpeTrainer(vocab_size=size, special_tokens=["<unk>", "<s>", "</s>"], initial_alphabet=["▁"])
    return _with_bos(_trained(raw, trainer, texts)), {"unk_token": "<unk>"}


def _unigram() -> tuple[Any, dict[str, Any]]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    raw = Tokenizer(models.Unigram())
    raw.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Strip()])
    raw.pre_tokenizer = pre_tokenizers.Metaspace()
    trainer = trainers.UnigramTrainer(vocab_size=200, special_tokens=["<unk>", "<s>", "</s>"], unk_token="<unk>")
    raw = _trained(raw, trainer)
    raw.post_processor = processors.TemplateProcessing(single="$A </s>", special_tokens=[("</s>", 2)])
    return raw, {"unk_token": "<unk>"}


def _wordpiece() -> tuple[Any, dict[str, Any]]:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers

    raw = Tokenizer(models.WordPiece(unk_token="<unk>"))
    raw.normalizer = normalizers.BertNormalizer(lowercase=True)
    raw.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    trainer = trainers.WordPieceTrainer(vocab_size=300, special_tokens=["<unk>", "<s>", "</s>"])
    raw = _trained(raw, trainer)
    template = {"single": "<s> $A </s>", "special_tokens": [("<s>", 1), ("</s>", 2)]}
    raw.post_processor = processors.TemplateProcessing(**template)
    return raw, {"unk_token": "<unk>"}


_RAW: dict[str, Any] = {
    "byte": _byte,
    "byte digits": lambda: _byte(digits=True),
    "metaspace": _metaspace,
    "merged": _merged,
    "unigram": _unigram,
    "wordpiece": _wordpiece,
    "swallowing": _byte,
    "crossing": lambda: _merged(crossing=True),
}
